//! An entry of the stream or of a page: stored in its room, with what it means for this device's memberships and
//! outbox.

use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_proto::wire::RoomKind;
use steadfast_proto::wire::entry::What;

use super::apply::Applying;
use super::error::ApplyError;
use super::messages::Overlap;
use super::number::checked_position;
use super::rooms::{Began, RoomInfo};
use super::settle::SettledOutcome;

impl Applying<'_> {
    pub(super) fn entry(&mut self, entry: &wire::Entry) -> Result<(), ApplyError> {
        self.advance(entry.position)?;
        if entry.room == 0 {
            return Ok(());
        }
        match self.own_join(entry) {
            Some(info) => self.put_room(info?, entry.position, Began::There)?,
            None => self.continue_room(entry)?,
        }
        self.tables.store_entry(entry, Overlap::Replace)?;
        if let Some(room) = self.own_end(entry) {
            self.leave(room, entry.position)?;
        }
        self.settle_own(entry)
    }

    /// A page tells positions as the stream does: what it brought must be found again when histories part.
    pub(super) fn page(&mut self, page: &wire::HistoryPage) -> Result<(), ApplyError> {
        for entry in &page.entries {
            if entry.room != page.room {
                return Err(ApplyError::StrangePage { page: RoomId(page.room), entry: RoomId(entry.room) });
            }
            checked_position(entry.room_sequence)?;
            self.tell(entry.position)?;
            self.tables.store_entry(entry, Overlap::Keep)?;
            self.settle_own(entry)?;
        }
        Ok(())
    }

    /// One's own join makes the room, or renews it, and starts the count.
    fn own_join(&self, entry: &wire::Entry) -> Option<Result<RoomInfo, ApplyError>> {
        let Some(What::Joined(joined)) = &entry.what else {
            return None;
        };
        let own = self.standing.account.0;
        let name = if joined.kind() != RoomKind::Direct {
            (joined.account == own).then_some(&joined.room_name)
        } else if joined.account == own {
            Some(&joined.other_name)
        } else {
            (joined.other == own).then_some(&joined.name)
        };
        let name = name?.clone();
        Some(checked_position(entry.room_sequence).map(|sequence| RoomInfo {
            room: RoomId(entry.room),
            name,
            kind: joined.kind(),
            member: true,
            base: sequence.saturating_sub(1),
            last: Some(sequence),
            readable_from: if joined.kind() == RoomKind::Public { 1 } else { sequence },
        }))
    }

    /// Every other entry is the next one of its room.
    fn continue_room(&mut self, entry: &wire::Entry) -> Result<(), ApplyError> {
        let room = RoomId(entry.room);
        let found = checked_position(entry.room_sequence)?;
        let is_account_room = room == self.standing.account.room();
        match self.room(room)? {
            Some(info) if let Some(last) = info.last => {
                let expected = last + 1;
                if found != expected {
                    return Err(ApplyError::OutOfOrder { room, expected: Some(expected), found });
                }
                info.last = Some(found);
                Ok(())
            }
            Some(info) => {
                let began = RoomInfo { member: true, base: found.saturating_sub(1), last: Some(found), ..info.clone() };
                self.put_room(began, entry.position, Began::Before)
            }
            None if is_account_room => self.put_room(account_room(room, found), entry.position, Began::Before),
            None => Err(ApplyError::OutOfOrder { room, expected: None, found }),
        }
    }

    /// The room that this account is a member of no longer.
    fn own_end(&self, entry: &wire::Entry) -> Option<RoomId> {
        match &entry.what {
            Some(What::Left(left)) => (left.account == self.standing.account.0).then_some(RoomId(entry.room)),
            Some(What::Removed(removed)) => {
                (entry.room == self.standing.account.room().0).then_some(RoomId(removed.room))
            }
            Some(What::Message(_) | What::Joined(_) | What::Added(_) | What::DeviceAdded(_) | What::TermOpened(_))
            | None => None,
        }
    }

    fn leave(&mut self, room: RoomId, position: u64) -> Result<(), ApplyError> {
        if let Some(info) = self.room(room)? {
            info.member = false;
            self.tables.close_membership(room, position)?;
        }
        Ok(())
    }

    /// One's own operation that came back has its outcome, whether or not the server's answer came.
    fn settle_own(&mut self, entry: &wire::Entry) -> Result<(), ApplyError> {
        if entry.account != self.standing.account.0 {
            return Ok(());
        }
        let id = OperationId(entry.id);
        let Some(row) = self.tables.waiting(id)? else {
            return Ok(());
        };
        let room = match &entry.what {
            Some(What::Added(added)) => added.room,
            Some(What::Removed(removed)) => removed.room,
            Some(What::Message(_) | What::Joined(_) | What::Left(_) | What::DeviceAdded(_) | What::TermOpened(_))
            | None => entry.room,
        };
        let settled = SettledOutcome {
            sequence: entry.sequence,
            position: entry.position,
            room: Some(RoomId(room)),
            refusal: None,
        };
        self.settle(id, row, settled)
    }
}

/// The first entry that this device sees of it may be any.
fn account_room(room: RoomId, sequence: u64) -> RoomInfo {
    RoomInfo {
        room,
        name: String::new(),
        kind: RoomKind::Account,
        member: true,
        base: sequence.saturating_sub(1),
        last: Some(sequence),
        readable_from: 1,
    }
}

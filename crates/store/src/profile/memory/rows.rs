//! The rows of a profile in memory, within one transaction.

use steadfast_proto::ids::{AccountId, OperationId, RoomId, Term};
use steadfast_proto::session::Identity;
use steadfast_proto::wire::{self, RoomKind};

use super::State;
use crate::profile::aside::Moved;
use crate::profile::messages::Overlap;
use crate::profile::notices::NOTICES_MAX;
use crate::profile::rooms::{Began, Interval};
use crate::profile::row::{OpKind, OutboxRow};
use crate::profile::settle::Waiting;
use crate::profile::standing::{Standing, TERMS_MAX};
use crate::profile::tables::{Apart, KnownLine, Tables};
use crate::profile::{AppendError, LineKey, Notice, NoticeKind, ProfileError, RoomInfo, SettledOutcome, StoredMessage};

impl Tables for State {
    fn identity(&self) -> Result<Identity, ProfileError> {
        let device = self.device.get();
        Ok(Identity { account: device.standing.account, ..device.identity.clone() })
    }

    fn set_name(&mut self, name: &str) -> Result<(), ProfileError> {
        name.clone_into(&mut self.device.change().identity.name);
        Ok(())
    }

    fn standing(&self) -> Result<Standing, ProfileError> {
        Ok(self.device.get().standing.clone())
    }

    fn set_standing(&mut self, standing: &Standing) -> Result<(), ProfileError> {
        self.device.change().standing = standing.clone();
        Ok(())
    }

    fn terms(&self) -> Result<Vec<(Term, u64)>, ProfileError> {
        Ok(self.terms.get().clone())
    }

    fn add_term(&mut self, term: Term) -> Result<(), ProfileError> {
        if self.terms.get().iter().all(|(known, _)| *known != term) {
            let terms = self.terms.change();
            terms.push((term, 0));
            terms.drain(..terms.len().saturating_sub(TERMS_MAX));
        }
        Ok(())
    }

    fn raise_term(&mut self, term: Term, position: u64) -> Result<(), ProfileError> {
        if let Some((_, highest)) = self.terms.change().iter_mut().find(|(known, _)| *known == term) {
            *highest = position.max(*highest);
        }
        Ok(())
    }

    fn rewind_terms(&mut self, common: u64, holder: Option<Term>) -> Result<(), ProfileError> {
        let terms = self.terms.change();
        if let Some(at) = holder.and_then(|holder| terms.iter().position(|(term, _)| *term == holder)) {
            let later = terms.split_off(at + 1);
            terms.extend(later.into_iter().filter(|(_, highest)| *highest <= common));
        }
        terms.iter_mut().for_each(|(_, highest)| *highest = common.min(*highest));
        Ok(())
    }

    fn first_waiting(&self) -> Result<Option<u64>, ProfileError> {
        Ok(self.outbox.first())
    }

    fn waiting(&self, id: OperationId) -> Result<Option<Waiting>, ProfileError> {
        Ok(self.outbox.waiting(id))
    }

    fn waiting_row(&self, id: OperationId) -> Result<Option<OutboxRow>, ProfileError> {
        Ok(self.outbox.op(id).cloned())
    }

    fn newest_named(&self, kind: OpKind, folded: &str) -> Result<Option<(u64, OperationId)>, ProfileError> {
        Ok(self.outbox.newest_named(kind, folded))
    }

    fn newest_leave(&self, room: Option<RoomId>, entering: Option<OperationId>) -> Result<Option<u64>, ProfileError> {
        Ok(self.outbox.newest_leave(room, entering))
    }

    fn add_waiting(&mut self, row: &OutboxRow, keyed: bool, bytes: u64) -> Result<(), ProfileError> {
        self.outbox.add(row.clone(), keyed, bytes)
    }

    fn remove_waiting(&mut self, sequence: u64) -> Result<(), ProfileError> {
        self.outbox.remove(sequence);
        Ok(())
    }

    fn name_room(&mut self, entered_by: OperationId, room: RoomId) -> Result<(), ProfileError> {
        self.outbox.name_room(entered_by, room);
        Ok(())
    }

    fn set_apart(&mut self, behind: u64) -> Result<Vec<Apart>, ProfileError> {
        Ok(self.outbox.set_apart(behind))
    }

    fn put_back(&mut self, from: u64, to: u64, entered_by: Option<OperationId>) -> Result<(), ProfileError> {
        self.outbox.put_back(from, to, entered_by);
        Ok(())
    }

    fn outcome(&self, id: OperationId) -> Result<Option<SettledOutcome>, ProfileError> {
        Ok(self.outcome_of(id))
    }

    fn keep_outcome(
        &mut self,
        id: OperationId,
        outcome: SettledOutcome,
        _keyed: bool,
        _at_ms: u64,
    ) -> Result<(), ProfileError> {
        self.outcomes.keep(id, outcome);
        Ok(())
    }

    fn forget_outcomes(&mut self) -> Result<(), ProfileError> {
        self.outcomes.forget();
        Ok(())
    }

    fn line(&self, key: &LineKey) -> Result<Option<KnownLine>, ProfileError> {
        Ok(self.outcomes.line(key))
    }

    fn keep_line(&mut self, key: &LineKey, id: OperationId) -> Result<(), AppendError> {
        self.outcomes.keep_line(key, id)
    }

    fn keep_refused(&mut self, row: &OutboxRow, refusal: i32, at_ms: u64) -> Result<(), ProfileError> {
        self.outcomes.keep_refused(row, refusal, at_ms);
        Ok(())
    }

    fn add_notice(&mut self, at_ms: u64, kind: NoticeKind, text: &str) -> Result<(), ProfileError> {
        let number = self.notices.last().map_or(1, |(last, _)| last + 1);
        self.notices.insert(number, Notice { number, at_ms, kind, text: text.to_owned() });
        self.notices.keep_newest(NOTICES_MAX);
        Ok(())
    }

    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError> {
        Ok(self.rooms.get(room).cloned())
    }

    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError> {
        Ok(self.rooms.all().cloned().collect())
    }

    fn set_room(&mut self, info: &RoomInfo) -> Result<(), ProfileError> {
        self.rooms.set(info.clone());
        Ok(())
    }

    fn remove_room(&mut self, room: RoomId) -> Result<(), ProfileError> {
        self.rooms.remove(room);
        Ok(())
    }

    fn room_we_are_in(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError> {
        Ok(self.rooms.we_are_in(kind, folded))
    }

    fn room_of_kind(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError> {
        Ok(self.rooms.of_kind(kind, folded))
    }

    fn open_membership(&mut self, info: &RoomInfo, from_position: u64, began: Began) -> Result<(), ProfileError> {
        self.rooms.open_membership(info.room, from_position, info.base, began);
        Ok(())
    }

    fn close_membership(&mut self, room: RoomId, position: u64) -> Result<(), ProfileError> {
        self.rooms.close_membership(room, position);
        Ok(())
    }

    fn rewind_memberships(&mut self, common: u64) -> Result<Vec<(RoomId, Began)>, ProfileError> {
        Ok(self.rooms.rewind_memberships(common))
    }

    fn newest_membership(&self, room: RoomId) -> Result<Option<Interval>, ProfileError> {
        Ok(self.rooms.newest_membership(room))
    }

    fn add_rewind(&mut self, room: RoomId, last: u64) -> Result<(), ProfileError> {
        self.rooms.add_rewind(room, last);
        Ok(())
    }

    fn store_entry(&mut self, entry: &wire::Entry, overlap: Overlap) -> Result<(), ProfileError> {
        self.messages.store(StoredMessage::new(entry), overlap);
        Ok(())
    }

    fn move_aside(&mut self, common: u64, account: AccountId, at_ms: u64) -> Result<Moved, ProfileError> {
        Ok(self.messages.move_aside(common, account, at_ms))
    }

    fn highest_held(
        &self,
        room: RoomId,
        after: u64,
        through: u64,
        until_position: u64,
    ) -> Result<Option<u64>, ProfileError> {
        Ok(self.messages.highest(room, after, through, until_position))
    }

    fn dropped(&self, room: RoomId) -> Result<Option<(u64, u64)>, ProfileError> {
        Ok(self.messages.dropped(room))
    }

    fn forget_dropped(&mut self, common: u64) -> Result<(), ProfileError> {
        self.messages.forget_dropped(common);
        Ok(())
    }
}

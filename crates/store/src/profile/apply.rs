//! Storing what a link brought: one transaction for one batch of changes, stored before the session hears of it.

use std::collections::BTreeMap;

use steadfast_proto::ids::{OperationId, Place, RoomId};
use steadfast_proto::names;
use steadfast_proto::session::{Change, Stored};
use steadfast_proto::wire;

use super::error::ApplyError;
use super::number::checked_position;
use super::rooms::{Began, RoomInfo};
use super::settle::{self, SettledOutcome, Waiting};
use super::standing::Standing;
use super::tables::Tables;

/// All but the commit.
pub(super) fn apply_within(
    tables: &mut dyn Tables,
    changes: &[Change],
    at_ms: u64,
    fresh_ids: &mut dyn FnMut() -> OperationId,
) -> Result<Stored, ApplyError> {
    let mut applying = Applying::begin(tables, at_ms, fresh_ids)?;
    for change in changes {
        applying.change(change)?;
    }
    applying.finish()
}

/// A batch on its way into the tables. What every entry touches is kept here and written once, by `flush`.
pub(super) struct Applying<'t> {
    pub(super) tables: &'t mut dyn Tables,
    pub(super) at_ms: u64,
    pub(super) fresh_ids: &'t mut dyn FnMut() -> OperationId,
    pub(super) standing: Standing,
    /// The highest position that this batch told under the link's term.
    highest: u64,
    rooms: BTreeMap<RoomId, RoomInfo>,
    entered: Vec<(OperationId, RoomId)>,
}

impl<'t> Applying<'t> {
    fn begin(
        tables: &'t mut dyn Tables,
        at_ms: u64,
        fresh_ids: &'t mut dyn FnMut() -> OperationId,
    ) -> Result<Applying<'t>, ApplyError> {
        let standing = tables.standing()?;
        let rooms = BTreeMap::new();
        Ok(Applying { tables, at_ms, fresh_ids, standing, highest: 0, rooms, entered: Vec::new() })
    }

    fn change(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::Welcomed { log_id, term, account, name } => {
                if let Some(stored) = self.standing.log_id.filter(|stored| stored != log_id) {
                    return Err(ApplyError::AnotherLog { stored, found: *log_id });
                }
                self.flush()?;
                self.tables.add_term(*term)?;
                self.standing.log_id = Some(*log_id);
                self.standing.link_term = Some(*term);
                self.standing.account = *account;
                self.respell(name)?;
                Ok(())
            }
            Change::FirstHeads { as_of, rooms } => self.first_heads(*as_of, rooms),
            Change::Entry(entry) => self.entry(entry),
            Change::Through { position } => self.through(*position),
            Change::Outcome(outcome) => self.outcome(outcome),
            Change::Page(page) => self.page(page),
            Change::Diverged { common, last_sequence } => self.diverged(*common, *last_sequence),
            Change::Renumbered { kept_through, set_back } => self.renumbered(*kept_through, *set_back),
        }
    }

    fn finish(mut self) -> Result<Stored, ApplyError> {
        self.flush()?;
        self.tables.set_standing(&self.standing)?;
        self.tables.forget_outcomes()?;
        Ok(Stored {
            position: self.standing.place.map_or(0, |place| place.position),
            confirmed_through: self.standing.confirmed_through(self.tables)?,
            entered: self.entered,
        })
    }

    /// Writes what is kept here to the tables, but for the standing.
    pub(super) fn flush(&mut self) -> Result<(), ApplyError> {
        for info in std::mem::take(&mut self.rooms).values() {
            self.tables.set_room(info)?;
        }
        let highest = std::mem::take(&mut self.highest);
        if let Some(term) = self.standing.link_term.filter(|_| highest != 0) {
            self.tables.raise_term(term, highest)?;
        }
        Ok(())
    }

    /// A position was told on this link.
    pub(super) fn tell(&mut self, position: u64) -> Result<Place, ApplyError> {
        let term = self.standing.link_term.ok_or(ApplyError::NotWelcomed)?;
        let told = Place { position: checked_position(position)?, term };
        if self.standing.told.is_none_or(|before| before.position < position) {
            self.standing.told = Some(told);
        }
        self.highest = self.highest.max(position);
        Ok(told)
    }

    /// The place moves, forward only.
    pub(super) fn advance(&mut self, position: u64) -> Result<(), ApplyError> {
        let place = self.tell(position)?;
        if let Some(before) = self.standing.place.filter(|before| before.position >= position) {
            return Err(ApplyError::Backwards { place: before.position, found: position });
        }
        self.standing.place = Some(place);
        Ok(())
    }

    pub(super) fn room(&mut self, room: RoomId) -> Result<Option<&mut RoomInfo>, ApplyError> {
        if !self.rooms.contains_key(&room)
            && let Some(info) = self.tables.room(room)?
        {
            self.rooms.insert(room, info);
        }
        Ok(self.rooms.get_mut(&room))
    }

    /// Keeps a room that is new, or begins anew.
    pub(super) fn put_room(&mut self, info: RoomInfo, from_position: u64, began: Began) -> Result<(), ApplyError> {
        self.tables.open_membership(&info, from_position, began)?;
        self.rooms.insert(info.room, info);
        Ok(())
    }

    pub(super) fn settle(&mut self, id: OperationId, row: Waiting, outcome: SettledOutcome) -> Result<(), ApplyError> {
        let room = settle::settle(self.tables, &mut self.standing, id, row, outcome, self.at_ms)?;
        self.entered.extend(room.map(|room| (id, room)));
        Ok(())
    }

    fn first_heads(&mut self, as_of: u64, heads: &[wire::Head]) -> Result<(), ApplyError> {
        let place = self.tell(as_of)?;
        for head in heads {
            let last = checked_position(head.room_sequence)?;
            let info = RoomInfo {
                room: RoomId(head.room),
                name: head.name.clone(),
                kind: head.kind(),
                member: true,
                base: last,
                last: Some(last),
                readable_from: checked_position(head.readable_from)?,
            };
            self.put_room(info, as_of, Began::Before)?;
        }
        if self.standing.place.is_none_or(|before| before.position < as_of) {
            self.standing.place = Some(place);
        }
        Ok(())
    }

    fn through(&mut self, position: u64) -> Result<(), ApplyError> {
        let place = self.tell(position)?;
        if self.standing.place.is_none_or(|before| before.position < position) {
            self.standing.place = Some(place);
        }
        Ok(())
    }

    /// An outcome of what is not in the outbox is one that we know: its entry came before it, or it came twice.
    fn outcome(&mut self, outcome: &wire::Outcome) -> Result<(), ApplyError> {
        self.tell(outcome.position)?;
        let id = OperationId(outcome.id);
        let waiting = self.tables.waiting(id)?;
        let Some(row) = waiting.filter(|row| row.sequence == outcome.sequence) else {
            return Ok(());
        };
        let settled = SettledOutcome {
            sequence: outcome.sequence,
            position: outcome.position,
            room: (outcome.room != 0).then_some(RoomId(outcome.room)),
            refusal: (outcome.refusal != 0).then_some(outcome.refusal),
        };
        self.settle(id, row, settled)
    }

    /// The server's spelling of our name, as long as it is our name.
    fn respell(&mut self, name: &str) -> Result<(), ApplyError> {
        let ours = self.tables.identity()?.name;
        if ours != name && names::folded(&ours) == names::folded(name) {
            self.tables.set_name(name)?;
        }
        Ok(())
    }
}

//! The rows of a profile on a disk, within one transaction.

use rusqlite::Connection;
use steadfast_proto::ids::{AccountId, OperationId, RoomId, Term};
use steadfast_proto::session::Identity;
use steadfast_proto::wire::{self, RoomKind};

use super::{
    AppendError, LineKey, NoticeKind, OpKind, OutboxRow, ProfileError, RoomInfo, SettledOutcome, Standing, aside,
    messages, notices, outbox, outcomes, printed, rooms, standing,
};
use crate::profile::aside::Moved;
use crate::profile::messages::Overlap;
use crate::profile::rooms::{Began, Interval};
use crate::profile::settle::Waiting;
use crate::profile::tables::{Apart, KnownLine, Tables};

pub(super) struct Rows<'c>(pub(super) &'c Connection);

impl Tables for Rows<'_> {
    fn identity(&self) -> Result<Identity, ProfileError> {
        standing::identity(self.0)
    }

    fn set_name(&mut self, name: &str) -> Result<(), ProfileError> {
        Ok(standing::set_name(self.0, name)?)
    }

    fn standing(&self) -> Result<Standing, ProfileError> {
        standing::load(self.0)
    }

    fn set_standing(&mut self, standing: &Standing) -> Result<(), ProfileError> {
        Ok(standing::save(self.0, standing)?)
    }

    fn terms(&self) -> Result<Vec<(Term, u64)>, ProfileError> {
        Ok(standing::terms(self.0)?)
    }

    fn add_term(&mut self, term: Term) -> Result<(), ProfileError> {
        Ok(standing::add_term(self.0, term)?)
    }

    fn raise_term(&mut self, term: Term, position: u64) -> Result<(), ProfileError> {
        Ok(standing::raise_term(self.0, term, position)?)
    }

    fn rewind_terms(&mut self, common: u64, holder: Option<Term>) -> Result<(), ProfileError> {
        Ok(standing::rewind_terms(self.0, common, holder)?)
    }

    fn first_waiting(&self) -> Result<Option<u64>, ProfileError> {
        Ok(outbox::first(self.0)?)
    }

    fn waiting(&self, id: OperationId) -> Result<Option<Waiting>, ProfileError> {
        outbox::waiting(self.0, id)
    }

    fn waiting_row(&self, id: OperationId) -> Result<Option<OutboxRow>, ProfileError> {
        outbox::row(self.0, id)
    }

    fn newest_named(&self, kind: OpKind, folded: &str) -> Result<Option<(u64, OperationId)>, ProfileError> {
        Ok(outbox::newest_named(self.0, kind, folded)?)
    }

    fn newest_leave(&self, room: Option<RoomId>, entering: Option<OperationId>) -> Result<Option<u64>, ProfileError> {
        Ok(outbox::newest_leave(self.0, room, entering)?)
    }

    fn add_waiting(&mut self, row: &OutboxRow, keyed: bool, bytes: u64) -> Result<(), ProfileError> {
        Ok(outbox::add(self.0, row, keyed, bytes)?)
    }

    fn remove_waiting(&mut self, sequence: u64) -> Result<(), ProfileError> {
        Ok(outbox::remove(self.0, sequence)?)
    }

    fn name_room(&mut self, entered_by: OperationId, room: RoomId) -> Result<(), ProfileError> {
        Ok(outbox::name_room(self.0, entered_by, room)?)
    }

    fn set_apart(&mut self, behind: u64) -> Result<Vec<Apart>, ProfileError> {
        outbox::set_apart(self.0, behind)
    }

    fn put_back(&mut self, from: u64, to: u64, entered_by: Option<OperationId>) -> Result<(), ProfileError> {
        Ok(outbox::put_back(self.0, from, to, entered_by)?)
    }

    fn outcome(&self, id: OperationId) -> Result<Option<SettledOutcome>, ProfileError> {
        Ok(outcomes::outcome(self.0, id)?)
    }

    fn keep_outcome(
        &mut self,
        id: OperationId,
        outcome: SettledOutcome,
        keyed: bool,
        at_ms: u64,
    ) -> Result<(), ProfileError> {
        outcomes::record(self.0, id, outcome, at_ms)?;
        if keyed {
            outcomes::record_line(self.0, id, outcome)?;
        }
        Ok(())
    }

    fn forget_outcomes(&mut self) -> Result<(), ProfileError> {
        Ok(outcomes::prune(self.0)?)
    }

    fn line(&self, key: &LineKey) -> Result<Option<KnownLine>, ProfileError> {
        Ok(outcomes::line(self.0, key)?)
    }

    fn keep_line(&mut self, key: &LineKey, id: OperationId) -> Result<(), AppendError> {
        Ok(outcomes::keep_line(self.0, key, id)?)
    }

    fn keep_refused(&mut self, row: &OutboxRow, refusal: i32, at_ms: u64) -> Result<(), ProfileError> {
        Ok(notices::keep_refused(self.0, row, refusal, at_ms)?)
    }

    fn add_notice(&mut self, at_ms: u64, kind: NoticeKind, text: &str) -> Result<(), ProfileError> {
        Ok(notices::add(self.0, at_ms, kind, text)?)
    }

    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError> {
        Ok(rooms::load(self.0, room)?)
    }

    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError> {
        Ok(rooms::all(self.0)?)
    }

    fn set_room(&mut self, info: &RoomInfo) -> Result<(), ProfileError> {
        Ok(rooms::save(self.0, info)?)
    }

    fn remove_room(&mut self, room: RoomId) -> Result<(), ProfileError> {
        Ok(rooms::remove(self.0, room)?)
    }

    fn room_we_are_in(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError> {
        Ok(rooms::room_we_are_in(self.0, kind, folded)?)
    }

    fn room_of_kind(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError> {
        Ok(rooms::of_kind(self.0, kind, folded)?)
    }

    fn open_membership(&mut self, info: &RoomInfo, from_position: u64, began: Began) -> Result<(), ProfileError> {
        Ok(rooms::open_membership(self.0, info, from_position, began)?)
    }

    fn close_membership(&mut self, room: RoomId, position: u64) -> Result<(), ProfileError> {
        Ok(rooms::close_membership(self.0, room, position)?)
    }

    fn rewind_memberships(&mut self, common: u64) -> Result<Vec<(RoomId, Began)>, ProfileError> {
        Ok(rooms::rewind_memberships(self.0, common)?)
    }

    fn newest_membership(&self, room: RoomId) -> Result<Option<Interval>, ProfileError> {
        Ok(rooms::newest_membership(self.0, room)?)
    }

    fn add_rewind(&mut self, room: RoomId, last: u64) -> Result<(), ProfileError> {
        Ok(printed::add_rewind(self.0, room, last)?)
    }

    fn store_entry(&mut self, entry: &wire::Entry, overlap: Overlap) -> Result<(), ProfileError> {
        Ok(messages::store(self.0, entry, overlap)?)
    }

    fn move_aside(&mut self, common: u64, account: AccountId, at_ms: u64) -> Result<Moved, ProfileError> {
        Ok(aside::move_beyond(self.0, account, common, at_ms)?)
    }

    fn highest_held(
        &self,
        room: RoomId,
        after: u64,
        through: u64,
        until_position: u64,
    ) -> Result<Option<u64>, ProfileError> {
        Ok(messages::highest(self.0, room, after, through, until_position)?)
    }

    /// A disk keeps every entry.
    fn dropped(&self, _room: RoomId) -> Result<Option<(u64, u64)>, ProfileError> {
        Ok(None)
    }

    fn forget_dropped(&mut self, _common: u64) -> Result<(), ProfileError> {
        Ok(())
    }
}

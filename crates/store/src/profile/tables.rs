//! What the rules of a profile are written on: its rows, wherever they are kept.
//!
//! The rules (`append`, `apply` and what they are made of) read and write through this, within one transaction that
//! their caller begins and ends. An implementor keeps rows and decides nothing.

use steadfast_proto::ids::{AccountId, OperationId, RoomId, Term};
use steadfast_proto::session::Identity;
use steadfast_proto::wire::{self, RoomKind};

use super::aside::Moved;
use super::error::{AppendError, ProfileError};
use super::messages::Overlap;
use super::notices::NoticeKind;
use super::outbox::LineKey;
use super::rooms::{Began, Interval, RoomInfo};
use super::row::{OpKind, OutboxRow};
use super::settle::{SettledOutcome, Waiting};
use super::standing::Standing;

/// The rows of one profile.
pub(super) trait Tables {
    // The device.

    fn identity(&self) -> Result<Identity, ProfileError>;
    fn set_name(&mut self, name: &str) -> Result<(), ProfileError>;
    fn standing(&self) -> Result<Standing, ProfileError>;
    fn set_standing(&mut self, standing: &Standing) -> Result<(), ProfileError>;
    /// Oldest first, each with the highest position told under it.
    fn terms(&self) -> Result<Vec<(Term, u64)>, ProfileError>;
    /// Adds a term behind the others, if it is new, and forgets the oldest beyond
    /// [`TERMS_MAX`](super::standing::TERMS_MAX).
    fn add_term(&mut self, term: Term) -> Result<(), ProfileError>;
    /// The highest position told under the term is at least this.
    fn raise_term(&mut self, term: Term, position: u64) -> Result<(), ProfileError>;
    /// Forgets the terms behind `holder` that told more than `common`; no other told more than that.
    fn rewind_terms(&mut self, common: u64, holder: Option<Term>) -> Result<(), ProfileError>;

    // The outbox.

    fn first_waiting(&self) -> Result<Option<u64>, ProfileError>;
    fn waiting(&self, id: OperationId) -> Result<Option<Waiting>, ProfileError>;
    fn waiting_row(&self, id: OperationId) -> Result<Option<OutboxRow>, ProfileError>;
    /// The newest waiting operation of this kind and name, with its sequence; not what was set apart.
    fn newest_named(&self, kind: OpKind, folded: &str) -> Result<Option<(u64, OperationId)>, ProfileError>;
    /// The newest waiting `Leave` of the room, or of the one that this operation enters.
    fn newest_leave(&self, room: Option<RoomId>, entering: Option<OperationId>) -> Result<Option<u64>, ProfileError>;
    fn add_waiting(&mut self, row: &OutboxRow, keyed: bool, bytes: u64) -> Result<(), ProfileError>;
    fn remove_waiting(&mut self, sequence: u64) -> Result<(), ProfileError>;
    /// What refers to the room that this operation enters or makes names the room from now on.
    fn name_room(&mut self, entered_by: OperationId, room: RoomId) -> Result<(), ProfileError>;
    /// Takes what waits behind a sequence out of the others' way. Answers it in order: each has to be
    /// [put back](Tables::put_back) before the transaction ends.
    fn set_apart(&mut self, behind: u64) -> Result<Vec<Apart>, ProfileError>;
    /// Gives what was set apart its new sequence, and lets it refer to a room by an operation.
    fn put_back(&mut self, from: u64, to: u64, entered_by: Option<OperationId>) -> Result<(), ProfileError>;

    // What became of operations.

    fn outcome(&self, id: OperationId) -> Result<Option<SettledOutcome>, ProfileError>;
    /// Keeps the outcome; of a keyed operation with its line, too.
    fn keep_outcome(
        &mut self,
        id: OperationId,
        outcome: SettledOutcome,
        keyed: bool,
        at_ms: u64,
    ) -> Result<(), ProfileError>;
    /// Forgets the oldest outcomes beyond [`OUTCOMES_MAX`](super::settle::OUTCOMES_MAX).
    fn forget_outcomes(&mut self) -> Result<(), ProfileError>;
    fn line(&self, key: &LineKey) -> Result<Option<KnownLine>, ProfileError>;
    fn keep_line(&mut self, key: &LineKey, id: OperationId) -> Result<(), AppendError>;
    /// Keeps what a refused operation said, and forgets the oldest.
    fn keep_refused(&mut self, row: &OutboxRow, refusal: i32, at_ms: u64) -> Result<(), ProfileError>;
    /// Adds a notice, and forgets the oldest beyond [`NOTICES_MAX`](super::notices::NOTICES_MAX).
    fn add_notice(&mut self, at_ms: u64, kind: NoticeKind, text: &str) -> Result<(), ProfileError>;

    // Rooms.

    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError>;
    /// All rooms, by name.
    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError>;
    fn set_room(&mut self, info: &RoomInfo) -> Result<(), ProfileError>;
    fn remove_room(&mut self, room: RoomId) -> Result<(), ProfileError>;
    /// The room of this kind and folded name that this account is a member of.
    fn room_we_are_in(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError>;
    /// The room of this kind and folded name: one that this account is in before one that it was in.
    fn room_of_kind(&self, kind: RoomKind, folded: &str) -> Result<Option<RoomId>, ProfileError>;
    /// A membership begins: entries behind `info.base` are for this device from `from_position` on.
    fn open_membership(&mut self, info: &RoomInfo, from_position: u64, began: Began) -> Result<(), ProfileError>;
    fn close_membership(&mut self, room: RoomId, position: u64) -> Result<(), ProfileError>;
    /// Forgets the memberships that began beyond `common` and answers them; those that ended beyond it are open again.
    fn rewind_memberships(&mut self, common: u64) -> Result<Vec<(RoomId, Began)>, ProfileError>;
    fn newest_membership(&self, room: RoomId) -> Result<Option<Interval>, ProfileError>;
    /// The room was set back: whoever had seen more than `last` has seen `last`.
    fn add_rewind(&mut self, room: RoomId, last: u64) -> Result<(), ProfileError>;

    // Entries.

    fn store_entry(&mut self, entry: &wire::Entry, overlap: Overlap) -> Result<(), ProfileError>;
    /// Moves the entries beyond `common` aside, in order of position. Counts them, and those of the account.
    fn move_aside(&mut self, common: u64, account: AccountId, at_ms: u64) -> Result<Moved, ProfileError>;
    /// The highest room sequence that is held of those behind `after` and up to `through`, of entries whose positions
    /// are up to `until_position`.
    fn highest_held(
        &self,
        room: RoomId,
        after: u64,
        through: u64,
        until_position: u64,
    ) -> Result<Option<u64>, ProfileError>;
    /// The last entry of the stream that was stored once and is held no more, for want of room: its room sequence and
    /// its position.
    fn dropped(&self, room: RoomId) -> Result<Option<(u64, u64)>, ProfileError>;
    /// What was dropped beyond `common` says nothing any more.
    fn forget_dropped(&mut self, common: u64) -> Result<(), ProfileError>;
}

/// What decides about the new place of an operation that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) sequence: u64,
    pub(super) kind: OpKind,
    pub(super) room: Option<RoomId>,
    pub(super) composed_at_ms: u64,
}

/// A line of a key that was queued before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownLine {
    pub(super) id: OperationId,
    pub(super) hash: [u8; 8],
    /// Its outcome, if it has one.
    pub(super) outcome: Option<SettledOutcome>,
}

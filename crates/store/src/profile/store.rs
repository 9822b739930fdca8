//! What every profile can do, wherever it keeps what it is given.
//!
//! A [`MemoryProfile`](super::MemoryProfile) keeps it as long as the process lives, a `Profile` on a disk outlasts the
//! process. "Stored" and "kept" last as long as that.

use steadfast_proto::ids::{OperationId, Place, RoomId};
use steadfast_proto::session::{Change, Identity, Resume, Stored};
use steadfast_proto::wire::{self, RoomKind};

use super::{
    AppendError, ApplyError, AsideMessage, ConsumerClaim, FlightRow, NewOp, Notice, PendingIn, PendingOp, ProfileError,
    Queued, RefusedOp, RoomInfo, Search, SearchFrom, Searched, SettledOutcome, Stay, StoredMessage, StreamPlace,
    Unread,
};

/// One device's store. Its calls may block. For one thread at a time.
pub trait ProfileStore: Send {
    /// Who this device is.
    fn identity(&self) -> Result<Identity, ProfileError>;

    /// Where this device stands; of one moment, whoever writes meanwhile.
    fn resume(&mut self) -> Result<Resume, ProfileError>;

    /// Up to here everything is stored; `None` before the first contact.
    fn place(&self) -> Result<Option<Place>, ProfileError>;

    /// Queues operations, in this order, with the next sequences. All of them are stored when this returns, or none.
    fn append(&mut self, items: &[NewOp]) -> Result<Vec<Queued>, AppendError>;

    /// Applies the changes in their order: all of them are stored when this returns, or none. `at_ms` is the device's
    /// clock; `fresh_ids` draws ids at random, for operations that lead back into rooms that a divergence took away.
    fn apply(
        &mut self,
        changes: &[Change],
        at_ms: u64,
        fresh_ids: &mut dyn FnMut() -> OperationId,
    ) -> Result<Stored, ApplyError>;

    /// The operations behind `after_sequence`, ascending: as many as fit `bytes_max` and `rows_max`, but at least one
    /// if there is any. `confirmed_through` is left 0.
    fn outbox_from(
        &self,
        after_sequence: u64,
        bytes_max: usize,
        rows_max: usize,
    ) -> Result<Vec<wire::Op>, ProfileError>;

    /// Operations and bytes that wait.
    fn outbox_size(&self) -> Result<(u64, u64), ProfileError>;

    /// Whether the operation of this id waits for its outcome. What leaves the outbox has it from then on.
    fn is_waiting(&self, id: OperationId) -> Result<bool, ProfileError>;

    /// What became of these operations; `None` for those that still wait, and for those of long ago.
    fn outcomes(&self, ids: &[OperationId]) -> Result<Vec<Option<SettledOutcome>>, ProfileError>;

    /// What was refused under this id.
    fn refused(&self, id: OperationId) -> Result<Option<RefusedOp>, ProfileError>;

    /// The notices behind `number`, ascending.
    fn notices_after(&self, number: u64) -> Result<Vec<Notice>, ProfileError>;

    /// The last `limit` messages that were moved aside, in the order in which they went.
    fn aside(&self, limit: usize) -> Result<Vec<AsideMessage>, ProfileError>;

    /// All rooms, those left too, by name.
    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError>;

    /// One room.
    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError>;

    /// The room of this name: one that this account is in before one that it was in, a public one before others. The
    /// account room has no name.
    fn room_by_name(&self, name: &str) -> Result<Option<RoomInfo>, ProfileError>;

    /// The room of this kind and name: one that this account is in before one that it was in.
    fn room_of_kind(&self, kind: RoomKind, name: &str) -> Result<Option<RoomInfo>, ProfileError>;

    /// Entries of every kind from one room sequence on, ascending, at most `limit`.
    fn messages(&self, room: RoomId, from_sequence: u64, limit: usize) -> Result<Vec<StoredMessage>, ProfileError>;

    /// The last messages of a room, ascending: only [`What::Message`](super::What::Message).
    fn last_messages(&self, room: RoomId, limit: usize) -> Result<Vec<StoredMessage>, ProfileError>;

    /// The first hole among the room sequences `from ..= to`: the first and the last that are missing in a row.
    fn missing(&self, room: RoomId, from: u64, to: u64) -> Result<Option<(u64, u64)>, ProfileError>;

    /// One step of a search, which finds `limit` messages at most. A step looks at
    /// [`SEARCH_ENTRIES_MAX`](super::SEARCH_ENTRIES_MAX) entries and [`SEARCH_BYTES_MAX`](super::SEARCH_BYTES_MAX) at
    /// most: whether it found anything or not, a person may want the next one.
    fn search(&self, search: &Search, from: SearchFrom, limit: usize) -> Result<Searched, ProfileError>;

    /// The last `limit` operations that wait for this room and have a sequence below `before_sequence`, ascending.
    fn pending(&self, room: &PendingIn, before_sequence: u64, limit: usize) -> Result<Vec<PendingOp>, ProfileError>;

    /// The last room sequence of this room that the person has read here; `None` if no mark was ever set.
    fn read_up_to(&self, room: RoomId) -> Result<Option<u64>, ProfileError>;

    /// Everything of the room up to `sequence` was read. To be called on the value that the messages were read from:
    /// should histories have parted since that read, the mark goes back with them. It never goes back otherwise.
    fn set_read_up_to(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError>;

    /// The messages of others behind the mark, and whether one of them mentions `name`. Where no mark was ever set,
    /// what came since this device is in the room is unread.
    fn unread(&self, room: RoomId, name: &str) -> Result<Unread, ProfileError>;

    /// The last room sequence of this room that this profile printed; `None` if it never printed any.
    fn printed(&self, room: RoomId) -> Result<Option<u64>, ProfileError>;

    /// Everything of the room up to `sequence` was printed. To be called on the value that the printed messages were
    /// read from: should histories have parted since that read, the mark goes back with them. It never goes back
    /// otherwise.
    fn set_printed(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError>;

    /// Claims the name of a consumer, which must be one that a room could have; `None`: somebody has it.
    fn claim_consumer(&self, name: &str) -> Result<Option<ConsumerClaim>, ProfileError>;

    /// Where the consumer of this name is; `None` if it never noted a place.
    fn consumer(&self, name: &str) -> Result<Option<StreamPlace>, ProfileError>;

    /// The consumer of this name is done with all up to this place: stored when this returns. Its place never goes back
    /// but by a rewind.
    fn set_consumer(&mut self, name: &str, place: StreamPlace) -> Result<(), ProfileError>;

    /// Where this place is after the rewinds that it does not know; it knows all of them then. One that knows more than
    /// there were is of another profile, and knows none.
    fn set_back(&self, place: StreamPlace) -> Result<StreamPlace, ProfileError>;

    /// When this account was a member of the room, in that order.
    fn stays(&self, room: RoomId) -> Result<Vec<Stay>, ProfileError>;

    /// The last entry of the stream that was stored once and is held no more, for want of room: its room sequence and
    /// its position.
    fn dropped(&self, _room: RoomId) -> Result<Option<(u64, u64)>, ProfileError> {
        Ok(None)
    }

    /// Keeps what happened to a link, in place of what was kept of the same one. The last 100 links are kept.
    fn set_flight(&self, flight: &FlightRow) -> Result<(), ProfileError>;

    /// The last links, in the order in which they came up.
    fn flights(&self, limit: usize) -> Result<Vec<FlightRow>, ProfileError>;

    /// The profile on a disk, where other processes may use it too; `None` where none can.
    #[cfg(feature = "sqlite")]
    fn on_disk(&self) -> Option<&super::Profile> {
        None
    }
}

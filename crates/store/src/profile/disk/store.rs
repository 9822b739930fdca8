//! A profile on a disk is a profile: every call is the method of the same name.

use steadfast_proto::ids::{OperationId, Place, RoomId};
use steadfast_proto::session::{Change, Identity, Resume, Stored};
use steadfast_proto::wire::{self, RoomKind};

use super::{
    AppendError, ApplyError, AsideMessage, ConsumerClaim, FlightRow, NewOp, Notice, PendingIn, PendingOp, Profile,
    ProfileError, ProfileStore, Queued, RefusedOp, RoomInfo, Search, SearchFrom, Searched, SettledOutcome, Stay,
    StoredMessage, StreamPlace, Unread,
};

impl ProfileStore for Profile {
    fn identity(&self) -> Result<Identity, ProfileError> {
        Profile::identity(self)
    }

    fn resume(&mut self) -> Result<Resume, ProfileError> {
        Profile::resume(self)
    }

    fn place(&self) -> Result<Option<Place>, ProfileError> {
        Profile::place(self)
    }

    fn append(&mut self, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
        Profile::append(self, items)
    }

    fn apply(
        &mut self,
        changes: &[Change],
        at_ms: u64,
        fresh_ids: &mut dyn FnMut() -> OperationId,
    ) -> Result<Stored, ApplyError> {
        Profile::apply(self, changes, at_ms, fresh_ids)
    }

    fn outbox_from(
        &self,
        after_sequence: u64,
        bytes_max: usize,
        rows_max: usize,
    ) -> Result<Vec<wire::Op>, ProfileError> {
        Profile::outbox_from(self, after_sequence, bytes_max, rows_max)
    }

    fn outbox_size(&self) -> Result<(u64, u64), ProfileError> {
        Profile::outbox_size(self)
    }

    fn is_waiting(&self, id: OperationId) -> Result<bool, ProfileError> {
        Profile::is_waiting(self, id)
    }

    fn outcomes(&self, ids: &[OperationId]) -> Result<Vec<Option<SettledOutcome>>, ProfileError> {
        Profile::outcomes(self, ids)
    }

    fn refused(&self, id: OperationId) -> Result<Option<RefusedOp>, ProfileError> {
        Profile::refused(self, id)
    }

    fn notices_after(&self, number: u64) -> Result<Vec<Notice>, ProfileError> {
        Profile::notices_after(self, number)
    }

    fn aside(&self, limit: usize) -> Result<Vec<AsideMessage>, ProfileError> {
        Profile::aside(self, limit)
    }

    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError> {
        Profile::rooms(self)
    }

    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError> {
        Profile::room(self, room)
    }

    fn room_by_name(&self, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        Profile::room_by_name(self, name)
    }

    fn room_of_kind(&self, kind: RoomKind, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        Profile::room_of_kind(self, kind, name)
    }

    fn messages(&self, room: RoomId, from_sequence: u64, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        Profile::messages(self, room, from_sequence, limit)
    }

    fn last_messages(&self, room: RoomId, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        Profile::last_messages(self, room, limit)
    }

    fn missing(&self, room: RoomId, from: u64, to: u64) -> Result<Option<(u64, u64)>, ProfileError> {
        Profile::missing(self, room, from, to)
    }

    fn search(&self, search: &Search, from: SearchFrom, limit: usize) -> Result<Searched, ProfileError> {
        Profile::search(self, search, from, limit)
    }

    fn pending(&self, room: &PendingIn, before_sequence: u64, limit: usize) -> Result<Vec<PendingOp>, ProfileError> {
        Profile::pending(self, room, before_sequence, limit)
    }

    fn read_up_to(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        Profile::read_up_to(self, room)
    }

    fn set_read_up_to(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        Profile::set_read_up_to(self, room, sequence)
    }

    fn unread(&self, room: RoomId, name: &str) -> Result<Unread, ProfileError> {
        Profile::unread(self, room, name)
    }

    fn printed(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        Profile::printed(self, room)
    }

    fn set_printed(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        Profile::set_printed(self, room, sequence)
    }

    fn claim_consumer(&self, name: &str) -> Result<Option<ConsumerClaim>, ProfileError> {
        Profile::claim_consumer(self, name)
    }

    fn consumer(&self, name: &str) -> Result<Option<StreamPlace>, ProfileError> {
        Profile::consumer(self, name)
    }

    fn set_consumer(&mut self, name: &str, place: StreamPlace) -> Result<(), ProfileError> {
        Profile::set_consumer(self, name, place)
    }

    fn set_back(&self, place: StreamPlace) -> Result<StreamPlace, ProfileError> {
        Profile::set_back(self, place)
    }

    fn stays(&self, room: RoomId) -> Result<Vec<Stay>, ProfileError> {
        Profile::stays(self, room)
    }

    fn set_flight(&self, flight: &FlightRow) -> Result<(), ProfileError> {
        self.live().set_flight(flight)
    }

    fn flights(&self, limit: usize) -> Result<Vec<FlightRow>, ProfileError> {
        self.live().flights(limit)
    }

    fn on_disk(&self) -> Option<&Profile> {
        Some(self)
    }
}

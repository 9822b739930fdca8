//! A profile in memory: it dies with the process, and no other process sees it.
//!
//! While the process lives it is what one on a disk is, by the same rules. Since no disk holds what there is no room
//! for, there are limits: an outbox of the same size; entries up to [`MESSAGES_BYTES_MAX`], of which the oldest go, and
//! then are holes that history can fill; 16 MiB each of keyed lines, of refused texts and of what was moved aside.

mod messages;
mod outbox;
mod outcomes;
mod rooms;
mod rows;
mod search;
mod table;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use steadfast_proto::ids::{OperationId, Place, RoomId};
use steadfast_proto::names;
use steadfast_proto::session::{Change, Identity, Resume, Stored};
use steadfast_proto::wire;

use self::messages::Messages;
use self::outbox::Outbox;
use self::outcomes::Outcomes;
use self::rooms::Rooms;
use self::table::{Table, Value};
use super::append::append_within;
use super::apply::apply_within;
use super::consumer::{self, LOG};
use super::flight::FLIGHTS_MAX;
use super::outbox::within_bytes;
use super::pending::Ways;
use super::reading::Counting;
use super::rooms::folded;
use super::search::search_step;
use super::standing::{Standing, resume};
use super::{
    AppendError, ApplyError, AsideMessage, ConsumerClaim, FlightRow, Fresh, NewOp, Notice, PendingIn, PendingOp,
    ProfileError, ProfileStore, Queued, RefusedOp, RoomInfo, Search, SearchFrom, Searched, SettledOutcome, Stay,
    StoredMessage, StreamPlace, Unread, What,
};

/// Entries that a profile in memory holds, by default.
pub const MESSAGES_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// One handle of a device's store in memory. For one thread at a time; another thread takes
/// [another handle](MemoryProfile::another). What it holds is gone with the last of them.
#[derive(Debug)]
pub struct MemoryProfile {
    state: Arc<Mutex<State>>,
    messages_bytes_max: u64,
    /// The newest rewind that the last read of messages knew of: see [`ProfileStore::set_printed`].
    rewind_seen: Cell<u64>,
}

/// What there is. One call is one transaction.
#[derive(Debug)]
struct State {
    device: Value<Device>,
    /// Oldest first, each with the highest position told under it.
    terms: Value<Vec<(steadfast_proto::ids::Term, u64)>>,
    outbox: Outbox,
    outcomes: Outcomes,
    notices: Table<u64, Notice>,
    rooms: Rooms,
    messages: Messages,
    /// What was printed.
    printed: Marks,
    /// What the person has read.
    read: Marks,
    flights: VecDeque<FlightRow>,
    /// Where consumers are, by name; and who is one.
    consumers: BTreeMap<String, StreamPlace>,
    claims: BTreeMap<String, Weak<()>>,
}

/// By room: the last room sequence that a mark counts, and the newest rewind at the time when it was set.
type Marks = BTreeMap<RoomId, (u64, u64)>;

#[derive(Clone, Debug)]
struct Device {
    identity: Identity,
    standing: Standing,
}

impl MemoryProfile {
    /// A new device of the account of this name. It holds entries up to `messages_bytes_max`
    /// ([`MESSAGES_BYTES_MAX`] is a good number): what is fetched should fit, a page of 64 KiB at least.
    ///
    /// # Errors
    /// [`ProfileError::NameInvalid`].
    pub fn new(name: &str, fresh: &Fresh, messages_bytes_max: u64) -> Result<Self, ProfileError> {
        let invalid = |error| ProfileError::NameInvalid { name: name.to_owned(), error };
        let name = names::spelled(name).map_err(invalid)?;
        let Fresh { device_id, secret, account } = fresh.clone();
        let standing = Standing {
            account,
            log_id: None,
            link_term: None,
            place: None,
            told: None,
            next_sequence: 1,
            outbox_rows: 0,
            outbox_bytes: 0,
        };
        let state = State {
            device: Value::new(Device { identity: Identity { name, device_id, secret, account }, standing }),
            terms: Value::default(),
            outbox: Outbox::default(),
            outcomes: Outcomes::default(),
            notices: Table::default(),
            rooms: Rooms::default(),
            messages: Messages::default(),
            printed: Marks::new(),
            read: Marks::new(),
            flights: VecDeque::new(),
            consumers: BTreeMap::new(),
            claims: BTreeMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        Ok(Self { state, messages_bytes_max, rewind_seen: Cell::new(0) })
    }

    /// Another handle of the same profile.
    pub fn another(&self) -> Self {
        let messages_bytes_max = self.messages_bytes_max;
        Self { state: Arc::clone(&self.state), messages_bytes_max, rewind_seen: Cell::new(0) }
    }

    /// Where a thread panicked in the middle of a change, the change is undone.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.roll_back();
            self.state.clear_poison();
            state
        })
    }

    /// Runs something on the rows: all that it changed counts when this returns, or nothing is changed.
    fn within_transaction<T, E>(&self, change: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state();
        let changed = change(&mut state);
        match &changed {
            Ok(_) => state.commit(),
            Err(_) => state.roll_back(),
        }
        changed
    }
}

impl State {
    fn outcome_of(&self, id: OperationId) -> Option<SettledOutcome> {
        if self.outbox.is_waiting(id) { None } else { self.outcomes.of(id) }
    }

    /// Where a mark stands, after the rewinds since it was set.
    fn mark(&self, marks: &Marks, room: RoomId) -> Option<u64> {
        let &(sequence, seen) = marks.get(&room)?;
        Some(self.rooms.set_back(room, sequence, seen))
    }

    /// Where a mark is to stand for one who had read this much, before the rewinds behind `seen`; and as of when.
    fn marked(&self, marks: &Marks, room: RoomId, sequence: u64, seen: u64) -> (u64, u64) {
        let sequence = self.rooms.set_back(room, sequence, seen);
        (sequence.max(self.mark(marks, room).unwrap_or(0)), self.rooms.newest_rewind())
    }

    /// Lets the oldest entries go until the rest fits. Where the stream had brought one, its room begins behind it.
    fn make_room(&mut self, messages_bytes_max: u64) {
        for message in self.messages.drop_oldest(messages_bytes_max) {
            let Some(info) = self.rooms.get(message.room) else { continue };
            let sequence = message.room_sequence;
            if info.base < sequence && info.last >= Some(sequence) {
                let base = sequence;
                self.rooms.set(RoomInfo { base, ..info.clone() });
                self.messages.note_dropped(&message);
            }
        }
    }

    fn commit(&mut self) {
        self.device.commit();
        self.terms.commit();
        self.outbox.commit();
        self.outcomes.commit();
        self.notices.commit();
        self.rooms.commit();
        self.messages.commit();
    }

    fn roll_back(&mut self) {
        self.device.roll_back();
        self.terms.roll_back();
        self.outbox.roll_back();
        self.outcomes.roll_back();
        self.notices.roll_back();
        self.rooms.roll_back();
        self.messages.roll_back();
    }
}

impl ProfileStore for MemoryProfile {
    fn identity(&self) -> Result<Identity, ProfileError> {
        super::tables::Tables::identity(&*self.state())
    }

    fn resume(&mut self) -> Result<Resume, ProfileError> {
        resume(&*self.state())
    }

    fn place(&self) -> Result<Option<Place>, ProfileError> {
        Ok(self.state().device.get().standing.place)
    }

    fn append(&mut self, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
        self.within_transaction(|state| append_within(state, items))
    }

    fn apply(
        &mut self,
        changes: &[Change],
        at_ms: u64,
        fresh_ids: &mut dyn FnMut() -> OperationId,
    ) -> Result<Stored, ApplyError> {
        self.within_transaction(|state| {
            let stored = apply_within(state, changes, at_ms, fresh_ids)?;
            state.make_room(self.messages_bytes_max);
            Ok(stored)
        })
    }

    fn outbox_from(
        &self,
        after_sequence: u64,
        bytes_max: usize,
        rows_max: usize,
    ) -> Result<Vec<wire::Op>, ProfileError> {
        within_bytes(self.state().outbox.behind(after_sequence).take(rows_max).cloned().map(Ok), bytes_max)
    }

    fn outbox_size(&self) -> Result<(u64, u64), ProfileError> {
        let state = self.state();
        let standing = &state.device.get().standing;
        Ok((standing.outbox_rows, standing.outbox_bytes))
    }

    fn is_waiting(&self, id: OperationId) -> Result<bool, ProfileError> {
        Ok(self.state().outbox.is_waiting(id))
    }

    fn outcomes(&self, ids: &[OperationId]) -> Result<Vec<Option<SettledOutcome>>, ProfileError> {
        let state = self.state();
        Ok(ids.iter().map(|&id| state.outcome_of(id)).collect())
    }

    fn refused(&self, id: OperationId) -> Result<Option<RefusedOp>, ProfileError> {
        Ok(self.state().outcomes.refused(id).cloned())
    }

    fn notices_after(&self, number: u64) -> Result<Vec<Notice>, ProfileError> {
        Ok(self.state().notices.range(number.saturating_add(1)..).map(|(_, notice)| notice.clone()).collect())
    }

    fn aside(&self, limit: usize) -> Result<Vec<AsideMessage>, ProfileError> {
        Ok(last(self.state().messages.aside(), limit))
    }

    fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError> {
        Ok(self.state().rooms.all().cloned().collect())
    }

    fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError> {
        Ok(self.state().rooms.get(room).cloned())
    }

    fn room_by_name(&self, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        Ok(self.state().rooms.by_name(name).cloned())
    }

    fn room_of_kind(&self, kind: wire::RoomKind, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        let rooms = &self.state().rooms;
        Ok(rooms.of_kind(kind, &folded(name)).and_then(|room| rooms.get(room).cloned()))
    }

    fn messages(&self, room: RoomId, from_sequence: u64, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        let state = self.state();
        self.rewind_seen.set(state.rooms.newest_rewind());
        Ok(state.messages.from(room, from_sequence).take(limit).cloned().collect())
    }

    fn last_messages(&self, room: RoomId, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        let state = self.state();
        self.rewind_seen.set(state.rooms.newest_rewind());
        let said = |message: &&StoredMessage| matches!(message.what, What::Message { .. });
        Ok(last(state.messages.from(room, 0).filter(said), limit))
    }

    fn missing(&self, room: RoomId, from: u64, to: u64) -> Result<Option<(u64, u64)>, ProfileError> {
        let state = self.state();
        let held = state.messages.from(room, from).map(|message| message.room_sequence);
        Ok(first_hole(held, from, to))
    }

    fn search(&self, search: &Search, from: SearchFrom, limit: usize) -> Result<Searched, ProfileError> {
        search_step(&self.state().messages, search, from, limit)
    }

    fn pending(&self, room: &PendingIn, before_sequence: u64, limit: usize) -> Result<Vec<PendingOp>, ProfileError> {
        let state = self.state();
        let ways = Ways::find(&*state, room)?;
        Ok(state.outbox.pending(&ways, before_sequence, limit))
    }

    fn read_up_to(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        let state = self.state();
        Ok(state.mark(&state.read, room))
    }

    fn set_read_up_to(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        let mut state = self.state();
        let mark = state.marked(&state.read, room, sequence, self.rewind_seen.get());
        state.read.insert(room, mark);
        Ok(())
    }

    fn unread(&self, room: RoomId, name: &str) -> Result<Unread, ProfileError> {
        let state = self.state();
        let base = || state.rooms.get(room).map_or(0, |info| info.base);
        let after = state.mark(&state.read, room).unwrap_or_else(base);
        let mut counting = Counting::new(state.device.get().standing.account, name);
        for message in state.messages.from(room, after.saturating_add(1)) {
            if !counting.take(message)? {
                break;
            }
        }
        Ok(counting.counted())
    }

    fn printed(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        let state = self.state();
        Ok(state.mark(&state.printed, room))
    }

    fn set_printed(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        let mut state = self.state();
        let mark = state.marked(&state.printed, room, sequence, self.rewind_seen.get());
        state.printed.insert(room, mark);
        Ok(())
    }

    fn claim_consumer(&self, name: &str) -> Result<Option<ConsumerClaim>, ProfileError> {
        let mut state = self.state();
        state.claims.retain(|_, claim| claim.strong_count() > 0);
        if state.claims.contains_key(name) {
            return Ok(None);
        }
        let held = Arc::new(());
        state.claims.insert(name.to_owned(), Arc::downgrade(&held));
        Ok(Some(ConsumerClaim::in_memory(held)))
    }

    fn consumer(&self, name: &str) -> Result<Option<StreamPlace>, ProfileError> {
        Ok(self.state().consumers.get(name).copied())
    }

    fn set_consumer(&mut self, name: &str, place: StreamPlace) -> Result<(), ProfileError> {
        let mut state = self.state();
        let counts_as = |place: StreamPlace| state.rooms.set_back(LOG, place.position, place.rewinds);
        let before = state.consumers.get(name).map(|&before| counts_as(before));
        if before < Some(counts_as(place)) {
            state.consumers.insert(name.to_owned(), place);
        }
        Ok(())
    }

    fn set_back(&self, place: StreamPlace) -> Result<StreamPlace, ProfileError> {
        let state = self.state();
        consumer::set_back(place, state.rooms.newest_rewind(), |position, known| {
            Ok(state.rooms.set_back(LOG, position, known))
        })
    }

    fn stays(&self, room: RoomId) -> Result<Vec<Stay>, ProfileError> {
        Ok(self.state().rooms.stays(room))
    }

    fn dropped(&self, room: RoomId) -> Result<Option<(u64, u64)>, ProfileError> {
        Ok(self.state().messages.dropped(room))
    }

    fn set_flight(&self, flight: &FlightRow) -> Result<(), ProfileError> {
        let mut state = self.state();
        let known = state.flights.iter_mut().find(|kept| kept.process == flight.process && kept.link == flight.link);
        match known {
            Some(kept) => kept.json.clone_from(&flight.json),
            None => state.flights.push_back(flight.clone()),
        }
        if state.flights.len() > FLIGHTS_MAX {
            state.flights.pop_front();
        }
        Ok(())
    }

    fn flights(&self, limit: usize) -> Result<Vec<FlightRow>, ProfileError> {
        Ok(last(self.state().flights.iter(), limit))
    }
}

/// The last ones, in their order.
fn last<'s, T: Clone + 's>(all: impl DoubleEndedIterator<Item = &'s T>, limit: usize) -> Vec<T> {
    let mut last: Vec<T> = all.rev().take(limit).cloned().collect();
    last.reverse();
    last
}

/// The first hole in what is held, ascending, from `from` to `to`.
fn first_hole(held: impl Iterator<Item = u64>, from: u64, to: u64) -> Option<(u64, u64)> {
    let mut expected = from;
    for found in held.take_while(|&found| found <= to) {
        if found != expected {
            return Some((expected, found - 1));
        }
        expected += 1;
    }
    (expected <= to).then_some((expected, to))
}

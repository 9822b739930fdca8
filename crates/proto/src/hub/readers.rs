//! Who reads what: each connection's place, and the rooms that have something beyond it. The server queues nothing
//! for a connection but this.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::ids::{AccountId, DeviceId, RoomId};
use crate::wire::{ByeReason, Incarnation};

/// Rooms that a reader lists by name; with more it reads from the store.
const PENDING_ROOMS_MAX: usize = 32;

/// A connection's number as a reader, given again after it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(pub u32);

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) account: AccountId,
    pub(super) device: DeviceId,
    /// Everything up to here was given to the connection.
    pub(super) place: u64,
    /// The device has stored everything for it up to here.
    pub(super) acknowledged: u64,
    /// Rooms with something beyond the place, all of which the rings may hold.
    pub(super) pending: Vec<RoomId>,
    /// The list overflowed or a ring let go: the store has what is missing.
    pub(super) behind: bool,
    /// Another link of the device took over.
    pub(super) evicted: Option<ByeReason>,
}

#[derive(Debug, Default)]
pub(super) struct Readers {
    slots: Vec<Option<Reader>>,
    free: Vec<u32>,
    by_account: BTreeMap<AccountId, BTreeSet<ReaderId>>,
    by_room: BTreeMap<RoomId, BTreeSet<ReaderId>>,
    by_device: BTreeMap<DeviceId, (ReaderId, Incarnation)>,
}

impl Readers {
    pub(super) fn get(&self, id: ReaderId) -> Option<&Reader> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ReaderId) -> Option<&mut Reader> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    /// The links of an account.
    pub(super) fn of(&self, account: AccountId) -> impl Iterator<Item = &Reader> {
        self.by_account.get(&account).into_iter().flatten().filter_map(|&id| self.get(id))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether a link of this incarnation may stand in for the one the device has; an old link never replaces a
    /// newer one. Gives the reader that has to go, and why.
    pub(super) fn succession(
        &self,
        device: DeviceId,
        newcomer: &Incarnation,
    ) -> Result<Option<(ReaderId, ByeReason)>, ByeReason> {
        let Some((holder, present)) = self.by_device.get(&device) else { return Ok(None) };
        if newcomer.process == present.process {
            let newer = newcomer.link > present.link;
            return if newer { Ok(Some((*holder, ByeReason::Superseded))) } else { Err(ByeReason::Superseded) };
        }
        let newer = (newcomer.process_start_ms, newcomer.process) > (present.process_start_ms, present.process);
        if newer { Ok(Some((*holder, ByeReason::TakenOver))) } else { Err(ByeReason::Superseded) }
    }

    pub(super) fn attach(
        &mut self,
        state: &State,
        account: AccountId,
        device: DeviceId,
        incarnation: Incarnation,
        place: Option<u64>,
    ) -> ReaderId {
        let acknowledged = place.unwrap_or(0);
        let place = place.unwrap_or(state.head());
        let reader = Reader { account, device, place, acknowledged, pending: Vec::new(), behind: false, evicted: None };
        let id = match self.free.pop() {
            Some(slot) => ReaderId(slot),
            None => {
                self.slots.push(None);
                ReaderId((self.slots.len() - 1) as u32)
            }
        };
        self.slots[id.0 as usize] = Some(reader);
        self.by_account.entry(account).or_default().insert(id);
        self.by_device.insert(device, (id, incarnation));
        for (room, _, membership) in state.rooms_of(account) {
            if membership.is_open() {
                self.by_room.entry(room).or_default().insert(id);
            }
        }
        self.relist(state, id);
        id
    }

    pub(super) fn detach(&mut self, state: &State, id: ReaderId) -> Option<Reader> {
        let reader = self.slots.get_mut(id.0 as usize).and_then(Option::take)?;
        self.free.push(id.0);
        remove(&mut self.by_account, &reader.account, id);
        for (room, _, _) in state.rooms_of(reader.account) {
            remove(&mut self.by_room, &room, id);
        }
        if self.by_device.get(&reader.device).is_some_and(|&(holder, _)| holder == id) {
            self.by_device.remove(&reader.device);
        }
        Some(reader)
    }

    /// Lists anew what the reader has not got, by where its rooms stand.
    pub(super) fn relist(&mut self, state: &State, id: ReaderId) {
        let Some(reader) = self.get_mut(id) else { return };
        reader.pending.clear();
        reader.behind = false;
        let place = reader.place;
        let rooms = state.rooms_of(reader.account);
        let beyond = rooms.filter(|(_, room, membership)| membership.last_seen(room.head_position) > place);
        for (room, _, _) in beyond {
            note(reader, room);
        }
    }

    /// A room has a new entry: marks its readers, each of which is woken once.
    pub(super) fn mark(&mut self, room: RoomId, woken: &mut BTreeSet<ReaderId>) {
        let Some(readers) = self.by_room.get(&room) else { return };
        for &id in readers {
            if let Some(reader) = self.slots.get_mut(id.0 as usize).and_then(Option::as_mut) {
                note(reader, room);
                woken.insert(id);
            }
        }
    }

    /// The account's readers follow the room from now on.
    pub(super) fn follow(&mut self, account: AccountId, room: RoomId) {
        if let Some(readers) = self.by_account.get(&account) {
            self.by_room.entry(room).or_default().extend(readers);
        }
    }

    /// The account's readers follow the room no longer.
    pub(super) fn unfollow(&mut self, account: AccountId, room: RoomId) {
        for id in self.by_account.get(&account).into_iter().flatten() {
            remove(&mut self.by_room, &room, *id);
        }
    }
}

fn note(reader: &mut Reader, room: RoomId) {
    if reader.behind || reader.pending.contains(&room) {
        return;
    }
    if reader.pending.len() == PENDING_ROOMS_MAX {
        reader.pending.clear();
        reader.behind = true;
    } else {
        reader.pending.push(room);
    }
}

fn remove<K: Ord>(map: &mut BTreeMap<K, BTreeSet<ReaderId>>, key: &K, id: ReaderId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

//! A draft: the state as it would be after the operations decided so far. Nothing of it counts until it is stored.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::membership::Membership;
use super::state::{Changes, Device, Room, State, pair};
use crate::codec;
use crate::ids::{AccountId, DeviceId, OperationId, RoomId};
use crate::wire::{Entry, entry::What, frame::Kind};

/// An entry that a draft made, as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its position.
    pub position: u64,
    /// Its room and room sequence, if it is of a room.
    pub room: Option<(RoomId, u64)>,
    /// Its frame, in as many parts as it needs.
    pub unit: Bytes,
}

/// Who makes an entry, and by which operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Author {
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) id: OperationId,
    pub(super) sequence: u64,
    pub(super) composed_at_ms: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Draft<'s> {
    state: &'s State,
    settled: &'s BTreeSet<u64>,
    head: u64,
    pub(super) changes: Changes,
}

impl<'s> Draft<'s> {
    /// A draft on top of the state. `now_ms` is the sequencer's wall clock; time never goes back.
    pub(super) fn new(state: &'s State, settled: &'s BTreeSet<u64>, now_ms: u64) -> Self {
        let changes = Changes { at_ms: now_ms.max(state.last_at_ms), ..Changes::default() };
        Self { state, settled, head: state.head, changes }
    }

    /// What was decided, to be stored and then installed.
    pub fn finish(self) -> Changes {
        self.changes
    }

    /// Appends an entry; gives its position and its room sequence (0 without a room).
    pub(super) fn push(&mut self, room: Option<RoomId>, author: &Author, what: Option<What>) -> (u64, u64) {
        self.head += 1;
        let position = self.head;
        let room_sequence = room.map_or(0, |room| {
            self.room_mut(room).map_or(0, |there| {
                there.head_sequence += 1;
                there.head_position = position;
                there.head_sequence
            })
        });
        let entry = Entry {
            position,
            room: room.map_or(0, |room| room.0),
            room_sequence,
            account: author.account.0,
            from: author.name.clone(),
            id: author.id.0,
            sequence: author.sequence,
            at_ms: self.changes.at_ms,
            composed_at_ms: author.composed_at_ms,
            what,
        };
        let mut unit = Vec::new();
        codec::encode_kind(Kind::Entry(entry), &mut unit);
        let room = room.map(|room| (room, room_sequence));
        self.changes.entries.push(NewEntry { position, room, unit: unit.into() });
        (position, room_sequence)
    }

    /// Whether the link was answered `Settled`, in this batch or before.
    pub(super) fn is_settled(&self, link: u64) -> bool {
        self.settled.contains(&link) || self.changes.settled.contains(&link)
    }

    pub(super) fn device(&self, id: DeviceId) -> Option<&Device> {
        self.changes.devices.get(&id).or_else(|| self.state.devices.get(&id))
    }

    pub(super) fn device_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        if !self.changes.devices.contains_key(&id) {
            self.changes.devices.insert(id, self.state.devices.get(&id)?.clone());
        }
        self.changes.devices.get_mut(&id)
    }

    pub(super) fn room(&self, id: RoomId) -> Option<&Room> {
        self.changes.rooms.get(&id).or_else(|| self.state.rooms.get(&id))
    }

    fn room_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        if !self.changes.rooms.contains_key(&id) {
            self.changes.rooms.insert(id, self.state.rooms.get(&id)?.clone());
        }
        self.changes.rooms.get_mut(&id)
    }

    pub(super) fn membership_mut(&mut self, room: RoomId, account: AccountId) -> &mut Membership {
        let stored = self.state.members.get(&(room, account));
        self.changes.members.entry((room, account)).or_insert_with(|| stored.cloned().unwrap_or_default())
    }

    /// How often the account has joined the room.
    pub(super) fn stays(&self, room: RoomId, account: AccountId) -> usize {
        let key = (room, account);
        let membership = self.changes.members.get(&key).or_else(|| self.state.members.get(&key));
        membership.map_or(0, |membership| membership.stays().len())
    }

    pub(super) fn is_member(&self, room: RoomId, account: AccountId) -> bool {
        let key = (room, account);
        self.changes.members.get(&key).or_else(|| self.state.members.get(&key)).is_some_and(Membership::is_open)
    }

    pub(super) fn name_of(&self, account: AccountId) -> String {
        let known = self.changes.accounts.get(&account).or_else(|| self.state.accounts.get(&account));
        known.map(|account| account.name.clone()).unwrap_or_default()
    }

    pub(super) fn account_by_name(&self, folded: &str) -> Option<AccountId> {
        self.changes.accounts_by_name.get(folded).or_else(|| self.state.accounts_by_name.get(folded)).copied()
    }

    pub(super) fn public_room(&self, folded: &str) -> Option<RoomId> {
        self.changes.public_rooms.get(folded).or_else(|| self.state.public_rooms.get(folded)).copied()
    }

    pub(super) fn direct_room(&self, a: AccountId, b: AccountId) -> Option<RoomId> {
        let key = pair(a, b);
        self.changes.directs.get(&key).or_else(|| self.state.directs.get(&key)).copied()
    }
}

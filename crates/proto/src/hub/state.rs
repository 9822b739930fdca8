//! The server's state: accounts, devices, rooms, memberships. It changes only by installing what a draft decided.
//! All of it is in memory; its rows on disk are written with the entries that changed them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use super::membership::Membership;
use crate::ids::{AccountId, DeviceId, LogId, OperationId, RoomId, Term};
use crate::names;
use crate::wire::{Refusal, RoomKind};

/// A person, or a machine that acts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As it was spelled at the sign-up.
    pub name: String,
}

/// One device of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whose it is.
    pub account: AccountId,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// The sequence of its last operation that took effect.
    pub last_sequence: u64,
    /// It has stored all outcomes up to this sequence.
    pub confirmed_through: u64,
    /// The outcomes of `confirmed_through + 1 ..= last_sequence`, in order.
    pub kept: VecDeque<Kept>,
}

/// An outcome that the device has not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The operation's id.
    pub id: OperationId,
    /// Where it stands in the log.
    pub position: u64,
    /// The room that it made, entered or went to.
    pub room: Option<RoomId>,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its name; empty for direct conversations and account rooms.
    pub name: String,
    /// Its kind.
    pub kind: RoomKind,
    /// The room sequence of its last entry.
    pub head_sequence: u64,
    /// The position of its last entry.
    pub head_position: u64,
    /// Who made it.
    pub maker: AccountId,
    /// A direct conversation's other account.
    pub other: Option<AccountId>,
}

/// The state after some position of the log.
#[derive(Debug)]
pub struct State {
    pub(super) log_id: LogId,
    pub(super) terms: Vec<(Term, u64)>,
    pub(super) head: u64,
    pub(super) last_at_ms: u64,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) members: BTreeMap<(RoomId, AccountId), Membership>,
    // Derived from the above.
    pub(super) accounts_by_name: BTreeMap<String, AccountId>,
    pub(super) public_rooms: BTreeMap<String, RoomId>,
    pub(super) directs: BTreeMap<(AccountId, AccountId), RoomId>,
    pub(super) rooms_of: BTreeSet<(AccountId, RoomId)>,
    /// How many are members now, of rooms that have any.
    member_counts: BTreeMap<RoomId, u32>,
}

/// What one batch of operations changes, and the entries it makes.
#[derive(Debug, Default)]
pub struct Changes {
    /// In order of position, without holes, the first at the old head + 1.
    pub entries: Vec<super::NewEntry>,
    /// The term that was opened.
    pub term: Option<Term>,
    /// The time given to the entries, Unix milliseconds.
    pub at_ms: u64,
    /// Links that were answered `Settled`: no operation of theirs is taken any more.
    pub settled: BTreeSet<u64>,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) members: BTreeMap<(RoomId, AccountId), Membership>,
    pub(super) accounts_by_name: BTreeMap<String, AccountId>,
    pub(super) public_rooms: BTreeMap<String, RoomId>,
    pub(super) directs: BTreeMap<(AccountId, AccountId), RoomId>,
}

impl State {
    /// The state of an empty log.
    pub fn empty(log_id: LogId) -> Self {
        Self {
            log_id,
            terms: Vec::new(),
            head: 0,
            last_at_ms: 0,
            accounts: BTreeMap::new(),
            devices: BTreeMap::new(),
            rooms: BTreeMap::new(),
            members: BTreeMap::new(),
            accounts_by_name: BTreeMap::new(),
            public_rooms: BTreeMap::new(),
            directs: BTreeMap::new(),
            rooms_of: BTreeSet::new(),
            member_counts: BTreeMap::new(),
        }
    }

    /// The log's id.
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The terms, each with its first position, in order.
    pub fn terms(&self) -> &[(Term, u64)] {
        &self.terms
    }

    /// The present term.
    pub fn term(&self) -> Term {
        self.terms.last().map_or(Term(0), |&(term, _)| term)
    }

    /// The position of the last committed entry.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// A device, if it is known.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)
    }

    /// An account, if it is known.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// Whose name this is, in the form in which names are compared.
    pub fn account_named(&self, folded: &str) -> Option<AccountId> {
        self.accounts_by_name.get(folded).copied()
    }

    /// A room, if there is one.
    pub fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(&id)
    }

    /// Every room that the account is or was a member of, with its membership.
    pub fn rooms_of(&self, account: AccountId) -> impl Iterator<Item = (RoomId, &Room, &Membership)> {
        self.rooms_of
            .range((account, RoomId(0))..=(account, RoomId(u64::MAX)))
            .filter_map(move |&(_, room)| Some((room, self.rooms.get(&room)?, self.members.get(&(room, account))?)))
    }

    /// The audience predicate: whether the account sees a room's entry at this position in its stream.
    pub fn sees(&self, account: AccountId, room: RoomId, position: u64) -> bool {
        self.members.get(&(room, account)).is_some_and(|membership| membership.holds(position))
    }

    /// Whether History gives the account a room's entry at this position.
    pub fn may_read(&self, account: AccountId, room: RoomId, position: u64) -> bool {
        self.rooms.get(&room).is_some_and(|room| room.kind == RoomKind::Public) || self.sees(account, room, position)
    }

    /// Whether the account may learn that there is such a room.
    pub fn knows(&self, account: AccountId, room: RoomId) -> bool {
        let public = self.rooms.get(&room).is_some_and(|room| room.kind == RoomKind::Public);
        public || self.members.contains_key(&(room, account))
    }

    /// Whether the account is a member of the room now.
    pub fn is_member(&self, account: AccountId, room: RoomId) -> bool {
        self.members.get(&(room, account)).is_some_and(Membership::is_open)
    }

    /// How many accounts are members of the room now.
    pub fn member_count(&self, room: RoomId) -> u32 {
        self.member_counts.get(&room).copied().unwrap_or(0)
    }

    /// Who is or was a member of the room, in order of account, behind this one.
    pub fn memberships_after(&self, room: RoomId, after: AccountId) -> impl Iterator<Item = (AccountId, &Membership)> {
        let behind = (Bound::Excluded((room, after)), Bound::Included((room, AccountId(u64::MAX))));
        // Nobody is behind the last id that there can be, and a range from it to itself would be none.
        let wanted = (after.0 < u64::MAX).then_some(behind);
        let found = wanted.map(|behind| self.members.range(behind)).into_iter().flatten();
        found.map(|(&(_, account), membership)| (account, membership))
    }

    /// The public rooms in order of their folded names, behind this one.
    pub fn public_rooms_after(&self, folded: &str) -> impl Iterator<Item = (RoomId, &Room)> {
        let behind = (Bound::Excluded(folded), Bound::Unbounded);
        let rooms = self.public_rooms.range::<str, _>(behind);
        rooms.filter_map(|(_, &id)| Some((id, self.rooms.get(&id)?)))
    }

    /// Makes what a draft decided the state. Call it after the changes are stored and synced, never before.
    pub fn install(&mut self, changes: &Changes) {
        if let Some(last) = changes.entries.last() {
            self.head = last.position;
            self.last_at_ms = changes.at_ms;
        }
        if let (Some(term), Some(first)) = (changes.term, changes.entries.first()) {
            self.terms.push((term, first.position));
        }
        extend(&mut self.accounts, &changes.accounts);
        extend(&mut self.devices, &changes.devices);
        extend(&mut self.rooms, &changes.rooms);
        for (&(room, account), membership) in &changes.members {
            self.count_member(room, account, membership.is_open());
        }
        extend(&mut self.members, &changes.members);
        extend(&mut self.accounts_by_name, &changes.accounts_by_name);
        extend(&mut self.public_rooms, &changes.public_rooms);
        extend(&mut self.directs, &changes.directs);
        self.rooms_of.extend(changes.members.keys().map(|&(room, account)| (account, room)));
    }

    /// Puts back an account as its row says.
    pub(super) fn restore_account(&mut self, id: AccountId, account: Account) {
        if let Ok(folded) = names::folded(&account.name) {
            self.accounts_by_name.insert(folded, id);
        }
        self.accounts.insert(id, account);
    }

    /// Puts back a room as its row says.
    pub(super) fn restore_room(&mut self, id: RoomId, room: Room) {
        if room.kind == RoomKind::Public
            && let Ok(folded) = names::folded(&room.name)
        {
            self.public_rooms.insert(folded, id);
        }
        if let Some(other) = room.other {
            self.directs.insert(pair(room.maker, other), id);
        }
        self.rooms.insert(id, room);
    }

    /// Puts back a membership as its row says.
    pub(super) fn restore_membership(&mut self, room: RoomId, account: AccountId, membership: Membership) {
        self.count_member(room, account, membership.is_open());
        self.members.insert((room, account), membership);
        self.rooms_of.insert((account, room));
    }

    /// The account is about to be a member, or not.
    fn count_member(&mut self, room: RoomId, account: AccountId, is_member: bool) {
        match (self.is_member(account, room), is_member) {
            (false, true) => *self.member_counts.entry(room).or_default() += 1,
            (true, false) => {
                if let Entry::Occupied(mut count) = self.member_counts.entry(room) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            (false, false) | (true, true) => {}
        }
    }
}

/// The key of the conversation of two.
pub(super) fn pair(a: AccountId, b: AccountId) -> (AccountId, AccountId) {
    (a.min(b), a.max(b))
}

fn extend<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, with: &BTreeMap<K, V>) {
    map.extend(with.iter().map(|(key, value)| (key.clone(), value.clone())));
}

//! Who is there, how far each has stored everything, who is typing. In memory and lossy: it is no part of the state,
//! and a server that starts knows nothing of it.
//!
//! Nothing is queued for who watches. A change gives its account the number of the next tick; a watching reader keeps a
//! number for each of its rooms, is woken by the tick, and pulls the *present* state of those members that changed
//! since: the latest wins. As long as nobody watches, all this costs an acknowledgement one comparison.

use std::collections::{BTreeMap, BTreeSet};

use super::readers::Readers;
use super::{Hub, ReaderId, State};
use crate::ids::{AccountId, RoomId};
use crate::session::WATCHED_ROOMS_MAX;
use crate::time::{Duration, Instant, wire_ms};
use crate::wire::{Member, Op, Presence, Signal, op::Body, room_ref::By};

/// A room with more members than this tells no signals: with n of them, each message would make n² in the end.
const SIGNALLED_MEMBERS_MAX: u32 = 100;
/// How often a shell calls [`Hub::tick_people`] while somebody watches.
pub const PEOPLE_TICK: Duration = Duration::from_millis(100);
/// Signals that one link gets between two ticks.
const SIGNALS_PER_TICK: u32 = 32;
/// Rooms of accounts, and readers that watch them, that one tick looks after: it runs while the hub is held. Of one
/// account it looks after all.
const MARKS_PER_TICK: usize = 16_384;
/// How long somebody counts as typing who said so once.
const TYPING_LASTS: Duration = Duration::from_secs(5);
/// What one account says of its typing within this time of the last word of it that counted is dropped.
const TYPING_PAUSE: Duration = Duration::from_secs(1);

/// What became of a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleTick {
    /// Readers to wake, each once, in order.
    pub woken: Vec<ReaderId>,
    /// Whether somebody watches: if not, ticks are wanted no more.
    pub watched: bool,
}

#[derive(Debug, Default)]
pub(super) struct People {
    /// Counts ticks.
    tick: u64,
    persons: BTreeMap<AccountId, Person>,
    typing: BTreeMap<AccountId, Typing>,
    watching: BTreeMap<ReaderId, Watching>,
    watchers: BTreeMap<RoomId, BTreeSet<ReaderId>>,
    /// Accounts that changed and that no tick has looked after; each in the rooms whose last entry is beyond a
    /// position: an acknowledgement says nothing new where all was acknowledged before.
    changed: BTreeMap<AccountId, u64>,
    /// Those of them that are being looked after, over as many ticks as it takes.
    settling: BTreeMap<AccountId, u64>,
    /// Who began or stopped typing, and where: it concerns no other room.
    typed: BTreeSet<(RoomId, AccountId)>,
    /// Watched rooms that have become too large to be told of.
    silent: BTreeSet<RoomId>,
    /// Readers that have had what they may have until the next tick, and want more.
    unfinished: BTreeSet<ReaderId>,
}

#[derive(Debug, Default)]
struct Person {
    /// The tick that told its last change.
    changed_at: u64,
    /// What links that are gone had acknowledged.
    delivered: u64,
}

#[derive(Debug)]
struct Typing {
    room: RoomId,
    said_at: Instant,
    stopped: bool,
}

#[derive(Debug)]
struct Watching {
    rooms: Vec<Watched>,
    /// Signals that may leave before the next tick.
    allowed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    room: RoomId,
    /// The last tick in which something changed here.
    marked: u64,
    /// What changed up to this tick was looked at.
    looked: Option<u64>,
    /// What changed up to this tick was told; `None`: nothing was, all members are to be.
    told: Option<u64>,
    /// How far a walk over the members has got, and the tick after which it began.
    walk: Option<(AccountId, u64)>,
}

impl People {
    /// The account's readers or rooms changed.
    pub(super) fn touch(&mut self, account: AccountId) {
        self.touch_beyond(account, 0);
    }

    /// Something of the account changed in the rooms whose last entry is beyond this position.
    fn touch_beyond(&mut self, account: AccountId, position: u64) {
        if !self.watching.is_empty() {
            let beyond = self.changed.entry(account).or_insert(position);
            *beyond = position.min(*beyond);
        }
    }

    /// The account began or stopped typing there.
    fn touch_in(&mut self, room: RoomId, account: AccountId) {
        if !self.watching.is_empty() {
            self.typed.insert((room, account));
        }
    }

    /// Something of an account changed that this room's watchers are to be told, if they are members; how many were
    /// looked at.
    fn mark(&mut self, room: RoomId, state: &State, readers: &Readers, woken: &mut BTreeSet<ReaderId>) -> usize {
        let Some(watchers) = self.watchers.get(&room) else { return 1 };
        let is_silent = state.member_count(room) > SIGNALLED_MEMBERS_MAX;
        if is_silent && !self.silent.insert(room) {
            return 1;
        }
        if !is_silent {
            self.silent.remove(&room);
        }
        let is_member = |id| readers.get(id).is_some_and(|reader| state.is_member(reader.account, room));
        for &id in watchers.iter().filter(|&&id| is_member(id)) {
            let rooms = self.watching.get_mut(&id).map(|watching| watching.rooms.iter_mut());
            if let Some(watched) = rooms.into_iter().flatten().find(|watched| watched.room == room) {
                watched.marked = self.tick;
                woken.insert(id);
            }
        }
        watchers.len()
    }

    /// A link of the account is gone that had acknowledged so much; it may have been the last one.
    pub(super) fn handle_detached(&mut self, id: ReaderId, account: AccountId, acknowledged: u64, was_last: bool) {
        let person = self.persons.entry(account).or_default();
        person.delivered = person.delivered.max(acknowledged);
        if was_last {
            self.typing.remove(&account);
        }
        self.watch(id, &[]);
        self.touch(account);
    }

    /// Replaces what the reader watches. What goes on being watched is not told anew.
    fn watch(&mut self, id: ReaderId, rooms: &[RoomId]) {
        let before = self.watching.remove(&id);
        let (mut kept, allowed) = before.map_or((Vec::new(), SIGNALS_PER_TICK), |w| (w.rooms, w.allowed));
        for gone in kept.extract_if(.., |watched| !rooms.contains(&watched.room)) {
            if let Some(readers) = self.watchers.get_mut(&gone.room) {
                readers.remove(&id);
                if readers.is_empty() {
                    self.watchers.remove(&gone.room);
                    self.silent.remove(&gone.room);
                }
            }
        }
        for &room in rooms {
            if !kept.iter().any(|watched| watched.room == room) {
                kept.push(Watched { room, marked: self.tick, looked: None, told: None, walk: None });
                self.watchers.entry(room).or_default().insert(id);
            }
        }
        self.unfinished.remove(&id);
        if !kept.is_empty() {
            self.unfinished.insert(id);
            self.watching.insert(id, Watching { rooms: kept, allowed });
        }
        if self.watching.is_empty() {
            self.changed.clear();
            self.settling.clear();
            self.typed.clear();
        }
    }
}

impl Hub {
    /// The reader's device has stored everything for it up to here.
    pub(super) fn acknowledge(&mut self, id: ReaderId, position: u64) {
        let position = position.min(self.state.head);
        if let Some(reader) = self.readers.get(id)
            && position > reader.acknowledged
        {
            let account = reader.account;
            let before = if self.people.watching.is_empty() { 0 } else { self.delivered(account) };
            if let Some(reader) = self.readers.get_mut(id) {
                reader.acknowledged = position;
            }
            self.people.touch_beyond(account, before);
        }
    }

    /// The reader wants to be told of the members of these rooms and of no others; whether it watches any.
    pub(super) fn watch(&mut self, id: ReaderId, rooms: impl Iterator<Item = RoomId>) -> bool {
        let mut watched: Vec<RoomId> = Vec::new();
        // A frame may name any number; what is beyond the limit is not read.
        for room in rooms.take(4 * WATCHED_ROOMS_MAX) {
            if watched.len() < WATCHED_ROOMS_MAX && !watched.contains(&room) {
                watched.push(room);
            }
        }
        self.people.watch(id, &watched);
        !watched.is_empty()
    }

    /// The account says that it is typing in a room.
    pub(super) fn handle_typing(&mut self, now: Instant, account: AccountId, room: RoomId) {
        let recently = |typing: &Typing| now < typing.said_at + TYPING_PAUSE;
        if self.tells_signals(account, room) && !self.people.typing.get(&account).is_some_and(recently) {
            self.people.typing.insert(account, Typing { room, said_at: now, stopped: false });
            self.people.touch_in(room, account);
        }
    }

    /// The account sends what it was typing, perhaps.
    pub(super) fn handle_sending(&mut self, account: AccountId, op: &Op) {
        if let Some(typing) = self.people.typing.get_mut(&account)
            && !typing.stopped
            && let Some(Body::Send(send)) = &op.body
            && let Some(By::Room(room)) = send.room.as_ref().and_then(|room| room.by.as_ref())
            && *room == typing.room.0
        {
            typing.stopped = true;
            let room = typing.room;
            self.people.touch_in(room, account);
        }
    }

    /// To be called every [`PEOPLE_TICK`] while somebody watches.
    pub fn tick_people(&mut self) -> PeopleTick {
        let (people, state, readers) = (&mut self.people, &self.state, &self.readers);
        people.tick += 1;
        let mut woken = std::mem::take(&mut people.unfinished);
        if people.settling.is_empty() {
            people.settling = std::mem::take(&mut people.changed);
        }
        let mut marks = 0;
        while marks < MARKS_PER_TICK
            && let Some((room, account)) = people.typed.pop_first()
        {
            if state.is_member(account, room) {
                people.persons.entry(account).or_default().changed_at = people.tick;
                marks += people.mark(room, state, readers, &mut woken);
            }
        }
        while marks < MARKS_PER_TICK
            && let Some((account, beyond)) = people.settling.pop_first()
        {
            people.persons.entry(account).or_default().changed_at = people.tick;
            marks += 1;
            for (id, room, membership) in state.rooms_of(account) {
                if membership.is_open() && room.head_position > beyond {
                    marks += people.mark(id, state, readers, &mut woken);
                }
            }
        }
        for id in &woken {
            if let Some(watching) = people.watching.get_mut(id) {
                watching.allowed = SIGNALS_PER_TICK;
            }
        }
        PeopleTick { woken: woken.into_iter().collect(), watched: !self.people.watching.is_empty() }
    }

    /// The next thing that a watching reader has not been told, as it is now.
    pub(super) fn next_signal(&mut self, now: Instant, id: ReaderId) -> Option<Signal> {
        loop {
            let reader = self.readers.get(id)?.account;
            let watching = self.people.watching.get(&id)?;
            // The one that was looked at longest ago: a busy room keeps no quiet one waiting.
            let due = watching.rooms.iter().enumerate().filter(|(_, watched)| watched.is_due());
            let (index, _) = due.min_by_key(|(_, watched)| watched.looked)?;
            let Watched { room, told, walk, .. } = watching.rooms[index];
            let (after, began) = walk.unwrap_or((AccountId(0), self.people.tick));
            // Asked anew each time: who has left meanwhile is told nothing more.
            let tells = self.tells_signals(reader, room);
            let member = if tells { self.next_changed(room, after, told) } else { None };
            let allowed = watching.allowed;
            let watching = self.people.watching.get_mut(&id)?;
            let watched = &mut watching.rooms[index];
            match member {
                None => {
                    watched.looked = Some(began);
                    watched.told = tells.then_some(began);
                    watched.walk = None;
                }
                Some(_) if allowed == 0 => {
                    self.people.unfinished.insert(id);
                    return None;
                }
                Some(member) => {
                    watched.walk = Some((member, began));
                    watching.allowed -= 1;
                    return Some(self.signal(now, room, member));
                }
            }
        }
    }

    /// How it is with a member, as somebody in this room may know it: what lies behind the room's last entry is no
    /// concern of the room's.
    pub(super) fn member(&self, room: RoomId, account: AccountId) -> Member {
        let last = self.state.room(room).map_or(0, |room| room.head_position);
        Member {
            account: account.0,
            name: self.state.account(account).map(|account| account.name.clone()).unwrap_or_default(),
            online: self.readers.of(account).next().is_some(),
            delivered: self.delivered(account).min(last),
        }
    }

    /// Up to where one of the account's devices has stored everything, as far as this run of the server was told.
    fn delivered(&self, account: AccountId) -> u64 {
        let earlier = self.people.persons.get(&account).map_or(0, |person| person.delivered);
        self.readers.of(account).map(|reader| reader.acknowledged).fold(earlier, u64::max)
    }

    fn signal(&self, now: Instant, room: RoomId, account: AccountId) -> Signal {
        let Member { account: id, name, online, delivered } = self.member(room, account);
        let typing = self.people.typing.get(&account).filter(|typing| typing.room == room && !typing.stopped);
        let typing = typing.map_or(Duration::ZERO, |typing| (typing.said_at + TYPING_LASTS).since(now));
        Signal {
            room: room.0,
            account: id,
            name,
            presence: if online { Presence::Online } else { Presence::Offline }.into(),
            typing_ms: wire_ms(typing),
            delivered,
            as_of: self.state.head,
        }
    }

    /// The next member behind this one that changed since that tick.
    fn next_changed(&self, room: RoomId, after: AccountId, since: Option<u64>) -> Option<AccountId> {
        let changed_at = |account| self.people.persons.get(&account).map_or(0, |person| person.changed_at);
        let mut members = self.state.memberships_after(room, after);
        members.find_map(|(account, membership)| {
            let tell = membership.is_open() && since.is_none_or(|since| changed_at(account) > since);
            tell.then_some(account)
        })
    }

    /// Whether the account may be told of, and tell, what the members of a room are about.
    fn tells_signals(&self, account: AccountId, room: RoomId) -> bool {
        self.state.is_member(account, room) && self.state.member_count(room) <= SIGNALLED_MEMBERS_MAX
    }
}

impl Watched {
    /// Whether it changed since it was looked at.
    fn is_due(&self) -> bool {
        self.looked.is_none_or(|looked| looked < self.marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::State;
    use crate::ids::{DeviceId, LogId};
    use crate::wire::Incarnation;

    #[test]
    fn as_long_as_nobody_watches_nothing_is_noted_of_who_comes_and_acknowledges() {
        let mut hub = Hub::new(State::empty(LogId([7; 16])), 1);
        let attach = |hub: &mut Hub, device| {
            let incarnation = Incarnation { process_start_ms: 1, process: 1, link: 1 };
            hub.attach(AccountId(9), DeviceId([device; 16]), incarnation, Some(0)).expect("it is the first").reader
        };
        let (first, second) = (attach(&mut hub, 1), attach(&mut hub, 2));
        hub.acknowledge(first, 0);
        hub.detach(second);
        assert_eq!((hub.people.changed.len(), hub.people.watchers.len()), (0, 0));
        assert_eq!(hub.tick_people(), PeopleTick { woken: vec![], watched: false });

        assert!(hub.watch(first, [RoomId(1)].into_iter()));
        let third = attach(&mut hub, 3);
        assert_eq!(hub.people.changed.len(), 1);
        // The last one who watches takes with it what was noted for it.
        hub.detach(first);
        hub.detach(third);
        assert_eq!((hub.people.changed.len(), hub.people.watchers.len(), hub.people.watching.len()), (0, 0, 0));
        assert!(!hub.tick_people().watched);
    }
}

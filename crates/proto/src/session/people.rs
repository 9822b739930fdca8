//! What is known of the people in the rooms that are watched: who is there, who is typing, how far each has stored
//! everything. A level, told by the server's signals; lossy, in memory, and only as fresh as the line.

use std::collections::BTreeMap;

use crate::ids::{AccountId, RoomId};
use crate::names::NAME_BYTES_MAX;
use crate::time::{Duration, Instant};
use crate::wire::{Entry, Joined, Presence, Signal, Watch, entry::What, frame::Kind};

/// Rooms that a session watches at most.
pub const WATCHED_ROOMS_MAX: usize = 16;
/// People of one room that are known at most; a server tells of no more.
const PEOPLE_PER_ROOM_MAX: usize = 100;
/// "I am typing" leaves once in this time at most.
const TYPING_PAUSE: Duration = Duration::from_secs(1);
/// For how long anybody counts as typing after one signal, whatever the server says.
const TYPING_MAX: Duration = Duration::from_secs(10);

/// One member of a watched room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account's name.
    pub name: String,
    /// Whether one of the account's devices has a line; never while this one has none.
    pub online: bool,
    /// The person is typing in this room, up to this moment.
    pub typing_until: Option<Instant>,
    /// One of the account's devices has stored everything for it up to this position; 0: none is known to.
    pub delivered: u64,
    /// The log's head when the server said so.
    as_of: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct People {
    rooms: BTreeMap<RoomId, BTreeMap<AccountId, Person>>,
    version: u64,
    /// When the next one stops typing.
    typing_ends: Option<Instant>,
    /// The server is to hear which rooms are watched.
    watch_due: bool,
    /// The room that the user types in, until it is said.
    typing: Option<RoomId>,
    typing_said_at: Option<Instant>,
}

impl People {
    /// The rooms that are watched, each with the people that are known of it.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, &BTreeMap<AccountId, Person>)> {
        self.rooms.iter().map(|(&room, people)| (room, people))
    }

    /// The people that are known of a room; nobody if it is not watched.
    pub fn of(&self, room: RoomId) -> impl Iterator<Item = (AccountId, &Person)> {
        self.rooms.get(&room).into_iter().flatten().map(|(&account, person)| (account, person))
    }

    /// Grows with each change of what is known.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// From now on these rooms, the first [`WATCHED_ROOMS_MAX`] of them, and no others.
    pub(super) fn watch(&mut self, rooms: &[RoomId]) {
        let mut watched = BTreeMap::new();
        for &room in rooms {
            if watched.len() < WATCHED_ROOMS_MAX {
                watched.entry(room).or_insert_with(|| self.rooms.remove(&room).unwrap_or_default());
            }
        }
        self.rooms = watched;
        self.watch_due = true;
        self.settle();
    }

    /// The user types; said at most once a second, and forgotten if there is no line to say it on.
    pub(super) fn type_in(&mut self, now: Instant, room: RoomId) {
        if self.typing_said_at.is_none_or(|at| now >= at + TYPING_PAUSE) {
            self.typing = Some(room);
        }
    }

    /// The server welcomed this client. A new term is told with the highest position that this device knows to be in
    /// the server's history unless `Diverged` follows: beyond it something else may stand now.
    pub(super) fn handle_welcome(&mut self, new_term: Option<u64>) {
        if let Some(told) = new_term {
            for person in self.rooms.values_mut().flat_map(BTreeMap::values_mut) {
                (person.delivered, person.as_of) = (person.delivered.min(told), person.as_of.min(told));
            }
            self.settle();
        }
        self.watch_due = !self.rooms.is_empty();
        self.typing = None;
    }

    /// The server's history is not the one that what is known speaks of.
    pub(super) fn handle_diverged(&mut self) {
        self.rooms.values_mut().for_each(BTreeMap::clear);
        self.settle();
        self.watch_due = !self.rooms.is_empty();
    }

    /// Without a line nobody is known to be there.
    pub(super) fn handle_loss(&mut self) {
        for person in self.rooms.values_mut().flat_map(BTreeMap::values_mut) {
            (person.online, person.typing_until) = (false, None);
        }
        self.settle();
    }

    pub(super) fn handle_signal(&mut self, now: Instant, signal: Signal) {
        let Some(people) = self.rooms.get_mut(&RoomId(signal.room)) else { return };
        let account = AccountId(signal.account);
        let known = people.get(&account);
        if known.is_none() && people.len() == PEOPLE_PER_ROOM_MAX || signal.name.len() > NAME_BYTES_MAX {
            return;
        }
        let typing = Duration::from_millis(signal.typing_ms.into()).min(TYPING_MAX);
        let person = Person {
            online: signal.presence() == Presence::Online,
            typing_until: (!typing.is_zero()).then(|| now + typing),
            // A server's memory of it may be shorter than ours; what was stored stays stored.
            delivered: known.map_or(0, |known| known.delivered).max(signal.delivered),
            as_of: signal.as_of,
            name: signal.name,
        };
        people.insert(account, person);
        self.settle();
    }

    /// An entry of the stream says it first, unless what is known is newer.
    pub(super) fn handle_entry(&mut self, entry: &Entry, own: AccountId) {
        let Some(people) = self.rooms.get_mut(&RoomId(entry.room)) else { return };
        let (account, left) = match &entry.what {
            Some(What::Left(left)) => (AccountId(left.account), true),
            Some(What::Message(_)) => (AccountId(entry.account), false),
            Some(What::Joined(joined)) => {
                if join(people, joined, entry.position) {
                    self.settle();
                }
                return;
            }
            _ => return,
        };
        if left && account == own {
            people.clear();
            return self.settle();
        }
        match people.get_mut(&account).filter(|person| person.as_of < entry.position) {
            Some(_) if left => drop(people.remove(&account)),
            Some(person) if person.typing_until.is_some() => person.typing_until = None,
            Some(_) | None => return,
        }
        self.settle();
    }

    /// When the next one stops typing.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.typing_ends
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.typing_ends.is_none_or(|at| now < at) {
            return;
        }
        for person in self.rooms.values_mut().flat_map(BTreeMap::values_mut) {
            person.typing_until = person.typing_until.filter(|&until| now < until);
        }
        self.settle();
    }

    /// Something changed.
    fn settle(&mut self) {
        self.version += 1;
        self.typing_ends = self.rooms.values().flat_map(BTreeMap::values).filter_map(|p| p.typing_until).min();
    }

    /// What the server is to hear next; where it does not know of these things, ask never.
    pub(super) fn poll_send(&mut self, now: Instant) -> Option<Kind> {
        if std::mem::take(&mut self.watch_due) {
            return Some(Kind::Watch(Watch { rooms: self.rooms.keys().map(|room| room.0).collect() }));
        }
        let room = self.typing.take()?;
        self.typing_said_at = Some(now);
        Some(Kind::Signal(Signal { room: room.0, ..Signal::default() }))
    }
}

/// Somebody came who counts from now on. With one too many a server tells of nobody any more, and what is known of the
/// others would stay as it is for ever. Says whether anything changed.
fn join(people: &mut BTreeMap<AccountId, Person>, joined: &Joined, position: u64) -> bool {
    let account = AccountId(joined.account);
    let is_told = people.contains_key(&account) || people.values().any(|person| person.as_of >= position);
    // Of a room of which nobody is known nothing is told, or not yet.
    if people.is_empty() || is_told || joined.name.len() > NAME_BYTES_MAX {
        return false;
    }
    if people.len() >= PEOPLE_PER_ROOM_MAX {
        people.clear();
        return true;
    }
    let name = joined.name.clone();
    people.insert(account, Person { name, online: false, typing_until: None, delivered: 0, as_of: position });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Left, Message};

    const ROOM: RoomId = RoomId(7);
    const OWN: AccountId = AccountId(1);
    const NOW: Instant = Instant::from_nanos(1);

    fn signal(account: u64) -> Signal {
        let presence = Presence::Online.into();
        Signal { room: ROOM.0, account, name: format!("p{account}"), presence, as_of: 50, ..Signal::default() }
    }

    fn watching() -> People {
        let mut people = People::default();
        people.watch(&[ROOM]);
        people
    }

    fn left(account: u64, position: u64) -> Entry {
        let what = What::Left(Left { account, name: String::new() });
        Entry { position, room: ROOM.0, account, what: Some(what), ..Entry::default() }
    }

    #[test]
    fn what_a_server_tells_is_bounded_in_rooms_people_names_and_time() {
        let mut people = People::default();
        let rooms: Vec<RoomId> = (0..40).map(|n| RoomId(n / 2)).collect();
        people.watch(&rooms);
        assert_eq!(people.rooms().map(|(room, _)| room.0).collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
        people.handle_signal(NOW, Signal { room: 17, ..signal(2) });
        assert_eq!(people.of(RoomId(17)).count(), 0, "nobody looks there");
        people.handle_signal(NOW, Signal { name: "x".repeat(65), ..signal(2) });
        assert_eq!(people.of(ROOM).count(), 0, "that is no name");
        (1..=101).for_each(|account| people.handle_signal(NOW, signal(account)));
        assert_eq!(people.of(ROOM).map(|(account, _)| account.0).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
        people.handle_signal(NOW, Signal { typing_ms: u32::MAX, ..signal(100) });
        assert_eq!(people.next_deadline(), Some(NOW + TYPING_MAX), "who is known is told of");
        people.handle_timeout(NOW + TYPING_MAX);
        assert_eq!(people.next_deadline(), None);
    }

    #[test]
    fn an_entry_that_is_older_than_what_was_told_changes_nothing() {
        let mut people = watching();
        people.handle_signal(NOW, Signal { typing_ms: 5_000, ..signal(2) });
        let message = |position| Entry { what: Some(What::Message(Message::default())), ..left(2, position) };
        let version = people.version();
        people.handle_entry(&left(2, 50), OWN);
        people.handle_entry(&message(50), OWN);
        assert_eq!((people.version(), people.of(ROOM).count()), (version, 1));
        people.handle_entry(&message(51), OWN);
        assert_eq!(people.next_deadline(), None, "it has sent what it typed");
        people.handle_entry(&left(2, 52), OWN);
        assert_eq!(people.of(ROOM).count(), 0);
    }

    #[test]
    fn who_leaves_a_room_forgets_its_people() {
        let mut people = watching();
        people.handle_signal(NOW, signal(2));
        people.handle_entry(&left(OWN.0, 51), OWN);
        assert_eq!((people.of(ROOM).count(), people.rooms().count()), (0, 1));
    }

    #[test]
    fn a_room_that_grows_beyond_what_is_told_of_has_nobody_until_all_are_told_anew() {
        let mut people = watching();
        let joined = |account, position| {
            let what = What::Joined(Joined { account, name: format!("p{account}"), ..Joined::default() });
            Entry { what: Some(what), ..left(account, position) }
        };
        people.handle_entry(&joined(2, 40), OWN);
        assert_eq!(people.of(ROOM).count(), 0, "it is not known that the server tells of this room");
        (1..=99).for_each(|account| people.handle_signal(NOW, signal(account)));
        people.handle_entry(&joined(200, 50), OWN);
        assert_eq!(people.of(ROOM).count(), 99, "what was told is newer");
        // They come faster than signals.
        people.handle_entry(&joined(200, 51), OWN);
        people.handle_entry(&joined(200, 52), OWN);
        assert_eq!(people.of(ROOM).count(), 100);
        people.handle_entry(&joined(201, 53), OWN);
        people.handle_entry(&joined(202, 54), OWN);
        assert_eq!(people.of(ROOM).count(), 0);
        people.handle_signal(NOW, Signal { as_of: 60, ..signal(2) });
        assert_eq!(people.of(ROOM).count(), 1);
    }

    #[test]
    fn what_was_delivered_goes_back_no_further_than_to_what_another_term_is_known_to_hold() {
        let mut people = watching();
        let delivered = |people: &People| people.of(ROOM).next().map(|(_, person)| person.delivered);
        people.handle_signal(NOW, Signal { delivered: 40, ..signal(2) });
        people.handle_loss();
        people.handle_welcome(None);
        people.handle_signal(NOW, Signal { delivered: 30, ..signal(2) });
        assert_eq!(delivered(&people), Some(40));
        // Started anew, the server remembers less than this device.
        people.handle_welcome(Some(35));
        people.handle_signal(NOW, Signal { delivered: 0, ..signal(2) });
        assert_eq!(delivered(&people), Some(35));
        people.handle_diverged();
        assert_eq!(delivered(&people), None);
        people.handle_signal(NOW, Signal { delivered: 30, ..signal(2) });
        assert_eq!(delivered(&people), Some(30));
    }

    #[test]
    fn typing_is_said_once_a_second_and_a_watch_before_it_once_a_link() {
        let mut people = watching();
        let said = |people: &mut People, now| std::iter::from_fn(|| people.poll_send(now)).collect::<Vec<_>>();
        people.handle_welcome(Some(0));
        (0..5).for_each(|_| people.type_in(NOW, ROOM));
        let typing = Kind::Signal(Signal { room: ROOM.0, ..Signal::default() });
        assert_eq!(said(&mut people, NOW), [Kind::Watch(Watch { rooms: vec![ROOM.0] }), typing.clone()]);
        let early = NOW + TYPING_PAUSE - Duration::from_nanos(1);
        people.type_in(early, ROOM);
        assert_eq!(said(&mut people, early), []);
        people.type_in(NOW + TYPING_PAUSE, ROOM);
        assert_eq!(said(&mut people, NOW + TYPING_PAUSE), [typing]);
        // What was typed on a line that is gone is not said on the next one.
        people.type_in(NOW + 2 * TYPING_PAUSE, ROOM);
        people.handle_welcome(None);
        assert_eq!(said(&mut people, NOW + 3 * TYPING_PAUSE), [Kind::Watch(Watch { rooms: vec![ROOM.0] })]);
        people.watch(&[]);
        people.handle_welcome(None);
        assert_eq!(said(&mut people, NOW + 4 * TYPING_PAUSE), [], "who watches nothing says nothing");
    }
}

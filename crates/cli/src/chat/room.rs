//! The rooms at the side: what is known of each, how one is named before and after the server knows it, and which one
//! is shown.

use std::collections::VecDeque;

use steadfast::RoomId;

use super::body::Body;
use super::model::{NOTES_MAX, Note, NoteKind, Person};
use super::window::Window;

/// How a room is named before and after the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A known room.
    Room(RoomId),
    /// The public room of this name, on the way into it.
    Public(String),
    /// The conversation with the account of this name, on the way into it.
    Direct(String),
}

/// What kind of room, in the order in which they stand at the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Public,
    Private,
    Direct,
    /// One that this version does not know.
    Other,
}

impl Kind {
    /// The name of a room of this kind with the sign that it has on the screen.
    pub(crate) fn titled(self, name: &str) -> String {
        let sign = match self {
            Self::Public => "#",
            Self::Direct => "@",
            Self::Private => "&",
            Self::Other => "",
        };
        format!("{sign}{name}")
    }
}

/// A room as the store tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) id: RoomId,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) member: bool,
    /// The newest entry that is here.
    pub(crate) newest: u64,
    /// The first entry that this person may read.
    pub(crate) readable_from: u64,
    pub(crate) base: u64,
    pub(crate) unread: Unread,
    pub(crate) read_up_to: Option<u64>,
}

/// What is unread in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) messages: u64,
    /// There are more than were counted.
    pub(crate) more: bool,
    pub(crate) mentioned: bool,
}

/// A room at the side.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) address: Address,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) member: bool,
    /// The server does not know it yet, or has not said so.
    pub(crate) on_the_way: bool,
    pub(crate) newest: u64,
    pub(crate) readable_from: u64,
    /// The entry before the first that the stream brought.
    pub(crate) base: u64,
    pub(crate) unread: Unread,
    pub(crate) read_up_to: Option<u64>,
    /// Its members, where they are known: all of a small room, nobody of a large one.
    pub(crate) people: Vec<Person>,
    /// Where unread began when the room was entered last: the line "new" stands behind it.
    pub(crate) new_after: Option<u64>,
    pub(crate) window: Window,
    pub(crate) notes: VecDeque<Note>,
    /// What was being written here.
    pub(crate) draft: String,
}

impl Room {
    pub(crate) fn new(address: Address, name: String, kind: Kind) -> Self {
        Self {
            address,
            name,
            kind,
            member: false,
            on_the_way: true,
            newest: 0,
            readable_from: 1,
            base: 0,
            read_up_to: None,
            unread: Unread::default(),
            people: Vec::new(),
            new_after: None,
            window: Window::default(),
            notes: VecDeque::new(),
            draft: String::new(),
        }
    }

    /// As it is named on the screen.
    pub(crate) fn title(&self) -> String {
        self.kind.titled(&self.name)
    }

    pub(crate) fn id(&self) -> Option<RoomId> {
        match self.address {
            Address::Room(id) => Some(id),
            Address::Public(_) | Address::Direct(_) => None,
        }
    }

    /// Says something between the messages, behind the newest one.
    pub(crate) fn note(&mut self, at_ms: u64, kind: NoteKind, text: String) {
        let number = self.notes.back().map_or(0, |note| note.number + 1);
        let after = self.window.newest();
        let behind = self.window.pending.last().map(|pending| pending.id);
        self.notes.push_back(Note { number, after, behind, at_ms, kind, body: Body::new(text) });
        if self.notes.len() > NOTES_MAX {
            self.notes.pop_front();
        }
    }

    /// What comes in from here on was missed, until the line has brought all of it.
    pub(crate) fn expect_news(&mut self) {
        let read = self.window.newest().or(self.read_up_to).unwrap_or(self.base);
        self.new_after.get_or_insert(read);
    }

    /// All that was missed is here: if there was nothing, no line says "new".
    pub(crate) fn expect_no_news(&mut self) {
        let after = self.new_after.unwrap_or(u64::MAX);
        if !self.window.entries().any(|entry| entry.sequence > after && entry.is_news()) {
            self.new_after = None;
        }
    }

    /// What was said before there was anything to say it behind stands between the entries by its time.
    pub(crate) fn place_notes(&mut self) {
        for note in self.notes.iter_mut().filter(|note| note.after.is_none()) {
            let before = self.window.entries().take_while(|entry| entry.at_ms <= note.at_ms).last();
            let oldest = self.window.entries().next();
            note.after = before.map(|entry| entry.sequence).or(oldest.map(|oldest| oldest.sequence - 1));
        }
    }

    fn take(&mut self, summary: Summary, shown: bool) {
        self.address = Address::Room(summary.id);
        self.name = summary.name;
        self.kind = summary.kind;
        self.member = summary.member;
        self.on_the_way = false;
        self.newest = summary.newest;
        self.readable_from = summary.readable_from;
        self.base = summary.base;
        self.read_up_to = self.read_up_to.max(summary.read_up_to);
        // What is on the screen is being read: the mark on the disk comes behind.
        if !(shown && self.window.follows()) {
            self.unread = summary.unread;
        }
    }
}

/// The rooms at the side, and which one is shown.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    list: Vec<Room>,
    current: Option<usize>,
    /// The store was looked at once: that there is nothing is known.
    pub(crate) known: bool,
}

impl Rooms {
    pub(crate) fn list(&self) -> &[Room] {
        &self.list
    }

    pub(crate) fn current(&self) -> Option<&Room> {
        self.list.get(self.current?)
    }

    pub(crate) fn current_mut(&mut self) -> Option<&mut Room> {
        self.list.get_mut(self.current?)
    }

    pub(crate) fn current_index(&self) -> Option<usize> {
        self.current
    }

    /// The room with this address, in whichever way it is named by now.
    pub(crate) fn find(&self, address: &Address) -> Option<usize> {
        self.list.iter().position(|room| is_at(room, address))
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Room> {
        self.list.get_mut(index)
    }

    /// Makes this room the one that is shown; whether there is one.
    pub(crate) fn show(&mut self, index: usize) -> bool {
        let there = index < self.list.len();
        if there {
            self.current = Some(index);
        }
        there
    }

    /// A room that is on the way is at the side at once; `made`: the name of a private one.
    pub(crate) fn add(&mut self, address: Address, made: Option<String>) -> Option<usize> {
        let (name, kind) = match (&address, made) {
            _ if self.find(&address).is_some() => return self.find(&address),
            (Address::Public(name), _) => (name.clone(), Kind::Public),
            (Address::Direct(name), _) => (name.clone(), Kind::Direct),
            (Address::Room(_), Some(name)) => (name, Kind::Private),
            (Address::Room(_), None) => return None,
        };
        Some(self.insert(Room::new(address, name, kind)))
    }

    /// The history went back: of what the store told before, nothing is held against what it tells next.
    pub(crate) fn rewind(&mut self) {
        for room in &mut self.list {
            room.window.forget();
            room.read_up_to = None;
            room.new_after = None;
        }
    }

    /// Takes over what the store tells. Rooms on the way stay; those left, and shown no more, go.
    pub(crate) fn take(&mut self, summaries: Vec<Summary>) {
        let shown = self.current().map(|room| room.address.clone());
        for summary in summaries {
            let address = Address::Room(summary.id);
            let by_name = || self.list.iter().position(|room| is_on_the_way_to(room, &summary));
            let index = match self.find(&address).or_else(by_name) {
                Some(index) => index,
                None if summary.member => self.insert(Room::new(address, summary.name.clone(), summary.kind)),
                None => continue,
            };
            let is_shown = Some(index) == self.current;
            self.list[index].take(summary, is_shown);
        }
        let current = self.current;
        let mut index = 0;
        self.list.retain(|room| {
            let stays = room.member || room.on_the_way || Some(index) == current;
            index += 1;
            stays
        });
        self.current = shown.and_then(|address| self.find(&address));
        self.known = true;
    }

    /// Public rooms, private ones, conversations; each by name.
    fn insert(&mut self, room: Room) -> usize {
        let key = |room: &Room| (room.kind, room.name.to_lowercase());
        let index = self.list.partition_point(|other| key(other) <= key(&room));
        self.list.insert(index, room);
        self.current = self.current.map(|current| current + usize::from(index <= current));
        index
    }
}

/// Whether the address means this room.
pub(crate) fn is_at(room: &Room, address: &Address) -> bool {
    match (address, &room.address) {
        (Address::Room(id), Address::Room(own)) => id == own,
        (Address::Room(_), Address::Public(_) | Address::Direct(_)) => false,
        (Address::Public(name), _) => room.kind == Kind::Public && same_name(name, &room.name),
        (Address::Direct(name), _) => room.kind == Kind::Direct && same_name(name, &room.name),
    }
}

fn is_on_the_way_to(room: &Room, summary: &Summary) -> bool {
    room.id().is_none() && room.kind == summary.kind && same_name(&room.name, &summary.name)
}

/// As the server compares names.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let folded = |name| steadfast_proto::names::folded(name).ok();
    one == other || (folded(one).is_some() && folded(one) == folded(other))
}

//! What can happen to the chat, and what the chat wants done. Everything that comes from outside comes as an [`Event`],
//! the time too; everything that goes outside goes as an [`Effect`].

use crossterm::event::KeyEvent;
use steadfast::{OperationId, RoomId, Status};

use super::model::{Entry, Pending, Person};
use super::room::{Address, Summary};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// A text was pasted, with its line ends.
    Paste(String),
    /// The terminal has so many columns and rows.
    Resize(u16, u16),
    /// It is this time, Unix milliseconds.
    Tick(u64),
    /// The line stands so.
    Status(Box<Status>),
    /// Who is in the room that is looked at, as far as is known.
    People { room: RoomId, people: Vec<Person> },
    /// Something was stored: what is shown may be old.
    Changed,
    /// The answer to [`Effect::Look`].
    Looked(Box<Look>),
    /// The store could not be looked at.
    LookFailed(String),
    /// The answer to [`Effect::Older`] and [`Effect::Newer`].
    Page(Page),
    /// An operation is on this disk. `made`: the name of a private room that it makes. `show`: go there.
    Queued { address: Address, made: Option<String>, show: bool },
    /// Nothing was queued; the text is given back.
    NotQueued { address: Option<Address>, why: String, text: String },
    /// A message of one's own was refused for good.
    Refused { operation: OperationId, room: Option<RoomId>, why: String, text: String },
    /// Something that a person should hear of.
    Notice(String),
    /// The same, and what is shown may not be so any more.
    Rewound(String),
    /// The answer to a command, to be shown in the room where it was asked.
    Answer { address: Option<Address>, lines: Vec<String> },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Read the list of rooms, and the newest of the one that is shown.
    Look(Looking),
    /// Read what is older than this.
    Older { room: RoomId, before: u64 },
    /// Read what is newer than this.
    Newer { room: RoomId, after: u64 },
    /// Put an operation into the outbox.
    Queue(Operation),
    /// Everything of the room up to here was read.
    MarkRead { room: RoomId, sequence: u64 },
    /// Look for words in what this device holds.
    Search { address: Option<Address>, words: String },
    /// Ask the server who is a member of the room.
    Who(Address),
    /// Ask the server which public rooms there are.
    PublicRooms { address: Option<Address> },
    /// Look at the people in this room, or nowhere.
    Watch(Option<RoomId>),
    /// Tell the others in the room that the person types.
    Typing(RoomId),
    /// Tell what happened to the last drops.
    Why { address: Option<Address> },
    /// Connect now.
    TryNow,
    /// Stop connecting.
    Stop,
    /// Want the line back.
    Resume,
    /// Log in, where that is asked.
    LogIn,
    /// Make the terminal's sound.
    Bell,
    /// Draw everything again.
    Redraw,
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// End, as done or as interrupted.
    Quit(Leaving),
}

/// Something for the outbox. They are queued in the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A message.
    Send {
        address: Address,
        text: String,
    },
    /// Enter a room, or open a conversation.
    Open(Address),
    Leave(Address),
    /// Make a private room of this name.
    MakePrivate(String),
    Add {
        address: Address,
        name: String,
    },
    Remove {
        address: Address,
        name: String,
    },
}

impl Operation {
    /// What it says, if it is a message.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::Send { text, .. } => Some(text),
            Self::Open(_) | Self::Leave(_) | Self::MakePrivate(_) | Self::Add { .. } | Self::Remove { .. } => None,
        }
    }

    /// It is not in the outbox: its text is given back.
    pub(crate) fn not_queued(self, why: String) -> Event {
        let (address, text) = match self {
            Self::Send { address, text } => (Some(address), text),
            Self::Open(address) | Self::Leave(address) => (Some(address), String::new()),
            Self::Add { address, .. } | Self::Remove { address, .. } => (Some(address), String::new()),
            Self::MakePrivate(_) => (None, String::new()),
        };
        Event::NotQueued { address, why, text }
    }
}

/// How the person left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// By the key or command for it, or by a signal that asks for it.
    Done,
    /// By Ctrl-C.
    Interrupted,
}

/// What a look at the store is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looking {
    /// The room that is shown.
    pub(crate) current: Option<Address>,
    pub(crate) held: Held,
}

/// What the memory holds already of the room that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing: its newest page is wanted.
    #[default]
    Nothing,
    /// All up to this entry: what came behind it is wanted.
    Through(u64),
    /// What the screen shows, which is far from the newest.
    Enough,
}

/// What a look at the store found.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) looking: Looking,
    pub(crate) rooms: Vec<Summary>,
    /// What the room that is shown has beyond what was held.
    pub(crate) entries: Vec<Entry>,
    /// There was more than one page: what is here are the newest, with a hole before them.
    pub(crate) skipped: bool,
    pub(crate) pending: Vec<Pending>,
    /// More operations wait than are shown.
    pub(crate) pending_more: bool,
    /// Operations that wait, for whatever room.
    pub(crate) outbox: u64,
}

/// A page of entries of a room.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) room: RoomId,
    pub(crate) toward: Toward,
    pub(crate) entries: Vec<Entry>,
    pub(crate) end: PageEnd,
}

/// Which way a page was asked for, and from which entry on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    Older { before: u64 },
    Newer { after: u64 },
}

/// Why a page ends where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageEnd {
    /// It is full.
    More,
    /// There is nothing beyond.
    Edge,
    /// What is beyond is with the server, which can't be asked now: why.
    Away(String),
}

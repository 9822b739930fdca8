//! What the chat knows: everything that [`view`](super::view) draws and [`update`](super::update) changes. No handle of
//! anything outside is in here.

use std::collections::VecDeque;

use steadfast::{OperationId, RoomId, Status};

use super::body::Body;
use super::input::InputBox;
use super::room::{Address, Room, Rooms, is_at};
use super::time::Zone;

/// Notes that a room keeps, the last ones.
pub(crate) const NOTES_MAX: usize = 200;

/// Everything that the chat knows.
#[derive(Debug)]
pub(crate) struct Model {
    /// The person's name.
    pub(crate) me: String,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// Unix milliseconds, as the last tick told.
    pub(crate) now_ms: u64,
    pub(crate) zone: Zone,
    pub(crate) settings: Settings,
    pub(crate) status: Status,
    /// Operations that wait in the outbox, for whatever room.
    pub(crate) outbox: u64,
    pub(crate) rooms: Rooms,
    pub(crate) input: InputBox,
    pub(crate) completion: Option<super::complete::Completion>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) looking: LookState,
    /// Since when the line has brought all that was missed; `None`: it has not.
    pub(crate) caught_up_ms: Option<u64>,
    /// The room whose people are looked at.
    pub(crate) watched: Option<RoomId>,
    /// When the others were last told that the person types.
    pub(crate) typed_at_ms: u64,
    /// A private room is being made, and is gone to: what is entered meanwhile is for there.
    pub(crate) going: Option<Going>,
    /// The room that is to be shown as soon as the rooms are known.
    pub(crate) wanted: Option<Address>,
    /// What is to be said while there is no room to say it in.
    pub(crate) homeless: VecDeque<String>,
    /// The last look at the store failed.
    pub(crate) look_due: bool,
    /// Ctrl-C was pressed at an empty input: once more ends.
    pub(crate) leaving: bool,
}

/// The way to a private room that is being made.
#[derive(Debug)]
pub(crate) struct Going {
    /// Where it was asked for.
    pub(crate) from: Option<Address>,
    /// What was entered there since: it is for the new room.
    pub(crate) lines: Vec<String>,
}

impl Going {
    /// Whether this is where it was asked for.
    pub(crate) fn is_from(&self, shown: Option<&Room>) -> bool {
        match (&self.from, shown) {
            (Some(from), Some(shown)) => is_at(shown, from),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// What the person set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether a mention makes a sound.
    pub(crate) bell: bool,
    /// Whether colours are used.
    pub(crate) colour: bool,
}

/// What covers the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Keys and commands; so many rows scrolled.
    Help { scrolled: u16 },
}

/// One look at the store at a time; what changes meanwhile is looked at afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookState {
    Idle,
    Looking,
    LookingAndStale,
    /// What is under way began before the history went back: it is not taken, and there is another one behind it.
    LookingInVain,
}

impl Model {
    pub(crate) fn new(me: &str, size: (u16, u16), zone: Zone, settings: Settings, status: Status) -> Self {
        Self {
            me: me.to_owned(),
            size,
            now_ms: 0,
            zone,
            settings,
            status,
            outbox: 0,
            rooms: Rooms::default(),
            input: InputBox::default(),
            completion: None,
            overlay: None,
            looking: LookState::Idle,
            caught_up_ms: None,
            watched: None,
            typed_at_ms: 0,
            going: None,
            wanted: None,
            homeless: VecDeque::new(),
            look_due: false,
            leaving: false,
        }
    }

    /// Whether all that was missed is in the store: what the line brought last is a moment after it came.
    pub(crate) fn is_caught_up(&self) -> bool {
        const STORED_MS: u64 = 1_000;
        // Either way: the clock may be set back.
        self.caught_up_ms.is_some_and(|since_ms| self.now_ms.abs_diff(since_ms) >= STORED_MS)
    }
}

/// A member of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// It is the person at this terminal.
    pub(crate) own: bool,
    pub(crate) online: bool,
    pub(crate) typing: bool,
    /// One of their devices has everything up to this position.
    pub(crate) delivered: u64,
}

/// Something that the chat says between the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) number: u64,
    /// The entry that it stands behind; `None`: none was held when it was said.
    pub(crate) after: Option<u64>,
    /// What waited last when it was said: it stands behind that for as long as that waits.
    pub(crate) behind: Option<OperationId>,
    pub(crate) at_ms: u64,
    pub(crate) kind: NoteKind,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// An answer to what was asked.
    Answer,
    /// Something went wrong.
    Error,
}

/// An entry of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) position: u64,
    pub(crate) id: OperationId,
    pub(crate) at_ms: u64,
    pub(crate) author: String,
    /// The person said it, on whatever device.
    pub(crate) own: bool,
    pub(crate) said: Said,
}

impl Entry {
    /// Whether somebody else said it.
    pub(crate) fn is_news(&self) -> bool {
        !self.own && matches!(self.said, Said::Text { .. } | Said::Data { .. })
    }

    pub(crate) fn mentions_me(&self) -> bool {
        matches!(self.said, Said::Text { mentions_me: true, .. })
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A text, and whether it names the person.
    Text {
        body: Body,
        mentions_me: bool,
    },
    /// Something that is no text.
    Data {
        content_type: String,
        bytes: usize,
    },
    Joined(String),
    Left(String),
    /// Something that this version does not know.
    Other,
}

/// What waits in the outbox for a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) id: OperationId,
    pub(crate) composed_at_ms: u64,
    pub(crate) what: PendingSaid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PendingSaid {
    Text(Body),
    Data {
        content_type: String,
        bytes: usize,
    },
    /// What it does, in words.
    Doing(String),
}

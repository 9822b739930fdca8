//! Search in what this device holds: messages in which all words occur, the newest first.
//!
//! There is no index of words: each message stored would pay for it, and a person searches seldom. A search looks at
//! the messages themselves, from the newest on, in steps of a bounded size, so that whoever shares the thread waits for
//! one step at most. A word that is in none of a million messages takes 123 steps of some five milliseconds.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use steadfast_proto::ids::{AccountId, RoomId};

use super::error::ProfileError;
use super::messages::StoredMessage;
use super::rooms;
use super::text::{fold, is_text};

/// Entries that one step looks at.
pub const SEARCH_ENTRIES_MAX: usize = 8_192;
/// Bytes of bodies that one step looks through, and one message.
pub const SEARCH_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Entries of a room that are looked at before it is another room's turn: finding the way to a room's next entry takes
/// as long as looking at some thirty.
const TURN_ENTRIES: usize = 32;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Folded; all of them must occur.
    words: Vec<String>,
    room: Option<RoomId>,
    /// Folded as names are.
    author: Option<String>,
}

impl Search {
    /// Messages in which each of these words occurs, anywhere, in any case; words end at white space. Without a word:
    /// all messages. Text only.
    pub fn new(words: &str) -> Search {
        let mut folded = String::new();
        let words = words.split_whitespace().map(|word| {
            fold(word, &mut folded);
            folded.clone()
        });
        Search { words: words.collect(), room: None, author: None }
    }

    /// In this room only.
    #[must_use]
    pub fn in_room(self, room: RoomId) -> Search {
        Search { room: Some(room), ..self }
    }

    /// By whoever had this name when they wrote it.
    #[must_use]
    pub fn by(self, author: &str) -> Search {
        Search { author: Some(rooms::folded(author)), ..self }
    }

    fn matches(&self, said: Said<'_>, folded: &mut String) -> bool {
        if self.author.as_ref().is_some_and(|wanted| !is_named(said.author, wanted)) || !is_text(said.content_type) {
            return false;
        }
        let Ok(text) = std::str::from_utf8(said.body) else {
            return false;
        };
        if self.words.is_empty() {
            return true;
        }
        fold(text, folded);
        self.words.iter().all(|word| folded.contains(word.as_str()))
    }
}

fn is_named(author: &str, folded: &str) -> bool {
    author.eq_ignore_ascii_case(folded) || (!author.is_ascii() && rooms::folded(author) == folded)
}

/// Where a search goes on. The default is its beginning: the newest message. What comes in later is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchFrom {
    opened: Opened,
    /// The newest entry of each opened room that was not looked at.
    heads: BTreeSet<Key>,
    /// What was found before its turn: another room may have something newer.
    ahead: BTreeSet<Key>,
}

/// Rooms are opened one after the other, in the order of their rows: each takes a look at the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Opened {
    #[default]
    None,
    Through(RoomId),
    All,
}

/// An entry. In order of position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) position: u64,
    pub(super) room: RoomId,
    pub(super) room_sequence: u64,
}

/// What one step of a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The newest first, and all older than what an earlier step found. It may be none.
    pub found: Vec<StoredMessage>,
    /// Where the next step goes on; `None`: everything was looked at.
    pub next: Option<SearchFrom>,
}

/// The entries that a search looks at, wherever they are.
pub(super) trait Entries {
    /// The first room that holds anything, of those behind `after` in some lasting order.
    fn next_room(&self, after: Option<RoomId>) -> Result<Option<RoomId>, ProfileError>;
    /// The newest entry of a room.
    fn newest(&self, room: RoomId) -> Result<Option<Key>, ProfileError>;
    /// Shows the entries of a room from this one down, until there are no more, or it is told to end.
    fn show_down(&self, from: Key, see: See<'_>) -> Result<(), ProfileError>;
}

/// Looks at an entry.
pub(super) type See<'s> = &'s mut dyn FnMut(&dyn Entry) -> Result<ControlFlow<()>, ProfileError>;

/// An entry as it is held, for those who look at many and keep few.
pub(super) trait Entry {
    fn key(&self) -> Result<Key, ProfileError>;
    fn account(&self) -> Result<AccountId, ProfileError>;
    /// What was said, if it is a message.
    fn said(&self) -> Result<Option<Said<'_>>, ProfileError>;
    fn stored(&self) -> Result<StoredMessage, ProfileError>;
}

/// A message, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'e> {
    pub(super) author: &'e str,
    pub(super) content_type: &'e str,
    pub(super) body: &'e [u8],
}

/// One step of a search, which finds `limit` messages at most.
pub(super) fn search_step(
    entries: &dyn Entries,
    search: &Search,
    from: SearchFrom,
    limit: usize,
) -> Result<Searched, ProfileError> {
    let mut step = Step {
        entries,
        search,
        from,
        limit,
        entries_left: SEARCH_ENTRIES_MAX,
        bytes_left: SEARCH_BYTES_MAX,
        found: Vec::new(),
        folded: String::new(),
    };
    step.open_rooms()?;
    let done = step.from.opened == Opened::All && step.run()?;
    Ok(Searched { found: step.found, next: (!done).then_some(step.from) })
}

struct Step<'p> {
    entries: &'p dyn Entries,
    search: &'p Search,
    from: SearchFrom,
    limit: usize,
    entries_left: usize,
    bytes_left: usize,
    found: Vec<StoredMessage>,
    /// Used again for each body.
    folded: String,
}

impl Step<'_> {
    /// Looks up the newest entry of each room, as far as this step gets.
    fn open_rooms(&mut self) -> Result<(), ProfileError> {
        while self.entries_left > 0 {
            let room = match (self.search.room, self.from.opened) {
                (_, Opened::All) => return Ok(()),
                (Some(room), Opened::None) => Some(room),
                (Some(_), Opened::Through(_)) => None,
                (None, Opened::None) => self.entries.next_room(None)?,
                (None, Opened::Through(room)) => self.entries.next_room(Some(room))?,
            };
            let Some(room) = room else {
                self.from.opened = Opened::All;
                return Ok(());
            };
            self.from.heads.extend(self.entries.newest(room)?);
            self.from.opened = Opened::Through(room);
            self.entries_left -= 1;
        }
        Ok(())
    }

    /// Whether everything was looked at.
    fn run(&mut self) -> Result<bool, ProfileError> {
        loop {
            self.take_what_was_ahead()?;
            if !self.goes_on() {
                return Ok(self.from.heads.is_empty() && self.from.ahead.is_empty());
            }
            let Some(head) = self.from.heads.pop_last() else { return Ok(true) };
            let next = self.scan(head)?;
            self.from.heads.extend(next);
        }
    }

    fn goes_on(&self) -> bool {
        self.entries_left > 0 && self.bytes_left > 0 && self.found.len() < self.limit
    }

    /// Those are found whose turn it is: no room has anything newer that was not looked at.
    fn take_what_was_ahead(&mut self) -> Result<(), ProfileError> {
        while self.goes_on() {
            let Some(key) = self.from.ahead.last().copied().filter(|key| self.is_next(key.position)) else { break };
            self.from.ahead.remove(&key);
            self.entries_left -= 1;
            self.entries.show_down(key, &mut |entry| {
                // Where histories parted since it was looked at there may be none, or another one.
                if entry.key()? == key && self.matches(entry)? {
                    self.found.push(entry.stored()?);
                }
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(())
    }

    fn is_next(&self, position: u64) -> bool {
        self.from.heads.last().is_none_or(|head| head.position < position)
    }

    /// Looks at a room from this entry down, as long as no other room has a newer one, and for one turn at least;
    /// answers the first entry that was left.
    fn scan(&mut self, head: Key) -> Result<Option<Key>, ProfileError> {
        let mut left = None;
        let mut turn = TURN_ENTRIES;
        self.entries.show_down(head, &mut |entry| {
            let key = entry.key()?;
            if !self.goes_on() || (turn == 0 && !self.is_next(key.position)) {
                left = Some(key);
                return Ok(ControlFlow::Break(()));
            }
            turn = turn.saturating_sub(1);
            self.entries_left -= 1;
            if !self.matches(entry)? {
                return Ok(ControlFlow::Continue(()));
            }
            let is_older = |ahead: &Key| ahead.position < key.position;
            if self.is_next(key.position) && self.from.ahead.last().is_none_or(is_older) {
                self.found.push(entry.stored()?);
            } else {
                self.from.ahead.insert(key);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(left)
    }

    fn matches(&mut self, entry: &dyn Entry) -> Result<bool, ProfileError> {
        let Some(said) = entry.said()? else { return Ok(false) };
        self.bytes_left = self.bytes_left.saturating_sub(said.body.len());
        Ok(self.search.matches(said, &mut self.folded))
    }
}

//! Search in what this device holds: messages in which all words occur, the newest first.
//!
//! There is no index of words: each message stored would pay for it, and a person searches seldom. A search looks at
//! the messages themselves, from the newest on, in steps of a bounded size, so that whoever shares the thread waits for
//! one step at most. A word that is in none of a million messages takes 123 steps of some five milliseconds.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use steadfast_proto::ids::RoomId;

use super::error::ProfileError;
use super::messages::{MESSAGE, StoredMessage, body_of, text_of};
use super::number::{POSITION_MAX, from_row, to_row};
use super::text::{fold, is_text};
use super::{Profile, rooms};

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

    fn matches(&self, author: &str, content_type: &str, body: &[u8], folded: &mut String) -> bool {
        if self.author.as_ref().is_some_and(|wanted| !is_named(author, wanted)) || !is_text(content_type) {
            return false;
        }
        let Ok(text) = std::str::from_utf8(body) else {
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
struct Key {
    position: u64,
    room: RoomId,
    room_sequence: u64,
}

/// What one step of a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The newest first, and all older than what an earlier step found. It may be none.
    pub found: Vec<StoredMessage>,
    /// Where the next step goes on; `None`: everything was looked at.
    pub next: Option<SearchFrom>,
}

impl Profile {
    /// One step of a search, which finds `limit` messages at most. A step looks at [`SEARCH_ENTRIES_MAX`] entries and
    /// [`SEARCH_BYTES_MAX`] at most: whether it found anything or not, a person may want the next one.
    pub fn search(&self, search: &Search, from: SearchFrom, limit: usize) -> Result<Searched, ProfileError> {
        // Reads only, of one moment: that its end is a rollback changes nothing.
        let snapshot = self.connection.unchecked_transaction()?;
        let mut step = Step {
            connection: &snapshot,
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
}

struct Step<'p> {
    connection: &'p Connection,
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
                (None, Opened::None) => next_room(self.connection, i64::MIN)?,
                (None, Opened::Through(room)) => match to_row(room.0).checked_add(1) {
                    Some(after) => next_room(self.connection, after)?,
                    None => None,
                },
            };
            let Some(room) = room else {
                self.from.opened = Opened::All;
                return Ok(());
            };
            self.from.heads.extend(newest(self.connection, room)?);
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
            let mut statement = self.connection.prepare_cached(&entries_where("room = ? AND room_sequence = ?"))?;
            let mut rows = statement.query([to_row(key.room.0), to_row(key.room_sequence)])?;
            // Where histories parted since it was looked at there may be none, or another one.
            if let Some(row) = rows.next()?
                && from_row(row.get(2)?) == key.position
                && self.matches(row)?
            {
                self.found.push(StoredMessage::read(row, 0)?);
            }
        }
        Ok(())
    }

    fn is_next(&self, position: u64) -> bool {
        self.from.heads.last().is_none_or(|head| head.position < position)
    }

    /// Looks at a room from this entry down, as long as no other room has a newer one, and for one turn at least;
    /// answers the first entry that was left.
    fn scan(&mut self, head: Key) -> Result<Option<Key>, ProfileError> {
        let mut statement = self
            .connection
            .prepare_cached(&entries_where("room = ? AND room_sequence <= ? ORDER BY room_sequence DESC"))?;
        let mut rows = statement.query([to_row(head.room.0), to_row(head.room_sequence.min(POSITION_MAX))])?;
        let mut turn = TURN_ENTRIES;
        while let Some(row) = rows.next()? {
            let (room_sequence, position) = (from_row(row.get(1)?), from_row(row.get(2)?));
            let key = Key { position, room: head.room, room_sequence };
            if !self.goes_on() || (turn == 0 && !self.is_next(position)) {
                return Ok(Some(key));
            }
            turn = turn.saturating_sub(1);
            self.entries_left -= 1;
            if !self.matches(row)? {
                continue;
            }
            if self.is_next(position) && self.from.ahead.last().is_none_or(|ahead| ahead.position < position) {
                self.found.push(StoredMessage::read(row, 0)?);
            } else {
                self.from.ahead.insert(key);
            }
        }
        Ok(None)
    }

    fn matches(&mut self, row: &Row<'_>) -> Result<bool, ProfileError> {
        if row.get::<_, i64>(9)? != MESSAGE {
            return Ok(false);
        }
        let (author, content_type, body) = (text_of(row, 4)?, text_of(row, 12)?, body_of(row, 11)?);
        self.bytes_left = self.bytes_left.saturating_sub(body.len());
        Ok(self.search.matches(author, content_type, body, &mut self.folded))
    }
}

fn entries_where(which: &str) -> String {
    format!(
        "SELECT room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms, kind, subject,
                body, content_type
         FROM messages WHERE {which}"
    )
}

/// The first room that holds anything, from this row's number on.
fn next_room(connection: &Connection, from: i64) -> rusqlite::Result<Option<RoomId>> {
    let mut statement = connection.prepare_cached("SELECT room FROM messages WHERE room >= ? ORDER BY room LIMIT 1")?;
    let room = statement.query_row([from], |row| row.get(0)).optional()?;
    Ok(room.map(|room| RoomId(from_row(room))))
}

fn newest(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<Key>> {
    let mut statement = connection.prepare_cached(
        "SELECT position, room_sequence FROM messages WHERE room = ? ORDER BY room_sequence DESC LIMIT 1",
    )?;
    let head = |row: &Row<'_>| Ok(Key { position: from_row(row.get(0)?), room, room_sequence: from_row(row.get(1)?) });
    statement.query_row(params![to_row(room.0)], head).optional()
}

//! Entries of the table `messages`, for those who look at many and keep few.

use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, Row, params};
use steadfast_proto::ids::{AccountId, RoomId};

use super::messages::MESSAGE;
use super::number::{from_row, to_row};
use super::rows::Rows;
use super::{Profile, ProfileError, Search, SearchFrom, Searched, StoredMessage};
use crate::profile::number::POSITION_MAX;
use crate::profile::search::{Entries, Entry, Key, Said, See, search_step};

impl Profile {
    /// One step of a search, which finds `limit` messages at most. A step looks at
    /// [`SEARCH_ENTRIES_MAX`](crate::profile::SEARCH_ENTRIES_MAX) entries and
    /// [`SEARCH_BYTES_MAX`](crate::profile::SEARCH_BYTES_MAX) at most: whether it found anything or not, a person may
    /// want the next one.
    pub fn search(&self, search: &Search, from: SearchFrom, limit: usize) -> Result<Searched, ProfileError> {
        // Reads only, of one moment: that its end is a rollback changes nothing.
        let snapshot = self.connection.unchecked_transaction()?;
        search_step(&Rows(&snapshot), search, from, limit)
    }
}

impl Entries for Rows<'_> {
    /// In the order of the numbers that stand in the table.
    fn next_room(&self, after: Option<RoomId>) -> Result<Option<RoomId>, ProfileError> {
        let from = match after {
            None => i64::MIN,
            Some(after) => match to_row(after.0).checked_add(1) {
                Some(from) => from,
                None => return Ok(None),
            },
        };
        let mut statement = self.0.prepare_cached("SELECT room FROM messages WHERE room >= ? ORDER BY room LIMIT 1")?;
        let room = statement.query_row([from], |row| row.get(0)).optional()?;
        Ok(room.map(|room| RoomId(from_row(room))))
    }

    fn newest(&self, room: RoomId) -> Result<Option<Key>, ProfileError> {
        let mut statement = self.0.prepare_cached(
            "SELECT position, room_sequence FROM messages WHERE room = ? ORDER BY room_sequence DESC LIMIT 1",
        )?;
        let head =
            |row: &Row<'_>| Ok(Key { position: from_row(row.get(0)?), room, room_sequence: from_row(row.get(1)?) });
        Ok(statement.query_row(params![to_row(room.0)], head).optional()?)
    }

    fn show_down(&self, from: Key, see: See<'_>) -> Result<(), ProfileError> {
        let mut statement = self.0.prepare_cached(
            "SELECT room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms, kind, subject,
                    body, content_type
             FROM messages WHERE room = ? AND room_sequence <= ? ORDER BY room_sequence DESC",
        )?;
        let mut rows = statement.query([to_row(from.room.0), to_row(from.room_sequence.min(POSITION_MAX))])?;
        while let Some(row) = rows.next()? {
            if see(&EntryRow(row))? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

/// A row with all columns of `messages`, in their order.
pub(super) struct EntryRow<'r, 's>(pub(super) &'r Row<'s>);

impl EntryRow<'_, '_> {
    fn number(&self, column: usize) -> Result<u64, ProfileError> {
        Ok(from_row(self.0.get(column)?))
    }

    fn text(&self, column: usize) -> Result<&str, ProfileError> {
        Ok(self.0.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
    }
}

impl Entry for EntryRow<'_, '_> {
    fn key(&self) -> Result<Key, ProfileError> {
        Ok(Key { room: RoomId(self.number(0)?), room_sequence: self.number(1)?, position: self.number(2)? })
    }

    fn account(&self) -> Result<AccountId, ProfileError> {
        Ok(AccountId(self.number(3)?))
    }

    fn said(&self) -> Result<Option<Said<'_>>, ProfileError> {
        if self.0.get::<_, i64>(9)? != MESSAGE {
            return Ok(None);
        }
        let body = self.0.get_ref(11)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok(Some(Said { author: self.text(4)?, content_type: self.text(12)?, body }))
    }

    fn stored(&self) -> Result<StoredMessage, ProfileError> {
        Ok(StoredMessage::read(self.0, 0)?)
    }
}

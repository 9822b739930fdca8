//! The read marks. They stand in `live.sqlite3` and go back with a divergence, as what was printed does (see
//! `printed`).

use rusqlite::{Connection, OptionalExtension};
use steadfast_proto::ids::RoomId;

use super::number::{from_row, to_row};
use super::search::EntryRow;
use super::{Profile, ProfileError, Unread, printed, rooms, standing};
use crate::profile::reading::Counting;

/// Younger than the format of `live.sqlite3`: older programs don't look at it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS read_marks (
    room     INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    rewind   INTEGER NOT NULL
);
";

impl Profile {
    /// The last room sequence of this room that the person has read here; `None` if no mark was ever set.
    pub fn read_up_to(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        let Some((sequence, rewind)) = mark(&self.live.connection, room)? else {
            return Ok(None);
        };
        Ok(Some(printed::set_back(&self.connection, room, sequence, rewind)?))
    }

    /// Everything of the room up to `sequence` was read. To be called on the `Profile` that the messages were read
    /// from: should histories have parted since that read, the mark goes back with them. It never goes back otherwise.
    pub fn set_read_up_to(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        let newest = printed::newest_rewind(&self.connection)?;
        let sequence = printed::set_back(&self.connection, room, sequence, self.rewind_seen.get())?;
        if self.read_up_to(room)?.is_some_and(|before| before >= sequence) {
            return Ok(());
        }
        self.live
            .connection
            .prepare_cached("INSERT OR REPLACE INTO read_marks (room, sequence, rewind) VALUES (?, ?, ?)")?
            .execute([to_row(room.0), to_row(sequence), to_row(newest)])?;
        Ok(())
    }

    /// The messages of others behind the mark, and whether one of them mentions `name`. Where no mark was ever set,
    /// what came since this device is in the room is unread.
    pub fn unread(&self, room: RoomId, name: &str) -> Result<Unread, ProfileError> {
        let after = match self.read_up_to(room)? {
            Some(mark) => mark,
            None => rooms::load(&self.connection, room)?.map_or(0, |info| info.base),
        };
        let mut counting = Counting::new(standing::load(&self.connection)?.account, name);
        let mut statement = self.connection.prepare_cached(
            "SELECT room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms, kind, subject,
                    body, content_type
             FROM messages WHERE room = ? AND room_sequence > ? ORDER BY room_sequence",
        )?;
        let mut rows = statement.query([to_row(room.0), to_row(after)])?;
        while let Some(row) = rows.next()?
            && counting.take(&EntryRow(row))?
        {}
        Ok(counting.counted())
    }
}

fn mark(live: &Connection, room: RoomId) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut statement = live.prepare_cached("SELECT sequence, rewind FROM read_marks WHERE room = ?")?;
    let mark = statement.query_row([to_row(room.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(mark.map(|(sequence, rewind)| (from_row(sequence), from_row(rewind))))
}

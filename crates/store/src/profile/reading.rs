//! What a person has read of each room on this device, and so what is unread there. The mark stands in `live.sqlite3`
//! and goes back with a divergence, as what was printed does (see `printed`).
//!
//! Nothing is counted when a message is stored: who asks counts, and looks at a bounded number of entries.

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::RoomId;

use super::error::ProfileError;
use super::messages::{MESSAGE, body_of, text_of};
use super::number::{from_row, to_row};
use super::text::{is_text, mentions};
use super::{Profile, printed, rooms, standing};

/// Entries behind the mark that are looked at for one count.
pub const UNREAD_ENTRIES_MAX: u64 = 1_000;
/// Bytes of text that are looked through for a mention, for one count.
const MENTION_BYTES_MAX: usize = 1_024 * 1_024;

/// Younger than the format of `live.sqlite3`: older programs don't look at it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS read_marks (
    room     INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    rewind   INTEGER NOT NULL
);
";

/// What is unread in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Messages of others behind the mark.
    pub messages: u64,
    /// There may be more: only the first [`UNREAD_ENTRIES_MAX`] entries behind the mark were looked at.
    pub more: bool,
    /// One of them names the person. Of more than a megabyte of unread text only the first is looked through.
    pub mentioned: bool,
}

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
        let own = to_row(standing::Standing::load(&self.connection)?.account.0);
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, account, content_type, body FROM messages
             WHERE room = ? AND room_sequence > ? ORDER BY room_sequence LIMIT ?",
        )?;
        let mut rows =
            statement.query(params![to_row(room.0), to_row(after), to_row(UNREAD_ENTRIES_MAX.saturating_add(1))])?;
        let mut unread = Unread::default();
        let (mut entries, mut bytes) = (0, 0);
        while let Some(row) = rows.next()? {
            entries += 1;
            if entries > UNREAD_ENTRIES_MAX {
                unread.more = true;
                break;
            }
            if row.get::<_, i64>(0)? != MESSAGE || row.get::<_, i64>(1)? == own {
                continue;
            }
            unread.messages += 1;
            if unread.mentioned || bytes > MENTION_BYTES_MAX || !is_text(text_of(row, 2)?) {
                continue;
            }
            let body = body_of(row, 3)?;
            bytes += body.len();
            unread.mentioned = std::str::from_utf8(body).is_ok_and(|text| mentions(text, name));
        }
        Ok(unread)
    }
}

fn mark(live: &Connection, room: RoomId) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut statement = live.prepare_cached("SELECT sequence, rewind FROM read_marks WHERE room = ?")?;
    let mark = statement.query_row([to_row(room.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(mark.map(|(sequence, rewind)| (from_row(sequence), from_row(rewind))))
}

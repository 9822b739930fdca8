//! What a person has seen of each room. It stands in `live.sqlite3`: it survives the process (a SIGKILL too), since the
//! system still has what was written; after a loss of power it may be lost, and the room is shown from its start.
//!
//! A divergence sets it back without touching it: the mark knows up to which rewind it counts, and the later ones are
//! applied when it is read. So both databases agree at every moment, with no transaction over the two.

use rusqlite::Connection;
use steadfast_proto::ids::RoomId;

use super::number::{from_row, to_row};
use super::{Profile, ProfileError};

impl Profile {
    /// The last room sequence of this room that this profile printed; `None` if it never printed any.
    pub fn printed(&self, room: RoomId) -> Result<Option<u64>, ProfileError> {
        let Some((sequence, rewind)) = self.live.printed_mark(room)? else {
            return Ok(None);
        };
        Ok(Some(set_back(&self.connection, room, sequence, rewind)?))
    }

    /// Everything of the room up to `sequence` was printed. To be called on the `Profile` that the printed messages
    /// were read from: should histories have parted since that read, the mark goes back with them. It never goes back
    /// otherwise.
    pub fn set_printed(&self, room: RoomId, sequence: u64) -> Result<(), ProfileError> {
        let newest = newest_rewind(&self.connection)?;
        let sequence = set_back(&self.connection, room, sequence, self.rewind_seen.get())?;
        let before = self.printed(room)?;
        self.live.set_printed_mark(room, before.map_or(sequence, |before| before.max(sequence)), newest)
    }
}

/// The number of the newest rewind; 0 if there was none.
pub(super) fn newest_rewind(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT max(number) FROM rewinds")?;
    statement.query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.map_or(0, from_row)))
}

/// A rewind of the room: whoever had seen more than `last` has seen `last`.
pub(super) fn add_rewind(connection: &Connection, room: RoomId, last: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO rewinds (room, last) VALUES (?, ?)")?
        .execute([to_row(room.0), to_row(last)])?;
    Ok(())
}

pub(super) fn set_back(connection: &Connection, room: RoomId, sequence: u64, seen: u64) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT min(last) FROM rewinds WHERE room = ? AND number > ?")?;
    let lowest: Option<i64> = statement.query_row([to_row(room.0), to_row(seen)], |row| row.get(0))?;
    Ok(lowest.map_or(sequence, |lowest| sequence.min(from_row(lowest))))
}

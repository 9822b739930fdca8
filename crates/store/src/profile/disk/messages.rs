//! The table `messages`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_proto::wire::entry;

use super::number::{self, from_row, to_row};
use super::{Profile, ProfileError, StoredMessage, What, printed};
use crate::profile::messages::Overlap;
use crate::profile::number::POSITION_MAX;

pub(super) const MESSAGE: i64 = 1;

impl Profile {
    /// Entries of every kind from one room sequence on, ascending, at most `limit`.
    pub fn messages(&self, room: RoomId, from_sequence: u64, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        self.rewind_seen.set(printed::newest_rewind(&self.connection)?);
        let mut statement = self.connection.prepare_cached(
            "SELECT room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms, kind, subject,
                    body, content_type
             FROM messages WHERE room = ? AND room_sequence >= ? ORDER BY room_sequence LIMIT ?",
        )?;
        let keys = params![to_row(room.0), to_row(from_sequence.min(POSITION_MAX)), number::limit(limit)];
        let messages = statement.query_map(keys, |row| StoredMessage::read(row, 0))?;
        Ok(messages.collect::<rusqlite::Result<_>>()?)
    }

    /// The last messages of a room, ascending: only [`What::Message`].
    pub fn last_messages(&self, room: RoomId, limit: usize) -> Result<Vec<StoredMessage>, ProfileError> {
        self.rewind_seen.set(printed::newest_rewind(&self.connection)?);
        let mut statement = self.connection.prepare_cached(
            "SELECT room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms, kind, subject,
                    body, content_type
             FROM messages WHERE room = ? AND kind = ? ORDER BY room_sequence DESC LIMIT ?",
        )?;
        let keys = params![to_row(room.0), MESSAGE, number::limit(limit)];
        let messages = statement.query_map(keys, |row| StoredMessage::read(row, 0))?;
        let mut messages = messages.collect::<rusqlite::Result<Vec<_>>>()?;
        messages.reverse();
        Ok(messages)
    }

    /// The first hole among the room sequences `from ..= to`: the first and the last that are missing in a row.
    pub fn missing(&self, room: RoomId, from: u64, to: u64) -> Result<Option<(u64, u64)>, ProfileError> {
        let to = to.min(POSITION_MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT room_sequence FROM messages WHERE room = ? AND room_sequence BETWEEN ? AND ?
             ORDER BY room_sequence",
        )?;
        let mut rows = statement.query([to_row(room.0), to_row(from.min(POSITION_MAX)), to_row(to)])?;
        let mut expected = from;
        while let Some(row) = rows.next()? {
            let found = from_row(row.get(0)?);
            if found != expected {
                return Ok(Some((expected, found - 1)));
            }
            expected += 1;
        }
        Ok((expected <= to).then_some((expected, to)))
    }
}

pub(super) fn store(connection: &Connection, entry: &wire::Entry, overlap: Overlap) -> rusqlite::Result<()> {
    let text = match overlap {
        Overlap::Replace => "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        Overlap::Keep => "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    };
    let (kind, subject, body, content_type) = columns(entry.what.as_ref());
    let mut statement = connection.prepare_cached(text)?;
    statement.execute(params![
        to_row(entry.room),
        to_row(entry.room_sequence),
        to_row(entry.position),
        to_row(entry.account),
        entry.from,
        to_row(entry.id),
        to_row(entry.sequence),
        to_row(entry.at_ms),
        to_row(entry.composed_at_ms),
        kind,
        to_row(subject),
        body,
        content_type,
    ])?;
    Ok(())
}

impl StoredMessage {
    /// Reads the columns of `messages`, in their order, from `column` on.
    pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<StoredMessage> {
        let number = |offset: usize| row.get(column + offset).map(from_row);
        Ok(StoredMessage {
            room: RoomId(number(0)?),
            room_sequence: number(1)?,
            position: number(2)?,
            account: AccountId(number(3)?),
            author: row.get(column + 4)?,
            id: OperationId(number(5)?),
            sequence: number(6)?,
            at_ms: number(7)?,
            composed_at_ms: number(8)?,
            what: What::read(row, column + 9)?,
        })
    }
}

impl What {
    /// Reads `kind, subject, body, content_type`: what [`columns`] wrote.
    fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<What> {
        let subject = from_row(row.get(column + 1)?);
        let body: Vec<u8> = row.get(column + 2)?;
        let name = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        Ok(match row.get::<_, i64>(column)? {
            MESSAGE => What::Message { body: body.into(), content_type: row.get(column + 3)? },
            2 => What::Joined { account: AccountId(subject), name: name(&body) },
            3 => What::Left { account: AccountId(subject), name: name(&body) },
            4 => What::Added { room: RoomId(subject), name: name(&body) },
            5 => What::Removed { room: RoomId(subject) },
            6 => DeviceId::from_wire(&body).map_or(What::Other, |device| What::DeviceAdded { device }),
            _ => What::Other,
        })
    }
}

fn columns(what: Option<&entry::What>) -> (i64, u64, &[u8], &str) {
    match what {
        Some(entry::What::Message(message)) => (MESSAGE, 0, &message.body, &message.content_type),
        Some(entry::What::Joined(joined)) => (2, joined.account, joined.name.as_bytes(), ""),
        Some(entry::What::Left(left)) => (3, left.account, left.name.as_bytes(), ""),
        Some(entry::What::Added(added)) => (4, added.room, added.room_name.as_bytes(), ""),
        Some(entry::What::Removed(removed)) => (5, removed.room, &[], ""),
        Some(entry::What::DeviceAdded(added)) => (6, 0, &added.device_id, ""),
        Some(entry::What::TermOpened(_)) | None => (0, 0, &[], ""),
    }
}

/// The highest room sequence of those behind `after` and up to `through`, whose positions are up to `until_position`.
pub(super) fn highest(
    connection: &Connection,
    room: RoomId,
    after: u64,
    through: u64,
    until_position: u64,
) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT room_sequence FROM messages
             WHERE room = ? AND room_sequence > ? AND room_sequence <= ? AND position <= ?
             ORDER BY room_sequence DESC LIMIT 1",
    )?;
    let bounds = [to_row(room.0), to_row(after), to_row(through), to_row(until_position)];
    let highest: Option<i64> = statement.query_row(bounds, |row| row.get(0)).optional()?;
    Ok(highest.map(from_row))
}

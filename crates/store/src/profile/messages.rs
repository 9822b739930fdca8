//! The entries of rooms that this device holds, one row each, whatever their kind, so that holes can be seen.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};
use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_proto::wire::entry;

use super::Profile;
use super::error::ProfileError;
use super::number::{POSITION_MAX, from_row, to_row};
use super::printed;

/// An entry of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The room.
    pub room: RoomId,
    /// 1, 2, 3 … in its room.
    pub room_sequence: u64,
    /// Where it stands in the log.
    pub position: u64,
    /// Who made it.
    pub account: AccountId,
    /// Their name at that time.
    pub author: String,
    /// The operation that made it.
    pub id: OperationId,
    /// Its sequence of the author's device.
    pub sequence: u64,
    /// The sequencer's clock, Unix milliseconds.
    pub at_ms: u64,
    /// The author's clock, Unix milliseconds.
    pub composed_at_ms: u64,
    /// What happened.
    pub what: What,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the wire's entries")]
pub enum What {
    /// Somebody said something. An empty content type means `text/plain; charset=utf-8`.
    Message { body: Bytes, content_type: String },
    /// Somebody became a member.
    Joined { account: AccountId, name: String },
    /// Somebody is a member no longer.
    Left { account: AccountId, name: String },
    /// In the account room: one became a member of a room.
    Added { room: RoomId, name: String },
    /// In the account room: one is a member of a room no longer.
    Removed { room: RoomId },
    /// In the account room: a device was added.
    DeviceAdded { device: DeviceId },
    /// An entry of a kind that this version does not know.
    Other,
}

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
        let keys = params![to_row(room.0), to_row(from_sequence.min(POSITION_MAX)), limit_of(limit)];
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
        let keys = params![to_row(room.0), MESSAGE, limit_of(limit)];
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

/// What is to be done when an entry is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// The stream has the last word.
    Replace,
    /// A page only fills holes.
    Keep,
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

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A column of text as it stands in the store's page, for those who look at many rows and keep few.
pub(super) fn text_of<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(column)?.as_str()?)
}

/// The same for a body.
pub(super) fn body_of<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

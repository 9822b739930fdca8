//! What a person has to be told: a message was refused for good, messages were moved aside, the device was rolled
//! back. The text of what was refused is kept.

use bytes::Bytes;
use rusqlite::{Connection, params};
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;

use super::Profile;
use super::error::ProfileError;
use super::number::{from_row, to_row};
use super::row::{OpKind, OutboxRow, Reference};

const NOTICES_MAX: i64 = 10_000;
const REFUSED_MAX: i64 = 100_000;

/// Something that a person has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// 1, 2, 3 … in this profile.
    pub number: u64,
    /// When it happened, Unix milliseconds.
    pub at_ms: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// The same in plain words.
    pub text: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// An operation was refused for good; [`Profile::refused`] has its text.
    Refused {
        /// Which one.
        operation: OperationId,
    },
    /// The server's history parted from ours; [`Profile::aside`] has what it does not hold.
    MovedAside {
        /// So many messages.
        messages: u64,
    },
    /// This profile was rolled back and goes on as a new device.
    NewDevice {
        /// Operations that were numbered anew.
        waiting: u64,
    },
}

/// An operation that was refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedOp {
    /// Its id.
    pub id: OperationId,
    /// The sequence under which it was refused.
    pub sequence: u64,
    /// Why: a number of `wire::Refusal`.
    pub refusal: i32,
    /// When this device learnt it, Unix milliseconds.
    pub at_ms: u64,
    /// When it was written.
    pub composed_at_ms: u64,
    /// The room that it addressed, if that was known.
    pub room: Option<RoomId>,
    /// The name in it, or nothing.
    pub name: String,
    /// The text in it, or nothing.
    pub body: Bytes,
    /// What kind of text.
    pub content_type: String,
}

impl Profile {
    /// The notices behind `number`, ascending.
    pub fn notices_after(&self, number: u64) -> Result<Vec<Notice>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at_ms, kind, operation, count, text FROM notices WHERE number > ? ORDER BY number",
        )?;
        let mut rows = statement.query([i64::try_from(number).unwrap_or(i64::MAX)])?;
        let mut notices = Vec::new();
        while let Some(row) = rows.next()? {
            let operation = OperationId(from_row(row.get::<_, Option<i64>>(3)?.unwrap_or_default()));
            let count = from_row(row.get::<_, Option<i64>>(4)?.unwrap_or_default());
            let kind = match row.get::<_, i64>(2)? {
                1 => NoticeKind::Refused { operation },
                2 => NoticeKind::MovedAside { messages: count },
                3 => NoticeKind::NewDevice { waiting: count },
                _ => {
                    return Err(ProfileError::Damaged { what: "a notice of an unknown kind" });
                }
            };
            let (number, at_ms) = (from_row(row.get(0)?), from_row(row.get(1)?));
            notices.push(Notice { number, at_ms, kind, text: row.get(5)? });
        }
        Ok(notices)
    }

    /// What was refused under this id.
    pub fn refused(&self, id: OperationId) -> Result<Option<RefusedOp>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type, refusal, at_ms
             FROM refused WHERE id = ? ORDER BY number DESC LIMIT 1",
        )?;
        let mut rows = statement.query([to_row(id.0)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let op = OutboxRow::read(row)?;
        Ok(Some(RefusedOp {
            id: op.id,
            sequence: op.sequence,
            refusal: row.get(9)?,
            at_ms: from_row(row.get(10)?),
            composed_at_ms: op.composed_at_ms,
            room: known_room(op.reference),
            name: op.name,
            body: op.body,
            content_type: op.content_type,
        }))
    }
}

pub(super) fn add(connection: &Connection, at_ms: u64, kind: NoticeKind, text: &str) -> rusqlite::Result<()> {
    let (number, operation, count) = match kind {
        NoticeKind::Refused { operation } => (1, Some(to_row(operation.0)), None),
        NoticeKind::MovedAside { messages } => (2, None, Some(to_row(messages))),
        NoticeKind::NewDevice { waiting } => (3, None, Some(to_row(waiting))),
    };
    connection
        .prepare_cached("INSERT INTO notices (at_ms, kind, operation, count, text) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![to_row(at_ms), number, operation, count, text])?;
    connection
        .prepare_cached("DELETE FROM notices WHERE number <= (SELECT max(number) FROM notices) - ?")?
        .execute([NOTICES_MAX])?;
    Ok(())
}

/// Keeps what the waiting operation says, with a notice. The row is still in the outbox.
pub(super) fn keep_refused(
    connection: &Connection,
    id: OperationId,
    refusal: i32,
    at_ms: u64,
) -> Result<(), ProfileError> {
    connection
        .prepare_cached(
            "INSERT INTO refused
                (id, sequence, refusal, at_ms, composed_at_ms, kind, room, entered_by, name, body, content_type)
             SELECT id, sequence, ?2, ?3, composed_at_ms, kind, room, entered_by, name, body, content_type
             FROM outbox WHERE id = ?1",
        )?
        .execute(params![to_row(id.0), refusal, to_row(at_ms)])?;
    connection
        .prepare_cached("DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - ?")?
        .execute([REFUSED_MAX])?;
    let (kind, name) = connection
        .prepare_cached(
            "SELECT outbox.kind, coalesce(rooms.name, outbox.name, '')
             FROM outbox LEFT JOIN rooms ON rooms.room = outbox.room WHERE id = ?",
        )?
        .query_row([to_row(id.0)], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let text = refused_text(OpKind::read(kind)?, &name, refusal);
    add(connection, at_ms, NoticeKind::Refused { operation: id }, &text)?;
    Ok(())
}

fn refused_text(kind: OpKind, name: &str, refusal: i32) -> String {
    let what = match kind {
        OpKind::Enter => "entering the room",
        OpKind::Send => "a message to the room",
        OpKind::Leave => "leaving the room",
        OpKind::Direct => "a conversation with",
        OpKind::CreatePrivate => "making the private room",
        OpKind::Add => "adding a member to the room",
        OpKind::Remove => "removing a member from the room",
    };
    let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    format!("the server refused {what}{named}: {}", refusal_text(refusal))
}

fn refusal_text(refusal: i32) -> &'static str {
    match wire::Refusal::try_from(refusal) {
        Ok(wire::Refusal::UnknownOperation) => "it does not know this kind of operation",
        Ok(wire::Refusal::NoSuchRoom) => "there is no such room",
        Ok(wire::Refusal::NotAMember) => "you are not a member",
        Ok(wire::Refusal::NoSuchAccount) => "there is no such account",
        Ok(wire::Refusal::NameInvalid) => "that can't be a name",
        Ok(wire::Refusal::BodyTooLarge) => "it is too large",
        Ok(wire::Refusal::NotAllowed) => "it is not allowed",
        Ok(wire::Refusal::IdTaken) => "its id was taken",
        Ok(wire::Refusal::Unspecified) | Err(_) => "for a reason that this version does not know",
    }
}

fn known_room(reference: Option<Reference>) -> Option<RoomId> {
    match reference {
        Some(Reference::Room(room)) => Some(room),
        Some(Reference::EnteredBy(_)) | None => None,
    }
}

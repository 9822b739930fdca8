//! The tables `notices` and `refused`.

use rusqlite::{Connection, params};
use steadfast_proto::ids::OperationId;

use super::number::{at_most, from_row, to_row};
use super::{Notice, NoticeKind, OutboxRow, Profile, ProfileError, RefusedOp};
use crate::profile::notices::{NOTICES_MAX, REFUSED_MAX};

impl Profile {
    /// The notices behind `number`, ascending.
    pub fn notices_after(&self, number: u64) -> Result<Vec<Notice>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at_ms, kind, operation, count, text FROM notices WHERE number > ? ORDER BY number",
        )?;
        let mut rows = statement.query([at_most(number)])?;
        let mut notices = Vec::new();
        while let Some(row) = rows.next()? {
            let operation = OperationId(from_row(row.get::<_, Option<i64>>(3)?.unwrap_or_default()));
            let count = from_row(row.get::<_, Option<i64>>(4)?.unwrap_or_default());
            let kind = match row.get::<_, i64>(2)? {
                1 => NoticeKind::Refused { operation },
                2 => NoticeKind::MovedAside { messages: count },
                3 => NoticeKind::SetBack { waiting: count },
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
        Ok(Some(RefusedOp::new(OutboxRow::read(row)?, row.get(9)?, from_row(row.get(10)?))))
    }
}

pub(super) fn add(connection: &Connection, at_ms: u64, kind: NoticeKind, text: &str) -> rusqlite::Result<()> {
    let (number, operation, count) = match kind {
        NoticeKind::Refused { operation } => (1, Some(to_row(operation.0)), None),
        NoticeKind::MovedAside { messages } => (2, None, Some(to_row(messages))),
        NoticeKind::SetBack { waiting } => (3, None, Some(to_row(waiting))),
    };
    connection
        .prepare_cached("INSERT INTO notices (at_ms, kind, operation, count, text) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![to_row(at_ms), number, operation, count, text])?;
    connection
        .prepare_cached("DELETE FROM notices WHERE number <= (SELECT max(number) FROM notices) - ?")?
        .execute([at_most(NOTICES_MAX)])?;
    Ok(())
}

/// Keeps what a refused operation said.
pub(super) fn keep_refused(connection: &Connection, op: &OutboxRow, refusal: i32, at_ms: u64) -> rusqlite::Result<()> {
    let (room, entered_by) = op.reference_columns();
    connection
        .prepare_cached(
            "INSERT INTO refused
                (id, sequence, refusal, at_ms, composed_at_ms, kind, room, entered_by, name, body, content_type)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            to_row(op.id.0),
            to_row(op.sequence),
            refusal,
            to_row(at_ms),
            to_row(op.composed_at_ms),
            op.kind as i64,
            room,
            entered_by,
            op.name,
            &op.body[..],
            op.content_type,
        ])?;
    connection
        .prepare_cached("DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - ?")?
        .execute([at_most(REFUSED_MAX)])?;
    Ok(())
}

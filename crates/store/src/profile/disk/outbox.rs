//! The table `outbox`. A negative sequence is one that was set apart: it is taken by nobody.

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;

use super::number::{at_most, from_row, limit, to_row};
use super::{OpKind, OutboxRow, Profile, ProfileError, standing};
use crate::profile::outbox::within_bytes;
use crate::profile::settle::Waiting;
use crate::profile::tables::Apart;

impl Profile {
    /// The operations behind `after_sequence`, ascending: as many as fit `bytes_max` and `rows_max`, but at least one
    /// if there is any. `confirmed_through` is left 0.
    pub fn outbox_from(
        &self,
        after_sequence: u64,
        bytes_max: usize,
        rows_max: usize,
    ) -> Result<Vec<wire::Op>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type
             FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?",
        )?;
        let rows = statement.query_and_then([at_most(after_sequence), limit(rows_max)], OutboxRow::read)?;
        within_bytes(rows, bytes_max)
    }

    /// Operations and bytes that wait.
    pub fn outbox_size(&self) -> Result<(u64, u64), ProfileError> {
        let standing = standing::load(&self.connection)?;
        Ok((standing.outbox_rows, standing.outbox_bytes))
    }
}

/// The lowest sequence that waits.
pub(super) fn first(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached("SELECT min(sequence) FROM outbox")?;
    let lowest: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(lowest.map(from_row))
}

/// The sequence of the waiting operation with this id.
pub(super) fn sequence_of(connection: &Connection, id: OperationId) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare_cached("SELECT sequence FROM outbox WHERE id = ?")?;
    let mut rows = statement.query([to_row(id.0)])?;
    rows.next()?.map(|row| row.get(0).map(from_row)).transpose()
}

pub(super) fn waiting(connection: &Connection, id: OperationId) -> Result<Option<Waiting>, ProfileError> {
    let mut statement = connection.prepare_cached("SELECT sequence, kind, keyed, bytes FROM outbox WHERE id = ?")?;
    let mut rows = statement.query([to_row(id.0)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Waiting {
        sequence: from_row(row.get(0)?),
        kind: OpKind::read(row.get(1)?)?,
        keyed: row.get(2)?,
        bytes: from_row(row.get(3)?),
    }))
}

pub(super) fn row(connection: &Connection, id: OperationId) -> Result<Option<OutboxRow>, ProfileError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type
         FROM outbox WHERE id = ?",
    )?;
    let mut rows = statement.query([to_row(id.0)])?;
    rows.next()?.map(OutboxRow::read).transpose()
}

pub(super) fn newest_named(
    connection: &Connection,
    kind: OpKind,
    folded: &str,
) -> rusqlite::Result<Option<(u64, OperationId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, id FROM outbox WHERE kind = ? AND folded = ? AND sequence > 0 ORDER BY sequence DESC LIMIT 1",
    )?;
    let row = statement.query_row(params![kind as i64, folded], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.map(|(sequence, id)| (from_row(sequence), OperationId(from_row(id)))))
}

pub(super) fn newest_leave(
    connection: &Connection,
    room: Option<RoomId>,
    entering: Option<OperationId>,
) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection
        .prepare_cached("SELECT max(sequence) FROM outbox WHERE kind = 3 AND (room = ?1 OR entered_by = ?2)")?;
    let keys = params![room.map(|room| to_row(room.0)), entering.map(|id| to_row(id.0))];
    statement.query_row(keys, |row| Ok(row.get::<_, Option<i64>>(0)?.map(from_row)))
}

pub(super) fn add(connection: &Connection, op: &OutboxRow, keyed: bool, bytes: u64) -> rusqlite::Result<()> {
    let (room, entered_by) = op.reference_columns();
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox
            (sequence, id, composed_at_ms, kind, keyed, room, entered_by, name, folded, body, content_type, bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        to_row(op.sequence),
        to_row(op.id.0),
        to_row(op.composed_at_ms),
        op.kind as i64,
        keyed,
        room,
        entered_by,
        op.name,
        op.folded_name(),
        &op.body[..],
        op.content_type,
        to_row(bytes),
    ])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, sequence: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM outbox WHERE sequence = ?")?.execute([to_row(sequence)])?;
    Ok(())
}

pub(super) fn name_room(connection: &Connection, entered_by: OperationId, room: RoomId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE outbox SET room = ?, entered_by = NULL WHERE entered_by = ?")?
        .execute([to_row(room.0), to_row(entered_by.0)])?;
    Ok(())
}

pub(super) fn set_apart(connection: &Connection, behind: u64) -> Result<Vec<Apart>, ProfileError> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, kind, room, composed_at_ms FROM outbox WHERE sequence > ? ORDER BY sequence",
    )?;
    let mut rows = statement.query([at_most(behind)])?;
    let mut apart = Vec::new();
    while let Some(row) = rows.next()? {
        apart.push(Apart {
            sequence: from_row(row.get(0)?),
            kind: OpKind::read(row.get(1)?)?,
            room: row.get::<_, Option<i64>>(2)?.map(|room| RoomId(from_row(room))),
            composed_at_ms: from_row(row.get(3)?),
        });
    }
    connection.execute("UPDATE outbox SET sequence = -sequence WHERE sequence > ?", [at_most(behind)])?;
    Ok(apart)
}

pub(super) fn put_back(
    connection: &Connection,
    from: u64,
    to: u64,
    entered_by: Option<OperationId>,
) -> rusqlite::Result<()> {
    if let Some(entered_by) = entered_by {
        connection
            .prepare_cached("UPDATE outbox SET room = NULL, entered_by = ? WHERE sequence = ?")?
            .execute([to_row(entered_by.0), -to_row(from)])?;
    }
    connection
        .prepare_cached("UPDATE outbox SET sequence = ? WHERE sequence = ?")?
        .execute([to_row(to), -to_row(from)])?;
    Ok(())
}

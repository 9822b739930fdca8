//! The tables `outcomes` and `keyed`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};
use steadfast_proto::ids::{OperationId, RoomId};

use super::number::{at_most, from_row, to_row};
use super::{LineKey, Profile, ProfileError, SettledOutcome, outbox};
use crate::profile::settle::OUTCOMES_MAX;
use crate::profile::tables::KnownLine;

impl Profile {
    /// Whether the operation of this id waits for its outcome.
    pub fn is_waiting(&self, id: OperationId) -> Result<bool, ProfileError> {
        Ok(outbox::sequence_of(&self.connection, id)?.is_some())
    }

    /// What became of these operations; `None` for those that still wait, and for those of long ago.
    pub fn outcomes(&self, ids: &[OperationId]) -> Result<Vec<Option<SettledOutcome>>, ProfileError> {
        Ok(outcomes(&self.connection, ids)?)
    }
}

impl SettledOutcome {
    /// Reads `sequence, position, room, refusal` from `column` on; `None` if there is no outcome yet.
    pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<SettledOutcome>> {
        let Some(sequence) = row.get::<_, Option<i64>>(column)? else {
            return Ok(None);
        };
        Ok(Some(SettledOutcome {
            sequence: from_row(sequence),
            position: from_row(row.get(column + 1)?),
            room: row.get::<_, Option<i64>>(column + 2)?.map(|room| RoomId(from_row(room))),
            refusal: row.get(column + 3)?,
        }))
    }
}

pub(super) fn outcome(connection: &Connection, id: OperationId) -> rusqlite::Result<Option<SettledOutcome>> {
    Ok(outcomes(connection, &[id])?.pop().flatten())
}

/// What waits has none, keyed lines are found by id; for the others the outcomes are searched, newest first. There is
/// no index by id: ids are random, so that each outcome would touch a page of its own, and those that are asked for are
/// among the newest.
fn outcomes(connection: &Connection, ids: &[OperationId]) -> rusqlite::Result<Vec<Option<SettledOutcome>>> {
    let mut found = BTreeMap::new();
    let mut sought = BTreeSet::new();
    for &id in ids {
        // In this order: what leaves the outbox after this look has its outcome on a later call.
        if outbox::sequence_of(connection, id)?.is_some() {
            continue;
        }
        match keyed_outcome(connection, id)? {
            Some(outcome) => found.extend([(id, outcome)]),
            None => sought.extend([id]),
        }
    }
    let mut statement =
        connection.prepare_cached("SELECT id, sequence, position, room, refusal FROM outcomes ORDER BY number DESC")?;
    let mut rows = statement.query([])?;
    while !sought.is_empty()
        && let Some(row) = rows.next()?
    {
        let id = OperationId(from_row(row.get(0)?));
        if sought.remove(&id) {
            found.extend(SettledOutcome::read(row, 1)?.map(|outcome| (id, outcome)));
        }
    }
    Ok(ids.iter().map(|id| found.get(id).copied()).collect())
}

fn keyed_outcome(connection: &Connection, id: OperationId) -> rusqlite::Result<Option<SettledOutcome>> {
    let mut statement =
        connection.prepare_cached("SELECT sequence, position, room, refusal FROM keyed WHERE id = ?")?;
    Ok(statement.query_row([to_row(id.0)], |row| SettledOutcome::read(row, 0)).optional()?.flatten())
}

/// Forgets the oldest outcomes. They are numbered as they came, so that this looks at no other row.
pub(super) fn prune(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM outcomes WHERE number <= (SELECT max(number) FROM outcomes) - ?")?
        .execute([at_most(OUTCOMES_MAX)])?;
    Ok(())
}

pub(super) fn record(
    connection: &Connection,
    id: OperationId,
    outcome: SettledOutcome,
    at_ms: u64,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outcomes (id, sequence, position, room, refusal, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        to_row(id.0),
        to_row(outcome.sequence),
        to_row(outcome.position),
        outcome.room.map(|room| to_row(room.0)),
        outcome.refusal,
        to_row(at_ms),
    ])?;
    Ok(())
}

pub(super) fn record_line(connection: &Connection, id: OperationId, outcome: SettledOutcome) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE keyed SET sequence = ?, position = ?, room = ?, refusal = ? WHERE id = ?")?;
    statement.execute(params![
        to_row(outcome.sequence),
        to_row(outcome.position),
        outcome.room.map(|room| to_row(room.0)),
        outcome.refusal,
        to_row(id.0),
    ])?;
    Ok(())
}

/// A line that was queued before.
pub(super) fn line(connection: &Connection, key: &LineKey) -> rusqlite::Result<Option<KnownLine>> {
    let mut statement = connection
        .prepare_cached("SELECT id, hash, sequence, position, room, refusal FROM keyed WHERE key = ? AND line = ?")?;
    let line = statement.query_row(params![key.key, to_row(key.line)], |row| {
        Ok(KnownLine {
            id: OperationId(from_row(row.get(0)?)),
            hash: row.get(1)?,
            outcome: SettledOutcome::read(row, 2)?,
        })
    });
    line.optional()
}

pub(super) fn keep_line(connection: &Connection, key: &LineKey, id: OperationId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT INTO keyed (key, line, id, hash) VALUES (?, ?, ?, ?)")?;
    statement.execute(params![key.key, to_row(key.line), to_row(id.0), key.hash])?;
    Ok(())
}

//! The end of an operation: its row leaves the outbox, its outcome is kept, and what refers to the room that it made or
//! entered names that room from then on.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};
use steadfast_proto::ids::{OperationId, RoomId};

use super::error::ProfileError;
use super::number::{from_row, to_row};
use super::row::OpKind;
use super::standing::Standing;
use super::{Profile, notices, outbox};

/// Outcomes that are kept, for whoever asks by id. Those of keyed lines are kept for ever, in a table of their own.
const OUTCOMES_MAX: i64 = 200_000;

/// The final outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledOutcome {
    /// The sequence under which it took effect.
    pub sequence: u64,
    /// Where it stands in the log.
    pub position: u64,
    /// The room that it made, entered or went to.
    pub room: Option<RoomId>,
    /// Why it was refused for good: a number of `wire::Refusal`, or one that only a newer server knows. `None`: it was
    /// accepted.
    pub refusal: Option<i32>,
}

impl Profile {
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

/// What the outbox knows of an operation that is about to leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) sequence: u64,
    pub(super) kind: OpKind,
    keyed: bool,
    bytes: u64,
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

/// Takes the operation out of the outbox with its outcome. Answers the room if others could refer to it by this one.
pub(super) fn settle(
    connection: &Connection,
    standing: &mut Standing,
    id: OperationId,
    row: Waiting,
    outcome: SettledOutcome,
    at_ms: u64,
) -> Result<Option<RoomId>, ProfileError> {
    if let Some(refusal) = outcome.refusal {
        notices::keep_refused(connection, id, refusal, at_ms)?;
    }
    connection.prepare_cached("DELETE FROM outbox WHERE sequence = ?")?.execute([to_row(row.sequence)])?;
    standing.outbox_rows = standing.outbox_rows.saturating_sub(1);
    standing.outbox_bytes = standing.outbox_bytes.saturating_sub(row.bytes);
    record(connection, id, outcome, at_ms)?;
    if row.keyed {
        record_line(connection, id, outcome)?;
    }
    let room = outcome.room.filter(|_| outcome.refusal.is_none() && row.kind.leads_into_a_room());
    if let Some(room) = room {
        connection
            .prepare_cached("UPDATE outbox SET room = ?, entered_by = NULL WHERE entered_by = ?")?
            .execute([to_row(room.0), to_row(id.0)])?;
    }
    Ok(room)
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
        .execute([OUTCOMES_MAX])?;
    Ok(())
}

fn record(connection: &Connection, id: OperationId, outcome: SettledOutcome, at_ms: u64) -> rusqlite::Result<()> {
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

fn record_line(connection: &Connection, id: OperationId, outcome: SettledOutcome) -> rusqlite::Result<()> {
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

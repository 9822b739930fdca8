//! The one row of the table `profile`, and the terms under which the device was told positions.

use rusqlite::{Connection, Row, params};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, Place, Term};
use steadfast_proto::session::Identity;

use super::number::{from_row, limit, to_row};
use super::{ProfileError, Standing};
use crate::profile::standing::TERMS_MAX;

pub(super) fn load(connection: &Connection) -> Result<Standing, ProfileError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, log_id, link_term, place_position, place_term, told_position, told_term,
                    next_sequence, outbox_rows, outbox_bytes
             FROM profile",
    )?;
    let standing = statement.query_row([], |row| {
        Ok(Standing {
            account: AccountId(from_row(row.get(0)?)),
            log_id: row.get::<_, Option<[u8; 16]>>(1)?.map(LogId),
            link_term: row.get::<_, Option<i64>>(2)?.map(|term| Term(from_row(term))),
            place: place(row, 3)?,
            told: place(row, 5)?,
            next_sequence: from_row(row.get(7)?),
            outbox_rows: from_row(row.get(8)?),
            outbox_bytes: from_row(row.get(9)?),
        })
    })?;
    Ok(standing)
}

pub(super) fn save(connection: &Connection, standing: &Standing) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE profile SET account = ?, log_id = ?, link_term = ?, place_position = ?, place_term = ?,
                    told_position = ?, told_term = ?, next_sequence = ?, outbox_rows = ?, outbox_bytes = ?",
    )?;
    statement.execute(params![
        to_row(standing.account.0),
        standing.log_id.map(|log_id| log_id.0),
        standing.link_term.map(|term| to_row(term.0)),
        standing.place.map(|place| to_row(place.position)),
        standing.place.map(|place| to_row(place.term.0)),
        standing.told.map(|told| to_row(told.position)),
        standing.told.map(|told| to_row(told.term.0)),
        to_row(standing.next_sequence),
        to_row(standing.outbox_rows),
        to_row(standing.outbox_bytes),
    ])?;
    Ok(())
}

pub(super) fn identity(connection: &Connection) -> Result<Identity, ProfileError> {
    let identity = connection.query_row("SELECT name, device_id, secret, account FROM profile", [], |row| {
        Ok(Identity {
            name: row.get(0)?,
            device_id: DeviceId(row.get(1)?),
            secret: row.get(2)?,
            account: AccountId(from_row(row.get(3)?)),
        })
    })?;
    Ok(identity)
}

/// Oldest first, each with the highest position told under it.
pub(super) fn terms(connection: &Connection) -> rusqlite::Result<Vec<(Term, u64)>> {
    let mut statement = connection.prepare_cached("SELECT term, highest FROM terms ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((Term(from_row(row.get(0)?)), from_row(row.get(1)?))))?;
    rows.collect()
}

pub(super) fn add_term(connection: &Connection, term: Term) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO terms (term, highest) VALUES (?, 0)")?
        .execute([to_row(term.0)])?;
    connection
        .prepare_cached("DELETE FROM terms WHERE number <= (SELECT max(number) FROM terms) - ?")?
        .execute([limit(TERMS_MAX)])?;
    Ok(())
}

pub(super) fn raise_term(connection: &Connection, term: Term, position: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE terms SET highest = max(highest, ?1) WHERE term = ?2")?;
    statement.execute([to_row(position), to_row(term.0)])?;
    Ok(())
}

/// Terms behind `holder` that told more than `common` are another history's.
pub(super) fn rewind_terms(connection: &Connection, common: u64, holder: Option<Term>) -> rusqlite::Result<()> {
    if let Some(holder) = holder {
        connection.execute(
            "DELETE FROM terms
             WHERE highest > ?1 AND number > (SELECT number FROM terms WHERE term = ?2)",
            [to_row(common), to_row(holder.0)],
        )?;
    }
    connection.execute("UPDATE terms SET highest = min(highest, ?)", [to_row(common)])?;
    Ok(())
}

pub(super) fn set_name(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE profile SET name = ?", params![name])?;
    Ok(())
}

fn place(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Place>> {
    let position: Option<i64> = row.get(column)?;
    let term: Option<i64> = row.get(column + 1)?;
    Ok(position.zip(term).map(|(position, term)| Place { position: from_row(position), term: Term(from_row(term)) }))
}

//! Where the device stands: the one row of the table `profile`, and the terms under which it was told positions.

use rusqlite::{Connection, Row, params};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, Place, RoomId, Term};

use super::error::ProfileError;
use super::number::{from_row, to_row};
use super::{Identity, Resume};

/// A server names its newest 1,024 terms when histories part; older ones of ours would never be looked for.
const TERMS_MAX: i64 = 1_024;

/// The row without the identity: read at the start of a writing transaction, written at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) account: AccountId,
    pub(super) log_id: Option<LogId>,
    /// The term that the last accepted link announced.
    pub(super) link_term: Option<Term>,
    pub(super) place: Option<Place>,
    pub(super) told: Option<Place>,
    pub(super) next_sequence: u64,
    pub(super) outbox_rows: u64,
    pub(super) outbox_bytes: u64,
}

impl Standing {
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

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE profile SET account = ?, log_id = ?, link_term = ?, place_position = ?, place_term = ?,
                    told_position = ?, told_term = ?, next_sequence = ?, outbox_rows = ?, outbox_bytes = ?",
        )?;
        statement.execute(params![
            to_row(self.account.0),
            self.log_id.map(|log_id| log_id.0),
            self.link_term.map(|term| to_row(term.0)),
            self.place.map(|place| to_row(place.position)),
            self.place.map(|place| to_row(place.term.0)),
            self.told.map(|told| to_row(told.position)),
            self.told.map(|told| to_row(told.term.0)),
            to_row(self.next_sequence),
            to_row(self.outbox_rows),
            to_row(self.outbox_bytes),
        ])?;
        Ok(())
    }

    /// All operations up to this sequence have a stored outcome. What waits in the outbox has none, whoever put it
    /// there and whether or not it was ever sent.
    pub(super) fn confirmed_through(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let mut statement = connection.prepare_cached("SELECT min(sequence) FROM outbox")?;
        let lowest: Option<i64> = statement.query_row([], |row| row.get(0))?;
        Ok(lowest.map_or(self.next_sequence, from_row).saturating_sub(1))
    }
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

pub(super) fn resume(connection: &Connection) -> Result<Resume, ProfileError> {
    let standing = Standing::load(connection)?;
    let mut rooms = connection.prepare_cached("SELECT room, last FROM rooms WHERE member OR last IS NULL")?;
    let rooms =
        rooms.query_map([], |row| Ok((RoomId(from_row(row.get(0)?)), row.get::<_, Option<i64>>(1)?.map(from_row))))?;
    Ok(Resume {
        identity: identity(connection)?,
        log_id: standing.log_id,
        place: standing.place,
        told: standing.told,
        confirmed_through: standing.confirmed_through(connection)?,
        rooms: rooms.collect::<rusqlite::Result<_>>()?,
        terms: terms(connection)?,
    })
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
        .execute([TERMS_MAX])?;
    Ok(())
}

pub(super) fn raise_term(connection: &Connection, term: Term, position: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE terms SET highest = max(highest, ?1) WHERE term = ?2")?;
    statement.execute([to_row(position), to_row(term.0)])?;
    Ok(())
}

fn place(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Place>> {
    let position: Option<i64> = row.get(column)?;
    let term: Option<i64> = row.get(column + 1)?;
    Ok(position.zip(term).map(|(position, term)| Place { position: from_row(position), term: Term(from_row(term)) }))
}

//! The state tables: a key and an opaque value a row, in the same database as the log so that an entry and what it
//! changed are one transaction.

use rusqlite::Connection;

use super::error::ReadError;
use crate::sqlite::SqliteError;

/// What a state row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Accounts.
    Accounts,
    /// Devices.
    Devices,
    /// Rooms.
    Rooms,
    /// Memberships.
    Memberships,
}

/// A state row to write, in place of an earlier one with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Where to.
    pub table: Table,
    /// Which row; never empty.
    pub key: Vec<u8>,
    /// What it says; not read here.
    pub value: Vec<u8>,
}

pub(super) const SCHEMA: &str = "
    CREATE TABLE accounts (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE devices (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE rooms (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE memberships (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

pub(super) fn put(connection: &Connection, puts: &[Put]) -> Result<(), SqliteError> {
    for put in puts {
        connection.prepare_cached(put.table.replace_sql())?.execute((&put.key, &put.value))?;
    }
    Ok(())
}

pub(super) fn rows<E: From<ReadError>>(
    connection: &Connection,
    table: Table,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: rusqlite::Error| E::from(ReadError::in_state(error.into()));
    let mut statement = connection.prepare(table.select_sql()).map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let key = blob(row, 0).map_err(failed)?;
        let value = blob(row, 1).map_err(failed)?;
        each(key, value)?;
    }
    Ok(())
}

impl Table {
    fn replace_sql(self) -> &'static str {
        match self {
            Table::Accounts => "REPLACE INTO accounts (key, value) VALUES (?1, ?2)",
            Table::Devices => "REPLACE INTO devices (key, value) VALUES (?1, ?2)",
            Table::Rooms => "REPLACE INTO rooms (key, value) VALUES (?1, ?2)",
            Table::Memberships => "REPLACE INTO memberships (key, value) VALUES (?1, ?2)",
        }
    }

    fn select_sql(self) -> &'static str {
        match self {
            Table::Accounts => "SELECT key, value FROM accounts ORDER BY key",
            Table::Devices => "SELECT key, value FROM devices ORDER BY key",
            Table::Rooms => "SELECT key, value FROM rooms ORDER BY key",
            Table::Memberships => "SELECT key, value FROM memberships ORDER BY key",
        }
    }
}

fn blob<'row>(row: &'row rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'row [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

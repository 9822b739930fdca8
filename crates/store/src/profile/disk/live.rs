//! `live.sqlite3`: what the processes of one profile tell each other. It is never synced: what is written survives the
//! process that wrote it, but a loss of power may take it or leave the file damaged, and then it begins anew, empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::RoomId;

use super::number::{from_row, limit as at_most, to_row};
use super::{FlightRow, ProfileError, data_version, reading};
use crate::profile::flight::FLIGHTS_MAX;
use crate::sqlite::{self, Stamp};
use crate::{DatabaseErrorKind, SqliteError};

pub(super) const FILE: &str = "live.sqlite3";
/// "SFlv" and the format. Another one is thrown away: nothing here is worth a conversion.
const STAMP: Stamp = Stamp { application: 0x5346_6c76, version: 1 };
/// A short write-ahead log is written over all the time, which takes no room: on a full disk the status is still told.
const WAL_PAGES: i64 = 8;

/// The part of a profile that may be lost. Its methods write at once, each in a transaction of its own.
#[derive(Debug)]
pub struct Live {
    pub(super) connection: Connection,
}

impl Live {
    pub(super) fn open(dir: &Path) -> Result<Live, ProfileError> {
        let path = dir.join(FILE);
        match open(&path) {
            Ok(connection) => Ok(Live { connection }),
            Err(error) if error.kind() == DatabaseErrorKind::Corrupt => {
                tracing::warn!(%error, path = %path.display(), "damaged, begun anew");
                remove(&path)?;
                Ok(Live { connection: open(&path)? })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens what is there where nothing can be written; it is empty where nothing can be read.
    pub(super) fn open_to_read(dir: &Path) -> Result<Live, ProfileError> {
        let read = sqlite::open_where_nothing_is_written(&dir.join(FILE)).and_then(|connection| {
            let ours = Stamp::read(&connection)? == STAMP;
            Ok(ours.then_some(connection))
        });
        if let Ok(Some(connection)) = read {
            return Ok(Live { connection });
        }
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(TABLES)?;
        connection.execute_batch(FLIGHTS)?;
        add_people(&connection)?;
        connection.execute_batch(reading::TABLE)?;
        Ok(Live { connection })
    }

    /// The status of the process that drives, as it wants to be shown (JSON).
    pub fn set_status(&self, json: &str) -> Result<(), ProfileError> {
        self.connection.prepare_cached("INSERT OR REPLACE INTO status (one, json) VALUES (1, ?)")?.execute([json])?;
        Ok(())
    }

    /// What the last driver said. Whether there is one now, [`super::DriverLock::holder`] tells.
    pub fn status(&self) -> Result<Option<String>, ProfileError> {
        let mut statement = self.connection.prepare_cached("SELECT json FROM status")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    /// Keeps what happened to a link, in place of what was kept of the same one. The last 100 links are kept.
    pub fn set_flight(&self, flight: &FlightRow) -> Result<(), ProfileError> {
        self.connection
            .prepare_cached(
                "INSERT INTO flights (process, link, json) VALUES (?, ?, ?)
                 ON CONFLICT (process, link) DO UPDATE SET json = excluded.json",
            )?
            .execute(params![to_row(flight.process), to_row(flight.link), flight.json])?;
        self.connection
            .prepare_cached(
                "DELETE FROM flights
                 WHERE number <= (SELECT number FROM flights ORDER BY number DESC LIMIT 1 OFFSET ?)",
            )?
            .execute([at_most(FLIGHTS_MAX)])?;
        Ok(())
    }

    /// The last links, in the order in which they came up.
    pub fn flights(&self, limit: usize) -> Result<Vec<FlightRow>, ProfileError> {
        let mut statement =
            self.connection.prepare_cached("SELECT process, link, json FROM flights ORDER BY number DESC LIMIT ?")?;
        let rows = statement.query_map([at_most(limit)], |row| {
            Ok(FlightRow { process: from_row(row.get(0)?), link: from_row(row.get(1)?), json: row.get(2)? })
        })?;
        let mut flights = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        flights.reverse();
        Ok(flights)
    }

    /// The rooms whose people a process looks at, which does not drive. Counts as long as it is said again.
    pub fn set_watched(&self, process: u64, rooms: &[RoomId], at_ms: u64) -> Result<(), ProfileError> {
        let process = to_row(process);
        if rooms.is_empty() {
            self.connection.prepare_cached("DELETE FROM watches WHERE process = ?")?.execute([process])?;
        } else {
            let bytes: Vec<u8> = rooms.iter().flat_map(|room| room.0.to_le_bytes()).collect();
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO watches (process, rooms, at_ms) VALUES (?, ?, ?)")?
                .execute(params![process, bytes, to_row(at_ms)])?;
        }
        Ok(())
    }

    /// The rooms whose people other processes look at, as they said since then; what is older is removed.
    pub fn watched(&self, since_ms: u64) -> Result<Vec<RoomId>, ProfileError> {
        self.connection.prepare_cached("DELETE FROM watches WHERE at_ms < ?")?.execute([to_row(since_ms)])?;
        let mut statement = self.connection.prepare_cached("SELECT rooms FROM watches ORDER BY process")?;
        let said = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
        let rooms = said.iter().flat_map(|bytes| bytes.as_chunks::<8>().0);
        Ok(rooms.map(|bytes| RoomId(u64::from_le_bytes(*bytes))).collect())
    }

    /// What the process that drives knows of the people in those rooms (JSON).
    pub fn set_people(&self, json: &str) -> Result<(), ProfileError> {
        self.connection.prepare_cached("INSERT OR REPLACE INTO people (one, json) VALUES (1, ?)")?.execute([json])?;
        Ok(())
    }

    /// What a driver before knew of them is not known any more.
    pub fn forget_people(&self) -> Result<(), ProfileError> {
        self.connection.prepare_cached("DELETE FROM people")?.execute([])?;
        Ok(())
    }

    /// What the last driver said of them.
    pub fn people(&self) -> Result<Option<String>, ProfileError> {
        let mut statement = self.connection.prepare_cached("SELECT json FROM people")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    pub(super) fn version(&self) -> Result<i64, ProfileError> {
        Ok(data_version(&self.connection)?)
    }

    /// Up to which room sequence the room was printed, and up to which rewind that counts.
    pub(super) fn printed_mark(&self, room: RoomId) -> Result<Option<(u64, u64)>, ProfileError> {
        let mut statement = self.connection.prepare_cached("SELECT sequence, rewind FROM printed WHERE room = ?")?;
        let mark = statement.query_row([to_row(room.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(mark.map(|(sequence, rewind)| (from_row(sequence), from_row(rewind))))
    }

    pub(super) fn set_printed_mark(&self, room: RoomId, sequence: u64, rewind: u64) -> Result<(), ProfileError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO printed (room, sequence, rewind) VALUES (?, ?, ?)")?
            .execute([to_row(room.0), to_row(sequence), to_row(rewind)])?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<Connection, SqliteError> {
    let mut connection = sqlite::open(path)?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(damaged());
    }
    let transaction = super::immediate(&mut connection)?;
    match Stamp::read(&transaction)? {
        STAMP => {}
        Stamp { application: 0, version: 0 } => {
            transaction.execute_batch(TABLES)?;
            STAMP.write(&transaction)?;
        }
        Stamp { .. } => return Err(damaged()),
    }
    transaction.execute_batch(FLIGHTS)?;
    add_people(&transaction)?;
    transaction.execute_batch(reading::TABLE)?;
    transaction.commit()?;
    Ok(connection)
}

/// Younger than the format, like the flights.
fn add_people(connection: &Connection) -> Result<(), SqliteError> {
    let wants: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info('wants')")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !wants.iter().any(|column| column == "text") {
        connection.execute_batch("ALTER TABLE wants ADD COLUMN text TEXT")?;
    }
    connection.execute_batch(PEOPLE)?;
    Ok(())
}

fn damaged() -> SqliteError {
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(corrupt, None).into()
}

fn remove(path: &Path) -> Result<(), ProfileError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(ProfileError::Io { path: file, kind: error.kind() });
            }
        }
    }
    Ok(())
}

/// `wants.number` is never given twice: an answer must not reach a later asker.
const TABLES: &str = "
CREATE TABLE status (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    json TEXT NOT NULL
);
CREATE TABLE wants (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        INTEGER NOT NULL,
    room        INTEGER,
    from_sequence INTEGER,
    to_sequence INTEGER,
    asked_at_ms INTEGER NOT NULL,
    taken       INTEGER NOT NULL DEFAULT 0,
    answer      TEXT
);
CREATE TABLE printed (
    room     INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    rewind   INTEGER NOT NULL
);
";

/// Younger than the format, which older programs share: they don't look at it.
const FLIGHTS: &str = "
CREATE TABLE IF NOT EXISTS flights (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    process INTEGER NOT NULL,
    link    INTEGER NOT NULL,
    json    TEXT NOT NULL,
    UNIQUE (process, link)
);
";

/// `watches.rooms` are ids of eight bytes each, lowest first.
const PEOPLE: &str = "
CREATE TABLE IF NOT EXISTS people (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    json TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS watches (
    process INTEGER PRIMARY KEY,
    rooms   BLOB NOT NULL,
    at_ms   INTEGER NOT NULL
);
";

//! `live.sqlite3`: what the processes of one profile tell each other. It is never synced: what is written survives the
//! process that wrote it, but a loss of power may take it or leave the file damaged, and then it begins anew, empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::RoomId;

use super::data_version;
use super::error::ProfileError;
use super::number::{from_row, to_row};
use crate::sqlite::{self, Stamp};
use crate::{SqliteError, SqliteErrorKind};

const FILE: &str = "live.sqlite3";
/// "SFlv" and the format. Another one is thrown away: nothing here is worth a conversion.
const STAMP: Stamp = Stamp { application: 0x5346_6c76, version: 1 };
const DROPS_MAX: i64 = 100;

/// The part of a profile that may be lost. Its methods write at once, each in a transaction of its own.
#[derive(Debug)]
pub struct Live {
    pub(super) connection: Connection,
}

/// A line that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDrop {
    /// When, Unix milliseconds. Two drops of one millisecond are one.
    pub at_ms: u64,
    /// Why: a name from the table of causes.
    pub cause: String,
    /// Until the line was back; `None` while it is not.
    pub lasted_ms: Option<u64>,
    /// Whether the session went on where it was.
    pub resumed: bool,
}

impl Live {
    pub(super) fn open(dir: &Path) -> Result<Live, ProfileError> {
        let path = dir.join(FILE);
        match open(&path) {
            Ok(connection) => Ok(Live { connection }),
            Err(error) if error.kind() == SqliteErrorKind::Corrupt => {
                tracing::warn!(%error, path = %path.display(), "damaged, begun anew");
                remove(&path)?;
                Ok(Live { connection: open(&path)? })
            }
            Err(error) => Err(error.into()),
        }
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

    /// Keeps a drop; one of the same moment is replaced, so that a drop can be completed when the line is back. The
    /// last 100 are kept.
    pub fn add_drop(&self, drop: &LineDrop) -> Result<(), ProfileError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO drops (at_ms, cause, lasted_ms, resumed) VALUES (?, ?, ?, ?)")?
            .execute(params![to_row(drop.at_ms), drop.cause, drop.lasted_ms.map(to_row), drop.resumed])?;
        self.connection
            .prepare_cached(
                "DELETE FROM drops WHERE at_ms <= (SELECT at_ms FROM drops ORDER BY at_ms DESC LIMIT 1 OFFSET ?)",
            )?
            .execute([DROPS_MAX])?;
        Ok(())
    }

    /// For the process that drives, when it gets online first: the drops that a process before it left open ended by
    /// now.
    pub fn close_drops(&self, now_ms: u64) -> Result<(), ProfileError> {
        self.connection
            .prepare_cached("UPDATE drops SET lasted_ms = max(? - at_ms, 0), resumed = 1 WHERE lasted_ms IS NULL")?
            .execute([to_row(now_ms)])?;
        Ok(())
    }

    /// The last drops, ascending.
    pub fn drops(&self, limit: usize) -> Result<Vec<LineDrop>, ProfileError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT at_ms, cause, lasted_ms, resumed FROM drops ORDER BY at_ms DESC LIMIT ?")?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(LineDrop {
                at_ms: from_row(row.get(0)?),
                cause: row.get(1)?,
                lasted_ms: row.get::<_, Option<i64>>(2)?.map(from_row),
                resumed: row.get(3)?,
            })
        })?;
        let mut drops = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        drops.reverse();
        Ok(drops)
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
    transaction.commit()?;
    Ok(connection)
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
CREATE TABLE drops (
    at_ms     INTEGER PRIMARY KEY,
    cause     TEXT NOT NULL,
    lasted_ms INTEGER,
    resumed   INTEGER NOT NULL
);
CREATE TABLE printed (
    room     INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    rewind   INTEGER NOT NULL
);
";

//! How this crate opens SQLite and reads its errors. What is kept in a database is the business of `server` and
//! `profile`.
//!
//! Every database is a write-ahead log that is synced at COMMIT. The log is reused, never truncated: a sync of a file
//! that does not grow costs about half (no `journal_size_limit`).

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, ffi};

use crate::database::DatabaseErrorKind;

/// How long a statement waits for a lock of another connection before it fails as [`DatabaseErrorKind::Busy`].
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is copied back once it has this many pages of 4 KiB.
const WAL_AUTOCHECKPOINT_PAGES: i64 = 4_000;
/// The page cache of a connection that writes. SQLite takes a negative number as KiB.
const CACHE_KIB_MAX: i64 = 8 * 1_024;
const STATEMENTS_CACHED_MAX: usize = 32;
/// What is written to see whether anything can be: more than a block of any file system.
const PROBE_BYTES: usize = 64 * 1_024;

/// Opens the database at `path` for reading and writing, and makes it if there is none. A COMMIT on this connection
/// returns after its sync.
pub(crate) fn open(path: &Path) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    let journal: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if journal != "wal" {
        return Err(no_write_ahead_log());
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB_MAX)?;
    Ok(connection)
}

/// Opens the database at `path` for reading; it has to be there. Closing this connection leaves the files as they were.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, SqliteError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Opens the database at `path`, which has to be there, as it is. Reading takes back what a dead process left halfway.
pub(crate) fn open_existing(path: &Path) -> Result<Connection, SqliteError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Opens the database at `path` for reading where nothing can be written, not even beside it. One that was closed well
/// has no write-ahead log and is read as it is; the log of one that was not is read through its index (`-shm`), and
/// without that it can't be.
pub(crate) fn open_where_nothing_is_written(path: &Path) -> Result<Connection, SqliteError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = Path::new(&log).metadata().is_ok_and(|found| found.len() > 0);
    if has_log {
        return open_read_only(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    connect(Path::new(&immutable_uri(path)), flags)
}

/// <https://www.sqlite.org/uri.html>: what has a meaning in a URI is escaped.
fn immutable_uri(path: &Path) -> OsString {
    let mut uri = OsString::from("file:");
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    uri.push(escaped);
    uri.push("?immutable=1");
    uri
}

/// Moves all that is in the write-ahead log into the database and syncs that; the log's file stays to be used again.
/// Waits for readers of what is older, as long as for any lock, and fails as [`DatabaseErrorKind::Busy`] where anything
/// is left, or another connection is at it already: that its sync will succeed can't be known.
///
/// Nobody may write meanwhile: beside a writer SQLite moves the pages without syncing the database.
/// <https://www.sqlite.org/pragma.html#pragma_wal_checkpoint>
pub(crate) fn checkpoint(connection: &Connection) -> Result<(), SqliteError> {
    let three_columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (busy, frames, moved): (i64, i64, i64) =
        connection.query_row("PRAGMA wal_checkpoint(FULL)", (), three_columns)?;
    if busy != 0 || frames != moved {
        return Err(not_all_moved());
    }
    Ok(())
}

/// Whether `directory` takes no byte more, as far as a write tells. For [`DatabaseErrorKind::WriteFailed`]: SQLite
/// knows a full device (ENOSPC), but a quota that is used up (EDQUOT) looks to it like a broken one.
pub(crate) fn has_no_room(directory: &Path) -> bool {
    let path = directory.join("probe");
    let written = std::fs::write(&path, [0; PROBE_BYTES]);
    // One that can't be removed is written over by the next one.
    std::fs::remove_file(&path).ok();
    written.is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// Who wrote a database, and in which version: `PRAGMA application_id` and `PRAGMA user_version`. Both are 0 in a
/// database that nobody has set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) application: i32,
    pub(crate) version: u32,
}

impl Stamp {
    pub(crate) fn read(connection: &Connection) -> Result<Stamp, SqliteError> {
        Ok(Stamp {
            application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            // SQLite keeps the number as an `i32`; one of ours is never negative, so a negative one is somebody else's.
            version: connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))?.cast_unsigned(),
        })
    }

    /// Takes effect with the transaction that is open on `connection`.
    pub(crate) fn write(self, connection: &Connection) -> Result<(), SqliteError> {
        connection.pragma_update(None, "application_id", self.application)?;
        connection.pragma_update(None, "user_version", self.version.cast_signed())?;
        Ok(())
    }
}

/// What went wrong in SQLite or in the file system below it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct SqliteError(Arc<rusqlite::Error>);

impl SqliteError {
    /// What this means to a caller.
    pub fn kind(&self) -> DatabaseErrorKind {
        match &*self.0 {
            rusqlite::Error::SqliteFailure(failure, _) => kind_of_failure(failure),
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::QueryReturnedNoRows => DatabaseErrorKind::Corrupt,
            _ => DatabaseErrorKind::Other,
        }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        SqliteError(Arc::new(error))
    }
}

/// Result codes: <https://www.sqlite.org/rescode.html>.
fn kind_of_failure(failure: &ffi::Error) -> DatabaseErrorKind {
    match failure.extended_code {
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => return DatabaseErrorKind::SyncFailed,
        ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE => return DatabaseErrorKind::WriteFailed,
        // The index of the write-ahead log is a file too, and this is what its growing on a full device looks like.
        ffi::SQLITE_IOERR_SHMSIZE => return DatabaseErrorKind::Full,
        ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_SHORT_READ => return DatabaseErrorKind::Corrupt,
        _ => {}
    }
    match failure.code {
        ErrorCode::DiskFull => DatabaseErrorKind::Full,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => DatabaseErrorKind::ReadOnly,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => DatabaseErrorKind::Corrupt,
        // No statement of ours is wrong by itself: the tables, or what describes them, are not as they were made.
        ErrorCode::Unknown if failure.extended_code == ffi::SQLITE_ERROR => DatabaseErrorKind::Corrupt,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DatabaseErrorKind::Busy,
        _ => DatabaseErrorKind::Other,
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, SqliteError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    Ok(connection)
}

fn no_write_ahead_log() -> SqliteError {
    let message = "the file system of this database has no shared memory, which a write-ahead log needs".to_owned();
    SqliteError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(message)))
}

fn not_all_moved() -> SqliteError {
    let message = "another program reads this database or copies its log back, so that what it holds can't be made \
                   safe: let that one finish, then try again";
    let busy = ffi::Error::new(ffi::SQLITE_BUSY);
    SqliteError::from(rusqlite::Error::SqliteFailure(busy, Some(message.to_owned())))
}

/// What tests of this crate need to stand in a checkpoint's way.
#[cfg(test)]
pub(crate) mod in_the_way {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread::JoinHandle;

    use super::*;

    /// A connection that goes on reading what was there when this was called.
    pub(crate) fn reader(path: &Path) -> Connection {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a connection");
        connection.execute_batch("BEGIN; SELECT * FROM sqlite_schema").expect("a snapshot");
        connection
    }

    /// A checkpoint by another connection that is under way when this is there, and ends when it is dropped.
    ///
    /// Needs something in the log that a [`reader`] does not see: for that it waits.
    pub(crate) struct Checkpoint {
        thread: Option<JoinHandle<()>>,
        /// The handler below is a mere function: one at a time.
        _alone: MutexGuard<'static, ()>,
    }

    static ALONE: Mutex<()> = Mutex::new(());
    static WAITS: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicBool = AtomicBool::new(false);

    impl Checkpoint {
        pub(crate) fn start(path: &Path) -> Self {
            let path = path.to_owned();
            let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
            WAITS.store(false, Ordering::SeqCst);
            GO_ON.store(false, Ordering::SeqCst);
            let run = move || {
                let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a connection");
                let asked = |_: i32| {
                    WAITS.store(true, Ordering::SeqCst);
                    std::thread::yield_now();
                    !GO_ON.load(Ordering::SeqCst)
                };
                connection.busy_handler(Some(asked)).expect("a handler");
                connection.query_row("PRAGMA wal_checkpoint(FULL)", (), |_| Ok(())).expect("a row");
            };
            let thread = std::thread::spawn(run);
            while !WAITS.load(Ordering::SeqCst) && !thread.is_finished() {
                std::thread::yield_now();
            }
            assert!(!thread.is_finished(), "it had nothing to wait for");
            Self { thread: Some(thread), _alone }
        }
    }

    impl Drop for Checkpoint {
        fn drop(&mut self) {
            GO_ON.store(true, Ordering::SeqCst);
            self.thread.take().expect("dropped once").join().expect("the checkpoint ends");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32) -> DatabaseErrorKind {
        SqliteError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).kind()
    }

    #[test]
    fn a_failed_sync_is_told_from_a_failed_write_and_from_a_full_disk() {
        assert_eq!(kind(ffi::SQLITE_IOERR_FSYNC), DatabaseErrorKind::SyncFailed);
        assert_eq!(kind(ffi::SQLITE_IOERR_DIR_FSYNC), DatabaseErrorKind::SyncFailed);
        assert_eq!(kind(ffi::SQLITE_IOERR_WRITE), DatabaseErrorKind::WriteFailed);
        assert_eq!(kind(ffi::SQLITE_IOERR_READ), DatabaseErrorKind::Other);
        assert_eq!(kind(ffi::SQLITE_ERROR), DatabaseErrorKind::Corrupt);
        assert_eq!(kind(ffi::SQLITE_FULL), DatabaseErrorKind::Full);
        assert_eq!(kind(ffi::SQLITE_IOERR_SHMSIZE), DatabaseErrorKind::Full);
    }

    #[test]
    fn a_connection_is_synced_and_has_a_write_ahead_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let connection = open(&dir.path().join("a.sqlite3")).expect("a database");
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous"), Ok(2));
        assert_eq!(pragma("foreign_keys"), Ok(0));
        assert_eq!(pragma("wal_autocheckpoint"), Ok(WAL_AUTOCHECKPOINT_PAGES));
        assert_eq!(pragma("journal_size_limit"), Ok(-1));
    }

    #[test]
    fn a_file_that_is_no_database_is_corrupt() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.sqlite3");
        std::fs::write(&path, [b'x'; 8_192]).expect("a file");
        assert_eq!(open(&path).expect_err("no database").kind(), DatabaseErrorKind::Corrupt);
    }
}

//! Opening a store: the directory and its lock, the log, and an index that fits the log.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use steadfast_proto::ids::{LogId, Term};

use super::error::{FoldError, OpenError, ReadError};
use super::index::{Folder, Index, Mark};
use super::unfolded::{RecentChunk, Unfolded};
use super::{Recovered, Store, log, state};
use crate::log_again;
use crate::sqlite::{self, SqliteError, Stamp};

/// "SfLg".
pub(super) const STAMP: Stamp = Stamp { application: 0x5366_4c67, version: 1 };
/// While an index is made again, memory holds about this many entries.
const REFOLD_ENTRIES: usize = 50_000;

pub(super) fn log_path(directory: &Path) -> PathBuf {
    directory.join("log.sqlite3")
}

pub(super) fn index_path(directory: &Path) -> PathBuf {
    directory.join("index.sqlite3")
}

pub(super) fn open(directory: PathBuf, fresh_log_id: LogId) -> Result<(Store, Recovered), OpenError> {
    make_directory(&directory).map_err(|error| OpenError::io(&directory, &error))?;
    let lock = Arc::new(DirectoryLock::take(&directory)?);
    let path = log_path(&directory);
    refuse_emptied(&path, &index_path(&directory))?;
    let connection = open_log(&path, fresh_log_id)?;
    let recovered = log::recover(&connection).map_err(|error| OpenError::read(&path, error))?;

    let (index, applied) = open_index(&index_path(&directory), &recovered)?;
    let unfolded = Arc::new(Unfolded::new(recovered.head, applied));
    let folder = Folder::new(index, Arc::clone(&unfolded), Arc::clone(&lock));
    let term = recovered.term_at(recovered.head);
    let store = Store { log: connection, directory, folder, unfolded, term, sync_failed: false, doubted: false, lock };
    read_unfolded(&store, &recovered, applied)?;
    Ok((store, recovered))
}

/// Holds `DIR/lock` for this process until dropped. The file stays, since deleting it would let two in.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let failed = |error: io::Error| OpenError::io(&path, &error);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: directory.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
    }
}

/// `None` while the other process has not written it yet: it is for the reader of a message only.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Makes `directory` and what is above it, each entry synced: else a power cut could take a store that was synced.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    make_directory(parent)?;
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    #[cfg(unix)]
    File::open(parent)?.sync_all()?;
    Ok(())
}

/// Refuses a log that is gone or was emptied: made anew, it would be another log, which no client goes on with. The
/// index is made after the log.
fn refuse_emptied(log: &Path, index: &Path) -> Result<(), OpenError> {
    let has_something = log.metadata().is_ok_and(|found| found.len() > 0);
    if has_something || !index.exists() {
        return Ok(());
    }
    Err(OpenError::Emptied { path: log.to_owned() })
}

fn open_log(path: &Path, fresh_log_id: LogId) -> Result<Connection, OpenError> {
    let failed = |error: SqliteError| OpenError::sqlite(path, error);
    if path.exists() {
        look(path)?;
    }
    // What an earlier run could not sync may be in the page cache only: what is believed from now on is synced first.
    log_again::write_again(path).map_err(|error| OpenError::io(path, &error))?;
    let mut connection = sqlite::open(path).map_err(failed)?;
    sqlite::checkpoint(&connection).map_err(failed)?;
    if Stamp::read(&connection).map_err(failed)? != STAMP {
        make_log(&mut connection, fresh_log_id).map_err(failed)?;
    }
    Ok(connection)
}

/// A look before the first write, so that what a newer or another program wrote stays as it is.
fn look(path: &Path) -> Result<(), OpenError> {
    let failed = |error: SqliteError| OpenError::sqlite(path, error);
    match refuse_others(&sqlite::open_read_only(path).map_err(failed)?, path) {
        // What is read of a transaction that ended halfway, is read once it is taken back. That is how one looks who
        // lost the power while it was made.
        Err(OpenError::ReadOnly { .. }) => refuse_others(&sqlite::open_existing(path).map_err(failed)?, path),
        looked => looked,
    }
}

/// Passes a log of ours, and an empty database: what a process leaves that died while it made one.
fn refuse_others(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: SqliteError| OpenError::sqlite(path, error);
    let Stamp { application, version } = Stamp::read(connection).map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(|error| failed(error.into()))?;
    let empty = application == 0 && version == 0 && tables == 0;
    if !empty && application != STAMP.application {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if version > STAMP.version {
        return Err(OpenError::Newer { found: version, ours: STAMP.version });
    }
    Ok(())
}

fn make_log(connection: &mut Connection, log_id: LogId) -> Result<(), SqliteError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(log::SCHEMA)?;
    transaction.execute_batch(state::SCHEMA)?;
    log::make(&transaction, log_id)?;
    STAMP.write(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// The index and how far it is folded. One that can't be used is made anew.
fn open_index(path: &Path, log: &Recovered) -> Result<(Index, u64), OpenError> {
    let failed = |error: SqliteError| OpenError::sqlite(path, error);
    log_again::write_again(path).map_err(|error| OpenError::io(path, &error))?;
    let is_of_this_log =
        |mark: &Mark| mark.log_id == log.log_id && mark.applied <= log.head && mark.term == log.term_at(mark.applied);
    if let Some((index, mark)) = Index::open(path, is_of_this_log).map_err(failed)? {
        return Ok((index, mark.applied));
    }
    if log.head > 0 {
        tracing::warn!(path = %path.display(), "the index can't be used and is made again");
    }
    for suffix in ["", "-wal", "-shm"] {
        remove(&path.with_extension(format!("sqlite3{suffix}")))?;
    }
    Ok((Index::make(path, log.log_id).map_err(failed)?, 0))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads into memory what the index lacks, and folds on the way if that is much.
fn read_unfolded(store: &Store, recovered: &Recovered, applied: u64) -> Result<(), OpenError> {
    let read = log::spans_behind(&store.log, applied, |first_position, last_position, rooms| {
        let term = recovered.term_at(last_position);
        let rooms = Arc::from(rooms);
        store.unfolded.append(vec![RecentChunk { first_position, last_position, term, rooms }]);
        if store.unfolded_entries() >= REFOLD_ENTRIES {
            store.fold(usize::MAX)?;
        }
        Ok(())
    });
    read.map_err(|error| match error {
        RefoldError::Read(error) => OpenError::read(&log_path(&store.directory), error),
        RefoldError::Fold(error) => OpenError::fold(&index_path(&store.directory), error),
    })
}

enum RefoldError {
    Read(ReadError),
    Fold(FoldError),
}

impl From<ReadError> for RefoldError {
    fn from(error: ReadError) -> Self {
        RefoldError::Read(error)
    }
}

impl From<FoldError> for RefoldError {
    fn from(error: FoldError) -> Self {
        RefoldError::Fold(error)
    }
}

impl Recovered {
    /// The term of the entry at `position`.
    fn term_at(&self, position: u64) -> Option<Term> {
        let begun = self.terms.partition_point(|(_, first_position)| *first_position <= position);
        let (term, _) = self.terms.get(begun.checked_sub(1)?)?;
        Some(*term)
    }
}

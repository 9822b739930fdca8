//! A profile on a disk, in a directory:
//! - `profile.sqlite3`: all that must not be lost. What a method of [`Profile`] wrote there is synced when it returns.
//! - `live.sqlite3`: what may be lost with the machine's power but not with the process: see [`Live`].
//! - `driver.lock`: who drives the link: see [`DriverLock`].
//! - `open.lock`: held by a process while it opens the databases.
//! - `write.lock`: held while a transaction writes to `profile.sqlite3`.
//!
//! Several processes use one profile at once, each thread with a [`Profile`] of its own; every writing transaction is
//! immediate, so that they stand in line. Only the holder of the lock may call [`Profile::apply`].

mod aside;
mod consumer;
mod directory;
mod live;
mod lock;
mod messages;
mod notices;
mod number;
mod outbox;
mod outcomes;
mod pending;
mod printed;
mod reading;
mod rooms;
mod row;
mod rows;
mod schema;
mod search;
mod standing;
mod store;
#[cfg(test)]
mod tests;
mod wants;

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use steadfast_proto::ids::{OperationId, Place};
use steadfast_proto::names;
use steadfast_proto::session::{Change, Identity, Resume, Stored};

use super::append::append_within;
use super::apply::apply_within;
use super::row::{OpKind, OutboxRow, Reference};
use super::standing::{Standing, resume};
use super::{
    Answer, AppendError, ApplyError, AsideMessage, ConsumerClaim, FlightRow, Fresh, LineKey, NewOp, Notice, NoticeKind,
    PendingIn, PendingOp, ProfileError, ProfileStore, Queued, RefusedOp, RoomInfo, Search, SearchFrom, Searched,
    SettledOutcome, Stay, StoredMessage, StreamPlace, Unread, Want, What,
};
use crate::log_again;
use crate::sqlite;
use crate::{DatabaseErrorKind, SqliteError};
use rows::Rows;

pub use live::Live;
pub use lock::DriverLock;

const FILE: &str = "profile.sqlite3";
const WRITING: &str = "write.lock";
/// There are about 50 different statements; the hot ones must stay prepared.
const STATEMENTS_CACHED_MAX: usize = 64;

/// One device's store. For one thread at a time; open another one for another thread.
#[derive(Debug)]
pub struct Profile {
    directory: PathBuf,
    connection: Connection,
    live: Live,
    /// Locked by who writes to the profile's database. SQLite's own waiting looks ten times a second whether it
    /// is free: beside a writer whose every sync is slow that finds its turn by luck only.
    ///
    /// `None` where nothing can be written.
    writing: Option<Arc<File>>,
    /// After a failed write or sync this handle writes no more: that it works again would prove nothing.
    failed: Option<ProfileError>,
    /// Whether the last write failed though there was room a moment later: see [`Profile::failed_write`].
    doubted: bool,
    /// See [`Profile::settle_unsynced`], as is the next.
    log_written_again: bool,
    settled: bool,
    /// The newest rewind that the last read of messages knew of: see [`Profile::set_printed`].
    rewind_seen: Cell<u64>,
}

impl Profile {
    /// Opens the profile in `dir`. If there is none, it is made with `fresh` as its identity, which is on disk when
    /// this returns, so that a device that connects is known to itself from then on. Without `fresh` nothing is made
    /// ([`ProfileError::NotThere`]), and one that can't be written is opened to be read.
    pub fn open(dir: &Path, name: &str, fresh: Option<&Fresh>) -> Result<Profile, ProfileError> {
        match Profile::open_unnamed(dir, name, fresh).map_err(|error| error.located(dir)) {
            Err(ProfileError::NotWritable { .. }) if fresh.is_none() => Profile::open_to_read(dir, name),
            opened => opened,
        }
    }

    /// The same, with errors that don't say what the directory lacks.
    fn open_unnamed(dir: &Path, name: &str, fresh: Option<&Fresh>) -> Result<Profile, ProfileError> {
        let invalid = |error| ProfileError::NameInvalid { name: name.to_owned(), error };
        let asked = names::spelled(name).map_err(invalid)?;
        let not_there = || ProfileError::NotThere { dir: dir.to_owned() };
        let path = dir.join(FILE);
        if fresh.is_some() {
            directory::make(dir)?;
        } else if !path.exists() {
            return Err(not_there());
        }
        let turn = directory::take_turn(dir)?;
        schema::refuse_emptied(&path)?;
        let writing = Arc::new(directory::open_lock(dir, WRITING)?);
        // Before the log can be moved into the database, which happens when the last one closes it. Whoever writes now
        // is not waited for, since its disk may be slow: then it is done in our first turn.
        let quiet = WritingTurn::try_take(&writing, dir)?;
        if let Some(turn) = &quiet {
            write_log_again(dir, turn)?;
        }
        // Before the usual way of opening, which writes to an empty file.
        if fresh.is_none() && schema::is_blank(&path)? {
            return Err(not_there());
        }
        let mut connection = sqlite::open(&path)?;
        // From here on this process has the log open, and is told of every sync of it that fails.
        let log_written_again = quiet.is_some();
        drop(quiet);
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
        // One that is made already is looked at without a transaction: a writer may be at a disk that stalls.
        if !schema::is_ours(&connection, &path)? {
            let transaction = immediate(&mut connection)?;
            schema::prepare(&transaction)?;
            insert_identity(&transaction, &asked, fresh.ok_or_else(not_there)?)?;
            transaction.commit()?;
        }
        let live = Live::open(dir)?;
        drop(turn);
        let opened = Profile::new(dir, connection, live, Some(writing));
        Profile { log_written_again, ..opened }.check_name(name)
    }

    /// Opens the profile where nothing can be written: on a disk that is mounted for reading only, say.
    fn open_to_read(dir: &Path, name: &str) -> Result<Profile, ProfileError> {
        let located = |error: SqliteError| ProfileError::from(error).located(dir);
        let path = dir.join(FILE);
        let connection = sqlite::open_where_nothing_is_written(&path).map_err(located)?;
        if !schema::is_ours(&connection, &path).map_err(|error| error.located(dir))? {
            return Err(ProfileError::NotThere { dir: dir.to_owned() });
        }
        let live = Live::open_to_read(dir)?;
        Profile::new(dir, connection, live, None).check_name(name)
    }

    fn new(dir: &Path, connection: Connection, live: Live, writing: Option<Arc<File>>) -> Profile {
        let directory = dir.to_owned();
        let rewind_seen = Cell::new(0);
        Profile {
            directory,
            connection,
            live,
            writing,
            failed: None,
            doubted: false,
            log_written_again: false,
            settled: false,
            rewind_seen,
        }
    }

    fn check_name(self, asked: &str) -> Result<Profile, ProfileError> {
        let found = standing::identity(&self.connection).map_err(|error| error.located(&self.directory))?.name;
        if names::folded(&found).ok() == names::folded(asked).ok() {
            return Ok(self);
        }
        let asked = names::spelled(asked).unwrap_or_else(|_| asked.to_owned());
        Err(ProfileError::OtherName { dir: self.directory, found, asked })
    }

    /// Who this device is.
    pub fn identity(&self) -> Result<Identity, ProfileError> {
        standing::identity(&self.connection)
    }

    /// Where this device stands; of one moment, whatever other processes write meanwhile.
    pub fn resume(&mut self) -> Result<Resume, ProfileError> {
        if !self.settled {
            let turn = self.take_turn_to_write()?;
            self.settle_unsynced(&turn).map_err(|error| self.failed_write(error))?;
        }
        // Reads only: that its end is a rollback changes nothing.
        let snapshot = self.connection.unchecked_transaction()?;
        resume(&Rows(&snapshot))
    }

    /// Up to here everything is stored; `None` before the first contact.
    pub fn place(&self) -> Result<Option<Place>, ProfileError> {
        Ok(standing::load(&self.connection)?.place)
    }

    /// Queues operations, in this order, with the next sequences. All of them are on disk when this returns, or none;
    /// after [`ProfileError::DiskFailed`] it is not known which.
    pub fn append(&mut self, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
        let turn = self.take_turn_to_write()?;
        let appended = self.within_transaction(&turn, |rows| append_within(rows, items));
        appended.map_err(|error: AppendError| match error {
            AppendError::Profile(error) => AppendError::Profile(self.failed_write(error)),
            AppendError::Full { .. }
            | AppendError::KeysFull { .. }
            | AppendError::KeyMismatch { .. }
            | AppendError::TooLarge { .. }
            | AppendError::NameInvalid { .. }
            | AppendError::NotInRoom { .. }
            | AppendError::UnknownOperation { .. } => error,
        })
    }

    /// Applies the changes in their order: all of them are on disk when this returns, or none. `at_ms` is the device's
    /// clock; `fresh_ids` draws ids at random, for operations that lead back into rooms that a divergence took away.
    pub fn apply(
        &mut self,
        changes: &[Change],
        at_ms: u64,
        fresh_ids: &mut dyn FnMut() -> OperationId,
    ) -> Result<Stored, ApplyError> {
        let turn = self.take_turn_to_write()?;
        let applied = self.within_transaction(&turn, |rows| apply_within(rows, changes, at_ms, fresh_ids));
        applied.map_err(|error: ApplyError| match error {
            ApplyError::Profile(error) => ApplyError::Profile(self.failed_write(error)),
            ApplyError::AnotherLog { .. }
            | ApplyError::NotWelcomed
            | ApplyError::OutOfOrder { .. }
            | ApplyError::Backwards { .. }
            | ApplyError::StrangePage { .. }
            | ApplyError::NotAPosition { .. } => error,
        })
    }

    /// Runs something on the rows: all that it changed is synced when this returns, or nothing is changed.
    fn within_transaction<T, E: From<ProfileError> + From<rusqlite::Error>>(
        &mut self,
        turn: &WritingTurn,
        change: impl FnOnce(&mut Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.settle_unsynced(turn)?;
        let transaction = immediate(&mut self.connection)?;
        let changed = change(&mut Rows(&transaction))?;
        transaction.commit()?;
        self.doubted = false;
        Ok(changed)
    }

    /// What an earlier process could not sync may be in the page cache only, where it looks like the rest. Before this
    /// one writes behind it or tells the server of it, it is brought into the database and synced. In a turn to write:
    /// beside a writer the database would not be synced, and while another one settles nothing would be done.
    fn settle_unsynced(&mut self, turn: &WritingTurn) -> Result<(), ProfileError> {
        if !self.settled {
            if !self.log_written_again {
                write_log_again(&self.directory, turn)?;
                self.log_written_again = true;
            }
            sqlite::checkpoint(&self.connection)?;
            self.settled = true;
        }
        Ok(())
    }

    /// Waits for the turn to write, behind whoever writes now, however slow its disk is; the turn ends when the value
    /// is dropped. Refuses after a failed write or sync.
    fn take_turn_to_write(&self) -> Result<WritingTurn, ProfileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let failed = |error: io::Error| ProfileError::Io { path: self.directory.join(WRITING), kind: error.kind() };
        let writing = self.writing.as_ref();
        let writing = writing.ok_or_else(|| ProfileError::NotWritable { dir: self.directory.clone() })?;
        writing.lock().map_err(failed)?;
        Ok(WritingTurn(Arc::clone(writing)))
    }

    /// What an error of a write means. One after which there is room may still have met a used-up quota that was
    /// raised since; all of it is rolled back, so the first of a row may be tried again.
    fn failed_write(&mut self, error: ProfileError) -> ProfileError {
        let write = matches!(&error, ProfileError::Database { kind: DatabaseErrorKind::WriteFailed, .. });
        let error = error.located(&self.directory);
        if !matches!(error, ProfileError::DiskFailed { .. }) {
            return error;
        }
        if write && !std::mem::replace(&mut self.doubted, true) {
            tracing::warn!(%error, "a write failed though there is room: it is tried once more");
            return ProfileError::DiskFull { dir: self.directory.clone() };
        }
        self.failed = Some(error.clone());
        error
    }

    /// Status, wishes and drops: what the processes of this profile tell each other.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// A number that is another one after any other process or `Profile` wrote to this profile, and only then. Cheap:
    /// made for polling. It says nothing to another `Profile`.
    pub fn version(&self) -> Result<i64, ProfileError> {
        Ok(data_version(&self.connection)?.wrapping_add(self.live.version()?))
    }
}

/// The right to write, until it is dropped.
#[derive(Debug)]
struct WritingTurn(Arc<File>);

impl WritingTurn {
    /// `None`: somebody writes now.
    fn try_take(writing: &Arc<File>, dir: &Path) -> Result<Option<Self>, ProfileError> {
        match writing.try_lock() {
            Ok(()) => Ok(Some(WritingTurn(Arc::clone(writing)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(ProfileError::Io { path: dir.join(WRITING), kind: error.kind() }),
        }
    }
}

impl Drop for WritingTurn {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the writing lock was not given back: others wait until this process ends");
        }
    }
}

/// Nobody else writes in this turn.
fn write_log_again(dir: &Path, _: &WritingTurn) -> Result<(), ProfileError> {
    let path = dir.join(FILE);
    log_again::write_again(&path).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ProfileError::DiskFull { dir: dir.to_owned() },
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            ProfileError::NotWritable { dir: dir.to_owned() }
        }
        _ => ProfileError::DiskFailed { dir: dir.to_owned(), text: error.to_string() },
    })
}

/// Starts a transaction that waits in line for its turn to write, so that what it reads stays true until it commits.
fn immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// <https://www.sqlite.org/pragma.html#pragma_data_version>: grows with every commit of another connection.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

fn insert_identity(connection: &Connection, name: &str, fresh: &Fresh) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO profile (one, name, device_id, secret, account, next_sequence, outbox_rows, outbox_bytes)
         VALUES (1, ?, ?, ?, ?, 1, 0, 0)",
        params![name, fresh.device_id.0, fresh.secret, number::to_row(fresh.account.0)],
    )?;
    Ok(())
}

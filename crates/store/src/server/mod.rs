//! What a server keeps: the log (chunks of frames in order of position), the state that operations changed, and an
//! index of which chunk holds something of which room.
//!
//! | file | holds | written |
//! |---|---|---|
//! | `log.sqlite3` | chunks, terms, state rows, head: the truth | in the one transaction of [`Store::commit`], synced |
//! | `index.sqlite3` | (room, chunk) | behind, by [`Folder::fold`]; made again from the log when it can't be used |
//! | `lock` | the process id of whoever has the directory open | at [`Store::open`] |
//!
//! One thread owns the [`Store`] and commits. Any thread may own a [`Reader`] (catch-up, history) or a [`Folder`]; each
//! has connections of its own, so none waits for a commit and no commit waits for them. What is committed and not
//! folded yet is in memory, and is read again from the log at the next start.
//!
//! The store knows positions, rooms and room sequences. What a frame or a state row means is left to the hub.

mod error;
mod index;
mod log;
mod open;
mod reader;
mod state;
mod unfolded;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior};
pub use steadfast_proto::hub::connection::StoredChunk;
use steadfast_proto::ids::{LogId, RoomId, Term};

pub use error::{CommitError, FoldError, OpenError, ReadError};
pub use index::Folder;
pub use reader::Reader;
pub use state::{Put, Table};

use crate::database::DatabaseErrorKind;
use crate::sqlite::SqliteError;
use open::DirectoryLock;
use unfolded::{RecentChunk, Unfolded};

/// A server's log and state, open for writing in this process alone.
pub struct Store {
    log: Connection,
    directory: PathBuf,
    folder: Folder,
    unfolded: Arc<Unfolded>,
    /// The term of the last entry.
    term: Option<Term>,
    sync_failed: bool,
    /// Whether the last commit failed though there was room a moment later.
    doubted: bool,
    lock: Arc<DirectoryLock>,
}

/// What the log held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The id that the log was made with.
    pub log_id: LogId,
    /// Each term and the position of its first entry, ascending.
    pub terms: Vec<(Term, u64)>,
    /// The position of the last entry; 0 if there is none.
    pub head: u64,
    /// [`Commit::last_at_ms`] of the last commit; 0 if there is none.
    pub last_at_ms: u64,
}

/// What is to become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Chunks that go on where the log ends, without a hole.
    pub chunks: Vec<Chunk>,
    /// State rows to write; of two with one key the later stays.
    pub puts: Vec<Put>,
    /// A term that begins with one of the entries in `chunks`, at that position.
    pub new_term: Option<(Term, u64)>,
    /// The time of the last entry, in Unix milliseconds.
    pub last_at_ms: u64,
}

/// Some entries in order of position, as the frames that go on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The position of the first entry. Positions begin with 1.
    pub first_position: u64,
    /// How many entries; at least one.
    pub count: u32,
    /// The frames of the entries that have any; not read here.
    pub frames: Bytes,
    /// What this holds of each room, every room once.
    pub rooms: Vec<RoomSpan>,
}

/// What a chunk holds of one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomSpan {
    /// The room.
    pub room: RoomId,
    /// The room sequence of its first entry in the chunk.
    pub first_sequence: u64,
    /// The room sequence of its last entry in the chunk.
    pub last_sequence: u64,
}

/// What [`Reader::chunks_for`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whole chunks, ascending, none twice. They hold entries of other rooms, and of before `after`, too.
    pub chunks: Vec<StoredChunk>,
    /// Everything of these rooms up to this position is in `chunks` (or was at or before `after`).
    pub covered_through: u64,
}

impl Store {
    /// Takes the directory for this process and opens the store in it; makes both if there are none, with
    /// `fresh_log_id` as the id of a new log.
    ///
    /// Reads the chunks that are not in the index yet, which is little unless the index has to be made again (then all
    /// chunk rows are read, but not their frames).
    pub fn open(directory: impl Into<PathBuf>, fresh_log_id: LogId) -> Result<(Store, Recovered), OpenError> {
        open::open(directory.into(), fresh_log_id)
    }

    /// Makes `commit` durable as a whole, or changes nothing. When this returns `Ok` it is on the disk.
    ///
    /// After [`CommitError::Full`] the store goes on as if the commit had never been tried. After
    /// [`CommitError::SyncFailed`] it takes no more: the process has to stop, and may acknowledge nothing.
    ///
    /// A commit that failed can still be found by the next start if the process dies before its next commit (the last
    /// step after the sync failed). So a failure is no outcome to tell a peer: it may only be tried again.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), CommitError> {
        if self.sync_failed {
            return Err(CommitError::SyncFailed);
        }
        let head = log::check(commit, self.head())?;
        if let Err(error) = self.write(commit, head) {
            return Err(self.failed(error));
        }
        self.doubted = false;
        let recent = self.with_terms(commit);
        self.unfolded.append(recent);
        Ok(())
    }

    /// What an error of a commit means. One after which there is room may still have met a used-up quota that was
    /// raised since; all of it is rolled back, so the first of a row may be tried again.
    fn failed(&mut self, error: SqliteError) -> CommitError {
        let write = error.kind() == DatabaseErrorKind::WriteFailed;
        let error = CommitError::sqlite(&self.directory, error);
        if write && error != CommitError::Full && !std::mem::replace(&mut self.doubted, true) {
            tracing::warn!(%error, "a write failed though there is room: it is tried once more");
            return CommitError::Full;
        }
        self.sync_failed = error == CommitError::SyncFailed;
        error
    }

    /// Calls `each` with the key and the value of every row of a state table, in order of the keys, until it fails.
    pub fn state_rows<E: From<ReadError>>(
        &self,
        table: Table,
        each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        state::rows(&self.log, table, each)
    }

    /// The position of the last entry; 0 if there is none.
    pub fn head(&self) -> u64 {
        self.unfolded.head()
    }

    /// How many (room, chunk) pairs are in memory only. The caller folds when this grows, and takes no operations when
    /// folding does not keep up.
    pub fn unfolded_entries(&self) -> usize {
        self.unfolded.entries()
    }

    /// [`Folder::fold`], on this thread.
    pub fn fold(&self, entries_max: usize) -> Result<usize, FoldError> {
        self.folder.fold(entries_max)
    }

    /// For folding on another thread. It keeps the directory locked until it is dropped.
    pub fn folder(&self) -> Folder {
        self.folder.clone()
    }

    /// For reading on another thread. It keeps the directory locked until it is dropped.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Reader::open(&self.directory, &self.unfolded, &self.lock)
    }

    fn write(&mut self, commit: &Commit, head: u64) -> Result<(), SqliteError> {
        let transaction = self.log.transaction_with_behavior(TransactionBehavior::Immediate)?;
        log::append(&transaction, commit, head)?;
        state::put(&transaction, &commit.puts)?;
        transaction.commit()?;
        Ok(())
    }

    /// The chunks of a commit as memory keeps them, each with the term of its last entry.
    fn with_terms(&mut self, commit: &Commit) -> Vec<RecentChunk> {
        let before = self.term;
        let term_at = |position| match commit.new_term {
            Some((term, first_position)) if first_position <= position => Some(term),
            Some(_) | None => before,
        };
        let recent = commit.chunks.iter().map(|chunk| {
            let last_position = chunk.last_position();
            RecentChunk {
                first_position: chunk.first_position,
                last_position,
                term: term_at(last_position),
                rooms: Arc::from(chunk.rooms.as_slice()),
            }
        });
        let recent: Vec<RecentChunk> = recent.collect();
        self.term = recent.last().map_or(before, |chunk| chunk.term);
        recent
    }
}

impl Chunk {
    /// The position of the last entry.
    pub fn last_position(&self) -> u64 {
        last_position(self.first_position, self.count)
    }
}

fn last_position(first_position: u64, count: u32) -> u64 {
    first_position.saturating_add(u64::from(count)).saturating_sub(1)
}

/// Locks for an operation on memory. Nothing that is done under these locks leaves the value half changed if it panics,
/// and the panic of one reader must not end the writer.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! What can go wrong, sorted by what the caller has to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::database::DatabaseErrorKind;
use crate::sqlite::{self, SqliteError};

/// Why a store can't be opened. Each is one line for whoever started the server, and says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is in use by process {}: stop that one, or name another directory",
        directory.display(),
        pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string())
    )]
    InUse {
        /// The directory of the store.
        directory: PathBuf,
        /// The other process, if it has written its id already.
        pid: Option<u32>,
    },
    /// A later version of this program wrote it. It is left as it is.
    #[error("this store has version {found} and this program knows up to {ours}: start a newer program")]
    Newer {
        /// The version of the store.
        found: u32,
        /// The latest that this program can read.
        ours: u32,
    },
    /// The database was made by another program.
    #[error("{} is not a Steadfast log: name another directory", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Where the directory should be is something else.
    #[error("{} is not a directory: name another one with --data", .path.display())]
    NotADirectory {
        /// What was given as the directory.
        path: PathBuf,
    },
    /// This process may not write there.
    #[error(
        "{} can't be written: give it to the user that runs the server, or mount it for writing",
        .path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
    },
    /// The device has no room, not even for opening.
    #[error("no room left on the device of {}: free some and start again", .path.display())]
    Full {
        /// The file or directory.
        path: PathBuf,
    },
    /// The log contradicts itself.
    #[error(
        "{} is damaged near position {position}: restore it from a backup",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it was noticed; 0 if not at an entry.
        position: u64,
    },
    /// There was a log, as the index beside it tells. Nothing was written.
    #[error(
        "{} is missing or empty, though there was a log: restore it from a backup, or name another directory",
        .path.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused for another reason.
    #[error("{}: {kind}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        kind: io::ErrorKind,
    },
    /// SQLite refused for another reason.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: SqliteError,
    },
}

/// Why a commit changed nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// The device has no room. The store can be used as before; the same commit may be tried again later.
    #[error("no room left on the device")]
    Full,
    /// A sync failed: what the disk holds is unknown and can't be learnt. Acknowledge nothing and stop the process; the
    /// next start finds out what is there.
    #[error("a sync failed: what is on the disk is unknown")]
    SyncFailed,
    /// The caller's fault: the chunk at `found` does not follow the last one, or a term begins outside of the commit.
    #[error("position {found} was committed where {expected} is next")]
    NotContiguous {
        /// The position that had to come.
        expected: u64,
        /// The position that came.
        found: u64,
    },
    /// The caller's fault: a chunk of no entries, with a room twice, or with more of the rooms than it has entries.
    #[error("the chunk at position {position} contradicts itself")]
    BadChunk {
        /// The first position of the chunk.
        position: u64,
    },
    /// SQLite refused for another reason; the transaction is rolled back.
    #[error(transparent)]
    Other(SqliteError),
}

/// Why the index did not take what is in memory. Memory keeps it: fold again later.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FoldError {
    /// The device has no room.
    #[error("no room left on the device for the index")]
    Full,
    /// The index can't be used any more.
    #[error("index.sqlite3 is damaged: stop the server, delete that file, start again")]
    Damaged,
    /// SQLite refused for another reason.
    #[error(transparent)]
    Other(SqliteError),
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// A chunk is missing or contradicts itself.
    #[error("the log is damaged at position {position}: restore it from a backup")]
    Damaged {
        /// The first position of the chunk.
        position: u64,
    },
    /// A state table can't be read.
    #[error("the state of the log is damaged: restore it from a backup")]
    StateDamaged,
    /// The index can't be used any more.
    #[error("index.sqlite3 is damaged: stop the server, delete that file, start again")]
    IndexDamaged,
    /// SQLite refused for another reason.
    #[error(transparent)]
    Other(SqliteError),
}

impl OpenError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => OpenError::ReadOnly { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full { path },
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => OpenError::NotADirectory { path },
            kind => OpenError::Io { path, kind },
        }
    }

    pub(super) fn sqlite(path: &Path, source: SqliteError) -> Self {
        let path = path.to_owned();
        match source.kind() {
            DatabaseErrorKind::Full => OpenError::Full { path },
            DatabaseErrorKind::ReadOnly => OpenError::ReadOnly { path },
            DatabaseErrorKind::Corrupt => OpenError::Damaged { path, position: 0 },
            DatabaseErrorKind::WriteFailed if path.parent().is_some_and(sqlite::has_no_room) => {
                OpenError::Full { path }
            }
            DatabaseErrorKind::WriteFailed
            | DatabaseErrorKind::SyncFailed
            | DatabaseErrorKind::Busy
            | DatabaseErrorKind::Other => OpenError::Sqlite { path, source },
        }
    }

    pub(super) fn fold(path: &Path, error: FoldError) -> Self {
        let path = path.to_owned();
        match error {
            FoldError::Full => OpenError::Full { path },
            FoldError::Damaged => OpenError::Damaged { path, position: 0 },
            FoldError::Other(source) => OpenError::sqlite(&path, source),
        }
    }

    pub(super) fn read(path: &Path, error: ReadError) -> Self {
        match error {
            ReadError::Damaged { position } => OpenError::Damaged { path: path.to_owned(), position },
            ReadError::StateDamaged | ReadError::IndexDamaged => {
                OpenError::Damaged { path: path.to_owned(), position: 0 }
            }
            ReadError::Other(source) => OpenError::sqlite(path, source),
        }
    }
}

impl CommitError {
    /// What an error means to a store in this directory.
    pub(super) fn sqlite(directory: &Path, error: SqliteError) -> Self {
        match error.kind() {
            DatabaseErrorKind::Full => CommitError::Full,
            DatabaseErrorKind::SyncFailed => CommitError::SyncFailed,
            DatabaseErrorKind::WriteFailed if sqlite::has_no_room(directory) => CommitError::Full,
            DatabaseErrorKind::WriteFailed
            | DatabaseErrorKind::ReadOnly
            | DatabaseErrorKind::Corrupt
            | DatabaseErrorKind::Busy
            | DatabaseErrorKind::Other => CommitError::Other(error),
        }
    }
}

impl From<SqliteError> for FoldError {
    fn from(error: SqliteError) -> Self {
        match error.kind() {
            DatabaseErrorKind::Full => FoldError::Full,
            DatabaseErrorKind::Corrupt => FoldError::Damaged,
            DatabaseErrorKind::SyncFailed
            | DatabaseErrorKind::WriteFailed
            | DatabaseErrorKind::ReadOnly
            | DatabaseErrorKind::Busy
            | DatabaseErrorKind::Other => FoldError::Other(error),
        }
    }
}

impl ReadError {
    pub(super) fn in_chunk(position: u64, error: SqliteError) -> Self {
        Self::or(ReadError::Damaged { position }, error)
    }

    pub(super) fn in_state(error: SqliteError) -> Self {
        Self::or(ReadError::StateDamaged, error)
    }

    pub(super) fn in_index(error: SqliteError) -> Self {
        Self::or(ReadError::IndexDamaged, error)
    }

    fn or(damaged: Self, error: SqliteError) -> Self {
        match error.kind() {
            DatabaseErrorKind::Corrupt => damaged,
            DatabaseErrorKind::Full
            | DatabaseErrorKind::SyncFailed
            | DatabaseErrorKind::WriteFailed
            | DatabaseErrorKind::ReadOnly
            | DatabaseErrorKind::Busy
            | DatabaseErrorKind::Other => ReadError::Other(error),
        }
    }
}

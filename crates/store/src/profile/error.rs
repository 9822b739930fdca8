//! What can go wrong in a profile, sorted by whose business it is: the environment's, the peer's, our caller's.

use std::io;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;

use steadfast_proto::ids::{LogId, OperationId, RoomId};
use steadfast_proto::names::NameError;

use crate::database::DatabaseErrorKind;
#[cfg(feature = "sqlite")]
use crate::{SqliteError, sqlite};

/// The profile can't be opened, read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// The database or the file system below it.
    #[error("the profile's database: {}", what_to_do(*.kind, .text))]
    Database {
        /// What it means.
        kind: DatabaseErrorKind,
        /// In the database's own words.
        text: String,
    },
    /// The directory or a file in it.
    #[error("{}: {kind}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// There is none, and none was to be made. Nothing was written.
    #[error("there is no profile in {} yet; `steadfast tail` or `send` makes one", dir.display())]
    NotThere {
        /// The directory that was looked into.
        dir: PathBuf,
    },
    /// Nothing was written, as no byte more fits there.
    #[error("no space left on the disk of {}: free some", dir.display())]
    DiskFull {
        /// The profile's directory.
        dir: PathBuf,
    },
    /// Nothing was written, as this process may not write there.
    #[error("{} can't be written: allow it, or choose another directory with --profile", dir.display())]
    NotWritable {
        /// The profile's directory.
        dir: PathBuf,
    },
    /// Where the profile's directory should be is something else.
    #[error("{} is not a directory: choose another one with --profile", dir.display())]
    NotADirectory {
        /// What was given as the directory.
        dir: PathBuf,
    },
    /// A write or a sync failed. What the disk holds is unknown, and trying again on this handle would not tell.
    #[error("the disk of {} failed ({text}): look at it, then start again", dir.display())]
    DiskFailed {
        /// The profile's directory.
        dir: PathBuf,
        /// What SQLite said.
        text: String,
    },
    /// What is there is no profile any more. It is left as it is.
    #[error(
        "the profile in {} is damaged ({text}): restore it from a backup, or choose another directory with --profile",
        dir.display()
    )]
    Broken {
        /// The profile's directory.
        dir: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// Every profile is of one name.
    #[error("{} is the profile of {found:?}, not of {asked:?}; choose another directory with --profile", dir.display())]
    OtherName {
        /// The profile's directory.
        dir: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it was asked to be.
        asked: String,
    },
    /// Nobody can have this name.
    #[error("{name:?} can't be a name: {error}")]
    NameInvalid {
        /// As it was given.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// Nothing was changed.
    #[error("{} was written by a newer steadfast (format {found}, this: {known}); update this one", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Nothing was changed.
    #[error("{} is a database of another program; choose another directory with --profile", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A row says what no version of this program wrote.
    #[error("the profile is damaged ({what}): restore it from a backup, or choose another directory with --profile")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
}

/// Operations that were not queued. Nothing of their batch was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// The outbox is at its limit.
    #[error("the outbox is full: {rows} operations, {bytes} bytes wait for the server")]
    Full {
        /// What waits now, without this batch.
        rows: u64,
        /// Bytes of it.
        bytes: u64,
    },
    /// A profile in memory keeps no more keyed lines: it would have to forget which ones it was given before.
    #[error("{lines} lines are kept by key, and memory has no room for more: use a profile on a disk")]
    KeysFull {
        /// Lines that are kept.
        lines: u64,
    },
    /// A line of a key is there already, with other content.
    #[error("line {line} is not the line that was sent under this key before")]
    KeyMismatch {
        /// As the caller counts lines.
        line: u64,
    },
    /// Larger than any frame that could carry it.
    #[error("an operation of {bytes} bytes is too large")]
    TooLarge {
        /// Its index in the batch.
        index: usize,
        /// Its size.
        bytes: u64,
    },
    /// The room's name can't be one.
    #[error("{name:?} can't be the name of a room: {error}")]
    NameInvalid {
        /// Its index in the batch.
        index: usize,
        /// As it was given.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// It leaves a room, or changes who is in it, that this device is not in and has not queued to enter.
    #[error("this device is not in the room {name:?}: enter it first")]
    NotInRoom {
        /// As it was given.
        name: String,
    },
    /// It addresses a room by an operation that this profile never saw.
    #[error("no operation {by} of this profile made or entered a room")]
    UnknownOperation {
        /// The operation.
        by: OperationId,
    },
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// Changes that were not applied. Nothing of their batch was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// The server's log is not the one that this profile follows: nothing is sent to it without consent.
    #[error("the server has another log ({found}) than this profile ({stored})")]
    AnotherLog {
        /// The profile's.
        stored: LogId,
        /// The server's.
        found: LogId,
    },
    /// A position was told before any link was accepted.
    #[error("a position was told outside a link")]
    NotWelcomed,
    /// An entry that does not follow the last one of its room.
    #[error("room {room}: entry {found} came, expected {expected:?}")]
    OutOfOrder {
        /// The room.
        room: RoomId,
        /// The sequence that would have been right; `None`: this device is not in the room.
        expected: Option<u64>,
        /// The sequence that came.
        found: u64,
    },
    /// Positions only grow.
    #[error("position {found} came after {place}")]
    Backwards {
        /// The place.
        place: u64,
        /// The position that came.
        found: u64,
    },
    /// A page of one room with an entry of another.
    #[error("a page of room {page} holds an entry of room {entry}")]
    StrangePage {
        /// The page's room.
        page: RoomId,
        /// The entry's room.
        entry: RoomId,
    },
    /// A position or room sequence that no log reaches.
    #[error("{number} is no position")]
    NotAPosition {
        /// What came.
        number: u64,
    },
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl ProfileError {
    /// Whether it passes once the disk has room or another process has finished: the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            ProfileError::DiskFull { .. } => true,
            ProfileError::Database { kind, .. } => match kind {
                DatabaseErrorKind::Full | DatabaseErrorKind::Busy => true,
                DatabaseErrorKind::SyncFailed
                | DatabaseErrorKind::WriteFailed
                | DatabaseErrorKind::ReadOnly
                | DatabaseErrorKind::Corrupt
                | DatabaseErrorKind::Other => false,
            },
            ProfileError::Io { kind, .. } => {
                matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            ProfileError::NotThere { .. }
            | ProfileError::NotWritable { .. }
            | ProfileError::NotADirectory { .. }
            | ProfileError::DiskFailed { .. }
            | ProfileError::Broken { .. }
            | ProfileError::OtherName { .. }
            | ProfileError::NameInvalid { .. }
            | ProfileError::Newer { .. }
            | ProfileError::Foreign { .. }
            | ProfileError::Damaged { .. } => false,
        }
    }
}

#[cfg(feature = "sqlite")]
impl ProfileError {
    /// Names the directory where its owner can help: who uses a profile may not know which one it is.
    pub(super) fn located(self, dir: &Path) -> ProfileError {
        match &self {
            ProfileError::Database { kind, text } => ProfileError::of_database(dir, *kind, text).unwrap_or(self),
            ProfileError::Io { kind: io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, .. } => {
                ProfileError::DiskFull { dir: dir.to_owned() }
            }
            ProfileError::Io { kind: io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied, .. } => {
                ProfileError::NotWritable { dir: dir.to_owned() }
            }
            ProfileError::Io { kind: io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory, .. } => {
                ProfileError::NotADirectory { dir: dir.to_owned() }
            }
            ProfileError::Io { .. }
            | ProfileError::NotThere { .. }
            | ProfileError::DiskFull { .. }
            | ProfileError::NotWritable { .. }
            | ProfileError::NotADirectory { .. }
            | ProfileError::DiskFailed { .. }
            | ProfileError::Broken { .. }
            | ProfileError::OtherName { .. }
            | ProfileError::NameInvalid { .. }
            | ProfileError::Newer { .. }
            | ProfileError::Foreign { .. }
            | ProfileError::Damaged { .. } => self,
        }
    }

    fn of_database(dir: &Path, kind: DatabaseErrorKind, text: &str) -> Option<ProfileError> {
        let dir = dir.to_owned();
        match kind {
            DatabaseErrorKind::Full => Some(ProfileError::DiskFull { dir }),
            DatabaseErrorKind::WriteFailed if sqlite::has_no_room(&dir) => Some(ProfileError::DiskFull { dir }),
            DatabaseErrorKind::WriteFailed | DatabaseErrorKind::SyncFailed => {
                Some(ProfileError::DiskFailed { dir, text: text.to_owned() })
            }
            DatabaseErrorKind::ReadOnly => Some(ProfileError::NotWritable { dir }),
            DatabaseErrorKind::Corrupt => Some(ProfileError::Broken { dir, text: text.to_owned() }),
            DatabaseErrorKind::Busy | DatabaseErrorKind::Other => None,
        }
    }
}

/// The database's own words, but where they hide what the owner of the disk can do.
fn what_to_do(kind: DatabaseErrorKind, text: &str) -> String {
    match kind {
        DatabaseErrorKind::Full => "no space left on its disk: free some".to_owned(),
        DatabaseErrorKind::ReadOnly => format!("it can't be written ({text})"),
        DatabaseErrorKind::SyncFailed
        | DatabaseErrorKind::WriteFailed
        | DatabaseErrorKind::Corrupt
        | DatabaseErrorKind::Busy
        | DatabaseErrorKind::Other => text.to_owned(),
    }
}

#[cfg(feature = "sqlite")]
impl From<SqliteError> for ProfileError {
    fn from(error: SqliteError) -> Self {
        ProfileError::Database { kind: error.kind(), text: error.to_string() }
    }
}

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for ProfileError {
    fn from(error: rusqlite::Error) -> Self {
        SqliteError::from(error).into()
    }
}

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for AppendError {
    fn from(error: rusqlite::Error) -> Self {
        AppendError::Profile(error.into())
    }
}

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        ApplyError::Profile(error.into())
    }
}

//! What can go wrong for a caller: each error says whose fault it is and what to do, and
//! `is_passing` tells whether the same call may succeed later.

use std::fmt;

use steadfast_proto::names::NameError;
use steadfast_proto::wire::RequestError;
use steadfast_store::profile::{self as store, AppendError};

use crate::keeper;

/// The client was closed, here or through another of its handles: the caller's doing. Open it again to go on; what was
/// queued is in the profile and goes out with the next client that is opened on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is closed: open it again")]
pub struct Closed;

/// The profile can't be opened, read or written: this machine's fault, or that of whoever chose the directory.
///
/// Its text says which directory and what to do about it; [`fault`](Self::fault) sorts it for programs.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileError(store::ProfileError);

/// What is wrong with a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileFault {
    /// No byte more fits on its disk, or a quota is used up. Nothing was written. Passes once there is room.
    DiskFull,
    /// A write or a sync failed. What the disk holds is unknown: close the client, look at the disk, open it again.
    DiskFailed,
    /// Another process holds the database for longer than is waited. Nothing was written. Passes.
    Busy,
    /// This process may not write there.
    NotWritable,
    /// Where the directory should be is something else.
    NotADirectory,
    /// There is no profile, and none was to be made.
    NotThere,
    /// It belongs to another account.
    OtherAccount,
    /// Nobody can have the account's name.
    NameInvalid,
    /// It is damaged. It is left as it is.
    Damaged,
    /// A newer version of this library wrote it.
    Newer,
    /// It is a database of another program.
    Foreign,
    /// Something else that the operating system or the database said.
    Other,
}

impl ProfileError {
    /// What is wrong.
    pub fn fault(&self) -> ProfileFault {
        match &self.0 {
            store::ProfileError::DiskFull { .. } => ProfileFault::DiskFull,
            store::ProfileError::DiskFailed { .. } => ProfileFault::DiskFailed,
            store::ProfileError::NotWritable { .. } => ProfileFault::NotWritable,
            store::ProfileError::NotADirectory { .. } => ProfileFault::NotADirectory,
            store::ProfileError::NotThere { .. } => ProfileFault::NotThere,
            store::ProfileError::OtherName { .. } => ProfileFault::OtherAccount,
            store::ProfileError::NameInvalid { .. } => ProfileFault::NameInvalid,
            store::ProfileError::Broken { .. } | store::ProfileError::Damaged { .. } => ProfileFault::Damaged,
            store::ProfileError::Newer { .. } => ProfileFault::Newer,
            store::ProfileError::Foreign { .. } => ProfileFault::Foreign,
            // One that is full is located, and says so, wherever the directory is known.
            store::ProfileError::Database { .. } if self.0.is_passing() => ProfileFault::Busy,
            store::ProfileError::Io { .. } if self.0.is_passing() => ProfileFault::DiskFull,
            store::ProfileError::Database { .. } | store::ProfileError::Io { .. } => ProfileFault::Other,
        }
    }

    /// Whether it passes by itself, once the disk has room or another process has finished: the same may be tried
    /// again on the same client.
    pub fn is_passing(&self) -> bool {
        self.0.is_passing()
    }

    /// As the store says it.
    pub(crate) fn inner(&self) -> &store::ProfileError {
        &self.0
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ProfileError {}

/// A client could not be opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The caller's settings make no sense together, or one alone; the text says which.
    #[error("{0}")]
    Settings(String),
    /// The operating system refused threads, descriptors or random numbers: this machine's shortage. Passes once it has
    /// some.
    #[error("the system refused: {0}")]
    System(String),
}

impl OpenError {
    /// Whether the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Profile(error) => error.is_passing(),
            Self::Settings(_) => false,
            Self::System(_) => true,
        }
    }
}

/// Nothing was queued: of several messages none was. The one exception is [`ProfileFault::DiskFailed`], after which it
/// is not known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The outbox is at its limit: the server has been away for long, or is slow. Wait for it; there is room once some
    /// of what waits is stored ([`Client::changes`](crate::Client::changes) tells), then send again.
    #[error("the outbox is full: {operations} operations, {bytes} bytes wait for the server")]
    Full {
        /// What waits now.
        operations: u64,
        /// Bytes of it.
        bytes: u64,
    },
    /// The caller's: larger than any message may be ([`BODY_BYTES_MAX`](crate::BODY_BYTES_MAX)). Send it in parts.
    #[error("an operation of {bytes} bytes is too large")]
    TooLarge {
        /// Which of the messages, from 0.
        index: usize,
        /// Its size.
        bytes: u64,
    },
    /// The caller's: nobody, or no room, can have this name.
    #[error("{name:?} can't be the name of a room: {error}")]
    NameInvalid {
        /// Which of the messages, from 0.
        index: usize,
        /// As it was given.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// The caller's: something else was sent under this key and number before.
    #[error("line {number} is not the line that was sent under this key before")]
    KeyMismatch {
        /// The number under the key.
        number: u64,
    },
    /// The caller's: a client in memory keeps as many lines by key as it has room for, since one that it forgot could
    /// be stored twice. Use a profile on a disk, or send without keys.
    #[error("{lines} lines are kept by key, and memory has no room for more: use a profile on a disk")]
    KeysFull {
        /// Lines that are kept.
        lines: u64,
    },
    /// The caller's: the operation needs a room that this device is in, or has queued to enter.
    #[error("this device is not in the room {name:?}: enter it first")]
    NotInRoom {
        /// The room's name, or its id.
        name: String,
    },
    /// The profile can't be written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The operating system refused random numbers.
    #[error("the system refused: {0}")]
    System(String),
    /// The client was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl SendError {
    /// Whether the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full { .. } | Self::System(_) => true,
            Self::Profile(error) => error.is_passing(),
            Self::TooLarge { .. } | Self::NameInvalid { .. } | Self::KeyMismatch { .. } => false,
            Self::KeysFull { .. } | Self::NotInRoom { .. } | Self::Closed(_) => false,
        }
    }
}

impl SendError {
    pub(crate) fn of(error: AppendError) -> Self {
        match error {
            AppendError::Full { rows, bytes } => Self::Full { operations: rows, bytes },
            AppendError::TooLarge { index, bytes } => Self::TooLarge { index, bytes },
            AppendError::NameInvalid { index, name, error } => Self::NameInvalid { index, name, error },
            AppendError::KeysFull { lines } => Self::KeysFull { lines },
            AppendError::KeyMismatch { line } => Self::KeyMismatch { number: line },
            AppendError::NotInRoom { name } => Self::NotInRoom { name },
            AppendError::UnknownOperation { by } => Self::NotInRoom { name: by.to_string() },
            AppendError::Profile(error) => Self::Profile(ProfileError(error)),
        }
    }
}

/// This device's own store was not read, or not written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl StoreError {
    /// Whether the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Profile(error) => error.is_passing(),
            Self::Closed(_) => false,
        }
    }
}

/// The server was asked and did not give what was asked for. While the line is down nothing fails: the question waits
/// for the line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no such room, or this account may not know of it: the caller's.
    #[error("there is no such room")]
    NoSuchRoom,
    /// Too much is being asked at once: the caller's. Try again when something has been answered.
    #[error("too many requests are open: try again")]
    Busy,
    /// The server can't read its store: the server's. Its operator has to look; try again later.
    #[error("the server can't read its store")]
    ServerStore,
    /// The server is too old to know what was asked: nobody's; ask its operator for a newer one.
    #[error("this server is too old to tell")]
    TooOld,
    /// The server refused, for a reason that this version does not know.
    #[error("the server refused a request")]
    Refused,
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl AskError {
    /// Whether the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy | Self::ServerStore => true,
            Self::Profile(error) => error.is_passing(),
            Self::NoSuchRoom | Self::TooOld | Self::Refused | Self::Closed(_) => false,
        }
    }
}

impl AskError {
    pub(crate) fn of_profile(error: store::ProfileError) -> Self {
        Self::Profile(ProfileError(error))
    }

    pub(crate) fn of(error: RequestError) -> Self {
        match error {
            RequestError::NoSuchRoom => Self::NoSuchRoom,
            RequestError::Busy => Self::Busy,
            RequestError::Store => Self::ServerStore,
            RequestError::Unsupported => Self::TooOld,
            RequestError::Unspecified => Self::Refused,
        }
    }
}

/// The process that drives a profile's line was not told, or did not do it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Nobody drives: there is no line to be told.
    #[error("no process of this profile is running: there is no line to be told")]
    NobodyDrives,
    /// The process holds the profile and does not answer: it is stopped, or wedged. The order was taken back.
    #[error("process {process} holds the profile and does not answer")]
    Silent {
        /// Its process id.
        process: u32,
    },
    /// The process ended meanwhile. The order was taken back.
    #[error("process {process} has ended: try again")]
    Ended {
        /// Its process id.
        process: u32,
    },
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The operating system refused a descriptor.
    #[error("the system refused: {0}")]
    System(String),
}

/// A job on the profile's thread was not done. Not seen outside: what a caller sees names no type of the store.
#[derive(Debug)]
pub(crate) enum Failed {
    Profile(store::ProfileError),
    Closed,
}

impl From<keeper::Closed> for Failed {
    fn from(_: keeper::Closed) -> Self {
        Self::Closed
    }
}

impl From<store::ProfileError> for Failed {
    fn from(error: store::ProfileError) -> Self {
        Self::Profile(error)
    }
}

macro_rules! from_failed {
    ($($error:ident: $closed:expr),*) => {$(
        impl From<Failed> for $error {
            fn from(failed: Failed) -> Self {
                match failed {
                    Failed::Profile(error) => Self::Profile(ProfileError(error)),
                    Failed::Closed => $closed,
                }
            }
        }
    )*};
}

from_failed!(
    SendError: Self::Closed(Closed),
    StoreError: Self::Closed(Closed),
    AskError: Self::Closed(Closed),
    OpenError: Self::System(THREAD_ENDED.to_owned()),
    OrderError: Self::System(THREAD_ENDED.to_owned())
);

const THREAD_ENDED: &str = "the profile's thread ended";

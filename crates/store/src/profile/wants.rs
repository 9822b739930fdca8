//! What a process asks of the one that drives the profile, and what becomes of it.

use steadfast_proto::ids::{AccountId, RoomId};

/// Something that only the process that drives can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Connect now, without waiting out the backoff.
    TryNow,
    /// Stop reconnecting.
    Stop,
    /// Reconnect again.
    Resume,
    /// Log in, where the user is asked.
    LogIn,
    /// Whether to connect again after a loss.
    Reconnect(bool),
    /// Whether to log in by itself after a loss.
    AutoLogin(bool),
    /// Say that you are there.
    Answer,
    /// Have all that the server has by now.
    Sync,
    /// Have these entries of a room, both ends included.
    History {
        /// The room.
        room: RoomId,
        /// The first room sequence.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Say that the user is typing in this room.
    TypeIn(RoomId),
    /// Ask the server who is a member of a room.
    Members {
        /// The room.
        room: RoomId,
        /// In order of account, behind this one.
        after: AccountId,
    },
    /// Ask the server which public rooms there are.
    Rooms {
        /// In order of name, behind this one.
        after: String,
    },
}

/// What became of a want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is not there and will not be answered: it was forgotten, or too many others came. Whoever still wants it
    /// asks again.
    Gone,
    /// Not answered yet.
    Waiting,
    /// What the process that drives said.
    Is(String),
}

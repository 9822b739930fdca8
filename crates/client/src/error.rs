//! What can go wrong for a caller, sorted by what it can do about it.

use steadfast_proto::wire::RequestError;
use steadfast_store::profile::{AppendError, ProfileError};

/// A client could not be opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The operating system refused threads, sockets or randomness.
    #[error("the system refused: {0}")]
    System(String),
}

/// A message was not queued; nothing of the call was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The outbox did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// No random number could be drawn.
    #[error("the system refused: {0}")]
    System(String),
}

/// Waiting ended without what was waited for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WaitError {
    /// The profile can't be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// A request was not answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AskError {
    /// The server refused it.
    #[error("{}", words(.0))]
    Refused(RequestError),
    /// The profile can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

fn words(error: &RequestError) -> &'static str {
    match error {
        RequestError::Unspecified => "the server refused a request",
        RequestError::NoSuchRoom => "there is no such room",
        RequestError::Busy => "too many requests are open: try again",
        RequestError::Store => "the server can't read its store",
    }
}

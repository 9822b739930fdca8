//! What the server's history no longer holds. It is moved out of the messages, and never shown among them.

use super::messages::StoredMessage;

/// A message of a history that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsideMessage {
    /// When it was moved aside, Unix milliseconds.
    pub moved_at_ms: u64,
    /// As it was.
    pub message: StoredMessage,
}

/// What one divergence moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) entries: u64,
    /// Of this account.
    pub(super) own: u64,
}

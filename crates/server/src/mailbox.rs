//! What other threads have for a connection. Bounded by what the connection asked for: operations in flight, one read
//! of chunks, a few pages.

use std::sync::{Mutex, PoisonError};

use steadfast_proto::hub::Answer;
use steadfast_proto::hub::connection::StoredChunk;
use steadfast_proto::ids::AccountId;
use steadfast_proto::wire::{History, Refusal};
use tokio::sync::Notify;

/// One thing for a connection.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Others wait for the slot of this stranger, who says nothing.
    MakeWay,
    /// The sign-up is stored, or refused.
    SignedUp(Result<AccountId, Refusal>),
    /// The sign-up could not be stored for now.
    SignUpHeld,
    /// What became of operations.
    Answers(Vec<Answer>),
    /// The chunks it asked for, and how far they go; `None` if they can't be read.
    Chunks(Option<(Vec<StoredChunk>, u64)>),
    /// The chunks for a page; `None` if they can't be read.
    Page(History, Option<Vec<StoredChunk>>),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    notify: Notify,
}

impl Mailbox {
    pub(crate) fn put(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        self.notify.notify_one();
    }

    /// There may be something in the hub.
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Whoever puts something in waits until this is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> std::sync::MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! What other threads have for a connection. Bounded by what the connection asked for: operations in flight, one read
//! of chunks, a few pages.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_proto::hub::connection::StoredChunk;
use steadfast_proto::wire::History;
use tokio::sync::Notify;

use crate::turn::Told;

/// One thing for a connection.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Others wait for the slot of this stranger, who says nothing.
    MakeWay,
    /// What became of its submissions.
    Told(Told),
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

/// A mailbox as something to tell apart from others: by which one it is, not by what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Address(pub(crate) Arc<Mailbox>);

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        Arc::as_ptr(&self.0).cmp(&Arc::as_ptr(&other.0))
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Address {}

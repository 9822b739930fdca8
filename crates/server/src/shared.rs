//! What all connections share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_net::clock::Timers;
use steadfast_proto::hub::{Hub, ReaderId};
use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::door::Door;
use crate::mailbox::{Address, Mailbox};
use crate::reading::ReadQueue;
use crate::recorder::Recorder;
use crate::throttle::Throttle;
use crate::turn::Submission;

/// Bytes of operations that may wait for the sequencer, over all connections.
const SUBMITTED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the connections, the listeners and the sequencer work with, besides the hub.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) config: Config,
    pub(crate) timers: Timers,
    pub(crate) reads: ReadQueue,
    pub(crate) door: Arc<Door>,
    pub(crate) recorder: Recorder,
    pub(crate) draining: watch::Receiver<bool>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) services: Services,
    hub: Mutex<Hub>,
    mailboxes: Mutex<Vec<Option<Arc<Mailbox>>>>,
    submissions: SyncSender<Submission<Address>>,
    submitted_bytes: AtomicUsize,
    held: Throttle,
    watching: Notify,
}

impl Shared {
    pub(crate) fn new(hub: Hub, services: Services, submissions: SyncSender<Submission<Address>>) -> Self {
        Self {
            services,
            hub: Mutex::new(hub),
            mailboxes: Mutex::default(),
            submissions,
            submitted_bytes: AtomicUsize::new(0),
            held: Throttle::default(),
            watching: Notify::new(),
        }
    }

    /// The hub. Held for work in memory only, never over I/O. A panic under the lock left no half-made change: the
    /// core changes its state in `commit` alone, which has no way to fail.
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an operation to the sequencer, unless too much waits there.
    pub(crate) fn submit(&self, submission: Submission<Address>) -> Result<(), Overloaded> {
        let bytes = submission.bytes();
        let waiting = self.submitted_bytes.fetch_add(bytes, Ordering::Relaxed);
        let sent = if waiting + bytes > SUBMITTED_BYTES_MAX {
            Err(Overloaded)
        } else {
            self.submissions.try_send(submission).map_err(|error| match error {
                TrySendError::Full(_) | TrySendError::Disconnected(_) => Overloaded,
            })
        };
        if sent.is_err() {
            self.submitted_bytes.fetch_sub(bytes, Ordering::Relaxed);
            if let Some(times) = self.held.count() {
                tracing::warn!(times, "as many operations wait for the disk as may: others are held");
            }
        }
        sent
    }

    /// The sequencer took so many bytes.
    pub(crate) fn taken(&self, bytes: usize) {
        self.submitted_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// From now on the reader is woken through this mailbox.
    pub(crate) fn register(&self, reader: ReaderId, mailbox: &Arc<Mailbox>) {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = reader.0 as usize;
        if mailboxes.len() <= index {
            mailboxes.resize(index + 1, None);
        }
        mailboxes[index] = Some(Arc::clone(mailbox));
    }

    /// The mailbox is gone; its reader's number may be another one's by now.
    pub(crate) fn unregister(&self, reader: ReaderId, mailbox: &Arc<Mailbox>) {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = mailboxes.get_mut(reader.0 as usize)
            && slot.as_ref().is_some_and(|held| Arc::ptr_eq(held, mailbox))
        {
            *slot = None;
        }
    }

    /// Wakes these readers.
    pub(crate) fn wake(&self, readers: &[ReaderId]) {
        let mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        for reader in readers {
            if let Some(Some(mailbox)) = mailboxes.get(reader.0 as usize) {
                mailbox.wake();
            }
        }
    }

    /// Somebody watches others from now on.
    pub(crate) fn begin_watching(&self) {
        self.watching.notify_one();
    }

    /// Waits until somebody watches others. Cancel-safe.
    pub(crate) async fn watched(&self) {
        self.watching.notified().await;
    }

    /// Over how long clients should spread their return if this server is gone without a word.
    pub(crate) fn return_spread_ms(&self) -> u32 {
        return_spread_ms(self.services.door.connections())
    }
}

/// A small server can take all of them back at once; a larger one so many a millisecond.
fn return_spread_ms(connections: u32) -> u32 {
    const ADMITTED_PER_MS: u32 = 4;
    const SMALL: u32 = 1_000;
    match connections {
        few if few < SMALL => 0,
        many => many / ADMITTED_PER_MS,
    }
}

/// Too much waits for the sequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_with_a_thousand_connections_asks_for_a_millisecond_of_spread_for_every_four() {
        let asked = [0, 1, 999, 1_000, 1_003, 1_004, 10_000, 1_000_000, u32::MAX].map(return_spread_ms);
        assert_eq!(asked, [0, 0, 0, 250, 250, 251, 2_500, 250_000, u32::MAX / 4]);
    }
}

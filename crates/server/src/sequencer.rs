//! The sequencer: takes what has gathered, decides it, stores and syncs it, and only then lets it be seen.
//!
//! One thread. While a batch syncs, the next one gathers in the channel. A batch is decided after the one before is
//! committed. Nothing is answered before it is on the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use steadfast_net::clock::wall_ms;
use steadfast_proto::hub::Hub;
use steadfast_proto::ids::Term;
use steadfast_proto::wire::HoldCause;
use steadfast_store::server::Store;
use tokio::sync::watch;

use crate::error::ServeError;
use crate::mailbox::{Address, Letter};
use crate::shared::{Services, Shared};
use crate::turn::{self, Decided, NotStored, Submission, Told};

/// Operations of one batch, and their bytes.
const BATCH_OPERATIONS_MAX: usize = 4_096;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a sender waits after too much waited for the index.
const INDEX_RETRY_MS: u32 = 200;
/// (room, chunk) pairs that may wait for the index, and how many make it worth a turn.
const UNFOLDED_MAX: usize = 100_000;
const UNFOLDED_TURN: usize = 512;

/// The sequencer's thread and the index's, to be stopped by whoever started them.
#[derive(Debug)]
pub(crate) struct Sequencer {
    thread: JoinHandle<()>,
    folding: JoinHandle<()>,
    stop: watch::Sender<bool>,
    failed: watch::Receiver<Option<ServeError>>,
}

/// Opens the log for writing under a fresh term and starts the thread.
pub(crate) fn start(
    mut store: Store,
    mut hub: Hub,
    term: Term,
    services: Services,
) -> Result<(Arc<Shared>, Sequencer), ServeError> {
    turn::begin(&mut store, &mut hub, term, wall_ms())?;
    let (submissions, submitted) = sync_channel(services.config.limits.submissions_max as usize);
    let shared = Arc::new(Shared::new(hub, services, submissions));
    let (stop, stopping) = watch::channel(false);
    let (failing, failed) = watch::channel(None);
    let (fold, folds) = sync_channel(1);
    let folder = store.folder();
    let folding = spawn("index", move || {
        while folds.recv().is_ok() {
            if let Err(error) = folder.fold(usize::MAX) {
                tracing::warn!(%error, "the index waits in memory");
            }
        }
    })?;
    let run = Run { store, shared: Arc::clone(&shared), submitted, stopping, fold };
    let thread = spawn("sequencer", move || {
        if let Err(error) = run.run() {
            failing.send_replace(Some(error));
        }
    })?;
    Ok((shared, Sequencer { thread, folding, stop, failed }))
}

impl Sequencer {
    /// Becomes `Some` when the store can't go on.
    pub(crate) fn failed(&self) -> watch::Receiver<Option<ServeError>> {
        self.failed.clone()
    }

    /// Lets the threads finish what was submitted, and close the store.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the threads, on a thread. After [`stop`](Self::stop). Gives whether one had panicked.
    pub(crate) fn join(self) -> bool {
        let panicked = [self.thread, self.folding].map(|thread| thread.join().is_err());
        panicked.contains(&true)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ServeError> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(run).map_err(|error| ServeError::System(error.to_string()))
}

/// What the thread owns.
struct Run {
    store: Store,
    shared: Arc<Shared>,
    submitted: Receiver<Submission<Address>>,
    stopping: watch::Receiver<bool>,
    fold: SyncSender<()>,
}

impl Run {
    fn run(mut self) -> Result<(), ServeError> {
        let pause = std::time::Duration::from_millis(100);
        loop {
            match self.submitted.recv_timeout(pause) {
                Ok(first) => self.batch(first)?,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    self.wake_index(1);
                    if *self.stopping.borrow() {
                        return Ok(());
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn batch(&mut self, first: Submission<Address>) -> Result<(), ServeError> {
        let gathered = self.gather(first);
        if self.store.unfolded_entries() > UNFOLDED_MAX {
            // What is not in the index is in memory, and that has its bound.
            self.wake_index(1);
            tell(turn::hold_all(gathered, HoldCause::Overloaded, INDEX_RETRY_MS));
            return Ok(());
        }
        let decided = Decided::decide(&self.shared.hub(), gathered, wall_ms());
        match decided.store(&mut self.store) {
            Ok(durable) => {
                let published = durable.publish(&mut self.shared.hub());
                self.shared.wake(&published.woken);
                tell(published.told);
                self.wake_index(UNFOLDED_TURN);
                Ok(())
            }
            Err(NotStored::Held { error, told }) => {
                tracing::warn!(%error, "operations wait");
                tell(told);
                Ok(())
            }
            Err(NotStored::Failed(error)) => Err(error),
        }
    }

    fn gather(&mut self, first: Submission<Address>) -> Vec<Submission<Address>> {
        let mut bytes = first.bytes();
        let mut gathered = vec![first];
        while gathered.len() < BATCH_OPERATIONS_MAX && bytes < BATCH_BYTES_MAX {
            match self.submitted.try_recv() {
                Ok(next) => {
                    bytes += next.bytes();
                    gathered.push(next);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        self.shared.taken(bytes);
        gathered
    }

    fn wake_index(&self, at_least: usize) {
        if self.store.unfolded_entries() >= at_least {
            // A full channel means that a turn is due already.
            self.fold.try_send(()).ok();
        }
    }
}

fn tell(told: Vec<(Address, Told)>) {
    for (to, told) in told {
        to.0.put(Letter::Told(told));
    }
}

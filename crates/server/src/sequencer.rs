//! The sequencer: takes what has gathered, decides it, stores and syncs it, and only then lets it be seen.
//!
//! One thread. While a batch syncs, the next one gathers in the channel. A batch is decided after the one before is
//! committed. Nothing is answered before it is on the disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use steadfast_net::clock::wall_ms;
use steadfast_proto::hub::{Answer, Changes, Hub, State};
use steadfast_proto::ids::{AccountId, LogId, Term};
use steadfast_proto::wire::{Hold, HoldCause, Refusal};
use steadfast_store::DatabaseErrorKind;
use steadfast_store::server::{CommitError, Store};
use tokio::sync::watch;

use crate::chunks::{TABLES, commit_of};
use crate::error::ServeError;
use crate::mailbox::{Letter, Mailbox};
use crate::shared::{Services, Shared};
use crate::submission::{Submission, Submitted};

/// Operations of one batch, and their bytes.
const BATCH_OPERATIONS_MAX: usize = 4_096;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a sender waits after the disk was full, and after too much waited for the index.
const DISK_FULL_RETRY_MS: u32 = 1_000;
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

/// Opens the store and reads the state back.
pub(crate) fn recover(data: &Path, fresh: LogId, ring_bytes_max: usize) -> Result<(Store, Hub), ServeError> {
    let (store, recovered) = Store::open(data, fresh)?;
    let mut state = State::empty(recovered.log_id);
    for (table, kind) in TABLES {
        store.state_rows::<ServeError>(table, |_, value| Ok(state.restore_row(kind, value)?))?;
    }
    state.restore_log(recovered.terms, recovered.head, recovered.last_at_ms);
    Ok((store, Hub::new(state, ring_bytes_max)))
}

/// Opens the log for writing under a fresh term and starts the thread.
pub(crate) fn start(
    mut store: Store,
    mut hub: Hub,
    term: Term,
    services: Services,
) -> Result<(Arc<Shared>, Sequencer), ServeError> {
    let mut draft = hub.draft(wall_ms());
    draft.open_term(term);
    let changes = draft.finish();
    store.commit(&commit_of(&changes)).map_err(ServeError::FirstEntry)?;
    hub.commit(&changes);
    tracing::info!(log = %hub.state().log_id(), %term, head = hub.state().head(), "the log is open");

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
    submitted: Receiver<Submission>,
    stopping: watch::Receiver<bool>,
    fold: SyncSender<()>,
}

/// What was decided of one submission.
enum Decided {
    SignUp(Arc<Mailbox>, Result<AccountId, Refusal>),
    Op(Arc<Mailbox>, u64, Answer),
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

    fn batch(&mut self, first: Submission) -> Result<(), ServeError> {
        let gathered = self.gather(first);
        if self.store.unfolded_entries() > UNFOLDED_MAX {
            self.hold_all(gathered);
            return Ok(());
        }
        let (changes, decided) = self.decide(gathered);
        if !changes.entries.is_empty() {
            match self.store.commit(&commit_of(&changes)) {
                Ok(()) => {
                    let woken = self.shared.hub().commit(&changes);
                    self.shared.wake(&woken);
                }
                Err(CommitError::Full) => {
                    tracing::warn!("the disk is full: operations wait");
                    answer_held(decided, HoldCause::DiskFull, DISK_FULL_RETRY_MS);
                    return Ok(());
                }
                // Another program holds the log, a backup say: it will be done.
                Err(CommitError::Other(error)) if error.kind() == DatabaseErrorKind::Busy => {
                    tracing::warn!(%error, "the log is held by another program: operations wait");
                    answer_held(decided, HoldCause::Overloaded, DISK_FULL_RETRY_MS);
                    return Ok(());
                }
                Err(CommitError::SyncFailed) => return Err(ServeError::SyncFailed),
                Err(
                    error @ (CommitError::NotContiguous { .. } | CommitError::BadChunk { .. } | CommitError::Other(_)),
                ) => {
                    return Err(ServeError::Commit(error));
                }
            }
        }
        if changes.entries.is_empty() {
            // Nothing to store, but it may have been noted whose link takes no more.
            self.shared.hub().commit(&changes);
        }
        answer(decided);
        self.wake_index(UNFOLDED_TURN);
        Ok(())
    }

    fn gather(&mut self, first: Submission) -> Vec<Submission> {
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

    fn decide(&self, gathered: Vec<Submission>) -> (Changes, Vec<Decided>) {
        let hub = self.shared.hub();
        let mut draft = hub.draft(wall_ms());
        let decided = gathered
            .into_iter()
            .map(|Submission { from, what }| match what {
                Submitted::SignUp(sign_up) => Decided::SignUp(from, draft.sign_up(&sign_up)),
                Submitted::Op(origin, op) => Decided::Op(from, op.sequence, draft.apply(origin, &op)),
            })
            .collect();
        (draft.finish(), decided)
    }

    /// The index is too far behind: what is not in it is in memory, and that has its bound.
    fn hold_all(&self, gathered: Vec<Submission>) {
        self.wake_index(1);
        for Submission { from, what } in gathered {
            match what {
                Submitted::SignUp(_) => from.put(Letter::SignUpHeld),
                Submitted::Op(_, op) => {
                    let hold = hold(op.sequence, HoldCause::Overloaded, INDEX_RETRY_MS);
                    from.put(Letter::Answers(vec![Answer::Hold(hold)]));
                }
            }
        }
    }

    fn wake_index(&self, at_least: usize) {
        if self.store.unfolded_entries() >= at_least {
            // A full channel means that a turn is due already.
            self.fold.try_send(()).ok();
        }
    }
}

/// Answers go out together: one letter a connection.
fn answer(decided: Vec<Decided>) {
    let mut letters: Vec<(Arc<Mailbox>, Vec<Answer>)> = Vec::new();
    for decided in decided {
        match decided {
            Decided::SignUp(from, result) => from.put(Letter::SignedUp(result)),
            Decided::Op(from, _, answer) => match letters.iter_mut().rev().find(|(to, _)| Arc::ptr_eq(to, &from)) {
                Some((_, answers)) => answers.push(answer),
                None => letters.push((from, vec![answer])),
            },
        }
    }
    for (to, answers) in letters {
        to.put(Letter::Answers(answers));
    }
}

/// The batch was not stored: each link waits with the first of its operations and all behind it.
fn answer_held(decided: Vec<Decided>, cause: HoldCause, retry_after_ms: u32) {
    let mut told = BTreeSet::new();
    for decided in decided {
        match decided {
            Decided::SignUp(from, _) => from.put(Letter::SignUpHeld),
            Decided::Op(from, sequence, answer) => {
                if told.insert(Arc::as_ptr(&from)) {
                    let sequence = match answer {
                        Answer::Hold(hold) => hold.from_sequence,
                        Answer::Outcome(_) | Answer::Settled(_) => sequence,
                    };
                    let hold = hold(sequence, cause, retry_after_ms);
                    from.put(Letter::Answers(vec![Answer::Hold(hold)]));
                }
            }
        }
    }
}

fn hold(from_sequence: u64, cause: HoldCause, retry_after_ms: u32) -> Hold {
    Hold { from_sequence, cause: cause.into(), retry_after_ms }
}

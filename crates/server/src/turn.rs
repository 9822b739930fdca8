//! One turn of the sequencer, without its thread: what has gathered is decided, stored, and only then shown.
//!
//! Each step is made of the one before, and nothing else makes it: an answer that is not on the disk yet has no value
//! to come from. Whoever runs turns brings the store, the hub, the time and the threads; `T` is whom an answer goes to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use steadfast_proto::hub::{Answer, Changes, Hub, Origin, ReaderId, SignUp, State};
use steadfast_proto::ids::{AccountId, LogId, Term};
use steadfast_proto::wire::{Hold, HoldCause, Op, Refusal};
use steadfast_store::DatabaseErrorKind;
use steadfast_store::server::{CommitError, Store};

use crate::chunks::{TABLES, commit_of};
use crate::error::ServeError;

/// How long a sender waits after the disk was full, or the log was held by another program, in milliseconds.
pub const NOT_STORED_RETRY_MS: u32 = 1_000;

/// One operation, or the sign-up that makes them possible.
#[derive(Clone, Debug)]
pub struct Submission<T> {
    /// Where the answer goes.
    pub from: T,
    /// What it is.
    pub what: Submitted,
}

/// What a connection hands to the sequencer.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// A new device, perhaps of a new account.
    SignUp(SignUp),
    /// An operation and the link that it came by.
    Op(Origin, Box<Op>),
}

impl<T> Submission<T> {
    /// What it holds in memory, about, in bytes.
    pub fn bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 256;
        match &self.what {
            Submitted::SignUp(_) => OVERHEAD_BYTES,
            Submitted::Op(_, op) => OVERHEAD_BYTES + prost::Message::encoded_len(op.as_ref()),
        }
    }
}

/// What a connection hears of its submissions.
#[derive(Clone, Debug)]
pub enum Told {
    /// The sign-up is stored, or refused.
    SignedUp(Result<AccountId, Refusal>),
    /// The sign-up could not be stored for now.
    SignUpHeld,
    /// What became of operations.
    Answers(Vec<Answer>),
}

/// Opens the log in `directory` and reads back the state that it holds. A log that is made has the id `fresh`.
pub fn recover(directory: &Path, fresh: LogId, ring_bytes_max: usize) -> Result<(Store, Hub), ServeError> {
    let (store, recovered) = Store::open(directory, fresh)?;
    let mut state = State::empty(recovered.log_id);
    for (table, kind) in TABLES {
        store.state_rows::<ServeError>(table, |_, value| Ok(state.restore_row(kind, value)?))?;
    }
    state.restore_log(recovered.terms, recovered.head, recovered.last_at_ms);
    Ok((store, Hub::new(state, ring_bytes_max)))
}

/// Opens the log for writing: its next entry begins a fresh term.
pub fn begin(store: &mut Store, hub: &mut Hub, term: Term, wall_ms: u64) -> Result<(), ServeError> {
    let mut draft = hub.draft(wall_ms);
    draft.open_term(term);
    let changes = draft.finish();
    store.commit(&commit_of(&changes)).map_err(ServeError::FirstEntry)?;
    hub.commit(&changes);
    tracing::info!(log = %hub.state().log_id(), %term, head = hub.state().head(), "the log is open");
    Ok(())
}

/// What was decided of a batch; nobody knows of it yet.
#[derive(Debug)]
pub struct Decided<T> {
    changes: Changes,
    verdicts: Vec<Verdict<T>>,
}

#[derive(Debug)]
enum Verdict<T> {
    SignUp(T, Result<AccountId, Refusal>),
    Op(T, u64, Answer),
}

/// A batch that is on the disk, and not in the hub yet.
#[derive(Debug)]
pub struct Durable<T>(Decided<T>);

/// A batch that is in the hub: who has something to read, and what is to be told to whom, one [`Told`] of answers each.
#[derive(Debug)]
pub struct Published<T> {
    /// Readers that had nothing to read before.
    pub woken: Vec<ReaderId>,
    /// In the order of their first submissions.
    pub told: Vec<(T, Told)>,
}

/// Why a batch is not on the disk.
#[derive(Debug)]
pub enum NotStored<T> {
    /// A wait will mend it: each link waits with the first of its operations and all behind it.
    Held {
        /// What is in the way.
        error: CommitError,
        /// What is to be told to whom.
        told: Vec<(T, Told)>,
    },
    /// Nothing may be acknowledged any more: the process has to end.
    Failed(ServeError),
}

impl<T: Clone + Ord> Decided<T> {
    /// Decides what has gathered, in its order. The turn before has to be in the hub.
    pub fn decide(hub: &Hub, gathered: Vec<Submission<T>>, wall_ms: u64) -> Self {
        let mut draft = hub.draft(wall_ms);
        let verdicts = gathered
            .into_iter()
            .map(|Submission { from, what }| match what {
                Submitted::SignUp(sign_up) => Verdict::SignUp(from, draft.sign_up(&sign_up)),
                Submitted::Op(origin, op) => Verdict::Op(from, op.sequence, draft.apply(origin, &op)),
            })
            .collect();
        Self { changes: draft.finish(), verdicts }
    }

    /// Stores and syncs it. What changes nothing needs no disk.
    pub fn store(self, store: &mut Store) -> Result<Durable<T>, NotStored<T>> {
        if self.changes.entries.is_empty() {
            return Ok(Durable(self));
        }
        match store.commit(&commit_of(&self.changes)) {
            Ok(()) => Ok(Durable(self)),
            Err(error @ CommitError::Full) => Err(self.held(error, HoldCause::DiskFull)),
            // Another program holds the log, a backup say: it will be done.
            Err(CommitError::Other(error)) if error.kind() == DatabaseErrorKind::Busy => {
                Err(self.held(CommitError::Other(error), HoldCause::Overloaded))
            }
            Err(CommitError::SyncFailed) => Err(NotStored::Failed(ServeError::SyncFailed)),
            Err(error @ (CommitError::NotContiguous { .. } | CommitError::BadChunk { .. } | CommitError::Other(_))) => {
                Err(NotStored::Failed(ServeError::Commit(error)))
            }
        }
    }

    fn held(self, error: CommitError, cause: HoldCause) -> NotStored<T> {
        let first = self.verdicts.into_iter().map(|verdict| match verdict {
            Verdict::SignUp(from, _) => (from, None),
            Verdict::Op(from, _, Answer::Hold(hold)) => (from, Some(hold.from_sequence)),
            Verdict::Op(from, sequence, Answer::Outcome(_) | Answer::Settled(_)) => (from, Some(sequence)),
        });
        NotStored::Held { error, told: holds(first, cause, NOT_STORED_RETRY_MS) }
    }
}

impl<T: Clone + Ord> Durable<T> {
    /// Lets it be seen. Also what needed no disk, for it may have been noted whose link takes no more.
    pub fn publish(self, hub: &mut Hub) -> Published<T> {
        let Decided { changes, verdicts } = self.0;
        let woken = hub.commit(&changes);
        Published { woken, told: answers(verdicts) }
    }
}

/// What to tell when the batch is not even decided: each link waits with the first of its operations.
pub fn hold_all<T: Clone + Ord>(gathered: Vec<Submission<T>>, cause: HoldCause, retry_after_ms: u32) -> Vec<(T, Told)> {
    let first = gathered.into_iter().map(|Submission { from, what }| match what {
        Submitted::SignUp(_) => (from, None),
        Submitted::Op(_, op) => (from, Some(op.sequence)),
    });
    holds(first, cause, retry_after_ms)
}

/// One hold for each link, of the first sequence that stands there; `None` is a sign-up.
fn holds<T: Clone + Ord>(
    waiting: impl Iterator<Item = (T, Option<u64>)>,
    cause: HoldCause,
    retry_after_ms: u32,
) -> Vec<(T, Told)> {
    let mut known = BTreeSet::new();
    let mut told = Vec::new();
    for (from, sequence) in waiting {
        match sequence {
            None => told.push((from, Told::SignUpHeld)),
            Some(from_sequence) => {
                if known.insert(from.clone()) {
                    let hold = Hold { from_sequence, cause: cause.into(), retry_after_ms };
                    told.push((from, Told::Answers(vec![Answer::Hold(hold)])));
                }
            }
        }
    }
    told
}

/// The answers to a link's operations go together.
fn answers<T: Clone + Ord>(verdicts: Vec<Verdict<T>>) -> Vec<(T, Told)> {
    let mut places: BTreeMap<T, usize> = BTreeMap::new();
    let mut told: Vec<(T, Told)> = Vec::new();
    for verdict in verdicts {
        match verdict {
            Verdict::SignUp(from, result) => told.push((from, Told::SignedUp(result))),
            Verdict::Op(from, _, answer) => {
                let place = *places.entry(from.clone()).or_insert(told.len());
                match told.get_mut(place) {
                    Some((_, Told::Answers(answers))) => answers.push(answer),
                    Some((_, Told::SignedUp(_) | Told::SignUpHeld)) | None => {
                        told.push((from, Told::Answers(vec![answer])));
                    }
                }
            }
        }
    }
    told
}

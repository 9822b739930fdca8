//! Reads from the store for connections that are behind and for pages of history, a few at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::History;
use steadfast_store::server::{Reader, Store};

use crate::error::ServeError;
use crate::mailbox::{Letter, Mailbox};

/// Reads that run at once.
const READERS: usize = 2;
/// What one catch-up read gives, and what one page is built from.
const CATCHUP_BYTES: usize = 256 * 1024;
const PAGE_SOURCE_BYTES: usize = 256 * 1024;

/// One read that a connection asked for. A connection has one catch-up and a few pages open at most.
#[derive(Debug)]
pub(crate) enum Read {
    Chunks { rooms: Vec<RoomId>, after: u64 },
    Page(History),
}

/// Where connections ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadQueue(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    reads: VecDeque<(Arc<Mailbox>, Read)>,
    stopped: bool,
}

impl ReadQueue {
    pub(crate) fn ask(&self, from: &Arc<Mailbox>, read: Read) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.reads.push_back((Arc::clone(from), read));
        self.0.changed.notify_one();
    }

    fn next(&self) -> Option<(Arc<Mailbox>, Read)> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if waiting.stopped {
                return None;
            }
            while let Some((from, read)) = waiting.reads.pop_front() {
                // Whoever has gone meanwhile needs no answer.
                if Arc::strong_count(&from) > 1 {
                    return Some((from, read));
                }
            }
            waiting = self.0.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads that read.
#[derive(Debug)]
pub(crate) struct Reading {
    queue: ReadQueue,
    threads: Vec<JoinHandle<()>>,
}

impl Reading {
    pub(crate) fn start(store: &Store) -> Result<Self, ServeError> {
        let queue = ReadQueue::default();
        let mut threads = Vec::new();
        for _ in 0..READERS {
            let (reader, queue) = (store.reader()?, queue.clone());
            let builder = std::thread::Builder::new().name("reader".to_owned());
            let run = move || {
                while let Some((from, read)) = queue.next() {
                    from.put(answer(&reader, read));
                }
            };
            threads.push(builder.spawn(run).map_err(|error| ServeError::System(error.to_string()))?);
        }
        Ok(Self { queue, threads })
    }

    pub(crate) fn queue(&self) -> ReadQueue {
        self.queue.clone()
    }

    /// Ends the threads after the reads they are at.
    pub(crate) async fn stop(self) {
        self.queue.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.queue.0.changed.notify_all();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                if thread.join().is_err() {
                    tracing::error!("a reader of the store panicked");
                }
            }
        });
        if let Err(error) = joined.await {
            tracing::error!(%error, "the store's readers could not be joined");
        }
    }
}

fn answer(reader: &Reader, read: Read) -> Letter {
    match read {
        Read::Chunks { rooms, after } => {
            let span = reader.chunks_for(&rooms, after, CATCHUP_BYTES);
            let span = span.inspect_err(|error| tracing::error!(%error, after, "a catch-up can't be read"));
            Letter::Chunks(span.ok().map(|span| (span.chunks, span.covered_through)))
        }
        Read::Page(asked) => {
            let (from, to) = (asked.from_sequence, asked.to_sequence);
            let chunks = reader.history(RoomId(asked.room), from, to, PAGE_SOURCE_BYTES);
            let chunks = chunks.inspect_err(|error| tracing::error!(%error, "a page can't be read"));
            Letter::Page(asked, chunks.ok())
        }
    }
}

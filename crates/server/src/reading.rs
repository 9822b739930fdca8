//! Reads from the store for connections that are behind and for pages of history, a few at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::History;
use steadfast_store::server::{Reader, Store};

use crate::config::{CATCHUPS_MAX, Limits};
use crate::error::ServeError;
use crate::mailbox::{Letter, Mailbox};
use crate::throttle::Throttle;

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
#[derive(Clone, Debug)]
pub(crate) struct ReadQueue(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    reads_max: usize,
    full: Throttle,
}

/// As many reads wait as may: it was not taken.
#[derive(Debug)]
pub(crate) struct Busy(pub(crate) Read);

#[derive(Debug, Default)]
struct Waiting {
    /// Who has gone meanwhile needs no answer, and is kept by nothing here.
    reads: VecDeque<(Weak<Mailbox>, Read)>,
    stopped: bool,
}

impl ReadQueue {
    fn new(reads_max: usize) -> Self {
        Self(Arc::new(Queue {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            reads_max,
            full: Throttle::default(),
        }))
    }

    pub(crate) fn ask(&self, from: &Arc<Mailbox>, read: Read) -> Result<(), Busy> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.reads.len() >= self.0.reads_max {
            drop(waiting);
            if let Some(times) = self.0.full.count() {
                tracing::warn!(times, "as many reads wait as may: others come later");
            }
            return Err(Busy(read));
        }
        waiting.reads.push_back((Arc::downgrade(from), read));
        self.0.changed.notify_one();
        Ok(())
    }

    fn next(&self) -> Option<(Arc<Mailbox>, Read)> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if waiting.stopped {
                return None;
            }
            while let Some((from, read)) = waiting.reads.pop_front() {
                if let Some(from) = from.upgrade() {
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
    pub(crate) fn start(store: &Store, limits: &Limits) -> Result<Self, ServeError> {
        let queue = ReadQueue::new(limits.reads_max as usize);
        let mut threads = Vec::new();
        for _ in 0..limits.catchups_max.clamp(*CATCHUPS_MAX.start(), *CATCHUPS_MAX.end()) {
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

    /// Lets the threads end after the reads they are at.
    pub(crate) fn stop(&self) {
        self.queue.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.queue.0.changed.notify_all();
    }

    /// Waits for the threads, on a thread. After [`stop`](Self::stop).
    pub(crate) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a reader of the store panicked");
            }
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

#[cfg(test)]
mod tests {
    use steadfast_net::clock::BootClock;
    use steadfast_proto::ids::LogId;
    use steadfast_proto::time::Duration;

    use super::*;

    #[test]
    fn as_many_reads_are_at_work_at_once_as_may_and_the_others_wait_their_turn() {
        const AT_ONCE: usize = 2;
        const ASKED: usize = 6;
        let directory = tempfile::tempdir().expect("a directory");
        let (store, _) = Store::open(directory.path(), LogId([7; 16])).expect("the store opens");
        let limits = Limits { catchups_max: AT_ONCE as u32, ..Limits::default() };
        let reading = Reading::start(&store, &limits).expect("the threads start");
        let (queue, mailbox) = (reading.queue(), Arc::<Mailbox>::default());
        // A read is at work until its answer is delivered.
        let held = mailbox.hold();
        for number in 1..=ASKED as u32 {
            let page = History { number, room: 1, from_sequence: 1, to_sequence: 9 };
            queue.ask(&mailbox, Read::Page(page)).expect("there is room");
        }
        let started = BootClock::now();
        let soon = || assert!(BootClock::now().since(started) < Duration::from_secs(20), "the threads stand still");
        let waiting = || queue.0.waiting.lock().expect("nobody panicked").reads.len();
        while waiting() > ASKED - AT_ONCE {
            soon();
            std::thread::yield_now();
        }
        assert_eq!((waiting(), reading.threads.len()), (ASKED - AT_ONCE, AT_ONCE));
        drop(held);
        let mut answered = Vec::new();
        while answered.len() < ASKED {
            soon();
            answered.extend(mailbox.take());
            std::thread::yield_now();
        }
        assert!(answered.iter().all(|letter| matches!(letter, Letter::Page(_, Some(_)))), "{answered:?}");
        reading.stop();
        reading.join();
    }

    #[test]
    fn the_reads_of_a_connection_that_is_gone_are_passed_over_however_many_wait() {
        let queue = ReadQueue::new(9);
        let (gone, present) = (Arc::<Mailbox>::default(), Arc::<Mailbox>::default());
        for number in 0..4 {
            queue.ask(&gone, Read::Page(History { number, ..History::default() })).expect("there is room");
        }
        queue.ask(&gone, Read::Chunks { rooms: Vec::new(), after: 0 }).expect("there is room");
        queue.ask(&present, Read::Page(History { number: 7, ..History::default() })).expect("there is room");
        drop(gone);
        let Some((from, Read::Page(asked))) = queue.next() else { panic!("a page was asked for") };
        assert_eq!((Arc::ptr_eq(&from, &present), asked.number), (true, 7));
    }
}

//! Log lines on their way to standard error. Who logs waits for nobody: a pipe that is not read or a disk that stalls
//! would hold the very threads that answer pings. A thread writes; what does not fit while it waits is lost, and said.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines that may wait, together.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// How long what waits at the end may take to leave.
const FLUSH: Duration = Duration::from_millis(250);

/// Takes lines, one a call of `write`.
#[derive(Clone, Debug)]
pub(crate) struct Lines(Arc<Queue>);

/// The thread that writes.
#[derive(Debug)]
#[must_use]
pub(crate) struct Logging {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Lines that did not fit behind these.
    lost: u64,
    ending: bool,
    ended: bool,
}

impl Logging {
    /// Starts the thread.
    pub(crate) fn start(mut out: impl Write + Send + 'static) -> io::Result<(Self, Lines)> {
        let lines = Lines::new(WAITING_BYTES_MAX);
        let queue = Arc::clone(&lines.0);
        let builder = std::thread::Builder::new().name("log".to_owned());
        let thread = builder.spawn(move || queue.write_to(&mut out))?;
        Ok((Self { queue: Arc::clone(&lines.0), thread }, lines))
    }

    /// Lets what waits leave, as far as it does in a moment. Whether it did: if not, nothing else can be said there.
    pub(crate) fn end(self) -> bool {
        let mut waiting = self.queue.waiting();
        waiting.ending = true;
        self.queue.changed.notify_all();
        let left = self.queue.changed.wait_timeout_while(waiting, FLUSH, |waiting| !waiting.ended);
        let ended = left.unwrap_or_else(PoisonError::into_inner).0.ended;
        if ended {
            self.thread.join().expect("it has ended, and not by a panic");
        }
        // One that is still held where it writes ends with the process.
        ended
    }
}

impl Lines {
    fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Queue { waiting: Mutex::default(), changed: Condvar::new(), bytes_max }))
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.waiting();
        if waiting.lost == 0 && waiting.bytes.len() + line.len() <= self.0.bytes_max {
            waiting.bytes.extend_from_slice(line);
        } else {
            waiting.lost += 1;
        }
        drop(waiting);
        self.0.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    /// Held for work in memory only.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end, and until nothing waits.
    fn write_to(&self, out: &mut impl Write) {
        while let Some((bytes, lost)) = self.next() {
            // Where nobody reads any more, or nothing can be stored, there is no place to say so either.
            let written = out.write_all(&bytes);
            if written.is_ok() && lost > 0 {
                tracing::warn!(lost, "log lines were lost: standard error did not take them in time");
            }
        }
        self.waiting().ended = true;
        self.changed.notify_all();
    }

    /// Waits for lines: these, and how many were lost behind them.
    fn next(&self) -> Option<(Vec<u8>, u64)> {
        let mut waiting = self.waiting();
        loop {
            if !waiting.bytes.is_empty() || waiting.lost > 0 {
                return Some((std::mem::take(&mut waiting.bytes), std::mem::take(&mut waiting.lost)));
            }
            if waiting.ending {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Takes what is written once the other end of the channel lets it.
    struct Gate(Receiver<()>, SyncSender<Vec<u8>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.1.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nothing_overtakes_the_gap() {
        let mut lines = Lines::new(10);
        for line in ["one\n", "two\n", "three\n", "4\n"] {
            lines.write_all(line.as_bytes()).expect("who logs meets no error");
        }
        assert_eq!(lines.0.next(), Some((b"one\ntwo\n".to_vec(), 2)));
        lines.write_all(b"five\n").expect("who logs meets no error");
        assert_eq!(lines.0.next(), Some((b"five\n".to_vec(), 0)));
    }

    #[test]
    fn what_waits_at_the_end_still_leaves() {
        let ((open, opened), (sent, arrived)) = (sync_channel(9), sync_channel(9));
        let (logging, mut lines) = Logging::start(Gate(opened, sent)).expect("a thread");
        for number in 0..9 {
            lines.write_all(format!("{number}\n").as_bytes()).expect("who logs meets no error");
            open.send(()).expect("it is not full");
        }
        assert!(logging.end());
        let all: Vec<u8> = arrived.try_iter().flatten().collect();
        assert_eq!(String::from_utf8_lossy(&all), "0\n1\n2\n3\n4\n5\n6\n7\n8\n");
    }

    #[test]
    fn an_end_does_not_wait_for_who_takes_nothing() {
        let ((open, opened), (sent, arrived)) = (sync_channel(1), sync_channel(1));
        let (logging, mut lines) = Logging::start(Gate(opened, sent)).expect("a thread");
        lines.write_all(b"never\n").expect("who logs meets no error");
        assert!(!logging.end());
        assert!(arrived.try_recv().is_err(), "it is held still");
        drop(open);
    }
}

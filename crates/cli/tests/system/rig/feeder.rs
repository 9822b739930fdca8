//! A steady input for a `send`: a line every few milliseconds, until it is told to stop.

use std::io::Write as _;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{line_of, pause};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Feeder {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Feeder {
    /// Writes the lines of `name` from number 0 on: the first `at_once` together, the others at a pace.
    pub(crate) fn start(mut input: ChildStdin, name: &str, at_once: usize, pace: Duration) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stopped);
        let name = name.to_owned();
        let thread = std::thread::spawn(move || {
            let head: String = (0..at_once).map(|number| line_of(&name, number) + "\n").collect();
            let mut written = 0;
            if input.write_all(head.as_bytes()).is_ok() {
                written = at_once;
            }
            while !theirs.load(Ordering::Relaxed) {
                // A reader that was killed takes no more.
                if input.write_all((line_of(&name, written) + "\n").as_bytes()).is_err() {
                    break;
                }
                written += 1;
                pause(pace);
            }
            written
        });
        Self { stopped, thread }
    }

    /// The input is closed soon: who reads it may end.
    pub(crate) fn close(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Closes the input. How many lines were written.
    pub(crate) fn stop(self) -> usize {
        self.close();
        self.thread.join().expect("the feeder does not panic")
    }
}

//! What a process prints, line by line, with the moment at which each line came.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::Stopwatch;

/// A stream of a process.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<(Stopwatch, String)>>,
    more: Condvar,
}

impl Lines {
    pub(crate) fn read(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                theirs.lines.lock().expect("no reader panicked").push((Stopwatch::start(), line));
                theirs.more.notify_all();
            }
        });
        Self { shared, reader: Some(reader) }
    }

    /// What came so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        let lines = self.shared.lines.lock().expect("no reader panicked");
        lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// When each line came.
    pub(crate) fn moments(&self) -> Vec<Stopwatch> {
        let lines = self.shared.lines.lock().expect("no reader panicked");
        lines.iter().map(|&(moment, _)| moment).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.lines.lock().expect("no reader panicked").len()
    }

    /// The first line behind the `skipped` first ones that has `part` in it, with the moment at which it came.
    pub(crate) fn wait_for(&self, part: &str, skipped: usize, bound: Duration) -> Option<(Stopwatch, String)> {
        let lines = self.shared.lines.lock().expect("no reader panicked");
        let missing = |lines: &mut Vec<(Stopwatch, String)>| !lines.iter().skip(skipped).any(|(_, l)| l.contains(part));
        let (lines, _) = self.shared.more.wait_timeout_while(lines, bound, missing).expect("no reader panicked");
        lines.iter().skip(skipped).find(|(_, line)| line.contains(part)).cloned()
    }

    /// Waits until there are so many lines; whether there are.
    pub(crate) fn wait_for_count(&self, count: usize, bound: Duration) -> bool {
        let lines = self.shared.lines.lock().expect("no reader panicked");
        let (lines, _) =
            self.shared.more.wait_timeout_while(lines, bound, |lines| lines.len() < count).expect("no reader panicked");
        lines.len() >= count
    }

    /// The end of the stream: all that came. Only after whoever writes has ended.
    pub(crate) fn all(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.so_far()
    }
}

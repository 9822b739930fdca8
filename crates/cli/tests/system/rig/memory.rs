//! What a process has in memory of its own, as the kernel counts it.

use std::fs::read_to_string;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::pause;

const LOOK: Duration = Duration::from_millis(20);

/// Anonymous resident memory of a process, in bytes: proc(5), `RssAnon`. Pages of files don't count: they can be given
/// back at any moment.
pub(crate) fn anonymous_bytes(process: u32) -> u64 {
    read(process).expect("the process runs")
}

/// `None` once it has ended: a process that nobody has waited for has no memory any more.
fn read(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    Some(kib * 1_024)
}

/// Looks at a process's memory all the time, for as long as it runs.
#[derive(Debug)]
pub(crate) struct MemoryPeak {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl MemoryPeak {
    pub(crate) fn watch(process: u32) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while let Some(bytes) = read(process) {
                peak = peak.max(bytes);
                if theirs.load(Ordering::Relaxed) {
                    break;
                }
                pause(LOOK);
            }
            peak
        });
        Self { stopped, thread }
    }

    /// The most that it had, in bytes.
    pub(crate) fn stop(self) -> u64 {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watcher does not panic")
    }
}

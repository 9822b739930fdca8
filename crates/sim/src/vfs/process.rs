//! Which simulated process the code runs in that this thread runs.

use std::cell::Cell;

/// One run of a program on one machine. A machine never gives one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u64);

/// One disk of this process, the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DiskId(pub(super) u64);

thread_local! {
    static RUNNING: Cell<Option<(DiskId, ProcessId)>> = const { Cell::new(None) };
}

/// Runs something as that process of the machine that has this disk.
pub(super) fn run_as<T>(disk: DiskId, process: ProcessId, run: impl FnOnce() -> T) -> T {
    /// Also where `run` panics.
    struct Back(Option<(DiskId, ProcessId)>);
    impl Drop for Back {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }
    let _back = Back(RUNNING.replace(Some((disk, process))));
    run()
}

/// The process of that machine that this thread runs now.
pub(super) fn running(on: DiskId) -> Option<ProcessId> {
    RUNNING.get().filter(|(disk, _)| *disk == on).map(|(_, process)| process)
}

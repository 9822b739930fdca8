//! The disk of one simulated machine, as a scenario uses it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::bites::Bites;
use super::disk_state::DiskState;
use super::faults::{Death, Died};
use super::process::{self, DiskId, ProcessId};
use super::{locked, sqlite};

/// All that SQLite opens below one directory, until it is dropped.
///
/// ```text
/// let disk = Disk::new(directory, seed)?;
/// let store = disk.as_process(ProcessId(1), || Store::open(…));
/// disk.die_in(7, Death::Power);
/// disk.as_process(ProcessId(1), || store.commit(…));   // the power goes in the midst of it
/// drop(store);                                         // does nothing more to the disk
/// let store = disk.as_process(ProcessId(2), || Store::open(…));
/// ```
///
/// What a killed process has open must be dropped before others go on: it fails from then on, but it still shares
/// memory and the locks of files that are not SQLite's with whoever lives.
pub struct Disk {
    id: DiskId,
    directory: PathBuf,
    state: Arc<Mutex<DiskState>>,
}

/// Those that SQLite finds.
static DISKS: RwLock<Vec<Registered>> = RwLock::new(Vec::new());

struct Registered {
    directory: PathBuf,
    id: DiskId,
    state: Arc<Mutex<DiskState>>,
}

impl Disk {
    /// Makes a directory, if there is none, a simulated disk. What is in it counts as synced. The same seed and the
    /// same calls lose and tear the same.
    ///
    /// Simulated disks don't lie in each other.
    pub fn new(directory: &Path, seed: u64) -> io::Result<Disk> {
        sqlite::install();
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = DiskId(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        let state = Arc::new(Mutex::new(DiskState::new(directory.clone(), seed)));
        let mut disks = DISKS.write().unwrap_or_else(PoisonError::into_inner);
        disks.push(Registered { directory: directory.clone(), id, state: Arc::clone(&state) });
        drop(disks);
        Ok(Disk { id, directory, state })
    }

    /// Where it is, without symbolic links.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs something as a process of this machine: the files that SQLite opens meanwhile are its own, whoever uses
    /// them later. A database that is used outside of this belongs to no process.
    pub fn as_process<T>(&self, process: ProcessId, run: impl FnOnce() -> T) -> T {
        process::run_as(self.id, process, run)
    }

    /// The process ends without a last word: what it wrote stays, its locks are given back, and no call of what it has
    /// open does anything from now on.
    pub fn kill(&self, process: ProcessId) {
        locked(&self.state).kill(Some(process));
    }

    /// All processes are killed, and of what was not synced some is there afterwards, some is not, and some of it
    /// partly, by sectors of 512 bytes and in any order.
    pub fn cut_power(&self) {
        locked(&self.state).cut_power();
    }

    /// In the first call after so many more that write, truncate, sync or delete, whoever makes it, dies the process
    /// that makes it or the whole machine. The call itself is done, partly done, or not done.
    pub fn die_in(&self, after_calls: u64, death: Death) {
        locked(&self.state).faults.plan_death(after_calls, death);
    }

    /// Who died since [`Disk::die_in`] was called last.
    pub fn died(&self) -> Option<Died> {
        locked(&self.state).faults.died
    }

    /// Whether no file may grow.
    pub fn set_full(&self, full: bool) {
        locked(&self.state).faults.full = full;
    }

    /// By how many bytes files may still grow together; what is truncated and removed is added.
    pub fn set_room_bytes(&self, room_bytes: Option<u64>) {
        locked(&self.state).faults.room_bytes = room_bytes;
    }

    /// The next writes fail, and change nothing.
    pub fn fail_writes(&self, count: u64) {
        locked(&self.state).faults.failing_writes = count;
    }

    /// The next syncs fail that have something to sync. It goes on being read, but no later sync brings it to the disk
    /// either: a kernel gives a failed write-back up, marks the page clean and tells the error once to each who has the
    /// file open (<https://wiki.postgresql.org/wiki/Fsync_Errors>). A loss of power takes it for certain, unless it was
    /// written again.
    pub fn fail_syncs(&self, count: u64) {
        locked(&self.state).faults.failing_syncs = count;
    }

    /// The next reads fail.
    pub fn fail_reads(&self, count: u64) {
        locked(&self.state).faults.failing_reads = count;
    }

    /// All that is there counts as synced from now on. For whoever puts files there without SQLite, while none is open.
    pub fn settle(&self) -> io::Result<()> {
        locked(&self.state).settle()
    }

    /// What was written and waits for a sync.
    pub fn unsynced_bytes(&self) -> u64 {
        locked(&self.state).unsynced_bytes()
    }

    /// Copies all that is certain to be there after a loss of power now, without what may be there as well. Files that
    /// SQLite never opened are copied as they are.
    pub fn durable_copy(&self, to: &Path) -> io::Result<()> {
        locked(&self.state).copy_certain(to)
    }

    /// What the faults came to.
    pub fn bites(&self) -> Bites {
        locked(&self.state).bites
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut disks = DISKS.write().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|disk| disk.id != self.id);
    }
}

/// The disk that a file is on, and the process of its machine that this thread runs.
pub(super) fn holding(path: &Path) -> Option<(Arc<Mutex<DiskState>>, Option<ProcessId>)> {
    let disks = DISKS.read().unwrap_or_else(PoisonError::into_inner);
    let disk = disks.iter().find(|disk| path.starts_with(&disk.directory))?;
    Some((Arc::clone(&disk.state), process::running(disk.id)))
}

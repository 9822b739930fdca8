//! One file that SQLite has open on a simulated disk, as safe code. Every call of it may be the one in which its
//! process dies, and does nothing once that is dead.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::disk_state::{DiskState, FileId, FileState, HandleId};
use super::failure::Failure;
use super::faults::one_of;
use super::locked;
use super::locks::{Hold, Level, Regions};
use super::process::ProcessId;

/// See above.
pub(super) struct Handle {
    disk: Arc<Mutex<DiskState>>,
    id: HandleId,
    file: FileId,
    path: PathBuf,
    pub(super) read_only: bool,
    /// The first sync of a journal syncs its directory too, as SQLite's own file system does.
    syncs_directory: bool,
    /// Of those that failed on this file, how many were told here or were over when it was opened: a kernel tells each
    /// to everybody who has the file open, at his next sync.
    failed_syncs: u64,
    /// Kept from the first use of the shared memory on.
    regions: Option<Arc<Regions>>,
}

/// How a file is to be opened.
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) create: bool,
    pub(super) read_only: bool,
    /// Of a transaction: a journal or a write-ahead log.
    pub(super) journal: bool,
    pub(super) process: Option<ProcessId>,
}

impl Handle {
    pub(super) fn open(disk: Arc<Mutex<DiskState>>, wanted: Wanted) -> Result<Self, Failure> {
        let Wanted { path, create, read_only, journal, process } = wanted;
        let mut state = locked(&disk);
        let (id, file, can_not_be_written) =
            state.open(&path, create, process).inspect_err(|failure| state.note(failure))?;
        let failed_syncs = state.file(file)?.cached.failed_syncs();
        drop(state);
        let (syncs_directory, read_only) = (journal && create, read_only || can_not_be_written);
        Ok(Handle { disk, id, file, path, read_only, syncs_directory, failed_syncs, regions: None })
    }

    /// What is behind the end reads as zeros.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        self.run(|disk, _| {
            if one_of(&mut disk.faults.failing_reads) {
                disk.bites.failed_reads += 1;
                return Err(Failure::Read);
            }
            let read = disk.file(self.file)?.cached.read(offset, into)?;
            into[read..].fill(0);
            if read < into.len() { Err(Failure::ShortRead) } else { Ok(()) }
        })
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.run(|disk, process| {
            let death = disk.faults.death_now();
            if death.is_none() && one_of(&mut disk.faults.failing_writes) {
                disk.bites.failed_writes += 1;
                return Err(Failure::Write);
            }
            let wanted = match death {
                Some(_) => partly(disk, bytes.len()),
                None => bytes.len(),
            };
            let fits = disk.fitting(self.file, offset, wanted)?;
            if fits > 0 {
                disk.file(self.file)?.cached.write(offset, &bytes[..fits])?;
            }
            if let Some(death) = death {
                disk.die(death, process);
                return Err(Failure::Dead);
            }
            if fits < wanted {
                disk.bites.refused_full += 1;
                return Err(Failure::Full);
            }
            Ok(())
        })
    }

    pub(super) fn truncate(&self, bytes: u64) -> Result<(), Failure> {
        self.run(|disk, process| {
            let death = disk.faults.death_now();
            if death.is_none() || disk.random.percent(50) {
                let cached = &mut disk.file(self.file)?.cached;
                let before = cached.bytes()?;
                cached.truncate(bytes)?;
                disk.faults.give_room_back(before.saturating_sub(bytes));
            }
            let Some(death) = death else { return Ok(()) };
            disk.die(death, process);
            Err(Failure::Dead)
        })
    }

    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        let (syncs_directory, told) = (self.syncs_directory, self.failed_syncs);
        let mut failed_syncs = told;
        let synced = self.run(|disk, process| {
            let death = disk.faults.death_now();
            let waits = disk.file(self.file)?.cached.waits();
            if death.is_none() && waits && one_of(&mut disk.faults.failing_syncs) {
                disk.bites.failed_syncs += 1;
                disk.file(self.file)?.cached.fail_sync()?;
            }
            failed_syncs = disk.file(self.file)?.cached.failed_syncs();
            if death.is_none() || disk.random.percent(50) {
                disk.file(self.file)?.cached.sync()?;
                if death.is_none() && failed_syncs > told {
                    return Err(Failure::Sync);
                }
                if syncs_directory && let Some(directory) = self.path.parent() {
                    disk.names.sync_directory(directory);
                }
            }
            let Some(death) = death else { return Ok(()) };
            disk.die(death, process);
            Err(Failure::Dead)
        });
        self.failed_syncs = failed_syncs;
        self.syncs_directory &= synced.is_err();
        synced
    }

    pub(super) fn bytes(&self) -> Result<u64, Failure> {
        self.run(|disk, _| Ok(disk.file(self.file)?.cached.bytes()?))
    }

    /// Who has opened a file for reading can't keep others from it (fcntl(2), F_SETLK): so it is nobody who moves a log
    /// into its database, either.
    pub(super) fn lock(&self, to: Level) -> Result<(), Failure> {
        if self.read_only && to > Level::Shared {
            return Err(Failure::Lock);
        }
        self.run(|disk, _| disk.file(self.file)?.locks.raise(self.id, to))
    }

    /// Who is dead holds nothing.
    pub(super) fn unlock(&self, to: Level) {
        self.run_if_alive(|file| file.locks.lower(self.id, to));
    }

    pub(super) fn is_reserved(&self) -> Result<bool, Failure> {
        self.run(|disk, _| Ok(disk.file(self.file)?.locks.is_reserved()))
    }

    /// The address of a region of the shared memory; `None` if it is not there and is not to be made.
    pub(super) fn map_shared(&mut self, region: usize, bytes: usize, make: bool) -> Result<Option<*mut u64>, Failure> {
        let mine = self.run(|disk, _| {
            let shared = disk.file(self.file)?.shared.get_or_insert_default();
            shared.join(self.id);
            let regions = Arc::clone(&shared.regions);
            let grows = make && regions.count() <= region;
            if grows && !disk.faults.has_room(bytes as u64) {
                disk.bites.refused_full += 1;
                return Err(Failure::FullForSharedMemory);
            }
            Ok(regions)
        })?;
        let mapped = mine.map(region, bytes, make);
        self.regions = Some(mine);
        Ok(mapped)
    }

    pub(super) fn take_slots(&self, slots: u32, hold: Hold) -> Result<(), Failure> {
        self.run(|disk, _| {
            let shared = disk.file(self.file)?.shared.as_mut().ok_or(Failure::Dead)?;
            shared.take(self.id, slots, hold)
        })
    }

    pub(super) fn give_slots_back(&self, slots: u32) {
        self.run_if_alive(|file| {
            if let Some(shared) = &mut file.shared {
                shared.give_back(self.id, slots);
            }
        });
    }

    pub(super) fn unmap_shared(&mut self) {
        self.run_if_alive(|file| file.leave_shared(self.id));
        self.regions = None;
    }

    fn run_if_alive(&self, act: impl FnOnce(&mut FileState)) {
        let mut disk = locked(&self.disk);
        if disk.owner(self.id).is_ok()
            && let Ok(file) = disk.file(self.file)
        {
            act(file);
        }
    }

    /// Does something with the disk, unless this is dead.
    fn run<T>(&self, act: impl FnOnce(&mut DiskState, Option<ProcessId>) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut disk = locked(&self.disk);
        let process = disk.owner(self.id)?;
        act(&mut disk, process).inspect_err(|failure| disk.note(failure))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        locked(&self.disk).close(self.id);
    }
}

/// How much of a write is done by who dies in it: none, all, or the beginning.
fn partly(disk: &mut DiskState, bytes: usize) -> usize {
    match disk.random.below(3) {
        0 => 0,
        1 => bytes,
        _ => disk.random.below(bytes),
    }
}

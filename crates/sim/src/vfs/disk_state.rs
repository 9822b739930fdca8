//! What a simulated disk knows: its files, who has them open, what is to go wrong, and how a process or the whole
//! machine dies on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::bites::Bites;
use super::failure::Failure;
use super::faults::{Death, Faults};
use super::locks::{FileLocks, SharedMemory};
use super::names::Names;
use super::platter::{CachedFile, Odds};
use super::process::ProcessId;
use crate::random::Random;

/// One file of the disk, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(u64);

/// One file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HandleId(u64);

/// See above. It grows with the files that are open or wait for a sync.
pub(super) struct DiskState {
    directory: PathBuf,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) bites: Bites,
    pub(super) names: Names,
    files: BTreeMap<FileId, FileState>,
    /// Of those who live.
    handles: BTreeMap<HandleId, Opened>,
    killed: BTreeSet<ProcessId>,
    last_id: u64,
}

/// What is known of one file.
pub(super) struct FileState {
    pub(super) cached: CachedFile,
    pub(super) locks: FileLocks,
    pub(super) shared: Option<SharedMemory>,
}

#[derive(Clone, Copy)]
struct Opened {
    file: FileId,
    process: Option<ProcessId>,
}

impl FileState {
    /// The shared memory is gone with the last who has it mapped.
    pub(super) fn leave_shared(&mut self, handle: HandleId) {
        if self.shared.as_mut().is_some_and(|shared| shared.part(handle)) {
            self.shared = None;
        }
    }
}

impl DiskState {
    pub(super) fn new(directory: PathBuf, seed: u64) -> Self {
        DiskState {
            directory,
            random: Random::new(seed),
            faults: Faults::default(),
            bites: Bites::default(),
            names: Names::default(),
            files: BTreeMap::new(),
            handles: BTreeMap::new(),
            killed: BTreeSet::new(),
            last_id: 0,
        }
    }

    /// Whose a handle is, as long as that one lives.
    pub(super) fn owner(&self, handle: HandleId) -> Result<Option<ProcessId>, Failure> {
        Ok(self.handles.get(&handle).ok_or(Failure::Dead)?.process)
    }

    pub(super) fn check_alive(&self, process: Option<ProcessId>) -> Result<(), Failure> {
        if process.is_some_and(|process| self.killed.contains(&process)) { Err(Failure::Dead) } else { Ok(()) }
    }

    pub(super) fn file(&mut self, file: FileId) -> Result<&mut FileState, Failure> {
        self.files.get_mut(&file).ok_or(Failure::Dead)
    }

    /// Opens the file at `path`. True: it can't be written.
    pub(super) fn open(
        &mut self,
        path: &Path,
        create: bool,
        process: Option<ProcessId>,
    ) -> Result<(HandleId, FileId, bool), Failure> {
        self.check_alive(process)?;
        let (file, read_only) = match self.find(path)? {
            Some(found) => found,
            None if create => {
                let made = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
                let file = self.follow(made);
                self.names.set(path, Some(file));
                (file, false)
            }
            None => return Err(Failure::NotThere),
        };
        let handle = HandleId(self.next_id());
        self.handles.insert(handle, Opened { file, process });
        Ok((handle, file, read_only))
    }

    pub(super) fn close(&mut self, handle: HandleId) {
        let Some(Opened { file, .. }) = self.handles.remove(&handle) else { return };
        self.let_go(file, handle);
        let open: BTreeSet<FileId> = self.handles.values().map(|opened| opened.file).collect();
        let (files, names) = (&mut self.files, &mut self.names);
        names.release(|file| !open.contains(&file) && !files.get(&file).is_some_and(|state| state.cached.is_at_risk()));
        files.retain(|file, _| open.contains(file) || names.refers_to(*file));
    }

    /// Removes an entry of a directory.
    pub(super) fn delete(
        &mut self,
        path: &Path,
        sync_directory: bool,
        process: Option<ProcessId>,
    ) -> Result<(), Failure> {
        self.check_alive(process)?;
        if let Some(death) = self.faults.death_now() {
            if self.random.percent(50) {
                self.remove(path, sync_directory)?;
            }
            self.die(death, process);
            return Err(Failure::Dead);
        }
        self.remove(path, sync_directory)
    }

    fn remove(&mut self, path: &Path, sync_directory: bool) -> Result<(), Failure> {
        let Some((file, _)) = self.find(path)? else { return Err(Failure::NoEntry) };
        let bytes = self.file(file)?.cached.bytes()?;
        fs::remove_file(path)?;
        self.names.set(path, None);
        self.faults.give_room_back(bytes);
        if sync_directory && let Some(directory) = path.parent() {
            self.names.sync_directory(directory);
        }
        Ok(())
    }

    /// How many of the bytes that are to be written at `offset` the disk has room for.
    pub(super) fn fitting(&mut self, file: FileId, offset: u64, bytes: usize) -> Result<usize, Failure> {
        let there = self.file(file)?.cached.bytes()?;
        let growth = (offset + bytes as u64).saturating_sub(there.max(offset));
        let hole = offset.saturating_sub(there);
        let granted = self.faults.take_room(growth, hole);
        let missing = usize::try_from(growth - granted).unwrap_or(bytes);
        Ok(bytes.saturating_sub(missing))
    }

    pub(super) fn die(&mut self, death: Death, process: Option<ProcessId>) {
        self.bites.deaths_in_a_call += 1;
        self.faults.note_death(death, process);
        match death {
            Death::Kill => self.kill(process),
            Death::Power => self.cut_power(),
        }
    }

    /// Nothing that the process has open does anything from now on. What belongs to none can be opened again.
    pub(super) fn kill(&mut self, process: Option<ProcessId>) {
        self.killed.extend(process);
        let dead: Vec<(HandleId, FileId)> = self
            .handles
            .iter()
            .filter(|(_, opened)| opened.process == process)
            .map(|(handle, opened)| (*handle, opened.file))
            .collect();
        for (handle, file) in dead {
            self.handles.remove(&handle);
            self.let_go(file, handle);
        }
    }

    pub(super) fn cut_power(&mut self) {
        if let Err(error) = self.lose_power() {
            self.host_failed(&error);
        }
    }

    /// All is on the disk as it is.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        for path in self.names.paths() {
            self.look_outside(&path)?;
        }
        self.names.settle_all();
        self.files.values_mut().for_each(|file| file.cached.settle());
        Ok(())
    }

    pub(super) fn unsynced_bytes(&self) -> u64 {
        self.files.values().map(|file| file.cached.waiting_bytes()).sum()
    }

    /// Copies what a loss of power leaves that takes all it can.
    pub(super) fn copy_certain(&mut self, to: &Path) -> io::Result<()> {
        for path in self.names.paths() {
            self.look_outside(&path)?;
        }
        copy_directory(&self.directory, to, &|path| self.names.iter().all(|(followed, _)| followed != path))?;
        for (path, entry) in self.names.iter() {
            let (Ok(within), Some(file)) = (path.strip_prefix(&self.directory), entry.synced) else { continue };
            let Some(file) = self.files.get_mut(&file) else { continue };
            file.cached.copy_certain(&File::create(to.join(within))?)?;
        }
        Ok(())
    }

    /// A failure that was not asked for is told.
    pub(super) fn note(&mut self, failure: &Failure) {
        if let Failure::Host(error) = failure {
            self.host_failed(error);
        }
    }

    fn host_failed(&mut self, error: &io::Error) {
        eprintln!("the simulation's own disk failed: {error}");
        self.bites.host_errors += 1;
    }

    fn lose_power(&mut self) -> io::Result<()> {
        let before = self.bites.taken_by_power_cuts();
        let odds = Odds::draw(&mut self.random);
        for path in self.names.paths() {
            self.look_outside(&path)?;
        }
        self.killed.extend(self.handles.values().filter_map(|opened| opened.process));
        self.handles.clear();
        let mut files = std::mem::take(&mut self.files);
        for file in files.values_mut() {
            file.cached.lose_power(&odds, &mut self.random, &mut self.bites)?;
        }
        for (path, entry) in self.names.take() {
            let outcomes: Vec<Option<FileId>> = entry.outcomes().collect();
            let newest = outcomes.len() - 1;
            let chosen = if odds.survives(&mut self.random) { newest } else { self.random.below(outcomes.len()) };
            if outcomes[chosen] == outcomes[newest] {
                continue;
            }
            self.bites.lost_entries += 1;
            if outcomes[newest].is_some() {
                fs::remove_file(&path)?;
            }
            if let Some(file) = outcomes[chosen].and_then(|file| files.get(&file)) {
                file.cached.copy_cached(&File::create_new(&path)?)?;
            }
        }
        self.bites.power_cuts += 1;
        self.bites.power_cuts_that_took_something += u64::from(self.bites.taken_by_power_cuts() > before);
        Ok(())
    }

    /// The file at `path`, which is followed from now on, and whether it can't be written.
    fn find(&mut self, path: &Path) -> io::Result<Option<(FileId, bool)>> {
        self.look_outside(path)?;
        if let Some(file) = self.names.current(path) {
            return Ok(Some((file, false)));
        }
        let (found, read_only) = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (File::open(path)?, true),
            found => (found?, false),
        };
        let file = self.follow(found);
        self.names.adopt(path.to_owned(), file);
        Ok(Some((file, read_only)))
    }

    /// The code under test removes files by other means, too; and whoever runs it may put others in their place, which
    /// are taken as they are.
    fn look_outside(&mut self, path: &Path) -> io::Result<()> {
        let Some(file) = self.names.current(path) else { return Ok(()) };
        let Some(state) = self.files.get(&file) else { return Ok(()) };
        let ours = state.cached.metadata()?;
        match fs::metadata(path) {
            Ok(found) if (found.dev(), found.ino()) == (ours.dev(), ours.ino()) => {}
            Ok(_) => self.names.forget(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.names.set(path, None),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn follow(&mut self, file: File) -> FileId {
        let id = FileId(self.next_id());
        let state = FileState { cached: CachedFile::new(file), locks: FileLocks::default(), shared: None };
        self.files.insert(id, state);
        id
    }

    /// Gives back what a handle holds of a file.
    fn let_go(&mut self, file: FileId, handle: HandleId) {
        let Some(state) = self.files.get_mut(&file) else { return };
        state.locks.lower(handle, super::locks::Level::None);
        state.leave_shared(handle);
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// Copies the files of a directory and of those in it that `takes` wants.
fn copy_directory(from: &Path, to: &Path, takes: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for found in fs::read_dir(from)? {
        let found = found?;
        let (path, target) = (found.path(), to.join(found.file_name()));
        if path.is_dir() {
            copy_directory(&path, &target, takes)?;
        } else if takes(&path) {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

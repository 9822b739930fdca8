//! Which file a directory has under which name, now and after a loss of power: a new entry, and one that is gone, is on
//! the disk once the directory is synced (fsync(2)).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk_state::FileId;

/// The entries that are followed. What is not here is on the disk as it is.
#[derive(Default)]
pub(super) struct Names(BTreeMap<PathBuf, Entry>);

/// What a name stood for when its directory was synced, and since then.
pub(super) struct Entry {
    pub(super) synced: Option<FileId>,
    pub(super) since: Vec<Option<FileId>>,
}

impl Entry {
    pub(super) fn current(&self) -> Option<FileId> {
        self.since.last().copied().unwrap_or(self.synced)
    }

    /// What it may stand for after a loss of power, the newest last.
    pub(super) fn outcomes(&self) -> impl DoubleEndedIterator<Item = Option<FileId>> {
        std::iter::once(self.synced).chain(self.since.iter().copied())
    }
}

impl Names {
    pub(super) fn current(&self, path: &Path) -> Option<FileId> {
        self.0.get(path).and_then(Entry::current)
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Entry)> {
        self.0.iter()
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = (PathBuf, Entry)> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }

    /// Follows a file that is there, its entry synced.
    pub(super) fn adopt(&mut self, path: PathBuf, file: FileId) {
        self.0.insert(path, Entry { synced: Some(file), since: Vec::new() });
    }

    /// The name stands for another file from now on, or for none.
    pub(super) fn set(&mut self, path: &Path, file: Option<FileId>) {
        let entry = self.0.entry(path.to_owned()).or_insert_with(|| Entry { synced: None, since: Vec::new() });
        entry.since.push(file);
    }

    /// What the name stands for is not ours.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.remove(path);
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) {
        self.settle(|path| path.parent() == Some(directory));
    }

    /// All is on the disk as it is.
    pub(super) fn settle_all(&mut self) {
        self.settle(|_| true);
    }

    fn settle(&mut self, which: impl Fn(&Path) -> bool) {
        for (_, entry) in self.0.iter_mut().filter(|(path, _)| which(path)) {
            entry.synced = entry.current();
            entry.since.clear();
        }
        self.0.retain(|_, entry| entry.synced.is_some() || !entry.since.is_empty());
    }

    /// Stops following the names whose files need it no more.
    pub(super) fn release(&mut self, needless: impl Fn(FileId) -> bool) {
        self.0.retain(|_, entry| !(entry.since.is_empty() && entry.synced.is_some_and(&needless)));
    }

    pub(super) fn refers_to(&self, file: FileId) -> bool {
        self.0.values().any(|entry| entry.outcomes().any(|outcome| outcome == Some(file)))
    }
}

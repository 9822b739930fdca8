//! A profile's directory, made so that it outlasts a loss of power: an entry of a directory is on disk once the
//! directory is synced (fsync(2)); SQLite does that for its own files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::ProfileError;

/// Others on this machine must not read the secret. An existing directory is left as its owner made it.
pub(super) fn make(dir: &Path) -> Result<(), ProfileError> {
    let failed = |path: &Path, error: &io::Error| ProfileError::Io { path: path.to_owned(), kind: error.kind() };
    // "a/b" has the ancestors "a/b", "a" and "".
    let new: Vec<PathBuf> = dir.ancestors().take_while(|path| !is_there(path)).map(Path::to_owned).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| failed(dir, &error))?;
    for path in new.iter().filter_map(|path| path.parent()) {
        sync(path).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

/// Waits for one's turn to open the databases, which lasts until the file is dropped. SQLite's busy timeout does not
/// cover the change of a new database to a write-ahead log, nor a damaged one's being replaced.
pub(super) fn take_turn(dir: &Path) -> Result<File, ProfileError> {
    let name = "open.lock";
    let file = open_lock(dir, name)?;
    file.lock().map_err(|error| ProfileError::Io { path: dir.join(name), kind: error.kind() })?;
    Ok(file)
}

/// Opens a file that is there to be locked. It stays, since deleting it would let two in.
pub(super) fn open_lock(dir: &Path, name: &str) -> Result<File, ProfileError> {
    let path = dir.join(name);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    opened.map_err(|error| ProfileError::Io { path, kind: error.kind() })
}

/// The empty path stands for the working directory.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.is_dir()
}

#[cfg(unix)]
fn sync(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Elsewhere a directory can't be opened to be synced.
#[cfg(not(unix))]
fn sync(_dir: &Path) -> io::Result<()> {
    Ok(())
}

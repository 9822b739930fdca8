//! Who drives: the process that holds the lock on `driver.lock` in the profile's directory. The system takes the lock
//! back when the process ends, however it ends. The file holds the process id, to name a holder that does not answer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use super::ProfileError;

const FILE: &str = "driver.lock";
/// More digits than any process id has.
const PID_BYTES_MAX: u64 = 32;

/// The right to drive a profile's link, until it is dropped.
#[derive(Debug)]
pub struct DriverLock {
    file: File,
}

impl DriverLock {
    /// Takes the lock, if nobody holds it. A call of [`DriverLock::holder`] elsewhere can get in the way for a moment:
    /// who wants to take over tries again.
    pub fn try_take(dir: &Path) -> Result<Option<DriverLock>, ProfileError> {
        let mut file = open(dir)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(dir, &error)),
        }
        let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(|error| failed(dir, &error))?;
        Ok(Some(DriverLock { file }))
    }

    /// The process that holds the lock. `None`: nobody, or a holder that has just taken it and not yet said its id.
    pub fn holder(dir: &Path) -> Result<Option<u32>, ProfileError> {
        let mut file = match open(dir) {
            // Nobody drives a profile that can't be written, but who has it mounted for writing elsewhere.
            Err(ProfileError::Io { kind: ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied, .. }) => {
                match File::open(dir.join(FILE)) {
                    Ok(file) => file,
                    Err(_) => return Ok(None),
                }
            }
            opened => opened?,
        };
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(dir, &error)),
        }
        let mut pid = String::new();
        let read = Read::by_ref(&mut file).take(PID_BYTES_MAX).read_to_string(&mut pid);
        read.map_err(|error| failed(dir, &error))?;
        Ok(pid.trim().parse().ok())
    }
}

impl Drop for DriverLock {
    fn drop(&mut self) {
        // The id without the lock means nothing, and closing the file gives the lock back in any case.
        if let Err(error) = self.file.set_len(0).and_then(|()| self.file.unlock()) {
            tracing::debug!(%error, "the driver lock was not cleared");
        }
    }
}

fn open(dir: &Path) -> Result<File, ProfileError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(FILE));
    opened.map_err(|error| failed(dir, &error))
}

fn failed(dir: &Path, error: &io::Error) -> ProfileError {
    ProfileError::Io { path: dir.join(FILE), kind: error.kind() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_drives_and_is_named_until_it_lets_go() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(DriverLock::holder(dir.path()), Ok(None));
        let lock = DriverLock::try_take(dir.path()).expect("a lock").expect("nobody holds it");
        assert!(DriverLock::try_take(dir.path()).expect("an answer").is_none());
        assert_eq!(DriverLock::holder(dir.path()), Ok(Some(std::process::id())));
        drop(lock);
        assert_eq!(DriverLock::holder(dir.path()), Ok(None));
        assert!(DriverLock::try_take(dir.path()).expect("an answer").is_some());
    }

    #[test]
    fn the_id_that_a_killed_holder_left_behind_names_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(FILE), "4711").expect("a file");
        assert_eq!(DriverLock::holder(dir.path()), Ok(None));
        assert!(DriverLock::try_take(dir.path()).expect("an answer").is_some());
    }
}

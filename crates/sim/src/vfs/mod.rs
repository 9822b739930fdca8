//! Disks that can break: a file system of SQLite's (a "VFS", <https://www.sqlite.org/vfs.html>) on which power is lost,
//! processes die in the midst of a call, writes are torn, and nothing fits any more.
//!
//! The code that is tested knows nothing of it: the file system is installed as SQLite's default one, serves what lies
//! below the directory of a [`Disk`], and hands everything else to the one that was the default before. Files are real
//! files, so that code that looks at them by other means finds them; only, none is ever synced, and what a disk would
//! hold after a loss of power is remembered beside them.
//!
//! What it promises is what SQLite counts on where it usually runs, and no more: a sync that succeeded brings all of
//! its file to the disk; a write harms no byte outside of its range (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`, which SQLite's
//! own file system for Unix claims unless told otherwise, so that a log is not padded to sectors there either);
//! everything else may be torn, in any order.

mod bites;
mod disk;
mod disk_state;
mod failure;
mod faults;
mod handle;
mod locks;
mod names;
mod platter;
mod process;
#[expect(unsafe_code, reason = "SQLite calls a file system through C; each use says why it is sound")]
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use bites::Bites;
pub use disk::Disk;
pub use faults::{Death, Died};
pub use process::ProcessId;
pub use sqlite::{install, seed};

/// What a scenario that panicked left is looked at by nobody but those who drop it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What a call to the file system can end in, and what SQLite calls that.

use std::ffi::c_int;
use std::io;

use rusqlite::ffi;

/// Why a call did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The process was killed, or its machine has no power: nothing is done.
    Dead,
    /// Somebody else holds it.
    Busy,
    /// No room.
    Full,
    /// No room for more shared memory, which is a file elsewhere.
    FullForSharedMemory,
    Write,
    Sync,
    Read,
    Lock,
    /// There was less than was asked for.
    ShortRead,
    NotThere,
    NoEntry,
    /// The machine that the simulation runs on failed.
    Host(io::Error),
}

impl Failure {
    /// Result codes: <https://www.sqlite.org/rescode.html>.
    pub(super) fn code(&self) -> c_int {
        match self {
            Failure::Dead | Failure::Host(_) => ffi::SQLITE_IOERR,
            Failure::Busy => ffi::SQLITE_BUSY,
            Failure::Full => ffi::SQLITE_FULL,
            Failure::FullForSharedMemory => ffi::SQLITE_IOERR_SHMSIZE,
            Failure::Write => ffi::SQLITE_IOERR_WRITE,
            Failure::Sync => ffi::SQLITE_IOERR_FSYNC,
            Failure::Read => ffi::SQLITE_IOERR_READ,
            Failure::Lock => ffi::SQLITE_IOERR_LOCK,
            Failure::ShortRead => ffi::SQLITE_IOERR_SHORT_READ,
            Failure::NotThere => ffi::SQLITE_CANTOPEN,
            Failure::NoEntry => ffi::SQLITE_IOERR_DELETE_NOENT,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Host(error)
    }
}

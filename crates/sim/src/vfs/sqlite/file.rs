//! The calls for one open file. <https://www.sqlite.org/c3ref/io_methods.html>

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use super::super::failure::Failure;
use super::super::handle::Handle;
use super::super::locks::{Hold, Level};
use super::{OK, note_conflict};

/// What SQLite has room for in each of its files.
#[repr(C)]
pub(super) struct OpenFile {
    base: sqlite3_file,
    /// From `Box::into_raw`; ours from [`OpenFile::put`] until [`close`].
    handle: *mut Handle,
}

/// As old as the shared memory; what came later (memory maps) is not needed.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

impl OpenFile {
    /// # Safety
    /// `file` is a place for an `OpenFile`, which holds none that is open.
    pub(super) unsafe fn put(file: *mut sqlite3_file, opened: Result<Handle, Failure>) -> c_int {
        let (methods, handle, code) = match opened {
            Ok(handle) => (&raw const METHODS, Box::into_raw(Box::new(handle)), OK),
            // Without methods SQLite does not close it.
            Err(failure) => (ptr::null(), ptr::null_mut(), failure.code()),
        };
        let open = OpenFile { base: sqlite3_file { pMethods: methods }, handle };
        // SAFETY: the caller's promise.
        unsafe { file.cast::<OpenFile>().write(open) };
        code
    }
}

/// # Safety
/// `file` was opened by [`OpenFile::put`] and is not closed, and nobody else uses it during the call: SQLite lets one
/// thread at a time use a connection, and a file belongs to one.
unsafe fn handle<'call>(file: *mut sqlite3_file) -> &'call mut Handle {
    // SAFETY: the caller's promise; the box lives until `close`.
    unsafe { &mut *(*file.cast::<OpenFile>()).handle }
}

fn code(done: Result<(), Failure>) -> c_int {
    done.map_or_else(
        |failure| {
            if matches!(failure, Failure::Busy) {
                note_conflict();
            }
            failure.code()
        },
        |()| OK,
    )
}

/// SQLite's offsets and sizes are never negative.
fn unsigned(number: sqlite3_int64) -> u64 {
    number.cast_unsigned()
}

fn count(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, and it was opened by `put`.
    let handle = unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) };
    drop(handle);
    OK
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, bytes: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls for open files.
    let handle = unsafe { handle(file) };
    // SAFETY: SQLite gives a place for so many bytes. They are zeroed, so that a slice of them may be made.
    let into = unsafe {
        ptr::write_bytes(into.cast::<u8>(), 0, count(bytes));
        std::slice::from_raw_parts_mut(into.cast::<u8>(), count(bytes))
    };
    code(handle.read(unsigned(offset), into))
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, bytes: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls for open files.
    let handle = unsafe { handle(file) };
    // SAFETY: SQLite gives so many bytes, which it has written and does not change during the call.
    let from = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), count(bytes)) };
    code(handle.write(unsigned(offset), from))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls for open files.
    code(unsafe { handle(file) }.truncate(unsigned(bytes)))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    code(unsafe { handle(file) }.sync())
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, bytes: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls for open files.
    code(unsafe { handle(file) }.bytes().map(|found| {
        // SAFETY: SQLite gives a place for the size.
        unsafe { *bytes = found.cast_signed() };
    }))
}

/// <https://www.sqlite.org/c3ref/c_lock_exclusive.html>
fn level(number: c_int) -> Level {
    match number {
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        ffi::SQLITE_LOCK_PENDING => Level::Pending,
        ffi::SQLITE_LOCK_EXCLUSIVE => Level::Exclusive,
        _ => Level::None,
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, to: c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    code(unsafe { handle(file) }.lock(level(to)))
}

/// Who is dead holds nothing, so that giving back always succeeds.
unsafe extern "C" fn unlock(file: *mut sqlite3_file, to: c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    unsafe { handle(file) }.unlock(level(to));
    OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    code(unsafe { handle(file) }.is_reserved().map(|reserved| {
        // SAFETY: SQLite gives a place for the answer.
        unsafe { *out = c_int::from(reserved) };
    }))
}

unsafe extern "C" fn file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls for open files.
    let mapped = unsafe { handle(file) }.map_shared(count(region), count(bytes), extend != 0);
    code(mapped.map(|region| {
        // SAFETY: SQLite gives a place for the address, which is of memory that lives until `shm_unmap` or `close`.
        unsafe { *out = region.map_or(ptr::null_mut(), <*mut u64>::cast) };
    }))
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, number: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    let handle = unsafe { handle(file) };
    let slots = ((1u32 << number) - 1) << first;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        handle.give_slots_back(slots);
        return OK;
    }
    let hold = if flags & ffi::SQLITE_SHM_EXCLUSIVE != 0 { Hold::Exclusive } else { Hold::Shared };
    code(handle.take_slots(slots, hold))
}

/// A world is one thread, and the regions have their own fences in SQLite's reads and writes of them.
unsafe extern "C" fn shm_barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite calls for open files.
    unsafe { handle(file) }.unmap_shared();
    OK
}

//! The file system as SQLite calls it: each function here turns pointers into values and asks [`super::disk`] or the
//! file system that was the default before. <https://www.sqlite.org/c3ref/vfs.html>

mod file;

use std::cell::Cell;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_filename, sqlite3_vfs};

use super::handle::{Handle, Wanted};
use super::{disk, locked};
use crate::random::Random;
use file::OpenFile;

const OK: c_int = ffi::SQLITE_OK;
/// 2000-01-01 as the milliseconds of a Julian day number.
const FIXED_TIME_MS: i64 = 211_813_444_800_000;
const DAY_MS: f64 = 86_400_000.0;

/// What was the default before; null until [`install`].
static ORIGINAL: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Set by [`seed`].
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
    /// Whether the last lock that this thread did not get was one of a simulated disk.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Makes this the file system that SQLite uses in this process. Files that are on no simulated disk stay with the one
/// that was used before.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: null asks for the default one, which lives as long as the process.
        let original = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        assert!(!original.is_null(), "SQLite has no file system");
        // SAFETY: it is not null, and nobody changes it once it is registered.
        let (handle_bytes, path_bytes_max) = unsafe { ((*original).szOsFile, (*original).mxPathname) };
        ORIGINAL.store(original, Ordering::Release);
        let ours = c_int::try_from(size_of::<OpenFile>()).expect("a few words");
        let vfs = Box::new(sqlite3_vfs {
            iVersion: 2,
            szOsFile: handle_bytes.max(ours),
            mxPathname: path_bytes_max,
            pNext: ptr::null_mut(),
            zName: c"steadfast-sim".as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: Some(library_open),
            xDlError: Some(library_error),
            xDlSym: Some(library_symbol),
            xDlClose: Some(library_close),
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        });
        // SAFETY: what is registered lives for ever, since nobody frees it.
        let registered = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 1) };
        assert_eq!(registered, OK, "SQLite takes the file system");
    });
}

/// From now on SQLite's own chance comes from this seed, as far as this thread draws, and its time stands still there.
/// Two worlds of one seed write the same bytes, unless another thread uses SQLite meanwhile: its chance is one for the
/// whole process, and the salts of write-ahead logs come from it. What a world does depends on them in no way.
pub fn seed(seed: u64) {
    install();
    SEED.set(Some(Random::new(seed).number()));
    // SAFETY: without a place to write to it forgets what it was seeded with, and asks `randomness` at the next draw.
    unsafe { ffi::sqlite3_randomness(0, ptr::null_mut()) };
}

/// Notes that this thread is about to wait for a lock of a simulated disk.
fn note_conflict() {
    WAITS.set(true);
}

fn original() -> *mut sqlite3_vfs {
    ORIGINAL.load(Ordering::Acquire)
}

/// Calls a function of the original file system, which has all that are called here.
macro_rules! original {
    ($function:ident($($argument:expr),*)) => {{
        let original = original();
        // SAFETY: `install` set it before SQLite could call anything here, and it lives for ever. The arguments are
        // those that SQLite gave for the same call.
        unsafe {
            match (*original).$function {
                Some(function) => function(original, $($argument),*),
                None => unreachable!("a file system without a function that SQLite requires"),
            }
        }
    }};
}

/// # Safety
/// A string that ends with a zero, or null.
unsafe fn path(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a path, or null for a file that is to have none.
    let path = unsafe { path(name) };
    let Some((path, (disk, process))) = path.and_then(|path| Some((path.clone(), disk::holding(&path)?))) else {
        return original!(xOpen(name, file, flags, flags_out));
    };
    let journals = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let (read_only, journal) = (flags & ffi::SQLITE_OPEN_READWRITE == 0, flags & journals != 0);
    let opened = Handle::open(disk, Wanted { path, create, read_only, journal, process });
    let read_only = opened.as_ref().is_ok_and(|handle| handle.read_only);
    // SAFETY: SQLite gives `szOsFile` bytes, which are enough for an `OpenFile`.
    let code = unsafe { OpenFile::put(file, opened) };
    if !flags_out.is_null() {
        let instead = flags & !ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_READONLY;
        // SAFETY: not null, so it is a place for the flags.
        unsafe { *flags_out = if read_only { instead } else { flags } };
    }
    code
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: SQLite gives a path.
    let path = unsafe { path(name) };
    let Some((path, (disk, process))) = path.and_then(|path| Some((path.clone(), disk::holding(&path)?))) else {
        return original!(xDelete(name, sync_directory));
    };
    let mut disk = locked(&disk);
    let deleted = disk.delete(&path, sync_directory & 1 != 0, process).inspect_err(|failure| disk.note(failure));
    deleted.map_or_else(|failure| failure.code(), |()| OK)
}

/// The files are real, so the original file system sees them.
unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a path.
    let on_disk = unsafe { path(name) }.and_then(|path| disk::holding(&path));
    if let Some((disk, process)) = on_disk
        && locked(&disk).check_alive(process).is_err()
    {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    original!(xAccess(name, flags, out))
}

unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, bytes: c_int, out: *mut c_char) -> c_int {
    original!(xFullPathname(name, bytes, out))
}

unsafe extern "C" fn library_open(_: *mut sqlite3_vfs, name: *const c_char) -> *mut c_void {
    original!(xDlOpen(name))
}

unsafe extern "C" fn library_error(_: *mut sqlite3_vfs, bytes: c_int, message: *mut c_char) {
    original!(xDlError(bytes, message));
}

type Symbol = unsafe extern "C" fn(*mut sqlite3_vfs, *mut c_void, *const c_char);

unsafe extern "C" fn library_symbol(_: *mut sqlite3_vfs, library: *mut c_void, name: *const c_char) -> Option<Symbol> {
    original!(xDlSym(library, name))
}

unsafe extern "C" fn library_close(_: *mut sqlite3_vfs, library: *mut c_void) {
    original!(xDlClose(library));
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    let Some(seed) = SEED.get() else {
        return original!(xRandomness(bytes, out));
    };
    let count = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: SQLite gives a place for so many bytes, which it reads as bytes only after this.
    unsafe { ptr::write_bytes(out.cast::<u8>(), 0, count) };
    // SAFETY: as above, and they are written now.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), count) };
    let mut random = Random::new(seed);
    out.fill_with(|| random.number().to_le_bytes()[0]);
    SEED.set(Some(random.number()));
    bytes
}

/// Nobody else runs while a simulated process waits, so that waiting would change nothing.
unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    if WAITS.take() {
        return microseconds;
    }
    original!(xSleep(microseconds))
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, days: *mut f64) -> c_int {
    let mut ms = 0;
    // SAFETY: `ms` is a place for the time.
    let code = unsafe { current_time_ms(vfs, &raw mut ms) };
    // SAFETY: SQLite gives a place for the time.
    unsafe { *days = ms as f64 / DAY_MS };
    code
}

unsafe extern "C" fn current_time_ms(_: *mut sqlite3_vfs, ms: *mut ffi::sqlite3_int64) -> c_int {
    if SEED.get().is_none() {
        return original!(xCurrentTimeInt64(ms));
    }
    // SAFETY: SQLite gives a place for the time.
    unsafe { *ms = FIXED_TIME_MS };
    OK
}

unsafe extern "C" fn last_error(_: *mut sqlite3_vfs, bytes: c_int, message: *mut c_char) -> c_int {
    original!(xGetLastError(bytes, message))
}

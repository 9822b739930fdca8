//! Bringing to the disk what an earlier process may have left in the page cache only.
//!
//! When a sync fails, the kernel gives up what it was to write and marks it clean: it goes on being read, and no later
//! sync writes it (<https://wiki.postgresql.org/wiki/Fsync_Errors>). The next process finds it in the write-ahead log,
//! where it looks like the rest. Were it moved into the database from there, which is synced, then a loss of power
//! would leave older pages in the log than there are in the database, and SQLite puts those of the log first: a mixture
//! of two states. So before such a log is used it is written over itself: then it is dirty again, and its sync honest.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// <https://www.sqlite.org/fileformat2.html#walformat>
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const PAGE_BYTES_MAX: usize = 64 * 1_024;

/// Writes the write-ahead log of the database at `path` over itself, and syncs it. Nobody may write meanwhile; reading
/// it is no matter. To be done before SQLite opens the database in a way that could move the log into it.
pub(crate) fn write_again(path: &Path) -> io::Result<()> {
    match OpenOptions::new().read(true).write(true).open(log_of(path)) {
        Ok(mut log) => write_over(&mut log),
        // Whoever closed the database last took it along.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log: OsString = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// All frames with the salts of the header: those behind are left from before the log was begun anew. Whether their
/// checksums are right is for SQLite to say.
fn write_over(log: &mut File) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    if !read_at(log, 0, &mut header)? {
        return Ok(());
    }
    write_at(log, 0, &header)?;
    let page_bytes = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let page_bytes = usize::try_from(page_bytes).unwrap_or(usize::MAX);
    if page_bytes <= PAGE_BYTES_MAX {
        let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
        let mut at = HEADER_BYTES as u64;
        while read_at(log, at, &mut frame)? && frame[8..16] == header[16..24] {
            write_at(log, at, &frame)?;
            at += frame.len() as u64;
        }
    }
    log.sync_data()
}

/// False: there is less than that.
fn read_at(log: &mut File, at: u64, into: &mut [u8]) -> io::Result<bool> {
    log.seek(SeekFrom::Start(at))?;
    match log.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_at(log: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    log.seek(SeekFrom::Start(at))?;
    log.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::sqlite;

    /// What a process leaves that was killed: a database with something in its log.
    fn left_behind() -> (tempfile::TempDir, PathBuf) {
        let (used, left) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let connection = sqlite::open(&used.path().join("a")).expect("a database");
        connection.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000))").expect("rows");
        for name in ["a", "a-wal"] {
            std::fs::copy(used.path().join(name), left.path().join(name)).expect("a copy");
        }
        let path = left.path().join("a");
        (left, path)
    }

    #[test]
    fn a_log_that_is_written_again_is_the_same() {
        let (_left, path) = left_behind();
        let before = std::fs::read(log_of(&path)).expect("a log");
        let log = File::options().write(true).open(log_of(&path)).expect("a log");
        log.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
        write_again(&path).expect("written again");
        assert!(std::fs::read(log_of(&path)).expect("a log") == before);
        assert_ne!(log.metadata().and_then(|log| log.modified()).expect("a time"), SystemTime::UNIX_EPOCH);
        let rows = sqlite::open(&path).expect("a database").query_row("SELECT count(*) FROM a", (), |row| row.get(0));
        assert_eq!(rows, Ok(1_i64));
    }

    #[test]
    fn what_is_no_log_or_only_the_beginning_of_one_is_left_to_sqlite() {
        let (_left, path) = left_behind();
        let whole = std::fs::read(log_of(&path)).expect("a log");
        let other = [0xff; 100];
        for log in [&[], &whole[..7], &whole[..32], &whole[..50], &whole[..5_000], &other[..]] {
            std::fs::write(log_of(&path), log).expect("a log");
            write_again(&path).expect("nothing that can't be written");
            assert_eq!(std::fs::read(log_of(&path)).expect("a log"), log);
        }
        std::fs::remove_file(log_of(&path)).expect("no log");
        write_again(&path).expect("nothing to do");
        assert!(!log_of(&path).exists());
    }
}

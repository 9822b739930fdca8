//! What a server may rely on, one file a question: is it durable (`committing`), is it found again (`opening`), is
//! everything read (`reading`, against a model).

mod committing;
mod opening;
mod reading;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const LOG: LogId = LogId([7; 16]);

fn open_in(directory: &Path) -> (Store, Recovered) {
    Store::open(directory, LOG).expect("a store that opens")
}

/// A chunk whose frames are 100 bytes an entry.
fn chunk(first_position: u64, count: u32, rooms: &[(u64, u64, u64)]) -> Chunk {
    let span = |&(room, first_sequence, last_sequence): &(u64, u64, u64)| RoomSpan {
        room: RoomId(room),
        first_sequence,
        last_sequence,
    };
    Chunk {
        first_position,
        count,
        frames: Bytes::from(vec![first_position.to_le_bytes()[0]; 100 * count as usize]),
        rooms: rooms.iter().map(span).collect(),
    }
}

fn commit_of(chunks: Vec<Chunk>) -> Commit {
    Commit { chunks, ..Commit::default() }
}

/// Commits `count` chunks of one entry each, all of room 1, from the beginning.
fn commit_singles(store: &mut Store, count: u64) {
    for position in store.head() + 1..=store.head() + count {
        store.commit(&commit_of(vec![chunk(position, 1, &[(1, position, position)])])).expect("a commit");
    }
}

fn positions(chunks: &[StoredChunk]) -> Vec<u64> {
    chunks.iter().map(|chunk| chunk.first_position).collect()
}

fn everything(store: &Store, room: u64) -> Vec<u64> {
    let span = store.reader().expect("a reader").chunks_for(&[RoomId(room)], 0, usize::MAX).expect("a span");
    assert_eq!(span.covered_through, store.head());
    positions(&span.chunks)
}

fn rows(store: &Store, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let read: Result<(), ReadError> = store.state_rows(table, |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    });
    read.expect("rows");
    rows
}

/// A small device of its own, gone when dropped.
struct Tmpfs {
    directory: tempfile::TempDir,
}

impl Tmpfs {
    /// `None`, and a line that says so, where this process may not mount.
    fn mount(bytes: usize) -> Option<Tmpfs> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o"]).arg(format!("size={bytes}")).arg("none").arg(directory.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Tmpfs { directory });
        }
        eprintln!("skipped: needs root");
        None
    }

    fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(self.directory.path()).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.directory.path()).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.directory.path().display());
        }
    }
}

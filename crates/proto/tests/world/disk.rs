//! The server's disk: the log in chunks, the rows of the state. It survives a crash.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::connection::StoredChunk;
use steadfast_proto::hub::{Changes, RowKind, State};
use steadfast_proto::ids::{LogId, RoomId, Term};
use steadfast_proto::wire::{Entry, frame::Kind};

use crate::random::Random;

#[derive(Clone, Debug)]
struct Chunk {
    stored: StoredChunk,
    rooms: BTreeSet<RoomId>,
}

/// What survives a crash.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    log_id: LogId,
    rows: BTreeMap<(u8, Vec<u8>), (RowKind, Vec<u8>)>,
    chunks: Vec<Chunk>,
    terms: Vec<(Term, u64)>,
    pub(crate) head: u64,
    last_at_ms: u64,
}

impl Disk {
    pub(crate) fn empty(log_id: LogId) -> Self {
        let (rows, chunks, terms) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { log_id, rows, chunks, terms, head: 0, last_at_ms: 0 }
    }

    pub(crate) fn store(&mut self, changes: &Changes, random: &mut Random) {
        for row in changes.rows() {
            self.rows.insert((row.kind as u8, row.key), (row.kind, row.value));
        }
        if let (Some(term), Some(first)) = (changes.term, changes.entries.first()) {
            self.terms.push((term, first.position));
        }
        let mut left = &changes.entries[..];
        while let Some(first) = left.first() {
            assert_eq!(first.position, self.head + 1, "positions have no holes");
            let (these, rest) = left.split_at(random.between(1, left.len().min(5)));
            let frames: Vec<u8> = these.iter().flat_map(|entry| entry.unit.iter().copied()).collect();
            let count = u32::try_from(these.len()).expect("five at most");
            let stored = StoredChunk { first_position: first.position, count, frames: frames.into() };
            let rooms = these.iter().filter_map(|entry| entry.room.map(|(room, _)| room)).collect();
            self.chunks.push(Chunk { stored, rooms });
            self.head += u64::from(count);
            left = rest;
        }
        self.last_at_ms = changes.at_ms;
    }

    pub(crate) fn state(&self) -> State {
        let mut state = State::empty(self.log_id);
        for (kind, value) in self.rows.values() {
            state.restore_row(*kind, value).expect("our own rows can be read");
        }
        state.restore_log(self.terms.clone(), self.head, self.last_at_ms);
        state
    }

    /// The whole log, decoded.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut decoder = Decoder::default();
        let mut entries = Vec::new();
        for chunk in &self.chunks {
            decoder.push(&chunk.stored.frames);
            while let Some(received) = decoder.next_frame().expect("our own frames are good") {
                match received.kind {
                    Kind::Entry(entry) => entries.push(entry),
                    other => panic!("{other:?} in the log"),
                }
            }
        }
        entries
    }

    pub(crate) fn chunks_for(&self, rooms: &[RoomId], after: u64, bytes_max: usize) -> (Vec<StoredChunk>, u64) {
        let last = |chunk: &Chunk| chunk.stored.first_position + u64::from(chunk.stored.count) - 1;
        let wanted = |chunk: &&Chunk| last(chunk) > after && rooms.iter().any(|room| chunk.rooms.contains(room));
        let (mut given, mut bytes) = (Vec::new(), 0);
        for chunk in self.chunks.iter().filter(wanted) {
            if bytes > 0 && bytes + chunk.stored.frames.len() > bytes_max {
                let through = given.last().map_or(after, last);
                return (given.into_iter().map(|chunk: Chunk| chunk.stored).collect(), through);
            }
            bytes += chunk.stored.frames.len();
            given.push(chunk.clone());
        }
        (given.into_iter().map(|chunk| chunk.stored).collect(), self.head)
    }
}

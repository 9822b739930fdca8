//! What is committed and not yet in the index file, and the head: the part of the store that its threads share.
//!
//! At every moment `folded_through` splits the log: of the chunks up to there the index file holds everything, of those
//! after it memory does. A fold writes to the file first and moves the mark (and forgets) only after the file's commit.
//! So a reader takes its [`View`] *first* and asks the file *afterwards*, and only for what is at or before the mark of
//! the view: the file can hold more by then, never less. (The other way round a chunk that is folded in between would
//! be seen in neither.) The two parts don't overlap, so nothing comes twice.
//!
//! The mutex is held for operations on memory only, never over I/O.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use steadfast_proto::ids::{RoomId, Term};

use super::{RoomSpan, locked};

/// Chunks that are only in memory, oldest first and by room.
pub(super) struct Unfolded(Mutex<Memory>);

struct Memory {
    head: u64,
    folded_through: u64,
    entries: usize,
    chunks: VecDeque<RecentChunk>,
    rooms: HashMap<RoomId, VecDeque<RecentSpan>>,
}

/// What memory keeps of a chunk.
#[derive(Clone)]
pub(super) struct RecentChunk {
    pub(super) first_position: u64,
    pub(super) last_position: u64,
    /// The term of the last entry; `None` before the first term.
    pub(super) term: Option<Term>,
    pub(super) rooms: Arc<[RoomSpan]>,
}

#[derive(Clone, Copy)]
struct RecentSpan {
    chunk: u64,
    last_position: u64,
    first_sequence: u64,
    last_sequence: u64,
}

/// What a reader sees of memory, at one moment.
pub(super) struct View {
    pub(super) head: u64,
    /// The index file holds everything that was asked for, up to here.
    pub(super) folded_through: u64,
    /// First positions of the chunks after `folded_through` that were asked for, ascending, none twice.
    pub(super) chunks: Vec<u64>,
}

impl Unfolded {
    pub(super) fn new(head: u64, folded_through: u64) -> Self {
        Unfolded(Mutex::new(Memory {
            head,
            folded_through,
            entries: 0,
            chunks: VecDeque::new(),
            rooms: HashMap::new(),
        }))
    }

    pub(super) fn head(&self) -> u64 {
        locked(&self.0).head
    }

    pub(super) fn entries(&self) -> usize {
        locked(&self.0).entries
    }

    /// Takes in chunks that are in the log now, in order of position.
    pub(super) fn append(&self, chunks: Vec<RecentChunk>) {
        let mut memory = locked(&self.0);
        for chunk in chunks {
            memory.append(chunk);
        }
    }

    /// The chunks that hold an entry of one of `rooms` with a position beyond `after`.
    pub(super) fn beyond(&self, rooms: &[RoomId], after: u64) -> View {
        let mut view = locked(&self.0).select(rooms, |spans| {
            let first = spans.partition_point(|span| span.last_position <= after);
            first..spans.len()
        });
        view.chunks.sort_unstable();
        view.chunks.dedup();
        view
    }

    /// The chunks that hold one of these sequences of `room`.
    pub(super) fn of_room(&self, room: RoomId, from_sequence: u64, to_sequence: u64) -> View {
        locked(&self.0).select(&[room], |spans| {
            let first = spans.partition_point(|span| span.last_sequence < from_sequence);
            let end = spans.partition_point(|span| span.first_sequence <= to_sequence);
            first..end.max(first)
        })
    }

    /// The oldest chunks, together of about `entries_max` entries and at least one chunk if there is any.
    pub(super) fn oldest(&self, entries_max: usize) -> Vec<RecentChunk> {
        let memory = locked(&self.0);
        let mut entries = 0;
        let fits = |chunk: &&RecentChunk| {
            let first = entries == 0;
            entries += chunk.entries();
            first || entries <= entries_max
        };
        memory.chunks.iter().take_while(fits).cloned().collect()
    }

    /// Lets go of the oldest chunks, which the index file holds now. Returns how many entries that were.
    pub(super) fn forget(&self, folded: &[RecentChunk]) -> usize {
        let mut memory = locked(&self.0);
        let before = memory.entries;
        for _ in folded {
            memory.forget_oldest();
        }
        before - memory.entries
    }
}

impl Memory {
    fn append(&mut self, chunk: RecentChunk) {
        for RoomSpan { room, first_sequence, last_sequence } in chunk.rooms.iter().copied() {
            self.rooms.entry(room).or_default().push_back(RecentSpan {
                chunk: chunk.first_position,
                last_position: chunk.last_position,
                first_sequence,
                last_sequence,
            });
        }
        // The head that `open` told is the log's already, while it reads older chunks again.
        self.head = self.head.max(chunk.last_position);
        self.entries += chunk.entries();
        self.chunks.push_back(chunk);
    }

    fn select(&self, rooms: &[RoomId], range: impl Fn(&VecDeque<RecentSpan>) -> std::ops::Range<usize>) -> View {
        let spans = rooms.iter().filter_map(|room| self.rooms.get(room));
        let chunks = spans.flat_map(|spans| spans.range(range(spans))).map(|span| span.chunk).collect();
        View { head: self.head, folded_through: self.folded_through, chunks }
    }

    fn forget_oldest(&mut self) {
        let Some(chunk) = self.chunks.pop_front() else { return };
        for span in chunk.rooms.iter() {
            if let Some(spans) = self.rooms.get_mut(&span.room) {
                spans.pop_front();
                if spans.is_empty() {
                    self.rooms.remove(&span.room);
                }
            }
        }
        self.entries -= chunk.entries();
        self.folded_through = chunk.last_position;
    }
}

impl RecentChunk {
    /// A chunk of no room counts, too, since it takes memory.
    fn entries(&self) -> usize {
        self.rooms.len().max(1)
    }
}

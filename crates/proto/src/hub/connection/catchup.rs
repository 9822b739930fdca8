//! Entries read from the store for one connection that is behind, at most one read's worth.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec;
use crate::codec::{CodecError, Decoder};
use crate::ids::RoomId;
use crate::wire::{Entry, frame::Kind};

/// A chunk of the log as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChunk {
    /// The position of its first entry.
    pub first_position: u64,
    /// How many entries it holds.
    pub count: u32,
    /// Their frames, one behind the other.
    pub frames: Bytes,
}

impl StoredChunk {
    /// The position of its last entry.
    pub fn last_position(&self) -> u64 {
        self.first_position + u64::from(self.count).saturating_sub(1)
    }
}

/// What is stored is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChunkError {
    /// The frames can't be decoded.
    #[error("a stored chunk is damaged: {0}")]
    Codec(#[from] CodecError),
    /// The frames are not the entries that the chunk names.
    #[error("a stored chunk holds other entries than it says")]
    Content,
}

#[derive(Debug)]
pub(super) struct Catchup {
    /// Each with its position.
    units: VecDeque<(u64, Bytes)>,
    /// The reader has everything up to here.
    given_through: u64,
    /// `None` while the store reads.
    covered_through: Option<u64>,
    /// The committed head when the store was asked: the rooms that were asked for are those of that moment.
    asked_at: u64,
}

pub(super) enum Next {
    Unit(Bytes),
    /// The next one does not fit; the reader has everything up to the position.
    Enough {
        given_through: u64,
    },
    /// The store has not answered yet.
    Reading,
    Done {
        covered_through: u64,
    },
}

impl Catchup {
    pub(super) fn reading(place: u64, asked_at: u64) -> Self {
        Self { units: VecDeque::new(), given_through: place, covered_through: None, asked_at }
    }

    /// Takes what was read. Beyond the head of the moment of asking nothing counts: the store may hold a batch that is
    /// not installed yet, and the account may have entered rooms that were not asked for.
    pub(super) fn handle_chunks(
        &mut self,
        chunks: &[StoredChunk],
        covered_through: u64,
        mut wanted: impl FnMut(RoomId, u64) -> bool,
    ) -> Result<(), ChunkError> {
        for chunk in chunks {
            for_each_entry(chunk, |entry, unit| {
                if entry.position <= self.asked_at && wanted(RoomId(entry.room), entry.position) {
                    self.units.push_back((entry.position, unit));
                }
            })?;
        }
        self.covered_through = Some(covered_through.min(self.asked_at));
        Ok(())
    }

    pub(super) fn next_if(&mut self, fits: impl Fn(&Bytes) -> bool) -> Next {
        let Some(covered_through) = self.covered_through else { return Next::Reading };
        match self.units.front() {
            None => Next::Done { covered_through },
            Some((_, unit)) if !fits(unit) => Next::Enough { given_through: self.given_through },
            Some(_) => self.units.pop_front().map_or(Next::Done { covered_through }, |(position, unit)| {
                self.given_through = position;
                Next::Unit(unit)
            }),
        }
    }
}

/// Walks the entries of a chunk, each with its own bytes.
pub(super) fn for_each_entry(chunk: &StoredChunk, mut each: impl FnMut(Entry, Bytes)) -> Result<(), ChunkError> {
    let mut rest = chunk.frames.clone();
    for position in (chunk.first_position..).take(chunk.count as usize) {
        let mut decoder = Decoder::default();
        let mut unit_bytes = 0;
        let entry = loop {
            let (part, _) = codec::first_part(&rest[unit_bytes..]);
            if part.is_empty() {
                return Err(ChunkError::Content);
            }
            decoder.push(part);
            unit_bytes += part.len();
            if let Some(received) = decoder.next_frame()? {
                break received.kind;
            }
        };
        match entry {
            Kind::Entry(entry) if entry.position == position => each(entry, rest.split_to(unit_bytes)),
            _ => return Err(ChunkError::Content),
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(ChunkError::Content) }
}

//! Recent entries by room, encoded once and shared by all readers.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::NewEntry;
use crate::ids::RoomId;

/// The default of the bytes that all rings hold together.
pub const RING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What an entry costs besides its bytes, about.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// The rings of all rooms, with one budget.
#[derive(Debug)]
pub(super) struct Rings {
    rooms: BTreeMap<RoomId, Ring>,
    /// The rooms of all held entries, oldest entry first.
    order: VecDeque<RoomId>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Ring {
    /// Entries of the room up to here are not held.
    gone_through: u64,
    entries: VecDeque<(u64, Bytes)>,
}

impl Rings {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { rooms: BTreeMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Takes a committed entry; `head_before` is the position of the room's entry before it.
    pub(super) fn push(&mut self, room: RoomId, entry: &NewEntry, head_before: u64) {
        let ring =
            self.rooms.entry(room).or_insert_with(|| Ring { gone_through: head_before, entries: VecDeque::new() });
        ring.entries.push_back((entry.position, entry.unit.clone()));
        self.order.push_back(room);
        self.bytes += entry.unit.len() + ENTRY_OVERHEAD_BYTES;
        while self.bytes > self.bytes_max {
            self.drop_oldest();
        }
    }

    /// The room's entries beyond the place, oldest first; `None` if some of them are not held any more.
    pub(super) fn beyond(&self, room: RoomId, place: u64) -> Option<impl Iterator<Item = (u64, &Bytes)>> {
        let ring = self.rooms.get(&room).filter(|ring| ring.gone_through <= place)?;
        let start = ring.entries.partition_point(|&(position, _)| position <= place);
        Some(ring.entries.range(start..).map(|(position, unit)| (*position, unit)))
    }

    fn drop_oldest(&mut self) {
        let Some(room) = self.order.pop_front() else { return };
        let Some(ring) = self.rooms.get_mut(&room) else { return };
        if let Some((position, unit)) = ring.entries.pop_front() {
            ring.gone_through = position;
            self.bytes -= unit.len() + ENTRY_OVERHEAD_BYTES;
        }
        if ring.entries.is_empty() {
            self.rooms.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(position: u64) -> NewEntry {
        NewEntry { position, room: None, unit: vec![0; 36].into() }
    }

    proptest! {
        /// Whatever was pushed: a ring gives exactly the room's entries beyond a place, or says that it can't.
        #[test]
        fn a_ring_gives_all_or_says_that_it_cannot(
            rooms in proptest::collection::vec(0_u64..4, 1..60),
            place in 0_u64..60,
        ) {
            let mut rings = Rings::new(1_000);
            let mut heads = [0_u64; 4];
            for (i, &room) in rooms.iter().enumerate() {
                let position = i as u64 + 1;
                rings.push(RoomId(room), &entry(position), heads[room as usize]);
                heads[room as usize] = position;
            }
            prop_assert!(rings.bytes <= 1_000);
            for room in 0..4 {
                let all: Vec<u64> = (1..=rooms.len() as u64)
                    .filter(|&p| rooms[p as usize - 1] == room && p > place)
                    .collect();
                if let Some(given) = rings.beyond(RoomId(room), place) {
                    prop_assert_eq!(given.map(|(p, _)| p).collect::<Vec<_>>(), all);
                }
            }
        }
    }
}

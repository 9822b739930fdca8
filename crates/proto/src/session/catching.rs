//! How far a link has come with what was missed before it: so many entries of so many, counted by room sequences.

use std::collections::BTreeMap;

use super::known::Known;
use crate::ids::RoomId;
use crate::wire;

/// See the module's documentation. Of one link.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// The rooms whose head is not reached yet: what was known of each, and its head when the link began.
    rooms: BTreeMap<RoomId, (u64, u64)>,
    /// Entries of rooms that are reached.
    reached: u64,
    total: u64,
}

impl CatchUp {
    /// A link begins or ended: what it missed is not known yet.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Rooms that have something, before anything of it came.
    pub(super) fn handle_heads(&mut self, heads: &wire::Heads, known: &Known) {
        // A new device has missed nothing: its place is where the heads are.
        if known.place.is_none() {
            return;
        }
        for head in &heads.rooms {
            let room = RoomId(head.room);
            if let Some(&Some(last)) = known.rooms.get(&room)
                && head.room_sequence > last
            {
                // A room that is named again is counted once.
                let (from, to) = self.rooms.insert(room, (last, head.room_sequence)).unwrap_or_default();
                self.total = self.total.saturating_sub(to - from).saturating_add(head.room_sequence - last);
            }
        }
    }

    /// An entry came; `ends` if nothing more of its room will.
    pub(super) fn handle_entry(&mut self, entry: &wire::Entry, ends: bool) {
        let room = RoomId(entry.room);
        let Some((last, head)) = self.rooms.get_mut(&room) else { return };
        if !ends && entry.room_sequence < *head {
            let came = entry.room_sequence.max(*last) - *last;
            *last += came;
            self.reached += came;
            return;
        }
        self.reached += *head - *last;
        self.rooms.remove(&room);
    }

    /// Everything for this device up to here was sent.
    pub(super) fn handle_through(&mut self) {
        self.clear();
    }

    /// So many of so many; `None`: nothing of what was missed is still to come.
    pub(super) fn progress(&self) -> Option<(u64, u64)> {
        (!self.rooms.is_empty()).then_some((self.reached, self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, DeviceId, Place, Term};
    use crate::session::{Identity, Resume};

    #[test]
    fn heads_that_come_twice_or_are_as_high_as_can_be_count_each_room_once() {
        let identity =
            Identity { name: "ann".to_owned(), device_id: DeviceId([1; 16]), secret: [1; 32], account: AccountId(1) };
        let place = Some(Place { position: 9, term: Term(1) });
        let mut known = Known::new(Resume {
            identity,
            log_id: None,
            place,
            told: None,
            confirmed_through: 0,
            recounts: false,
            rooms: vec![],
            terms: vec![],
        });
        known.rooms = [(RoomId(1), Some(4)), (RoomId(2), Some(0))].into();
        let heads = |rooms: &[(u64, u64)]| {
            let head = |&(room, room_sequence)| wire::Head { room, room_sequence, ..wire::Head::default() };
            wire::Heads { rooms: rooms.iter().map(head).collect(), ..wire::Heads::default() }
        };
        let mut catch_up = CatchUp::default();
        catch_up.handle_heads(&heads(&[(1, 10), (1, 10)]), &known);
        catch_up.handle_heads(&heads(&[(1, 12)]), &known);
        assert_eq!(catch_up.progress(), Some((0, 8)));
        catch_up.handle_heads(&heads(&[(1, u64::MAX), (2, u64::MAX)]), &known);
        assert_eq!(catch_up.progress(), Some((0, u64::MAX)));
    }
}

//! The entries of rooms, as many as there is room for. The oldest go first, by when they came: the stream comes in
//! order of position, which is the order in which it is consumed, and what was fetched just now is wanted just now.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, RoomId};

use super::table::{Table, Value};
use crate::profile::aside::Moved;
use crate::profile::messages::Overlap;
use crate::profile::{AsideMessage, StoredMessage, What};

/// What an entry takes beside its text, about.
const HEADER_BYTES: u64 = 480;
/// Entries that were moved aside.
const ASIDE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

#[derive(Debug, Default)]
pub(super) struct Messages {
    held: Table<(RoomId, u64), Held>,
    arrivals: Table<u64, (RoomId, u64)>,
    bytes: Value<u64>,
    /// By room: the newest entry of the stream that had to go, by its room sequence and its position.
    dropped: Table<RoomId, (u64, u64)>,
    aside: Table<u64, AsideMessage>,
    aside_bytes: Value<u64>,
}

#[derive(Clone, Debug)]
struct Held {
    arrival: u64,
    message: StoredMessage,
}

impl Messages {
    pub(super) fn from(&self, room: RoomId, sequence: u64) -> impl DoubleEndedIterator<Item = &StoredMessage> {
        self.held.range((room, sequence)..=(room, u64::MAX)).map(|(_, held)| &held.message)
    }

    /// Up to this room sequence.
    pub(super) fn through(&self, room: RoomId, sequence: u64) -> impl DoubleEndedIterator<Item = &StoredMessage> {
        self.held.range((room, 0)..=(room, sequence)).map(|(_, held)| &held.message)
    }

    /// The first room that holds anything, of those behind this one.
    pub(super) fn next_room(&self, after: Option<RoomId>) -> Option<RoomId> {
        let from = after.map_or(Included((RoomId(0), 0)), |after| Excluded((after, u64::MAX)));
        self.held.range((from, Unbounded)).next().map(|(&(room, _), _)| room)
    }

    pub(super) fn highest(&self, room: RoomId, after: u64, through: u64, until_position: u64) -> Option<u64> {
        if after >= through {
            return None;
        }
        let held = self.held.range((room, after + 1)..=(room, through)).rev();
        let mut before = held.filter(|(_, held)| held.message.position <= until_position);
        before.next().map(|(&(_, sequence), _)| sequence)
    }

    pub(super) fn store(&mut self, mut message: StoredMessage, overlap: Overlap) {
        let at = (message.room, message.room_sequence);
        if self.held.get(&at).is_some() {
            match overlap {
                Overlap::Keep => return,
                Overlap::Replace => drop(self.take_out(at)),
            }
        }
        if let What::Message { body, .. } = &mut message.what {
            // It is a part of what was read from the line, all of which it would hold.
            *body = Bytes::copy_from_slice(body);
        }
        *self.bytes.change() += bytes_of(&message);
        let arrival = self.arrivals.push(at);
        self.held.insert(at, Held { arrival, message });
    }

    /// Lets the oldest go until the rest fits. Answers them.
    pub(super) fn drop_oldest(&mut self, bytes_max: u64) -> Vec<StoredMessage> {
        let mut gone = Vec::new();
        while *self.bytes.get() > bytes_max
            && let Some((_, &at)) = self.arrivals.first()
            && let Some(message) = self.take_out(at)
        {
            gone.push(message);
        }
        gone
    }

    /// An entry of the stream that is held no more.
    pub(super) fn note_dropped(&mut self, message: &StoredMessage) {
        self.dropped.insert(message.room, (message.room_sequence, message.position));
    }

    pub(super) fn dropped(&self, room: RoomId) -> Option<(u64, u64)> {
        self.dropped.get(&room).copied()
    }

    pub(super) fn forget_dropped(&mut self, common: u64) {
        let beyond = |(&room, &(_, position)): (&RoomId, &(u64, u64))| (position > common).then_some(room);
        let rooms: Vec<RoomId> = self.dropped.iter().filter_map(beyond).collect();
        for room in rooms {
            self.dropped.remove(&room);
        }
    }

    pub(super) fn move_aside(&mut self, common: u64, account: AccountId, moved_at_ms: u64) -> Moved {
        let beyond = self.held.iter().filter(|(_, held)| held.message.position > common);
        let mut beyond: Vec<(u64, (RoomId, u64))> = beyond.map(|(&at, held)| (held.message.position, at)).collect();
        beyond.sort_unstable();
        let mut moved = Moved::default();
        for (_, at) in beyond {
            let Some(message) = self.take_out(at) else { continue };
            moved.entries += 1;
            moved.own += u64::from(message.account == account);
            *self.aside_bytes.change() += bytes_of(&message);
            self.aside.push(AsideMessage { moved_at_ms, message });
        }
        while *self.aside_bytes.get() > ASIDE_BYTES_MAX
            && let Some((&oldest, _)) = self.aside.first()
            && let Some(gone) = self.aside.remove(&oldest)
        {
            *self.aside_bytes.change() -= bytes_of(&gone.message);
        }
        moved
    }

    pub(super) fn aside(&self) -> impl DoubleEndedIterator<Item = &AsideMessage> {
        self.aside.iter().map(|(_, aside)| aside)
    }

    pub(super) fn commit(&mut self) {
        self.held.commit();
        self.arrivals.commit();
        self.bytes.commit();
        self.dropped.commit();
        self.aside.commit();
        self.aside_bytes.commit();
    }

    pub(super) fn roll_back(&mut self) {
        self.held.roll_back();
        self.arrivals.roll_back();
        self.bytes.roll_back();
        self.dropped.roll_back();
        self.aside.roll_back();
        self.aside_bytes.roll_back();
    }

    fn take_out(&mut self, at: (RoomId, u64)) -> Option<StoredMessage> {
        let Held { arrival, message } = self.held.remove(&at)?;
        self.arrivals.remove(&arrival);
        *self.bytes.change() -= bytes_of(&message);
        Some(message)
    }
}

fn bytes_of(message: &StoredMessage) -> u64 {
    let said = match &message.what {
        What::Message { body, content_type } => body.len() + content_type.len(),
        What::Joined { name, .. } | What::Left { name, .. } | What::Added { name, .. } => name.len(),
        What::Removed { .. } | What::DeviceAdded { .. } | What::Other => 0,
    };
    HEADER_BYTES + (said + message.author.len()) as u64
}

//! The rooms, the memberships in them, and how far they were set back.

use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::RoomKind;

use super::table::Table;
use crate::profile::rooms::{Began, Interval, folded};
use crate::profile::{RoomInfo, Stay};

#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Table<RoomId, RoomInfo>,
    /// Rooms of one name are in the order that a disk has them in.
    by_name: Table<(String, i64), RoomId>,
    memberships: Table<(RoomId, u64), Membership>,
    rewinds: Table<u64, (RoomId, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Membership {
    base: u64,
    until: Option<u64>,
    began: Began,
}

impl Rooms {
    pub(super) fn get(&self, room: RoomId) -> Option<&RoomInfo> {
        self.rooms.get(&room)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &RoomInfo> {
        self.by_name.iter().filter_map(|(_, room)| self.rooms.get(room))
    }

    /// One that this account is in before one that it was in, a public one before others.
    pub(super) fn by_name(&self, name: &str) -> Option<&RoomInfo> {
        let folded = folded(name);
        let named = self.of_name(&folded).filter(|info| info.kind != RoomKind::Account);
        named.min_by_key(|info| (!info.member, info.kind as i32))
    }

    pub(super) fn we_are_in(&self, kind: RoomKind, folded: &str) -> Option<RoomId> {
        self.of_name(folded).find(|info| info.kind == kind && info.member).map(|info| info.room)
    }

    pub(super) fn of_kind(&self, kind: RoomKind, folded: &str) -> Option<RoomId> {
        let named = self.of_name(folded).filter(|info| info.kind == kind);
        named.min_by_key(|info| !info.member).map(|info| info.room)
    }

    pub(super) fn set(&mut self, info: RoomInfo) {
        self.remove(info.room);
        self.by_name.insert(name_key(&info), info.room);
        self.rooms.insert(info.room, info);
    }

    pub(super) fn remove(&mut self, room: RoomId) {
        if let Some(info) = self.rooms.remove(&room) {
            self.by_name.remove(&name_key(&info));
        }
    }

    pub(super) fn open_membership(&mut self, room: RoomId, from_position: u64, base: u64, began: Began) {
        self.memberships.insert((room, from_position), Membership { base, until: None, began });
    }

    pub(super) fn close_membership(&mut self, room: RoomId, position: u64) {
        let open: Vec<_> = self.of_room(room).filter(|(_, membership)| membership.until.is_none()).collect();
        for (key, membership) in open {
            self.memberships.insert(key, Membership { until: Some(position), ..membership });
        }
    }

    pub(super) fn rewind_memberships(&mut self, common: u64) -> Vec<(RoomId, Began)> {
        let all: Vec<_> = self.memberships.iter().map(|(&key, &membership)| (key, membership)).collect();
        let mut forgotten = Vec::new();
        for (key, membership) in all {
            let (room, from_position) = key;
            if from_position > common {
                self.memberships.remove(&key);
                forgotten.push((room, membership.began));
            } else if membership.until.is_some_and(|until| until > common) {
                self.memberships.insert(key, Membership { until: None, ..membership });
            }
        }
        forgotten
    }

    pub(super) fn newest_membership(&self, room: RoomId) -> Option<Interval> {
        let (_, newest) = self.of_room(room).next_back()?;
        Some(Interval { base: newest.base, until: newest.until })
    }

    pub(super) fn stays(&self, room: RoomId) -> Vec<Stay> {
        let stay = |((_, from_position), membership): ((RoomId, u64), Membership)| Stay {
            base: membership.base,
            from_position,
            until_position: membership.until,
        };
        self.of_room(room).map(stay).collect()
    }

    pub(super) fn add_rewind(&mut self, room: RoomId, last: u64) {
        self.rewinds.push((room, last));
    }

    /// The number of the newest rewind; 0 if there was none.
    pub(super) fn newest_rewind(&self) -> u64 {
        self.rewinds.last().map_or(0, |(&number, _)| number)
    }

    /// Where somebody stands who had seen so much of a room before the rewinds behind `seen`.
    pub(super) fn set_back(&self, room: RoomId, sequence: u64, seen: u64) -> u64 {
        let later = self.rewinds.range(seen.saturating_add(1)..).map(|(_, rewind)| rewind);
        later.filter(|&&(of, _)| of == room).fold(sequence, |sequence, &(_, last)| sequence.min(last))
    }

    pub(super) fn commit(&mut self) {
        self.rooms.commit();
        self.by_name.commit();
        self.memberships.commit();
        self.rewinds.commit();
    }

    pub(super) fn roll_back(&mut self) {
        self.rooms.roll_back();
        self.by_name.roll_back();
        self.memberships.roll_back();
        self.rewinds.roll_back();
    }

    fn of_name(&self, folded: &str) -> impl Iterator<Item = &RoomInfo> {
        let range = (folded.to_owned(), i64::MIN)..=(folded.to_owned(), i64::MAX);
        self.by_name.range(range).filter_map(|(_, room)| self.rooms.get(room))
    }

    fn of_room(&self, room: RoomId) -> impl DoubleEndedIterator<Item = ((RoomId, u64), Membership)> {
        self.memberships.range((room, 0)..=(room, u64::MAX)).map(|(&key, &membership)| (key, membership))
    }
}

fn name_key(info: &RoomInfo) -> (String, i64) {
    (folded(&info.name), info.room.0.cast_signed())
}

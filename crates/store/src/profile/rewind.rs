//! Setting the rooms back to an earlier position. The messages beyond it are aside by then.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::RoomKind;

use super::error::ProfileError;
use super::number::POSITION_MAX;
use super::rooms::{Began, Interval, RoomInfo};
use super::tables::Tables;

/// A room that this account was in, and at the common position was not, or maybe not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostRoom {
    pub(super) name: String,
    pub(super) kind: RoomKind,
}

/// Sets every room back to where it stood at `common`: memberships that began later are gone, those that ended later
/// are open again. Answers the rooms that are lost by it.
pub(super) fn rewind_rooms(tables: &mut dyn Tables, common: u64) -> Result<BTreeMap<RoomId, LostRoom>, ProfileError> {
    let forgotten = tables.rewind_memberships(common)?;
    let gone: BTreeSet<RoomId> = forgotten.iter().map(|&(room, _)| room).collect();
    // Where it truly began at an unknown position before this device's first contact, it may have held at `common`.
    let unsure: BTreeSet<RoomId> =
        forgotten.iter().filter(|(_, began)| *began == Began::Before).map(|&(room, _)| room).collect();
    let mut lost = BTreeMap::new();
    for before in tables.rooms()? {
        let interval = tables.newest_membership(before.room)?;
        let after = match &interval {
            Some(interval) => within(tables, &before, interval, common)?,
            None if unsure.contains(&before.room) => unknown(&before),
            // An earlier divergence left it open where the room stood.
            None if before.last.is_none() && !gone.contains(&before.room) => unknown(&before),
            None => RoomInfo { member: false, last: Some(before.base), ..before.clone() },
        };
        if after == before && !gone.contains(&before.room) {
            continue;
        }
        if before.member && !after.member {
            lost.insert(before.room, LostRoom { name: before.name.clone(), kind: before.kind });
        }
        let seen = highest_seen(tables, &after, common)?;
        tables.add_rewind(before.room, seen)?;
        if interval.is_none() && seen == 0 && !unsure.contains(&before.room) {
            tables.remove_room(before.room)?;
        } else {
            tables.set_room(&after)?;
        }
    }
    tables.forget_dropped(common)?;
    Ok(lost)
}

/// The stream brought all behind the base, in order; what is left of that is all up to the common position. Pages may
/// have brought more: what the stream will bring again, and what is of after this membership.
fn within(tables: &dyn Tables, before: &RoomInfo, interval: &Interval, common: u64) -> Result<RoomInfo, ProfileError> {
    let streamed_through = before.last.unwrap_or(POSITION_MAX);
    let until = interval.until.unwrap_or(POSITION_MAX);
    let held = tables.highest_held(before.room, interval.base, streamed_through, until)?;
    let dropped = tables.dropped(before.room)?.filter(|&(sequence, _)| interval.base < sequence);
    let (base, last) = match dropped {
        // Which of what was dropped lies before the common position is not known.
        Some((_, position)) if position > common && interval.until.is_none() => (interval.base, None),
        Some((sequence, position)) if position <= common => (sequence, Some(held.unwrap_or(sequence).max(sequence))),
        Some(_) | None => (interval.base, Some(held.unwrap_or(interval.base))),
    };
    Ok(RoomInfo { member: interval.until.is_none(), base, last, ..before.clone() })
}

/// Nobody here knows where the room stood. The account room is one's own in any history.
fn unknown(before: &RoomInfo) -> RoomInfo {
    RoomInfo { member: before.kind == RoomKind::Account, last: None, ..before.clone() }
}

/// The highest room sequence that this device may have shown and that both histories hold; 0 if there is none.
fn highest_seen(tables: &dyn Tables, after: &RoomInfo, common: u64) -> Result<u64, ProfileError> {
    let through = after.last.filter(|_| after.member).unwrap_or(POSITION_MAX);
    let held = tables.highest_held(after.room, 0, through, POSITION_MAX)?;
    let dropped = tables.dropped(after.room)?.filter(|&(_, position)| position <= common);
    Ok(held.max(dropped.map(|(sequence, _)| sequence)).unwrap_or(0))
}

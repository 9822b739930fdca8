//! Setting the rooms back to an earlier position. The messages beyond it are aside by then.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::RoomKind;

use super::number::{POSITION_MAX, from_row, to_row};
use super::printed;
use super::rooms::{self, RoomInfo};

/// A room that this account was in, and at the common position was not, or maybe not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostRoom {
    pub(super) name: String,
    pub(super) kind: RoomKind,
}

/// The newest membership that is left of a room.
struct Interval {
    base: u64,
    open: bool,
}

/// Sets every room back to where it stood at `common`: memberships that began later are gone, those that ended later
/// are open again. Answers the rooms that are lost by it.
pub(super) fn rewind_rooms(connection: &Connection, common: u64) -> rusqlite::Result<BTreeMap<RoomId, LostRoom>> {
    let (gone, unsure) = gone_memberships(connection, common)?;
    connection.execute("DELETE FROM memberships WHERE from_position > ?", [to_row(common)])?;
    connection.execute("UPDATE memberships SET until_position = NULL WHERE until_position > ?", [to_row(common)])?;
    let mut lost = BTreeMap::new();
    for before in rooms::all(connection)? {
        let interval = newest_interval(connection, before.room)?;
        let after = match &interval {
            Some(interval) => within(connection, &before, interval)?,
            None if unsure.contains(&before.room) => unknown(&before),
            None => RoomInfo { member: false, last: Some(before.base), ..before.clone() },
        };
        if after == before && !gone.contains(&before.room) {
            continue;
        }
        if before.member && !after.member {
            lost.insert(before.room, LostRoom { name: before.name.clone(), kind: before.kind });
        }
        let held = highest_held(connection, &after)?;
        printed::add_rewind(connection, before.room, held)?;
        if interval.is_none() && held == 0 && !unsure.contains(&before.room) {
            connection.execute("DELETE FROM rooms WHERE room = ?", [to_row(before.room.0)])?;
        } else {
            rooms::save(connection, &after)?;
        }
    }
    Ok(lost)
}

/// The rooms with a membership that began beyond `common`; and those of them where it truly began at an unknown
/// position before this device's first contact, so that it may have held at `common`.
fn gone_memberships(connection: &Connection, common: u64) -> rusqlite::Result<(BTreeSet<RoomId>, BTreeSet<RoomId>)> {
    let mut statement =
        connection.prepare_cached("SELECT room, from_heads FROM memberships WHERE from_position > ?")?;
    let mut rows = statement.query([to_row(common)])?;
    let (mut gone, mut unsure) = (BTreeSet::new(), BTreeSet::new());
    while let Some(row) = rows.next()? {
        let room = RoomId(from_row(row.get(0)?));
        gone.insert(room);
        if row.get(1)? {
            unsure.insert(room);
        }
    }
    Ok((gone, unsure))
}

fn newest_interval(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<Interval>> {
    let mut statement = connection.prepare_cached(
        "SELECT base, until_position IS NULL FROM memberships WHERE room = ? ORDER BY from_position DESC LIMIT 1",
    )?;
    let interval =
        statement.query_row([to_row(room.0)], |row| Ok(Interval { base: from_row(row.get(0)?), open: row.get(1)? }));
    interval.optional()
}

/// The stream brought all behind the base, in order; what is left of that is all up to the common position. Pages may
/// have brought more, which the stream will bring again.
fn within(connection: &Connection, before: &RoomInfo, interval: &Interval) -> rusqlite::Result<RoomInfo> {
    let streamed_through = before.last.unwrap_or(POSITION_MAX);
    let mut statement = connection.prepare_cached(
        "SELECT max(room_sequence) FROM messages WHERE room = ? AND room_sequence > ? AND room_sequence <= ?",
    )?;
    let keys = [to_row(before.room.0), to_row(interval.base), to_row(streamed_through)];
    let last: Option<i64> = statement.query_row(keys, |row| row.get(0))?;
    let last = Some(last.map_or(interval.base, from_row));
    Ok(RoomInfo { member: interval.open, base: interval.base, last, ..before.clone() })
}

/// Nobody here knows where the room stood. The account room is one's own in any history.
fn unknown(before: &RoomInfo) -> RoomInfo {
    RoomInfo { member: before.kind == RoomKind::Account, last: None, ..before.clone() }
}

fn highest_held(connection: &Connection, after: &RoomInfo) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT max(room_sequence) FROM messages WHERE room = ? AND room_sequence <= ?")?;
    let through = after.last.filter(|_| after.member).unwrap_or(POSITION_MAX);
    let highest: Option<i64> = statement.query_row(params![to_row(after.room.0), to_row(through)], |row| row.get(0))?;
    Ok(highest.map_or(0, from_row))
}

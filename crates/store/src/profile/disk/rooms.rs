//! The tables `rooms` and `memberships`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use steadfast_proto::ids::RoomId;
use steadfast_proto::wire::RoomKind;

use super::number::{from_row, to_row};
use super::{Profile, ProfileError, RoomInfo};
use crate::profile::rooms::{Began, Interval, folded};

impl Profile {
    /// The room of this name: one that this account is in before one that it was in, a public one before others. The
    /// account room has no name.
    pub fn room_by_name(&self, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT room, name, kind, member, base, last, readable_from FROM rooms
             WHERE folded = ? AND kind != 4 ORDER BY member DESC, kind, room LIMIT 1",
        )?;
        Ok(statement.query_row([folded(name)], read).optional()?)
    }

    /// The room of this kind and name: one that this account is in before one that it was in.
    pub fn room_of_kind(&self, kind: RoomKind, name: &str) -> Result<Option<RoomInfo>, ProfileError> {
        let room = of_kind(&self.connection, kind, &folded(name))?;
        Ok(room.map(|room| load(&self.connection, room)).transpose()?.flatten())
    }

    /// All rooms, those left too, by name.
    pub fn rooms(&self) -> Result<Vec<RoomInfo>, ProfileError> {
        Ok(all(&self.connection)?)
    }

    /// One room.
    pub fn room(&self, room: RoomId) -> Result<Option<RoomInfo>, ProfileError> {
        Ok(load(&self.connection, room)?)
    }
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<RoomInfo>> {
    let mut statement = connection.prepare_cached(
        "SELECT room, name, kind, member, base, last, readable_from FROM rooms ORDER BY folded, room",
    )?;
    statement.query_map([], read)?.collect()
}

pub(super) fn load(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<RoomInfo>> {
    let mut statement = connection
        .prepare_cached("SELECT room, name, kind, member, base, last, readable_from FROM rooms WHERE room = ?")?;
    statement.query_row([to_row(room.0)], read).optional()
}

pub(super) fn save(connection: &Connection, info: &RoomInfo) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO rooms (room, name, folded, kind, member, base, last, readable_from)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        to_row(info.room.0),
        info.name,
        folded(&info.name),
        info.kind as i32,
        info.member,
        to_row(info.base),
        info.last.map(to_row),
        to_row(info.readable_from),
    ])?;
    Ok(())
}

pub(super) fn room_we_are_in(
    connection: &Connection,
    kind: RoomKind,
    folded: &str,
) -> rusqlite::Result<Option<RoomId>> {
    let mut statement = connection
        .prepare_cached("SELECT room FROM rooms WHERE folded = ? AND kind = ? AND member ORDER BY room LIMIT 1")?;
    let room = statement.query_row(params![folded, kind as i32], |row| row.get(0)).optional()?;
    Ok(room.map(|room| RoomId(from_row(room))))
}

/// The room of this kind and name that this device knows: one that it is in before one that it was in.
pub(super) fn of_kind(connection: &Connection, kind: RoomKind, folded: &str) -> rusqlite::Result<Option<RoomId>> {
    let mut statement = connection
        .prepare_cached("SELECT room FROM rooms WHERE folded = ? AND kind = ? ORDER BY member DESC, room LIMIT 1")?;
    let room = statement.query_row(params![folded, kind as i32], |row| row.get(0)).optional()?;
    Ok(room.map(|room| RoomId(from_row(room))))
}

/// A membership begins: entries behind `base` are for this device from `from_position` on.
pub(super) fn open_membership(
    connection: &Connection,
    info: &RoomInfo,
    from_position: u64,
    began: Began,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO memberships (room, from_position, base, from_heads) VALUES (?, ?, ?, ?)",
    )?;
    let from_heads = matches!(began, Began::Before);
    statement.execute(params![to_row(info.room.0), to_row(from_position), to_row(info.base), from_heads])?;
    Ok(())
}

pub(super) fn close_membership(connection: &Connection, room: RoomId, position: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE memberships SET until_position = ? WHERE room = ? AND until_position IS NULL")?
        .execute([to_row(position), to_row(room.0)])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, room: RoomId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM rooms WHERE room = ?", [to_row(room.0)])?;
    Ok(())
}

/// The memberships that began beyond `common` are forgotten and answered, those that ended later are open again.
pub(super) fn rewind_memberships(connection: &Connection, common: u64) -> rusqlite::Result<Vec<(RoomId, Began)>> {
    let mut statement =
        connection.prepare_cached("SELECT room, from_heads FROM memberships WHERE from_position > ?")?;
    let began = |from_heads| if from_heads { Began::Before } else { Began::There };
    let rows = statement.query_map([to_row(common)], |row| Ok((RoomId(from_row(row.get(0)?)), began(row.get(1)?))))?;
    let forgotten = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    connection.execute("DELETE FROM memberships WHERE from_position > ?", [to_row(common)])?;
    connection.execute("UPDATE memberships SET until_position = NULL WHERE until_position > ?", [to_row(common)])?;
    Ok(forgotten)
}

pub(super) fn newest_membership(connection: &Connection, room: RoomId) -> rusqlite::Result<Option<Interval>> {
    let mut statement = connection.prepare_cached(
        "SELECT base, until_position FROM memberships WHERE room = ? ORDER BY from_position DESC LIMIT 1",
    )?;
    let interval = statement.query_row([to_row(room.0)], |row| {
        Ok(Interval { base: from_row(row.get(0)?), until: row.get::<_, Option<i64>>(1)?.map(from_row) })
    });
    interval.optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<RoomInfo> {
    Ok(RoomInfo {
        room: RoomId(from_row(row.get(0)?)),
        name: row.get(1)?,
        kind: RoomKind::try_from(row.get::<_, i32>(2)?).unwrap_or(RoomKind::Unspecified),
        member: row.get(3)?,
        base: from_row(row.get(4)?),
        last: row.get::<_, Option<i64>>(5)?.map(from_row),
        readable_from: from_row(row.get(6)?),
    })
}

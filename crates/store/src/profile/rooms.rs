//! The rooms that this device knows: where the stream stands in each, and whether it is a member.

use rusqlite::{Connection, OptionalExtension, Row, params};
use steadfast_proto::ids::RoomId;
use steadfast_proto::names;
use steadfast_proto::wire::RoomKind;

use super::Profile;
use super::error::ProfileError;
use super::number::{from_row, to_row};

/// A room that this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its id.
    pub room: RoomId,
    /// Its name; a direct conversation has the other's.
    pub name: String,
    /// What kind of room.
    pub kind: RoomKind,
    /// Whether this account is a member.
    pub member: bool,
    /// The room sequence before the first entry that the stream brought. What is older comes by history only.
    pub base: u64,
    /// The last room sequence that the stream brought: all of `base + 1 ..= last` are stored. `None` while it is
    /// unknown where the room's next entry stands.
    pub last: Option<u64>,
    /// The first room sequence that history gives this person.
    pub readable_from: u64,
}

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
    folded: &str,
    kind: RoomKind,
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

/// Whether a membership's first position is its true beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// The entry there is one's own join.
    There,
    /// It began some time before; this device heard of it there.
    Before,
}

pub(super) fn close_membership(connection: &Connection, room: RoomId, position: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE memberships SET until_position = ? WHERE room = ? AND until_position IS NULL")?
        .execute([to_row(position), to_row(room.0)])?;
    Ok(())
}

/// The form in which room names are compared. A server may know names that could not be given here.
pub(super) fn folded(name: &str) -> String {
    names::folded(name).unwrap_or_else(|_| name.to_lowercase())
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

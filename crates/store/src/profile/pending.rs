//! One's own operations that wait in the outbox for a room: what a person wrote there and the server does not have yet.

use bytes::Bytes;
use rusqlite::{Connection, params};
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire::RoomKind;

use super::Profile;
use super::error::ProfileError;
use super::number::to_row;
use super::rooms;
use super::row::{OpKind, OutboxRow};

/// A room whose operations are looked for. It may be one that is not entered yet, which has no id so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingIn {
    /// A known room; for a public or a direct one also what waits behind an operation that leads into it again.
    Room(RoomId),
    /// The public room of this name.
    Public(String),
    /// The conversation with the account of this name.
    Direct(String),
    /// The room that an earlier operation of this device enters or makes.
    By(OperationId),
}

/// An operation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOp {
    /// Its id for life.
    pub id: OperationId,
    /// Its sequence so far. A divergence or a new device gives it another one.
    pub sequence: u64,
    /// When it was written, Unix milliseconds.
    pub composed_at_ms: u64,
    /// What it does.
    pub what: PendingWhat,
}

/// What an operation does to its room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the wire's operations")]
pub enum PendingWhat {
    /// Enters the room, opens it or makes it.
    Enter,
    /// Says something. An empty content type means `text/plain; charset=utf-8`.
    Send { body: Bytes, content_type: String },
    /// Is a member no longer.
    Leave,
    /// Makes the account of this name a member.
    Add { name: String },
    /// Makes it a member no longer.
    Remove { name: String },
}

impl Profile {
    /// The last `limit` operations that wait for this room and have a sequence below `before_sequence`, ascending.
    ///
    /// Where few of the waiting operations are for this room all of them are looked at: 100,000 at most
    /// ([`super::OUTBOX_ROWS_MAX`]), which takes some ten milliseconds.
    pub fn pending(
        &self,
        room: &PendingIn,
        before_sequence: u64,
        limit: usize,
    ) -> Result<Vec<PendingOp>, ProfileError> {
        let ways = Ways::find(&self.connection, room)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type FROM outbox
             WHERE sequence < ?1 AND (
                 room = ?2 OR id = ?3 OR entered_by = ?3 OR (kind = ?4 AND folded = ?5)
                 OR entered_by IN (SELECT id FROM outbox WHERE kind = ?4 AND folded = ?5)
             )
             ORDER BY sequence DESC LIMIT ?6",
        )?;
        let before = i64::try_from(before_sequence).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (kind, name) = ways.named.unzip();
        let (room, by) = (ways.room.map(|room| to_row(room.0)), ways.by.map(|id| to_row(id.0)));
        let mut rows = statement.query(params![before, room, by, kind.map(|kind| kind as i64), name, limit])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(PendingOp::from_row(OutboxRow::read(row)?));
        }
        pending.reverse();
        Ok(pending)
    }
}

impl PendingOp {
    fn from_row(row: OutboxRow) -> PendingOp {
        let what = match row.kind {
            OpKind::Enter | OpKind::Direct | OpKind::CreatePrivate => PendingWhat::Enter,
            OpKind::Send => PendingWhat::Send { body: row.body, content_type: row.content_type },
            OpKind::Leave => PendingWhat::Leave,
            OpKind::Add => PendingWhat::Add { name: row.name },
            OpKind::Remove => PendingWhat::Remove { name: row.name },
        };
        PendingOp { id: row.id, sequence: row.sequence, composed_at_ms: row.composed_at_ms, what }
    }
}

/// How waiting operations may address one room.
struct Ways {
    room: Option<RoomId>,
    by: Option<OperationId>,
    /// Through a waiting operation of this kind and folded name.
    named: Option<(OpKind, String)>,
}

impl Ways {
    fn find(connection: &Connection, room: &PendingIn) -> Result<Ways, ProfileError> {
        let (id, named) = match room {
            PendingIn::Room(room) => (Some(*room), way_by_name(connection, *room)?),
            PendingIn::Public(name) => known(connection, RoomKind::Public, OpKind::Enter, name)?,
            PendingIn::Direct(name) => known(connection, RoomKind::Direct, OpKind::Direct, name)?,
            PendingIn::By(_) => (None, None),
        };
        let by = match room {
            PendingIn::By(id) => Some(*id),
            PendingIn::Room(_) | PendingIn::Public(_) | PendingIn::Direct(_) => None,
        };
        Ok(Ways { room: id, by, named })
    }
}

/// The operation that leads into a known room.
fn way_by_name(connection: &Connection, room: RoomId) -> Result<Option<(OpKind, String)>, ProfileError> {
    let Some(info) = rooms::load(connection, room)? else { return Ok(None) };
    let kind = match info.kind {
        RoomKind::Public => OpKind::Enter,
        RoomKind::Direct => OpKind::Direct,
        RoomKind::Private | RoomKind::Account | RoomKind::Unspecified => return Ok(None),
    };
    Ok(Some((kind, rooms::folded(&info.name))))
}

type Known = (Option<RoomId>, Option<(OpKind, String)>);

/// The room of this name, if this device has been in it, and the operation that leads there.
fn known(connection: &Connection, kind: RoomKind, way: OpKind, name: &str) -> Result<Known, ProfileError> {
    let folded = rooms::folded(name);
    let room = rooms::of_kind(connection, kind, &folded)?;
    Ok((room, Some((way, folded))))
}

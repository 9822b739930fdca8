//! One's own operations that wait in the outbox for a room: what a person wrote there and the server does not have yet.

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire::RoomKind;

use super::error::ProfileError;
use super::rooms;
use super::row::{OpKind, OutboxRow};
use super::tables::Tables;

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
    /// Its sequence so far. A history that parts gives it another one.
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

impl PendingOp {
    pub(super) fn from_row(row: OutboxRow) -> PendingOp {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) room: Option<RoomId>,
    pub(super) by: Option<OperationId>,
    /// Through a waiting operation of this kind and folded name.
    pub(super) named: Option<(OpKind, String)>,
}

impl Ways {
    pub(super) fn find(tables: &dyn Tables, room: &PendingIn) -> Result<Ways, ProfileError> {
        let (id, by, named) = match room {
            PendingIn::Room(room) => (Some(*room), None, way_by_name(tables, *room)?),
            PendingIn::Public(name) => {
                let folded = rooms::folded(name);
                (tables.room_of_kind(RoomKind::Public, &folded)?, None, Some((OpKind::Enter, folded)))
            }
            PendingIn::Direct(name) => {
                let folded = rooms::folded(name);
                (tables.room_of_kind(RoomKind::Direct, &folded)?, None, Some((OpKind::Direct, folded)))
            }
            PendingIn::By(id) => (None, Some(*id), None),
        };
        Ok(Ways { room: id, by, named })
    }
}

/// The operation that leads into a known room.
fn way_by_name(tables: &dyn Tables, room: RoomId) -> Result<Option<(OpKind, String)>, ProfileError> {
    let Some(info) = tables.room(room)? else { return Ok(None) };
    let kind = match info.kind {
        RoomKind::Public => OpKind::Enter,
        RoomKind::Direct => OpKind::Direct,
        RoomKind::Private | RoomKind::Account | RoomKind::Unspecified => return Ok(None),
    };
    Ok(Some((kind, rooms::folded(&info.name))))
}

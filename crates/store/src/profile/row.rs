//! How an operation stands in the outbox, between what the caller gave and what goes on the wire. Its reference to a
//! room is in columns of its own, so that rewriting it is an UPDATE.

use bytes::Bytes;
use rusqlite::Row;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_proto::wire::op::Body;
use steadfast_proto::wire::room_ref::By;

use super::error::ProfileError;
use super::number::from_row;

/// The column `kind`. The index `outbox_leaves` knows the number of `Leave`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpKind {
    Enter = 1,
    Send = 2,
    Leave = 3,
    Direct = 4,
    CreatePrivate = 5,
    Add = 6,
    Remove = 7,
}

impl OpKind {
    pub(super) fn read(number: i64) -> Result<OpKind, ProfileError> {
        Ok(match number {
            1 => OpKind::Enter,
            2 => OpKind::Send,
            3 => OpKind::Leave,
            4 => OpKind::Direct,
            5 => OpKind::CreatePrivate,
            6 => OpKind::Add,
            7 => OpKind::Remove,
            _ => {
                return Err(ProfileError::Damaged { what: "an operation of an unknown kind" });
            }
        })
    }

    /// Others may refer to a room by such an operation.
    pub(super) fn leads_into_a_room(self) -> bool {
        match self {
            OpKind::Enter | OpKind::Direct | OpKind::CreatePrivate => true,
            OpKind::Send | OpKind::Leave | OpKind::Add | OpKind::Remove => false,
        }
    }
}

/// The columns `room` and `entered_by`: one of them, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Room(RoomId),
    EnteredBy(OperationId),
}

impl Reference {
    pub(super) fn read(room: Option<i64>, entered_by: Option<i64>) -> Option<Reference> {
        let room = room.map(|room| Reference::Room(RoomId(from_row(room))));
        room.or(entered_by.map(|id| Reference::EnteredBy(OperationId(from_row(id)))))
    }

    fn to_wire(self) -> wire::RoomRef {
        let by = match self {
            Reference::Room(room) => By::Room(room.0),
            Reference::EnteredBy(id) => By::EnteredBy(id.0),
        };
        wire::RoomRef { by: Some(by) }
    }
}

/// An operation as the outbox (or the table of refused ones) holds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OutboxRow {
    pub(super) sequence: u64,
    pub(super) id: OperationId,
    pub(super) composed_at_ms: u64,
    pub(super) kind: OpKind,
    pub(super) reference: Option<Reference>,
    pub(super) name: String,
    pub(super) body: Bytes,
    pub(super) content_type: String,
}

impl OutboxRow {
    /// Reads `sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type`.
    pub(super) fn read(row: &Row<'_>) -> Result<OutboxRow, ProfileError> {
        Ok(OutboxRow {
            sequence: from_row(row.get(0)?),
            id: OperationId(from_row(row.get(1)?)),
            composed_at_ms: from_row(row.get(2)?),
            kind: OpKind::read(row.get(3)?)?,
            reference: Reference::read(row.get(4)?, row.get(5)?),
            name: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            body: row.get::<_, Option<Vec<u8>>>(7)?.unwrap_or_default().into(),
            content_type: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
        })
    }

    /// As the wire takes it; `confirmed_through` is left 0.
    pub(super) fn into_op(self) -> Result<wire::Op, ProfileError> {
        let reference = self.reference.map(Reference::to_wire);
        let room = || {
            let missing = ProfileError::Damaged { what: "an operation without the room that it addresses" };
            reference.map(Some).ok_or(missing)
        };
        let body = match self.kind {
            OpKind::Enter => Body::Enter(wire::Enter { name: self.name }),
            OpKind::Send => Body::Send(wire::Send { room: room()?, body: self.body, content_type: self.content_type }),
            OpKind::Leave => Body::Leave(wire::Leave { room: room()? }),
            OpKind::Direct => Body::Direct(wire::Direct { name: self.name }),
            OpKind::CreatePrivate => Body::CreatePrivate(wire::CreatePrivate { name: self.name }),
            OpKind::Add => Body::Add(wire::Add { room: room()?, name: self.name }),
            OpKind::Remove => Body::Remove(wire::Remove { room: room()?, name: self.name }),
        };
        Ok(wire::Op {
            sequence: self.sequence,
            id: self.id.0,
            confirmed_through: 0,
            composed_at_ms: self.composed_at_ms,
            body: Some(body),
        })
    }
}

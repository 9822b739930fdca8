//! How an operation stands in the outbox, between what the caller gave and what goes on the wire. Its reference to a
//! room stands by itself, so that rewriting it touches nothing else.

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::names;
use steadfast_proto::wire;
use steadfast_proto::wire::op::Body;
use steadfast_proto::wire::room_ref::By;

use super::error::ProfileError;

/// What an operation does. The numbers are those of the column `kind` on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Others may refer to a room by such an operation.
    pub(super) fn leads_into_a_room(self) -> bool {
        match self {
            OpKind::Enter | OpKind::Direct | OpKind::CreatePrivate => true,
            OpKind::Send | OpKind::Leave | OpKind::Add | OpKind::Remove => false,
        }
    }
}

/// Which room an operation addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Room(RoomId),
    EnteredBy(OperationId),
}

impl Reference {
    fn to_wire(self) -> wire::RoomRef {
        let by = match self {
            Reference::Room(room) => By::Room(room.0),
            Reference::EnteredBy(id) => By::EnteredBy(id.0),
        };
        wire::RoomRef { by: Some(by) }
    }
}

/// An operation as the outbox (or what keeps refused ones) holds it.
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
    /// The form in which the name is looked for, if others can refer to this operation by it. A name that can't be one
    /// is the server's to refuse.
    pub(super) fn folded_name(&self) -> Option<String> {
        self.kind.leads_into_a_room().then(|| names::folded(&self.name).ok()).flatten()
    }

    /// The room that it addresses, if that is known.
    pub(super) fn room(&self) -> Option<RoomId> {
        match self.reference {
            Some(Reference::Room(room)) => Some(room),
            Some(Reference::EnteredBy(_)) | None => None,
        }
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

//! A row of the tables `outbox` and `refused`.

use rusqlite::Row;
use steadfast_proto::ids::{OperationId, RoomId};

use super::number::{from_row, to_row};
use super::{OpKind, OutboxRow, ProfileError, Reference};

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
}

impl Reference {
    pub(super) fn read(room: Option<i64>, entered_by: Option<i64>) -> Option<Reference> {
        let room = room.map(|room| Reference::Room(RoomId(from_row(room))));
        room.or(entered_by.map(|id| Reference::EnteredBy(OperationId(from_row(id)))))
    }
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

    /// The columns `room` and `entered_by`: one of them, or none.
    pub(super) fn reference_columns(&self) -> (Option<i64>, Option<i64>) {
        match self.reference {
            Some(Reference::Room(room)) => (Some(to_row(room.0)), None),
            Some(Reference::EnteredBy(id)) => (None, Some(to_row(id.0))),
            None => (None, None),
        }
    }
}

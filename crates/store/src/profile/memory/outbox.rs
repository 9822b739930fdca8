//! What waits, by sequence, and how it is found.

use steadfast_proto::ids::{OperationId, RoomId};

use super::table::Table;
use crate::profile::pending::Ways;
use crate::profile::row::{OpKind, OutboxRow, Reference};
use crate::profile::settle::Waiting;
use crate::profile::tables::Apart;
use crate::profile::{PendingOp, ProfileError};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: Table<u64, Row>,
    by_id: Table<OperationId, u64>,
    by_name: Table<(OpKind, String, u64), ()>,
    by_reference: Table<(OperationId, u64), ()>,
    leaves: Table<u64, ()>,
    /// What was set apart and not yet put back; only within a transaction.
    apart: Table<u64, Row>,
}

#[derive(Clone, Debug)]
struct Row {
    op: OutboxRow,
    keyed: bool,
    bytes: u64,
}

impl Outbox {
    pub(super) fn first(&self) -> Option<u64> {
        self.rows.first().map(|(&sequence, _)| sequence)
    }

    pub(super) fn behind(&self, sequence: u64) -> impl Iterator<Item = &OutboxRow> {
        self.rows.range(sequence.saturating_add(1)..).map(|(_, row)| &row.op)
    }

    pub(super) fn is_waiting(&self, id: OperationId) -> bool {
        self.by_id.get(&id).is_some()
    }

    pub(super) fn waiting(&self, id: OperationId) -> Option<Waiting> {
        let row = self.row(id)?;
        Some(Waiting { sequence: row.op.sequence, kind: row.op.kind, keyed: row.keyed, bytes: row.bytes })
    }

    pub(super) fn op(&self, id: OperationId) -> Option<&OutboxRow> {
        Some(&self.row(id)?.op)
    }

    pub(super) fn newest_named(&self, kind: OpKind, folded: &str) -> Option<(u64, OperationId)> {
        let of_name = (kind, folded.to_owned(), 0)..=(kind, folded.to_owned(), u64::MAX);
        let ((_, _, sequence), ()) = self.by_name.range(of_name).next_back()?;
        Some((*sequence, self.rows.get(sequence)?.op.id))
    }

    pub(super) fn newest_leave(&self, room: Option<RoomId>, entering: Option<OperationId>) -> Option<u64> {
        let is_of = |reference: Option<Reference>| match reference {
            Some(Reference::Room(found)) => Some(found) == room,
            Some(Reference::EnteredBy(found)) => Some(found) == entering,
            None => false,
        };
        let leave = |(&sequence, ()): (&u64, &())| self.rows.get(&sequence);
        self.leaves.iter().rev().filter_map(leave).find(|row| is_of(row.op.reference)).map(|row| row.op.sequence)
    }

    /// The last `limit` operations below a sequence that go one of these ways, ascending.
    pub(super) fn pending(&self, ways: &Ways, before: u64, limit: usize) -> Vec<PendingOp> {
        let is_named = |op: &OutboxRow| match &ways.named {
            Some((kind, folded)) => op.kind == *kind && op.folded_name().as_ref() == Some(folded),
            None => false,
        };
        let goes = |op: &&OutboxRow| match op.reference {
            Some(Reference::Room(room)) => Some(room) == ways.room,
            Some(Reference::EnteredBy(id)) => Some(id) == ways.by || self.op(id).is_some_and(is_named),
            None => Some(op.id) == ways.by || is_named(op),
        };
        let rows = self.rows.range(..before).rev().map(|(_, row)| &row.op);
        let mut pending: Vec<_> = rows.filter(goes).take(limit).cloned().map(PendingOp::from_row).collect();
        pending.reverse();
        pending
    }

    pub(super) fn add(&mut self, op: OutboxRow, keyed: bool, bytes: u64) -> Result<(), ProfileError> {
        if self.is_waiting(op.id) {
            return Err(ProfileError::Damaged { what: "two operations of one id" });
        }
        self.insert(Row { op, keyed, bytes });
        Ok(())
    }

    pub(super) fn remove(&mut self, sequence: u64) {
        self.take_out(sequence);
    }

    pub(super) fn name_room(&mut self, entered_by: OperationId, room: RoomId) {
        let of_room = (entered_by, 0)..=(entered_by, u64::MAX);
        let sequences: Vec<u64> = self.by_reference.range(of_room).map(|(&(_, sequence), ())| sequence).collect();
        for sequence in sequences {
            if let Some(mut row) = self.take_out(sequence) {
                row.op.reference = Some(Reference::Room(room));
                self.insert(row);
            }
        }
    }

    pub(super) fn set_apart(&mut self, behind: u64) -> Vec<Apart> {
        let later: Vec<u64> = self.behind(behind).map(|op| op.sequence).collect();
        let mut apart = Vec::with_capacity(later.len());
        for sequence in later {
            let Some(row) = self.take_out(sequence) else { continue };
            let OutboxRow { sequence, kind, composed_at_ms, .. } = row.op;
            apart.push(Apart { sequence, kind, room: row.op.room(), composed_at_ms });
            self.apart.insert(sequence, row);
        }
        apart
    }

    pub(super) fn put_back(&mut self, from: u64, to: u64, entered_by: Option<OperationId>) {
        let Some(mut row) = self.apart.remove(&from) else { return };
        row.op.sequence = to;
        if let Some(entered_by) = entered_by {
            row.op.reference = Some(Reference::EnteredBy(entered_by));
        }
        self.insert(row);
    }

    pub(super) fn commit(&mut self) {
        self.rows.commit();
        self.by_id.commit();
        self.by_name.commit();
        self.by_reference.commit();
        self.leaves.commit();
        self.apart.commit();
    }

    pub(super) fn roll_back(&mut self) {
        self.rows.roll_back();
        self.by_id.roll_back();
        self.by_name.roll_back();
        self.by_reference.roll_back();
        self.leaves.roll_back();
        self.apart.roll_back();
    }

    fn row(&self, id: OperationId) -> Option<&Row> {
        self.rows.get(self.by_id.get(&id)?)
    }

    fn insert(&mut self, row: Row) {
        let sequence = row.op.sequence;
        self.by_id.insert(row.op.id, sequence);
        if let Some(folded) = row.op.folded_name() {
            self.by_name.insert((row.op.kind, folded, sequence), ());
        }
        if let Some(Reference::EnteredBy(id)) = row.op.reference {
            self.by_reference.insert((id, sequence), ());
        }
        if row.op.kind == OpKind::Leave {
            self.leaves.insert(sequence, ());
        }
        self.rows.insert(sequence, row);
    }

    fn take_out(&mut self, sequence: u64) -> Option<Row> {
        let row = self.rows.remove(&sequence)?;
        self.by_id.remove(&row.op.id);
        if let Some(folded) = row.op.folded_name() {
            self.by_name.remove(&(row.op.kind, folded, sequence));
        }
        if let Some(Reference::EnteredBy(id)) = row.op.reference {
            self.by_reference.remove(&(id, sequence));
        }
        self.leaves.remove(&sequence);
        Some(row)
    }
}

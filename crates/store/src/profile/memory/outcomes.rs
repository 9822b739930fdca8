//! What became of operations: outcomes by id, lines by key, what was refused.

use std::sync::Arc;

use steadfast_proto::ids::OperationId;

use super::table::{Table, Value};
use crate::profile::notices::REFUSED_MAX;
use crate::profile::row::OutboxRow;
use crate::profile::settle::OUTCOMES_MAX;
use crate::profile::tables::KnownLine;
use crate::profile::{AppendError, LineKey, RefusedOp, SettledOutcome};

/// Keyed lines, with what goes with them. They are never forgotten: a line that is would be stored twice.
const LINES_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// What a line takes beside its key, about.
const LINE_HEADER_BYTES: u64 = 256;
/// Texts of what was refused.
const REFUSED_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// What a refused operation takes beside its text, about.
const REFUSED_HEADER_BYTES: u64 = 256;

#[derive(Debug, Default)]
pub(super) struct Outcomes {
    outcomes: Table<u64, (OperationId, SettledOutcome)>,
    /// The newest one of each id.
    by_id: Table<OperationId, u64>,
    lines: Table<(Arc<str>, u64), KnownLine>,
    line_by_id: Table<OperationId, (Arc<str>, u64)>,
    line_bytes: Value<u64>,
    refused: Table<u64, RefusedOp>,
    refused_bytes: Value<u64>,
}

impl Outcomes {
    /// The outcome of an operation that does not wait.
    pub(super) fn of(&self, id: OperationId) -> Option<SettledOutcome> {
        let keyed = self.line_by_id.get(&id).and_then(|at| self.lines.get(at)?.outcome);
        keyed.or_else(|| Some(self.outcomes.get(self.by_id.get(&id)?)?.1))
    }

    pub(super) fn keep(&mut self, id: OperationId, outcome: SettledOutcome) {
        let number = self.outcomes.push((id, outcome));
        self.by_id.insert(id, number);
        if let Some(at) = self.line_by_id.get(&id).cloned()
            && let Some(line) = self.lines.get(&at).copied()
        {
            self.lines.insert(at, KnownLine { outcome: Some(outcome), ..line });
        }
    }

    pub(super) fn forget(&mut self) {
        for (number, (id, _)) in self.outcomes.keep_newest(OUTCOMES_MAX) {
            if self.by_id.get(&id) == Some(&number) {
                self.by_id.remove(&id);
            }
        }
    }

    pub(super) fn line(&self, key: &LineKey) -> Option<KnownLine> {
        self.lines.get(&(Arc::from(key.key.as_str()), key.line)).copied()
    }

    pub(super) fn keep_line(&mut self, key: &LineKey, id: OperationId) -> Result<(), AppendError> {
        let bytes = LINE_HEADER_BYTES + key.key.len() as u64;
        if self.line_bytes.get() + bytes > LINES_BYTES_MAX {
            return Err(AppendError::KeysFull { lines: self.lines.len() as u64 });
        }
        *self.line_bytes.change() += bytes;
        let at = (Arc::from(key.key.as_str()), key.line);
        self.line_by_id.insert(id, at.clone());
        self.lines.insert(at, KnownLine { id, hash: key.hash, outcome: None });
        Ok(())
    }

    pub(super) fn refused(&self, id: OperationId) -> Option<&RefusedOp> {
        self.refused.iter().rev().map(|(_, refused)| refused).find(|refused| refused.id == id)
    }

    pub(super) fn keep_refused(&mut self, op: &OutboxRow, refusal: i32, at_ms: u64) {
        let refused = RefusedOp::new(op.clone(), refusal, at_ms);
        *self.refused_bytes.change() += bytes_of(&refused);
        self.refused.push(refused);
        for (_, gone) in self.refused.keep_newest(REFUSED_MAX) {
            *self.refused_bytes.change() -= bytes_of(&gone);
        }
        while *self.refused_bytes.get() > REFUSED_BYTES_MAX
            && let Some((&oldest, _)) = self.refused.first()
            && let Some(gone) = self.refused.remove(&oldest)
        {
            *self.refused_bytes.change() -= bytes_of(&gone);
        }
    }

    pub(super) fn commit(&mut self) {
        self.outcomes.commit();
        self.by_id.commit();
        self.lines.commit();
        self.line_by_id.commit();
        self.line_bytes.commit();
        self.refused.commit();
        self.refused_bytes.commit();
    }

    pub(super) fn roll_back(&mut self) {
        self.outcomes.roll_back();
        self.by_id.roll_back();
        self.lines.roll_back();
        self.line_by_id.roll_back();
        self.line_bytes.roll_back();
        self.refused.roll_back();
        self.refused_bytes.roll_back();
    }
}

fn bytes_of(refused: &RefusedOp) -> u64 {
    REFUSED_HEADER_BYTES + (refused.body.len() + refused.name.len() + refused.content_type.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_long_ago_are_forgotten_with_what_finds_them() {
        let outcome = SettledOutcome { sequence: 1, position: 1, room: None, refusal: None };
        let mut outcomes = Outcomes::default();
        (1..=OUTCOMES_MAX + 10).for_each(|id| outcomes.keep(OperationId(id), outcome));
        outcomes.forget();
        assert_eq!((outcomes.of(OperationId(10)), outcomes.of(OperationId(11))), (None, Some(outcome)));
        assert_eq!((outcomes.outcomes.len(), outcomes.by_id.len()), (200_000, 200_000));
    }
}

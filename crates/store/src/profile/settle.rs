//! The end of an operation: its row leaves the outbox, its outcome is kept, and what refers to the room that it made or
//! entered names that room from then on.

use steadfast_proto::ids::{OperationId, RoomId};

use super::error::ProfileError;
use super::notices;
use super::row::OpKind;
use super::standing::Standing;
use super::tables::Tables;

/// Outcomes that are kept, for whoever asks by id. Those of keyed lines are kept with their lines.
pub(super) const OUTCOMES_MAX: u64 = 200_000;

/// The final outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledOutcome {
    /// The sequence under which it took effect.
    pub sequence: u64,
    /// Where it stands in the log.
    pub position: u64,
    /// The room that it made, entered or went to.
    pub room: Option<RoomId>,
    /// Why it was refused for good: a number of `wire::Refusal`, or one that only a newer server knows. `None`: it was
    /// accepted.
    pub refusal: Option<i32>,
}

/// What the outbox knows of an operation that is about to leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) sequence: u64,
    pub(super) kind: OpKind,
    pub(super) keyed: bool,
    pub(super) bytes: u64,
}

/// Takes the operation out of the outbox with its outcome. Answers the room if others could refer to it by this one.
pub(super) fn settle(
    tables: &mut dyn Tables,
    standing: &mut Standing,
    id: OperationId,
    row: Waiting,
    outcome: SettledOutcome,
    at_ms: u64,
) -> Result<Option<RoomId>, ProfileError> {
    if let Some(refusal) = outcome.refusal {
        notices::keep_refused(tables, id, refusal, at_ms)?;
    }
    tables.remove_waiting(row.sequence)?;
    standing.outbox_rows = standing.outbox_rows.saturating_sub(1);
    standing.outbox_bytes = standing.outbox_bytes.saturating_sub(row.bytes);
    tables.keep_outcome(id, outcome, row.keyed, at_ms)?;
    let room = outcome.room.filter(|_| outcome.refusal.is_none() && row.kind.leads_into_a_room());
    if let Some(room) = room {
        tables.name_room(id, room)?;
    }
    Ok(room)
}

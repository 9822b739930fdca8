//! The session's view of the durable outbox: a window of its rows, what was sent on this link, what may be sent next.

use std::collections::{BTreeSet, VecDeque};

use crate::codec;
use crate::ids::{OperationId, RoomId};
use crate::time::{Duration, Instant};
use crate::wire::{self, HoldCause, Op, RoomRef, frame::Kind, op::Body, room_ref::By};

/// The most operations sent and not yet confirmed.
pub const OPERATIONS_IN_FLIGHT_MAX: u64 = 1_024;
/// Rows are asked for while fewer bytes than this are loaded.
pub const LOADED_BYTES_MAX: usize = 256 * 1024;
/// Enters whose room is remembered for rows that were loaded before the room was known.
const ENTERED_MAX: usize = 1_024;

/// What the server asked us to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub cause: HoldCause,
    /// Until when.
    pub until: Instant,
}

/// A load of rows that the shell is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Numbering under which it was asked; an answer of another one is stale.
    pub generation: u64,
    /// Rows behind this sequence.
    pub after_sequence: u64,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: VecDeque<Op>,
    rows_bytes: usize,
    loaded_through: u64,
    /// More rows may stand behind `loaded_through`.
    more: bool,
    loading: bool,
    generation: u64,
    confirmed_through: u64,
    /// The next row to send on this link, as a sequence.
    next_sequence: u64,
    /// The highest sequence sent on this link, and the highest one answered there.
    sent_through: u64,
    answered_through: u64,
    /// The highest sequence that ever left on this link, whatever was held since.
    sent_highest: u64,
    /// Sequences whose outcome came on this link and is not stored.
    answered: BTreeSet<u64>,
    held: Option<Held>,
    /// Where a gap made us go back to, until that one is answered.
    gone_back_to: Option<u64>,
    entered: VecDeque<(OperationId, RoomId)>,
}

impl Outbox {
    pub(super) fn new(confirmed_through: u64) -> Self {
        let mut outbox = Self::default();
        outbox.handle_reset(confirmed_through);
        outbox
    }

    pub(super) fn confirmed_through(&self) -> u64 {
        self.confirmed_through
    }

    pub(super) fn held(&self) -> Option<Held> {
        self.held
    }

    /// Whether nothing waits here, as far as is known.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.more && !self.loading
    }

    /// Whether something sent on this link waits for its answer.
    pub(super) fn is_awaiting(&self) -> bool {
        self.sent_through > self.answered_through.max(self.confirmed_through)
    }

    /// The profile was renumbered: what is loaded means nothing any more.
    pub(super) fn handle_reset(&mut self, confirmed_through: u64) {
        self.rows.clear();
        self.rows_bytes = 0;
        self.generation += 1;
        self.loading = false;
        self.more = true;
        self.loaded_through = confirmed_through;
        self.confirmed_through = confirmed_through;
        self.handle_link();
    }

    /// A new link: everything without an outcome is sent again.
    pub(super) fn handle_link(&mut self) {
        self.next_sequence = 0;
        self.sent_through = 0;
        self.answered_through = 0;
        self.sent_highest = 0;
        self.answered.clear();
        self.held = None;
        self.gone_back_to = None;
    }

    /// Somebody appended rows.
    pub(super) fn handle_appended(&mut self) {
        self.more = true;
    }

    /// The load that is wanted now, if any; it counts as asked for.
    pub(super) fn poll_load(&mut self) -> Option<Load> {
        let room = self.rows_bytes < LOADED_BYTES_MAX && (self.rows.len() as u64) < OPERATIONS_IN_FLIGHT_MAX;
        if self.loading || !self.more || !room {
            return None;
        }
        self.loading = true;
        self.more = false;
        Some(Load { generation: self.generation, after_sequence: self.loaded_through })
    }

    /// The rows that a load gave, ascending. `more` if the load was cut short by its limits.
    pub(super) fn handle_loaded(&mut self, generation: u64, rows: Vec<Op>, more: bool) {
        if generation != self.generation {
            return;
        }
        self.loading = false;
        self.more |= more;
        for row in rows {
            if row.sequence > self.loaded_through {
                self.loaded_through = row.sequence;
                self.rows_bytes += row_bytes(&row);
                self.rows.push_back(row);
            }
        }
    }

    /// A hold ends when its time is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.held = self.held.filter(|held| now < held.until);
    }

    /// The next operation to send, if one may be and has at most `bytes_max` bytes on the wire.
    pub(super) fn poll_send(&mut self, now: Instant, bytes_max: u64) -> Option<Kind> {
        self.handle_timeout(now);
        if self.held.is_some() {
            return None;
        }
        let index = self.rows.partition_point(|row| row.sequence < self.next_sequence);
        let row = self.rows.get(index)?;
        if row.sequence > self.confirmed_through + OPERATIONS_IN_FLIGHT_MAX {
            return None;
        }
        let mut op = row.clone();
        op.confirmed_through = self.confirmed_through;
        self.resolve(&mut op);
        let (sequence, kind) = (op.sequence, Kind::Op(op));
        if codec::wire_bytes(&kind) > bytes_max {
            return None;
        }
        self.next_sequence = sequence + 1;
        self.sent_through = self.sent_through.max(sequence);
        self.sent_highest = self.sent_highest.max(sequence);
        Some(kind)
    }

    /// An outcome came; says whether it is to be stored. One that was, or of what did not leave on this link, says
    /// nothing: what waits for the disk is bounded by what was sent.
    pub(super) fn handle_outcome(&mut self, outcome: &wire::Outcome) -> bool {
        let awaited = self.confirmed_through < outcome.sequence && outcome.sequence <= self.sent_highest;
        if !awaited || !self.answered.insert(outcome.sequence) {
            return false;
        }
        self.answered_through = self.answered_through.max(outcome.sequence);
        self.gone_back_to = self.gone_back_to.filter(|&from| from > outcome.sequence);
        if outcome.refusal == 0 && outcome.room != 0 {
            self.remember_entered(OperationId(outcome.id), RoomId(outcome.room));
        }
        true
    }

    /// The server did not apply what came from this sequence on.
    pub(super) fn handle_hold(&mut self, hold: &wire::Hold, now: Instant) {
        let from = hold.from_sequence;
        if hold.cause() == HoldCause::Gap {
            // Whatever was under way behind the gap says the same once more. What was sent since we went back is
            // answered by itself.
            if self.gone_back_to == Some(from) {
                return;
            }
            self.gone_back_to = Some(from);
            // A gap must not shorten the wait for another obstacle.
            self.next_sequence = if self.held.is_some() { self.next_sequence.min(from) } else { from };
        } else {
            self.gone_back_to = None;
            self.next_sequence = from;
            self.held =
                Some(Held { cause: hold.cause(), until: now + Duration::from_millis(hold.retry_after_ms.into()) });
        }
        self.answered_through = self.answered_through.max(from.saturating_sub(1));
        self.sent_through = self.sent_through.min(from.saturating_sub(1));
    }

    /// Outcomes up to this sequence are stored. Gives how many operations of those loaded this settles.
    pub(super) fn handle_confirmed(&mut self, confirmed_through: u64, entered: &[(OperationId, RoomId)]) -> u64 {
        for &(operation, room) in entered {
            self.remember_entered(operation, room);
        }
        self.confirmed_through = self.confirmed_through.max(confirmed_through.min(self.loaded_through));
        self.answered = self.answered.split_off(&(self.confirmed_through + 1));
        let mut settled = 0;
        while self.rows.front().is_some_and(|row| row.sequence <= self.confirmed_through) {
            if let Some(row) = self.rows.pop_front() {
                self.rows_bytes = self.rows_bytes.saturating_sub(row_bytes(&row));
                settled += 1;
            }
        }
        settled
    }

    fn remember_entered(&mut self, operation: OperationId, room: RoomId) {
        if self.room_entered_by(operation).is_none() {
            self.entered.push_back((operation, room));
        }
        if self.entered.len() > ENTERED_MAX {
            self.entered.pop_front();
        }
    }

    fn room_entered_by(&self, operation: OperationId) -> Option<RoomId> {
        let known = self.entered.iter().find(|(entered, _)| *entered == operation);
        known.map(|&(_, room)| room)
    }

    /// A row may have been loaded before the room was known that an earlier operation enters. The server resolves
    /// that reference only while the earlier outcome is unconfirmed, so what is known goes out as a room id.
    fn resolve(&self, op: &mut Op) {
        if let Some(reference) = room_of(op)
            && let Some(By::EnteredBy(operation)) = reference.by
            && let Some(room) = self.room_entered_by(OperationId(operation))
        {
            reference.by = Some(By::Room(room.0));
        }
    }
}

/// The room that an operation addresses, if its kind addresses one.
fn room_of(op: &mut Op) -> Option<&mut RoomRef> {
    match op.body.as_mut()? {
        Body::Send(send) => send.room.as_mut(),
        Body::Leave(leave) => leave.room.as_mut(),
        Body::Add(add) => add.room.as_mut(),
        Body::Remove(remove) => remove.room.as_mut(),
        Body::Enter(_) | Body::Direct(_) | Body::CreatePrivate(_) => None,
    }
}

fn row_bytes(op: &Op) -> usize {
    prost::Message::encoded_len(op)
}

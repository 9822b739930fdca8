//! What a connection has to say besides entries. Bounded: outcomes by the operations in flight, the rest by the
//! requests that may be open.

use std::collections::VecDeque;

use crate::wire::{Hold, HoldCause, Outcome, Outcomes, frame::Kind};

/// Outcomes that share a frame.
const OUTCOMES_PER_FRAME: usize = 256;
/// Pages and failures that may wait for a client that does not read.
const OTHERS_WAITING_MAX: usize = 64;
/// Outcomes that may wait, likewise: what may be in flight, a few times over.
const OUTCOMES_WAITING_MAX: usize = 4_096;
/// Syncs of one connection that may be open.
const SYNCS_OPEN_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Replies {
    pub(super) outcomes: VecDeque<Outcome>,
    /// The last hold; an earlier one that has not left says no more than it.
    hold: Option<Hold>,
    /// Heads, on the entries lane.
    pub(super) heads: VecDeque<Kind>,
    /// Pages, failures, Settled.
    pub(super) others: VecDeque<Kind>,
    /// Number and head of the Syncs that wait for the reader to get there.
    syncs: VecDeque<(u32, u64)>,
}

impl Replies {
    /// The next frame, and whether it is of the entries lane.
    pub(super) fn next(&mut self) -> Option<(Kind, bool)> {
        if !self.outcomes.is_empty() {
            let count = self.outcomes.len().min(OUTCOMES_PER_FRAME);
            let outcomes = self.outcomes.drain(..count).collect();
            return Some((Kind::Outcomes(Outcomes { outcomes }), false));
        }
        if let Some(hold) = self.hold.take() {
            return Some((Kind::Hold(hold), false));
        }
        if let Some(kind) = self.heads.pop_front() {
            return Some((kind, true));
        }
        self.others.pop_front().map(|kind| (kind, false))
    }

    /// Two holds that leave together are one: from the lower operation on, and an obstacle's wait before a gap's none.
    pub(super) fn push_hold(&mut self, hold: Hold) {
        self.hold = Some(match self.hold.take() {
            None => hold,
            Some(waiting) => {
                let from_sequence = waiting.from_sequence.min(hold.from_sequence);
                let gap_only = hold.cause() == HoldCause::Gap;
                Hold { from_sequence, ..if gap_only { waiting } else { hold } }
            }
        });
    }

    pub(super) fn push_sync(&mut self, number: u32, head: u64) -> Result<(), ()> {
        if self.syncs.len() == SYNCS_OPEN_MAX {
            return Err(());
        }
        self.syncs.push_back((number, head));
        Ok(())
    }

    /// The next Sync that a reader at this place has answered.
    pub(super) fn next_sync(&mut self, place: u64) -> Option<u32> {
        let reached = self.syncs.front().is_some_and(|&(_, head)| head <= place);
        if reached { self.syncs.pop_front().map(|(number, _)| number) } else { None }
    }

    /// Whether the client asks for more than it reads.
    pub(super) fn is_overfull(&self) -> bool {
        self.others.len() > OTHERS_WAITING_MAX || self.outcomes.len() > OUTCOMES_WAITING_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
            && self.hold.is_none()
            && self.heads.is_empty()
            && self.others.is_empty()
            && self.syncs.is_empty()
    }
}

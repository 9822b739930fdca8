//! What a connection has to say besides entries. Bounded: outcomes by the operations in flight, the rest by the
//! requests that may be open.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec;
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
    /// The parts of a reply that have not left.
    rest: Bytes,
    rest_of: Of,
}

/// What leaves next: a frame, or a part of one that is too long to stand before a pong.
pub(super) struct Part {
    /// Its bytes on the wire.
    pub(super) bytes: Bytes,
    /// What it is a part of.
    pub(super) of: Of,
    /// Whether it is the last one of its frame.
    pub(super) last: bool,
}

/// What a reply is, as far as a connection counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Of {
    /// A frame of the entries lane.
    Stream,
    /// A page.
    Page,
    /// Another one.
    #[default]
    Other,
}

impl Replies {
    /// What leaves next.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.rest.is_empty() {
            let kind = self.next_frame()?;
            self.rest_of = match kind {
                Kind::Heads(_) => Of::Stream,
                Kind::HistoryPage(_) | Kind::MembersPage(_) | Kind::RoomsPage(_) => Of::Page,
                _ => Of::Other,
            };
            let mut encoded = Vec::new();
            codec::encode_kind(kind, &mut encoded);
            self.rest = encoded.into();
        }
        let length = codec::first_part(&self.rest).0.len();
        let bytes = self.rest.split_to(length);
        Some(Part { bytes, of: self.rest_of, last: self.rest.is_empty() })
    }

    fn next_frame(&mut self) -> Option<Kind> {
        if !self.outcomes.is_empty() {
            let count = self.outcomes.len().min(OUTCOMES_PER_FRAME);
            let outcomes = self.outcomes.drain(..count).collect();
            return Some(Kind::Outcomes(Outcomes { outcomes }));
        }
        let hold = self.hold.take().map(Kind::Hold);
        hold.or_else(|| self.heads.pop_front()).or_else(|| self.others.pop_front())
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
        self.rest.is_empty()
            && self.outcomes.is_empty()
            && self.hold.is_none()
            && self.heads.is_empty()
            && self.others.is_empty()
            && self.syncs.is_empty()
    }
}

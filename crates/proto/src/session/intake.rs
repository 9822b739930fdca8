//! What has arrived and is not stored yet. While one batch is being stored the next one gathers; both are bounded by
//! the window, the operations in flight and the requests that are open.

use super::change::Change;
use crate::time::Instant;

/// What a batch stands for, once it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The link on which its last entries came.
    pub(super) link: u64,
    /// Bytes of that link's entries lane, up to and with this batch.
    pub(super) stream_bytes: u64,
    /// Requests that it answers.
    pub(super) answered: Vec<u32>,
    /// It changes what the session believes: the profile is to be read again.
    pub(super) resets: bool,
    /// It gives what waits other numbers.
    pub(super) renumbers: bool,
}

#[derive(Debug, Default)]
pub(super) struct Intake {
    gathering: Vec<Change>,
    mark: Mark,
    storing: Option<(Mark, Instant)>,
}

impl Intake {
    pub(super) fn push(&mut self, change: Change) {
        self.mark.resets |= change.resets();
        self.mark.renumbers |= matches!(change, Change::Renumbered { .. });
        // Of two that say how far everything has come the later one says all.
        if let (Some(Change::Through { position }), Change::Through { position: later }) =
            (self.gathering.last_mut(), &change)
        {
            *position = *later;
            return;
        }
        self.gathering.push(change);
    }

    /// Bytes of the entries lane were taken in on this link.
    pub(super) fn handle_stream(&mut self, link: u64, stream_bytes: u64) {
        self.mark.link = link;
        self.mark.stream_bytes = stream_bytes;
    }

    pub(super) fn handle_answered(&mut self, number: u32) {
        self.mark.answered.push(number);
    }

    /// The next batch to store, if none is being stored.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<Change>> {
        if self.storing.is_some() || self.gathering.is_empty() {
            return None;
        }
        self.storing = Some((std::mem::take(&mut self.mark), now));
        Some(std::mem::take(&mut self.gathering))
    }

    /// Whether everything that came is stored.
    pub(super) fn is_idle(&self) -> bool {
        self.storing.is_none() && self.gathering.is_empty()
    }

    /// What came and needs no storing, once nothing before it is being stored: it is as good as stored.
    pub(super) fn poll_nothing_to_store(&mut self) -> Option<Mark> {
        let idle = self.is_idle() && self.mark.stream_bytes > 0 && self.mark.answered.is_empty();
        idle.then(|| std::mem::take(&mut self.mark))
    }

    /// The batch that was being stored is.
    pub(super) fn handle_stored(&mut self) -> Option<Mark> {
        self.storing.take().map(|(mark, _)| mark)
    }

    /// Whether what is stored next, or being stored, changes what the session believes.
    pub(super) fn is_reset_pending(&self) -> bool {
        self.mark.resets || self.storing.as_ref().is_some_and(|(mark, _)| mark.resets)
    }

    /// Since when the batch under way is being stored.
    pub(super) fn storing_since(&self) -> Option<Instant> {
        self.storing.as_ref().map(|&(_, since)| since)
    }
}

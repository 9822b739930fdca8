//! The part of a room that is held in memory, and where the screen stands in it.
//!
//! A room may have any number of entries; of these a few hundred around the screen are held. What is drawn is made of
//! them by [`blocks`](super::blocks). The screen hangs on the block at its lower edge, so that what comes in above or
//! below moves nothing.

use std::collections::VecDeque;

use steadfast::OperationId;

use super::blocks::Key;
use super::event::{Held, Page, PageEnd, Toward};
use super::model::{Entry, Pending, PendingSaid};

/// Entries that are held.
pub(crate) const ENTRIES_MAX: usize = 600;
/// Entries that are read at a time.
pub(crate) const PAGE: usize = 200;
/// What waits in the outbox and is shown, and what is on its way back from the server.
pub(crate) const PENDING_MAX: usize = 200;
/// Refused operations that are remembered: a look that began before may still bring them.
const REFUSED_MAX: usize = 200;

/// What of a room is held.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// By room sequence, ascending.
    pub(super) entries: VecDeque<Entry>,
    /// What waits in the outbox.
    pub(crate) pending: Vec<Pending>,
    pub(crate) pending_more: bool,
    /// What has left the outbox for the server's disk and has not come back yet.
    pub(super) arriving: Vec<Pending>,
    /// Operations that were refused, the last ones.
    refused: VecDeque<OperationId>,
    pub(super) older: Beyond,
    newer: Beyond,
    /// Where older entries begin while none is held.
    edge: u64,
    /// The newest page was read once.
    pub(crate) known: bool,
    pub(super) anchor: Anchor,
    /// The newest entry when the screen left the end.
    left_at: u64,
}

/// What is beyond an edge of the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// Nothing: it is the beginning, or the end.
    #[default]
    Nothing,
    /// More, which is not asked for.
    More,
    /// More, which is on its way.
    Fetching,
    /// More, which can't be had now.
    Away(String),
}

/// Where the screen's lower edge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// At the newest, and stays there.
    #[default]
    End,
    /// At this block, of which so many rows are below the edge.
    At { key: Key, below: usize },
}

impl Window {
    /// Whether what comes in is seen at once.
    pub(crate) fn follows(&self) -> bool {
        self.anchor == Anchor::End
    }

    pub(crate) fn newest(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.sequence)
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.sequence)
    }

    /// What a look at the store need not bring.
    pub(crate) fn held(&self) -> Held {
        match self.newest() {
            _ if !self.known => Held::Nothing,
            _ if !self.at_end() => Held::Enough,
            newest => Held::Through(newest.unwrap_or(self.edge.saturating_sub(1))),
        }
    }

    /// Whether the newest entry of the room is held.
    pub(crate) fn at_end(&self) -> bool {
        self.newer == Beyond::Nothing
    }

    /// What came in since the screen left the end: messages, as far as they are held.
    pub(crate) fn unseen(&self, newest: u64) -> u64 {
        match self.anchor {
            Anchor::End => 0,
            Anchor::At { .. } => newest.saturating_sub(self.left_at),
        }
    }

    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The screen goes to the newest. Whether that is held; if not, it has to be read.
    pub(crate) fn go_to_end(&mut self) -> bool {
        self.anchor = Anchor::End;
        if self.at_end() {
            return true;
        }
        self.forget();
        false
    }

    /// The screen goes there.
    pub(crate) fn move_to(&mut self, anchor: Anchor) {
        if self.anchor == Anchor::End && anchor != Anchor::End {
            self.left_at = self.newest().unwrap_or(0);
        }
        self.anchor = anchor;
    }

    /// Forgets what was held; the newest page is read next.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
        self.older = Beyond::Nothing;
        self.newer = Beyond::Nothing;
        // No page that is under way begins here.
        self.edge = 0;
        self.pending.clear();
        self.pending_more = false;
        self.arriving.clear();
        self.known = false;
        self.anchor = Anchor::End;
    }

    /// Takes in the newest entries: what came behind those that are held, or a first page of a room that has `newest`.
    pub(crate) fn append(&mut self, entries: Vec<Entry>, skipped: bool, readable_from: u64, newest: u64) {
        if !self.at_end() || entries.is_empty() && self.known {
            return;
        }
        // While the screen is elsewhere and the window is full, what is new waits in the store.
        let is_full = self.entries.len() + entries.len() > ENTRIES_MAX;
        if !self.follows() && (skipped || is_full) {
            self.newer = Beyond::More;
            return;
        }
        if skipped {
            self.entries.clear();
            // What waited or was on its way may have come back in the hole: whether it did is not seen here.
            self.pending.clear();
            self.arriving.clear();
        }
        let is_first = self.entries.is_empty();
        self.arrived(&entries);
        self.entries.extend(entries);
        if is_first {
            self.edge = newest + 1;
            let oldest = self.oldest().unwrap_or(self.edge);
            self.older = if oldest > readable_from { Beyond::More } else { Beyond::Nothing };
        }
        self.known = true;
        self.trim_front();
    }

    fn arrived(&mut self, entries: &[Entry]) {
        self.arriving.retain(|arriving| !entries.iter().any(|entry| entry.id == arriving.id));
    }

    /// Takes in what waits. What waited before and is not here yet was stored by the server and is on its way back.
    pub(crate) fn take_pending(&mut self, pending: Vec<Pending>, more: bool) {
        let mut before = std::mem::replace(&mut self.pending, pending);
        self.pending.retain(|pending| !self.refused.contains(&pending.id));
        before.retain(|pending| !self.refused.contains(&pending.id));
        self.pending_more = more;
        if more {
            // The outbox is emptied from its front, which is not in sight: what is gone waits there.
            return;
        }
        let gone =
            before.into_iter().filter(|gone| matches!(gone.what, PendingSaid::Text(_) | PendingSaid::Data { .. }));
        for gone in gone {
            let is = |id| gone.id == id;
            let waits = self.pending.iter().any(|pending| is(pending.id));
            if !waits && !self.entries.iter().rev().any(|entry| is(entry.id)) {
                self.arriving.push(gone);
            }
        }
        self.arriving.drain(..self.arriving.len().saturating_sub(PENDING_MAX));
    }

    /// The operation will not come back as an entry.
    pub(crate) fn refuse(&mut self, id: OperationId) {
        self.arriving.retain(|arriving| arriving.id != id);
        self.pending.retain(|pending| pending.id != id);
        // A look that began before may still bring it.
        self.refused.push_back(id);
        if self.refused.len() > REFUSED_MAX {
            self.refused.pop_front();
        }
    }

    /// Takes in a page that was asked for.
    pub(crate) fn take(&mut self, page: Page) {
        let beyond = match page.end {
            PageEnd::More => Beyond::More,
            PageEnd::Edge => Beyond::Nothing,
            PageEnd::Away(why) => Beyond::Away(why),
        };
        match page.toward {
            Toward::Older { before } => {
                if self.oldest().unwrap_or(self.edge) != before {
                    return;
                }
                for entry in page.entries.into_iter().rev() {
                    self.entries.push_front(entry);
                }
                self.older = beyond;
                if self.entries.len() > ENTRIES_MAX {
                    self.entries.truncate(ENTRIES_MAX);
                    self.newer = Beyond::More;
                }
            }
            Toward::Newer { after } => {
                if self.newest() != Some(after) {
                    return;
                }
                self.arrived(&page.entries);
                self.entries.extend(page.entries);
                self.newer = beyond;
                self.trim_front();
            }
        }
    }

    fn trim_front(&mut self) {
        let surplus = self.entries.len().saturating_sub(ENTRIES_MAX);
        if surplus > 0 {
            self.entries.drain(..surplus);
            self.older = Beyond::More;
        }
        if matches!(self.newer, Beyond::Away(_)) {
            self.newer = Beyond::More;
        }
    }

    /// What has to be read next towards the older end; it counts as asked for.
    pub(crate) fn ask_older(&mut self) -> Option<u64> {
        let before = self.known.then(|| self.oldest().unwrap_or(self.edge))?;
        match self.older {
            Beyond::More => {
                self.older = Beyond::Fetching;
                Some(before)
            }
            // It is asked for again when a person wants it, or the line is back.
            Beyond::Nothing | Beyond::Fetching | Beyond::Away(_) => None,
        }
    }

    /// What could not be had may be there now.
    pub(crate) fn retry(&mut self) {
        for beyond in [&mut self.older, &mut self.newer] {
            if matches!(beyond, Beyond::Away(_)) {
                *beyond = Beyond::More;
            }
        }
    }

    /// The same towards the newer end.
    pub(crate) fn ask_newer(&mut self) -> Option<u64> {
        let after = self.newest()?;
        match self.newer {
            Beyond::More => {
                self.newer = Beyond::Fetching;
                Some(after)
            }
            Beyond::Nothing | Beyond::Fetching | Beyond::Away(_) => None,
        }
    }
}

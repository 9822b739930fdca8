//! What a person has read of each room on this device, and so what is unread there.
//!
//! Nothing is counted when a message is stored: who asks counts, and looks at a bounded number of entries.

use steadfast_proto::ids::AccountId;

use super::error::ProfileError;
use super::search::Entry;
use super::text::{is_text, mentions};

/// Entries behind the mark that are looked at for one count.
pub const UNREAD_ENTRIES_MAX: u64 = 1_000;
/// Bytes of text that are looked through for a mention, for one count.
const MENTION_BYTES_MAX: usize = 1_024 * 1_024;

/// What is unread in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Messages of others behind the mark.
    pub messages: u64,
    /// There may be more: only the first [`UNREAD_ENTRIES_MAX`] entries behind the mark were looked at.
    pub more: bool,
    /// One of them names the person. Of more than a megabyte of unread text only the first is looked through.
    pub mentioned: bool,
}

/// Counts what is unread, entry by entry.
pub(super) struct Counting<'n> {
    own: AccountId,
    name: &'n str,
    entries: u64,
    bytes: usize,
    unread: Unread,
}

impl<'n> Counting<'n> {
    pub(super) fn new(own: AccountId, name: &'n str) -> Self {
        Self { own, name, entries: 0, bytes: 0, unread: Unread::default() }
    }

    /// Takes the next entry behind the mark. Whether there is more to be counted.
    pub(super) fn take(&mut self, entry: &dyn Entry) -> Result<bool, ProfileError> {
        self.entries += 1;
        if self.entries > UNREAD_ENTRIES_MAX {
            self.unread.more = true;
            return Ok(false);
        }
        let Some(said) = entry.said()? else { return Ok(true) };
        if entry.account()? == self.own {
            return Ok(true);
        }
        self.unread.messages += 1;
        if !self.unread.mentioned && self.bytes <= MENTION_BYTES_MAX && is_text(said.content_type) {
            self.bytes += said.body.len();
            self.unread.mentioned = std::str::from_utf8(said.body).is_ok_and(|text| mentions(text, self.name));
        }
        Ok(true)
    }

    pub(super) fn counted(self) -> Unread {
        self.unread
    }
}

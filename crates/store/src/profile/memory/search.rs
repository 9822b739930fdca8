//! Entries in memory, for those who look at many and keep few.

use std::ops::ControlFlow;

use steadfast_proto::ids::{AccountId, RoomId};

use super::messages::Messages;
use crate::profile::search::{Entries, Entry, Key, Said, See};
use crate::profile::{ProfileError, StoredMessage, What};

impl Entries for Messages {
    /// In the order of their ids.
    fn next_room(&self, after: Option<RoomId>) -> Result<Option<RoomId>, ProfileError> {
        Ok(self.next_room(after))
    }

    fn newest(&self, room: RoomId) -> Result<Option<Key>, ProfileError> {
        self.from(room, 0).next_back().map(Entry::key).transpose()
    }

    fn show_down(&self, from: Key, see: See<'_>) -> Result<(), ProfileError> {
        for message in self.through(from.room, from.room_sequence).rev() {
            if see(message)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Entry for StoredMessage {
    fn key(&self) -> Result<Key, ProfileError> {
        Ok(Key { position: self.position, room: self.room, room_sequence: self.room_sequence })
    }

    fn account(&self) -> Result<AccountId, ProfileError> {
        Ok(self.account)
    }

    fn said(&self) -> Result<Option<Said<'_>>, ProfileError> {
        Ok(match &self.what {
            What::Message { body, content_type } => Some(Said { author: &self.author, content_type, body }),
            What::Joined { .. }
            | What::Left { .. }
            | What::Added { .. }
            | What::Removed { .. }
            | What::DeviceAdded { .. }
            | What::Other => None,
        })
    }

    fn stored(&self) -> Result<StoredMessage, ProfileError> {
        Ok(self.clone())
    }
}

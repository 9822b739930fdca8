//! What a device holds: the rooms it knows, and the entries in them.

use std::borrow::Cow;

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_store::profile as store;

/// An entry of a room, as this device stored it: a message, or somebody's coming or going.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The room it is in.
    pub room: RoomId,
    /// 1, 2, 3 … in its room, without holes.
    pub room_sequence: u64,
    /// Where it stands in the server's log. Grows over all rooms.
    pub position: u64,
    /// The id of the account that made it.
    pub account: AccountId,
    /// The account's name at that time.
    pub author: String,
    /// The operation that made it, for life: [`Sent::id`](crate::Sent::id) of its sender.
    pub id: OperationId,
    /// The number of that operation among those of its sender's device.
    pub sequence: u64,
    /// When the server took it: the server's clock, Unix milliseconds. Never goes back from one entry to the next.
    pub at_ms: u64,
    /// When it was made: the sender's clock, Unix milliseconds, however wrong.
    pub composed_at_ms: u64,
    /// What happened.
    pub what: What,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// Somebody said something.
    Message {
        /// The bytes, at most [`BODY_BYTES_MAX`](crate::BODY_BYTES_MAX).
        body: Bytes,
        /// Of what kind they are; empty means `text/plain; charset=utf-8`.
        content_type: String,
    },
    /// Somebody became a member of the room.
    Joined {
        /// Who.
        account: AccountId,
        /// Their name.
        name: String,
    },
    /// Somebody is a member of the room no longer.
    Left {
        /// Who.
        account: AccountId,
        /// Their name.
        name: String,
    },
    /// In the account room: this account became a member of a room.
    Added {
        /// Which room.
        room: RoomId,
        /// Its name.
        name: String,
    },
    /// In the account room: this account is a member of a room no longer.
    Removed {
        /// Which room.
        room: RoomId,
    },
    /// In the account room: this account has a new device.
    DeviceAdded {
        /// Which one.
        device: DeviceId,
    },
    /// Something that this version does not know.
    Unknown,
}

impl Message {
    /// The text, if this is a message of text that is UTF-8.
    pub fn text(&self) -> Option<&str> {
        let What::Message { body, content_type } = &self.what else { return None };
        let is_text = content_type.is_empty() || content_type.starts_with("text/");
        std::str::from_utf8(body).ok().filter(|_| is_text)
    }

    /// The bytes, if this is a message.
    pub fn body(&self) -> Option<&Bytes> {
        match &self.what {
            What::Message { body, .. } => Some(body),
            What::Joined { .. } | What::Left { .. } | What::Added { .. } | What::Removed { .. } => None,
            What::DeviceAdded { .. } | What::Unknown => None,
        }
    }

    /// What kind of bytes, if this is a message; the default kind is spelled out.
    pub fn content_type(&self) -> Option<Cow<'_, str>> {
        let What::Message { content_type, .. } = &self.what else { return None };
        Some(if content_type.is_empty() { "text/plain; charset=utf-8" } else { content_type.as_str() }.into())
    }
}

impl Message {
    pub(crate) fn of(stored: store::StoredMessage) -> Self {
        Self {
            room: stored.room,
            room_sequence: stored.room_sequence,
            position: stored.position,
            account: stored.account,
            author: stored.author,
            id: stored.id,
            sequence: stored.sequence,
            at_ms: stored.at_ms,
            composed_at_ms: stored.composed_at_ms,
            what: What::of(stored.what),
        }
    }
}

impl What {
    pub(crate) fn of(what: store::What) -> Self {
        match what {
            store::What::Message { body, content_type } => Self::Message { body, content_type },
            store::What::Joined { account, name } => Self::Joined { account, name },
            store::What::Left { account, name } => Self::Left { account, name },
            store::What::Added { room, name } => Self::Added { room, name },
            store::What::Removed { room } => Self::Removed { room },
            store::What::DeviceAdded { device } => Self::DeviceAdded { device },
            store::What::Other => Self::Unknown,
        }
    }
}

pub(crate) fn all(stored: Vec<store::StoredMessage>) -> Vec<Message> {
    stored.into_iter().map(Message::of).collect()
}

/// A room that this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomInfo {
    /// Its id, for life.
    pub room: RoomId,
    /// Its name; a direct conversation has the other's, the account room has none.
    pub name: String,
    /// What kind of room.
    pub kind: RoomKind,
    /// Whether this account is a member now.
    pub member: bool,
    /// The room sequence before the first entry that came to this device by itself. What is older comes by
    /// [`Room::fetch`](crate::Room::fetch) only.
    pub base: u64,
    /// The last room sequence that came: all of `base + 1 ..= last` are stored here. `None` while it is unknown where
    /// the room's next entry stands.
    pub last: Option<u64>,
    /// The first room sequence that this account may read.
    pub readable_from: u64,
}

/// What kind of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomKind {
    /// Anybody may enter it by its name, and read all of it.
    Public,
    /// Its members add others.
    Private,
    /// A conversation of two.
    Direct,
    /// What concerns this account: where it was added and removed, which devices it has.
    Account,
    /// A kind that this version does not know.
    Unknown,
}

impl RoomKind {
    pub(crate) fn of(kind: wire::RoomKind) -> Self {
        match kind {
            wire::RoomKind::Public => Self::Public,
            wire::RoomKind::Private => Self::Private,
            wire::RoomKind::Direct => Self::Direct,
            wire::RoomKind::Account => Self::Account,
            wire::RoomKind::Unspecified => Self::Unknown,
        }
    }
}

impl RoomInfo {
    pub(crate) fn of(stored: store::RoomInfo) -> Self {
        Self {
            room: stored.room,
            name: stored.name,
            kind: RoomKind::of(stored.kind),
            member: stored.member,
            base: stored.base,
            last: stored.last,
            readable_from: stored.readable_from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &'static [u8], content_type: &str) -> Message {
        let what = What::Message { body: Bytes::from_static(body), content_type: content_type.to_owned() };
        let (room, account, id) = (RoomId(1), AccountId(2), OperationId(3));
        let author = "ann".to_owned();
        Message {
            room,
            room_sequence: 1,
            position: 1,
            account,
            author,
            id,
            sequence: 1,
            at_ms: 0,
            composed_at_ms: 0,
            what,
        }
    }

    #[test]
    fn text_is_what_says_that_it_is_text_and_is_utf_8() {
        assert_eq!(message(b"hello", "").text(), Some("hello"));
        assert_eq!(message(b"# hello", "text/markdown").text(), Some("# hello"));
        assert_eq!(message(b"hello", "application/json").text(), None);
        assert_eq!(message(b"\xff", "").text(), None);
        assert_eq!(message(b"x", "").content_type().as_deref(), Some("text/plain; charset=utf-8"));
        let left = Message { what: What::Left { account: AccountId(2), name: String::new() }, ..message(b"", "") };
        assert_eq!((left.text(), left.body(), left.content_type()), (None, None, None));
    }
}

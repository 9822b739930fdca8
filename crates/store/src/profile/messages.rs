//! The entries of rooms that this device holds, one by one, whatever their kind, so that holes can be seen.

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_proto::wire::entry;

/// An entry of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The room.
    pub room: RoomId,
    /// 1, 2, 3 … in its room.
    pub room_sequence: u64,
    /// Where it stands in the log.
    pub position: u64,
    /// Who made it.
    pub account: AccountId,
    /// Their name at that time.
    pub author: String,
    /// The operation that made it.
    pub id: OperationId,
    /// Its sequence of the author's device.
    pub sequence: u64,
    /// The sequencer's clock, Unix milliseconds.
    pub at_ms: u64,
    /// The author's clock, Unix milliseconds.
    pub composed_at_ms: u64,
    /// What happened.
    pub what: What,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the wire's entries")]
pub enum What {
    /// Somebody said something. An empty content type means `text/plain; charset=utf-8`.
    Message { body: Bytes, content_type: String },
    /// Somebody became a member.
    Joined { account: AccountId, name: String },
    /// Somebody is a member no longer.
    Left { account: AccountId, name: String },
    /// In the account room: one became a member of a room.
    Added { room: RoomId, name: String },
    /// In the account room: one is a member of a room no longer.
    Removed { room: RoomId },
    /// In the account room: a device was added.
    DeviceAdded { device: DeviceId },
    /// An entry of a kind that this version does not know.
    Other,
}

/// What is to be done when an entry is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// The stream has the last word.
    Replace,
    /// A page only fills holes.
    Keep,
}

impl StoredMessage {
    pub(super) fn new(entry: &wire::Entry) -> Self {
        Self {
            room: RoomId(entry.room),
            room_sequence: entry.room_sequence,
            position: entry.position,
            account: AccountId(entry.account),
            author: entry.from.clone(),
            id: OperationId(entry.id),
            sequence: entry.sequence,
            at_ms: entry.at_ms,
            composed_at_ms: entry.composed_at_ms,
            what: What::new(entry.what.as_ref()),
        }
    }
}

impl What {
    fn new(what: Option<&entry::What>) -> Self {
        match what {
            Some(entry::What::Message(message)) => {
                What::Message { body: message.body.clone(), content_type: message.content_type.clone() }
            }
            Some(entry::What::Joined(joined)) => {
                What::Joined { account: AccountId(joined.account), name: joined.name.clone() }
            }
            Some(entry::What::Left(left)) => What::Left { account: AccountId(left.account), name: left.name.clone() },
            Some(entry::What::Added(added)) => What::Added { room: RoomId(added.room), name: added.room_name.clone() },
            Some(entry::What::Removed(removed)) => What::Removed { room: RoomId(removed.room) },
            Some(entry::What::DeviceAdded(added)) => {
                DeviceId::from_wire(&added.device_id).map_or(What::Other, |device| What::DeviceAdded { device })
            }
            Some(entry::What::TermOpened(_)) | None => What::Other,
        }
    }
}

//! What a person has to be told: a message was refused for good, messages were moved aside, the device was rolled
//! back. The text of what was refused is kept.

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;

use super::error::ProfileError;
use super::row::{OpKind, OutboxRow};
use super::tables::Tables;

pub(super) const NOTICES_MAX: u64 = 10_000;
pub(super) const REFUSED_MAX: u64 = 100_000;

/// Something that a person has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// 1, 2, 3 … in this profile.
    pub number: u64,
    /// When it happened, Unix milliseconds.
    pub at_ms: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// The same in plain words.
    pub text: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// An operation was refused for good; [`ProfileStore::refused`](super::ProfileStore::refused) has its text.
    Refused {
        /// Which one.
        operation: OperationId,
    },
    /// The server's history parted from ours; [`ProfileStore::aside`](super::ProfileStore::aside) has what it does not
    /// hold.
    MovedAside {
        /// So many messages.
        messages: u64,
    },
    /// This profile was set back to an earlier state.
    SetBack {
        /// Operations that were numbered anew.
        waiting: u64,
    },
}

/// An operation that was refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedOp {
    /// Its id.
    pub id: OperationId,
    /// The sequence under which it was refused.
    pub sequence: u64,
    /// Why: a number of `wire::Refusal`.
    pub refusal: i32,
    /// When this device learnt it, Unix milliseconds.
    pub at_ms: u64,
    /// When it was written.
    pub composed_at_ms: u64,
    /// The room that it addressed, if that was known.
    pub room: Option<RoomId>,
    /// The name in it, or nothing.
    pub name: String,
    /// The text in it, or nothing.
    pub body: Bytes,
    /// What kind of text.
    pub content_type: String,
}

impl RefusedOp {
    pub(super) fn new(op: OutboxRow, refusal: i32, at_ms: u64) -> Self {
        Self {
            id: op.id,
            sequence: op.sequence,
            refusal,
            at_ms,
            composed_at_ms: op.composed_at_ms,
            room: op.room(),
            name: op.name,
            body: op.body,
            content_type: op.content_type,
        }
    }
}

/// Keeps what the waiting operation says, with a notice. The row is still in the outbox.
pub(super) fn keep_refused(
    tables: &mut dyn Tables,
    id: OperationId,
    refusal: i32,
    at_ms: u64,
) -> Result<(), ProfileError> {
    let lost = ProfileError::Damaged { what: "a refused operation that does not wait" };
    let row = tables.waiting_row(id)?.ok_or(lost)?;
    tables.keep_refused(&row, refusal, at_ms)?;
    let room = match row.room() {
        Some(room) => tables.room(room)?.map(|info| info.name),
        None => None,
    };
    let text = refused_text(row.kind, &room.unwrap_or(row.name), refusal);
    tables.add_notice(at_ms, NoticeKind::Refused { operation: id }, &text)
}

fn refused_text(kind: OpKind, name: &str, refusal: i32) -> String {
    let what = match kind {
        OpKind::Enter => "entering the room",
        OpKind::Send => "a message to the room",
        OpKind::Leave => "leaving the room",
        OpKind::Direct => "a conversation with",
        OpKind::CreatePrivate => "making the private room",
        OpKind::Add => "adding a member to the room",
        OpKind::Remove => "removing a member from the room",
    };
    let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    format!("the server refused {what}{named}: {}", refusal_text(refusal))
}

fn refusal_text(refusal: i32) -> &'static str {
    match wire::Refusal::try_from(refusal) {
        Ok(wire::Refusal::UnknownOperation) => "it does not know this kind of operation",
        Ok(wire::Refusal::NoSuchRoom) => "there is no such room",
        Ok(wire::Refusal::NotAMember) => "you are not a member",
        Ok(wire::Refusal::NoSuchAccount) => "there is no such account",
        Ok(wire::Refusal::NameInvalid) => "that can't be a name",
        Ok(wire::Refusal::BodyTooLarge) => "it is too large",
        Ok(wire::Refusal::NotAllowed) => "it is not allowed",
        Ok(wire::Refusal::IdTaken) => "its id was taken",
        Ok(wire::Refusal::Unspecified) | Err(_) => "for a reason that this version does not know",
    }
}

//! What a person should hear of: refused, moved aside, set back.

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_store::profile as store;
use tokio::sync::watch;

use crate::error::{Closed, StoreError};
use crate::keeper::Keeper;
use crate::message::Message;
use crate::sent::Refusal;

/// Something that a person has to be told. It stays in the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum NoticeKind {
    /// The server refused an operation for good; [`Client::refused`](crate::Client::refused) has its text.
    Refused {
        /// Which one.
        operation: OperationId,
    },
    /// The server went back to an earlier state. What it no longer has was moved aside, and is in
    /// [`Client::moved_aside`](crate::Client::moved_aside).
    MovedAside {
        /// So many messages.
        messages: u64,
    },
    /// This profile was set back to an earlier state (restored, copied). What was sent since came again, and is not
    /// sent twice.
    SetBack {
        /// Operations that still wait, and were numbered anew.
        waiting: u64,
    },
}

impl Notice {
    pub(crate) fn of(notice: store::Notice) -> Self {
        let kind = match notice.kind {
            store::NoticeKind::Refused { operation } => NoticeKind::Refused { operation },
            store::NoticeKind::MovedAside { messages } => NoticeKind::MovedAside { messages },
            store::NoticeKind::SetBack { waiting } => NoticeKind::SetBack { waiting },
        };
        Self { number: notice.number, at_ms: notice.at_ms, kind, text: notice.text }
    }
}

/// The notices behind a number, or those from the opening of the client on. It does not keep the client open.
#[derive(Clone, Debug)]
pub struct Notices {
    reader: Keeper,
    changed: watch::Receiver<u64>,
    /// The number of the last one given.
    last: u64,
}

impl Notices {
    pub(crate) fn new(reader: Keeper, changed: watch::Receiver<u64>, last: u64) -> Self {
        Self { reader, changed, last }
    }

    /// Waits for the next ones, in their order.
    ///
    /// Cancel-safe: those that were not returned come with the next call.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn next(&mut self) -> Result<Vec<Notice>, StoreError> {
        loop {
            self.changed.borrow_and_update();
            let after = self.last;
            let notices = self.reader.read(move |profile| profile.notices_after(after)).await?;
            if let Some(last) = notices.last() {
                self.last = last.number;
                return Ok(notices.into_iter().map(Notice::of).collect());
            }
            self.changed.changed().await.map_err(|_| Closed)?;
        }
    }
}

/// What was refused for good, so that its text can be given back to who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedOperation {
    /// Its id.
    pub id: OperationId,
    /// Why.
    pub reason: Refusal,
    /// When this device learnt it, Unix milliseconds.
    pub at_ms: u64,
    /// When it was made, Unix milliseconds.
    pub composed_at_ms: u64,
    /// The room that it was for, if that was known.
    pub room: Option<RoomId>,
    /// The name in it, of a room or an account; or nothing.
    pub name: String,
    /// The text in it, or nothing.
    pub body: Bytes,
    /// What kind of text; empty means `text/plain; charset=utf-8`.
    pub content_type: String,
}

impl RefusedOperation {
    pub(crate) fn of(refused: store::RefusedOp) -> Self {
        Self {
            id: refused.id,
            reason: Refusal::of(refused.refusal),
            at_ms: refused.at_ms,
            composed_at_ms: refused.composed_at_ms,
            room: refused.room,
            name: refused.name,
            body: refused.body,
            content_type: refused.content_type,
        }
    }
}

/// A message of a history that the server no longer has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedAside {
    /// When it was moved aside, Unix milliseconds.
    pub moved_at_ms: u64,
    /// As it was.
    pub message: Message,
}

impl MovedAside {
    pub(crate) fn of(aside: store::AsideMessage) -> Self {
        Self { moved_at_ms: aside.moved_at_ms, message: Message::of(aside.message) }
    }
}

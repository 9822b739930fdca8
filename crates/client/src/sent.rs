//! What was queued, and what became of it.

use std::fmt;

use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;
use steadfast_store::profile::{Queued, SettledOutcome};

use crate::client::Client;
use crate::error::{Closed, Failed, ProfileError, StoreError};

/// An operation that is on this machine's disk, and will be sent until the server has decided it: over any drop, and by
/// whoever opens the profile next if this program ends before.
///
/// Dropping it changes nothing about that; it is marked `must_use` because only [`stored`](Self::stored) tells that the
/// server's disk has it, too, or that the server refused it (as [`Client::notices`] does, for a person). It keeps the
/// client open.
#[derive(Clone, Debug)]
#[must_use = "it is safe on this disk only: `stored().await` tells when the server's has it; drop it if that is enough"]
pub struct Sent {
    client: Client,
    id: OperationId,
    sequence: u64,
    already: Option<Outcome>,
}

/// What became of an operation, for good.
pub type Outcome = Result<Stored, Refused>;

/// The server has it on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The number under which it took effect, among the operations of this device.
    pub sequence: u64,
    /// Where it stands in the server's log.
    pub position: u64,
    /// The room that it made or entered; of a message: none.
    pub room: Option<RoomId>,
}

/// The server refused it for good. Sending the same again would be refused again, as long as things are as they are.
/// Its text is kept: see [`Client::refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server refused it: {reason}")]
#[non_exhaustive]
pub struct Refused {
    /// The operation.
    pub id: OperationId,
    /// Its number among the operations of this device.
    pub sequence: u64,
    /// Why.
    pub reason: Refusal,
}

/// Why the server refused an operation for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The server does not know this kind of operation: it is older than this library.
    UnknownOperation,
    /// There is no such room, or this account may not know of it.
    NoSuchRoom,
    /// This account is not a member of the room.
    NotAMember,
    /// There is no such account.
    NoSuchAccount,
    /// Nothing can have that name.
    NameInvalid,
    /// The body is longer than the server takes.
    BodyTooLarge,
    /// This account may not do that there.
    NotAllowed,
    /// Its id was taken.
    IdTaken,
    /// For a reason that this version does not know.
    Unknown,
}

impl Refusal {
    /// What a number on the wire means.
    pub(crate) fn of(code: i32) -> Self {
        match wire::Refusal::try_from(code) {
            Ok(wire::Refusal::UnknownOperation) => Self::UnknownOperation,
            Ok(wire::Refusal::NoSuchRoom) => Self::NoSuchRoom,
            Ok(wire::Refusal::NotAMember) => Self::NotAMember,
            Ok(wire::Refusal::NoSuchAccount) => Self::NoSuchAccount,
            Ok(wire::Refusal::NameInvalid) => Self::NameInvalid,
            Ok(wire::Refusal::BodyTooLarge) => Self::BodyTooLarge,
            Ok(wire::Refusal::NotAllowed) => Self::NotAllowed,
            Ok(wire::Refusal::IdTaken) => Self::IdTaken,
            Ok(wire::Refusal::Unspecified) | Err(_) => Self::Unknown,
        }
    }
}

/// Plain words for a person.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownOperation => "the server does not know this operation; it may be older",
            Self::NoSuchRoom => "there is no such room",
            Self::NotAMember => "you are not a member of the room",
            Self::NoSuchAccount => "there is no such account",
            Self::NameInvalid => "that is no name a room can have",
            Self::BodyTooLarge => "it is too long",
            Self::NotAllowed => "it is not allowed there",
            Self::IdTaken => "its id is taken",
            Self::Unknown => "the server gave a reason that this version does not know",
        })
    }
}

/// [`Sent::stored`] ended without the server having stored it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStored {
    /// The server refused it for good.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The caller's: this profile knows nothing of it any more, or never did. Its outcome was asked for after 200,000
    /// newer ones had come, or it was sent from another profile. Ask earlier, or send it under a key.
    #[error("operation {id:016x} is of another profile, or what became of it is no longer kept", id = id.0)]
    Forgotten {
        /// The operation.
        id: OperationId,
    },
    /// This machine's: the profile can't be read, so that it is not known. What was sent is still in the outbox, or
    /// settled.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed before it was known. What was sent is still in the outbox, or settled.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl NotStored {
    /// Whether waiting again may tell more.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Profile(error) => error.is_passing(),
            Self::Refused(_) | Self::Forgotten { .. } | Self::Closed(_) => false,
        }
    }
}

impl From<Failed> for NotStored {
    fn from(failed: Failed) -> Self {
        StoreError::from(failed).into()
    }
}

impl From<StoreError> for NotStored {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Profile(error) => Self::Profile(error),
            StoreError::Closed(closed) => Self::Closed(closed),
        }
    }
}

impl Sent {
    pub(crate) fn new(client: Client, queued: &Queued) -> Self {
        let Queued { sequence, id, already } = *queued;
        let already = already.map(|settled| outcome(id, settled));
        Self { client, id, sequence, already }
    }

    /// Its id, for life; everybody sees it as [`Message::id`](crate::Message::id).
    pub fn id(&self) -> OperationId {
        self.id
    }

    /// Its number among the operations of this device, as of now: what still waits may be numbered anew, should the
    /// server have been restored from a backup. [`Stored::sequence`] is final.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Waits until the server has it on its disk, over any drop and any restart of the server: for as long as that
    /// takes. Combine it with a time-out where you need one; what was sent is sent all the same.
    ///
    /// To wait for many at once, [`Client::settled`] is the cheaper way; for how long an outcome can be asked for is
    /// said there.
    ///
    /// Cancel-safe: it may be called again, and any number of times.
    ///
    /// # Errors
    /// [`NotStored::Refused`] if the server refused it; the others if that can't be learnt now.
    pub async fn stored(&self) -> Result<Stored, NotStored> {
        let outcomes = self.client.settled(std::slice::from_ref(self)).await?;
        let outcome = outcomes.into_iter().next().ok_or(Closed)?;
        Ok(outcome?)
    }

    /// What became of it so far; `None`: nothing yet.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn outcome(&self) -> Result<Option<Outcome>, StoreError> {
        Ok(self.client.outcomes(std::slice::from_ref(self)).await?.into_iter().next().flatten())
    }

    /// What the profile knew already when it was queued: it had been sent under its key before.
    pub(crate) fn already(&self) -> Option<Outcome> {
        self.already
    }
}

pub(crate) fn outcome(id: OperationId, settled: SettledOutcome) -> Outcome {
    let SettledOutcome { sequence, position, room, refusal } = settled;
    match refusal {
        None => Ok(Stored { sequence, position, room }),
        Some(code) => Err(Refused { id, sequence, reason: Refusal::of(code) }),
    }
}

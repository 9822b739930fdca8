//! What one device keeps: who it is, its outbox, its place, the messages of its rooms.
//!
//! [`ProfileStore`] names what a profile can do. The rules are here, once, over the rows of `tables`; where the rows
//! are is the business of two:
//! - `disk` (feature `sqlite`): a directory that any number of processes may use, and that outlasts them;
//! - `memory`: what dies with the process.
//!
//! All calls block. What is done with the changes of a link is decided here, when to talk and what to send is not:
//! that is the session's business (`steadfast_proto::session`).

mod append;
mod apply;
mod aside;
mod consumer;
#[cfg(feature = "sqlite")]
mod disk;
mod diverge;
mod entry;
mod error;
mod flight;
mod memory;
mod messages;
mod notices;
mod number;
mod outbox;
mod pending;
mod reading;
mod renumber;
mod rewind;
mod rooms;
mod row;
mod search;
mod settle;
mod standing;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod wants;

use steadfast_proto::ids::{AccountId, DeviceId};

pub use aside::AsideMessage;
pub use consumer::{ConsumerClaim, Stay, StreamPlace};
#[cfg(feature = "sqlite")]
pub use disk::{DriverLock, Live, Profile};
pub use error::{AppendError, ApplyError, ProfileError};
pub use flight::FlightRow;
pub use memory::{MESSAGES_BYTES_MAX, MemoryProfile};
pub use messages::{StoredMessage, What};
pub use notices::{Notice, NoticeKind, RefusedOp};
pub use outbox::{LineKey, NewBody, NewOp, OP_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX, Queued, Target};
pub use pending::{PendingIn, PendingOp, PendingWhat};
pub use reading::{UNREAD_ENTRIES_MAX, Unread};
pub use rooms::RoomInfo;
pub use search::{SEARCH_BYTES_MAX, SEARCH_ENTRIES_MAX, Search, SearchFrom, Searched};
pub use settle::SettledOutcome;
pub use steadfast_proto::session::{Identity, Resume};
pub use store::ProfileStore;
pub use wants::{Answer, Want};

/// What a new profile is made with; drawn at random by the caller, and thrown away when the profile is there already.
#[derive(Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The device to be.
    pub device_id: DeviceId,
    /// Its secret.
    pub secret: [u8; 32],
    /// The id of the account, should this device's sign-up make it.
    pub account: AccountId,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh")
            .field("device_id", &self.device_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

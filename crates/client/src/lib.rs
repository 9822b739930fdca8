//! Steadfast's client library: messages that are sent once, arrive once, and survive every drop and crash between.
//!
//! What [`Client::send`] returned from is on this machine's disk, and stays in the profile's outbox until the server
//! says that it is on its disk. What arrives is stored with the place it moves to, in one transaction, before the
//! server hears of it. The [`Status`] is a level that is always true.
//!
//! Delivery is exactly once from the sender's durable outbox to the receiver's durable store. A program that acts on
//! a message and crashes before it notes how far it got sees that message again.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use steadfast::{Client, Options};
//!
//! let client = Client::open(Options::new("ann", "127.0.0.1:7400"))?;
//! let sent = client.send("lobby", ["hello"]).await?;
//! client.settled(&sent).await?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Several processes may use one profile at once: one of them drives the link, the others hand it what they have and
//! take over when it ends.

mod client;
mod drive;
mod driving;
mod error;
mod flight;
mod follow;
mod hold;
mod keeper;
mod notices;
mod options;
mod probe;
mod random;
mod status;
mod wake;

pub use client::{Client, Draft};
pub use error::{AskError, OpenError, SendError, WaitError};
pub use flight::{Flight, Loss, Return};
pub use notices::Notices;
pub use options::Options;
pub use probe::{holder_answers, order_holder};
pub use status::Status;

pub use steadfast_net::tcp::KernelLiveness;
pub use steadfast_proto::ids::{OperationId, RoomId};
pub use steadfast_proto::session::{Cause, Schedule, State};
pub use steadfast_proto::wire::{Refusal, RoomKind};
pub use steadfast_store::profile::{
    AppendError, Notice, NoticeKind, ProfileError, Queued, RoomInfo, SettledOutcome, StoredMessage, What,
};

//! Steadfast's client library: messages that are sent once, arrive once, and survive every drop and crash between.
//!
//! What [`Room::send`] returned from is on this machine's disk, and stays in the profile's outbox until the server
//! says that it is on its disk. What arrives is stored with the place it moves to, in one transaction, before the
//! server hears of it. The [`Status`] is a level that is always true.
//!
//! Delivery is exactly once from the sender's durable outbox to the receiver's durable store. A program that acts on
//! a message and crashes before it notes how far it got sees that message again.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use steadfast::Client;
//!
//! let client = Client::builder("ann", "127.0.0.1:7400").open().await?;
//! let sent = client.room("lobby").send("hello").await?;
//! sent.stored().await?;
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Several processes may use one profile at once: one of them drives the link, the others hand it what they have and
//! take over when it ends.

#![deny(missing_docs)]

mod builder;
mod cause;
mod client;
mod draft;
mod drive;
mod driving;
mod error;
mod flight;
#[cfg(feature = "durable")]
mod follow;
mod hold;
mod inbox;
mod keeper;
mod message;
mod notices;
#[cfg(feature = "durable")]
mod observer;
mod options;
#[cfg_attr(not(feature = "durable"), path = "alone.rs")]
mod others;
mod people;
#[cfg(feature = "durable")]
mod probe;
mod random;
mod reading;
mod room;
mod sent;
mod status;
mod stream;
#[cfg(feature = "durable")]
mod wake;
mod watch;

pub use builder::Builder;
pub use cause::{Cause, CauseKind};
pub use client::{Client, Outbox};
pub use draft::Draft;
pub use error::{AskError, Closed, OpenError, OrderError, ProfileError, ProfileFault, SendError, StoreError};
pub use flight::{Flight, Loss, Return};
pub use inbox::{Delivery, Feed, Inbox, InboxError, Place};
pub use message::{Message, RoomInfo, RoomKind, What};
pub use notices::{MovedAside, Notice, NoticeKind, Notices, RefusedOperation};
#[cfg(feature = "durable")]
pub use observer::{Observer, Order, Standing};
pub use people::{Delivered, Members, People, PeopleWatch, Person, PublicRoom, PublicRooms};
pub use reading::{Pending, PendingWhat, Search, Unread};
pub use room::Room;
pub use sent::{NotStored, Outcome, Refusal, Refused, Sent, Stored};
pub use status::{Held, State, Status};
pub use watch::{Changes, StatusWatch};

pub use steadfast_net::tcp::KernelLiveness;
pub use steadfast_proto::hub::BODY_BYTES_MAX;
pub use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
pub use steadfast_proto::names::{NAME_BYTES_MAX, NameError};
pub use steadfast_proto::session::Schedule;
pub use steadfast_store::profile::OUTBOX_BYTES_MAX;
pub use steadfast_store::profile::OUTBOX_ROWS_MAX as OUTBOX_OPERATIONS_MAX;

//! Messages over TCP that are sent once, arrive once, and survive every drop and crash between; and a line that always
//! says whether it is alive.
//!
//! # The promise, and its limit
//!
//! - **You know.** One [`Status`] is always true. A server that died silently is noticed within 3 s while an answer is
//!   due (on a line whose round trip is under 1 s; [`Status::bound_ms`] is the bound in force), within 15 s on an idle
//!   line; a healthy line is never called dead.
//! - **Nothing is lost.** What [`Room::send`] returned from is synced to this machine's disk, and stays in the outbox
//!   until the server has it on *its* disk. What the server accepted reaches every device of every member, however long
//!   it was away.
//! - **Nothing is doubled**, with no time window: a repeat gets the answer that the first try got.
//! - **Order.** What a device sends takes effect in the order in which it was sent, and all members see a room in one
//!   order.
//! - **A hole is loud.** What can't be continued is told: [`Notices`], [`InboxError::WentBack`].
//!
//! Delivery is exactly once from the sender's durable outbox to the receiver's durable store. A program that acts on a
//! message and crashes before it notes its place sees that message again, unless it stores the place with its own
//! effect ([`Client::feed`]).
//!
//! # A complete program
//!
//! ```no_run
//! use steadfast::{Client, InboxError};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::builder("ann", "127.0.0.1:7400").open().await?;
//!     let lobby = client.room("lobby");
//!
//!     // On this machine's disk when it returns; on the server's when `stored` does.
//!     let sent = lobby.send("hello").await?;
//!     sent.stored().await?;
//!
//!     // Everything that comes, in order; after a crash it goes on behind what was committed.
//!     let mut inbox = client.inbox("printer").await?;
//!     for _ in 0..10 {
//!         match inbox.next().await {
//!             Ok(message) => {
//!                 if let Some(text) = message.text() {
//!                     println!("{}: {text}", message.author);
//!                 }
//!                 inbox.commit(&message).await?;
//!             }
//!             // The server was restored from a copy and has fewer messages; what is new comes with the next call.
//!             Err(gone @ InboxError::WentBack { .. }) => eprintln!("{gone}"),
//!             Err(error) => return Err(error.into()),
//!         }
//!     }
//!
//!     client.close().await;
//!     Ok(())
//! }
//! ```
//!
//! `steadfast serve` is the server. An account is signed up by its first device.
//!
//! # Opening and closing
//!
//! [`Client::builder`] names the account and the server, [`Builder::open`] opens the *profile*: a directory in which
//! this device keeps its outbox, its messages and its place. Opening does not wait for the server, and nothing but a
//! question to the server ever does: a program works the same offline. This example runs without any server:
//!
#![cfg_attr(feature = "durable", doc = "```")]
#![cfg_attr(not(feature = "durable"), doc = "```ignore")]
//! use steadfast::{Client, State};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let builder = Client::builder("ann", "127.0.0.1:1").profile(directory.path().join("ann"));
//! let client = builder.clone().open().await?;
//! let lobby = client.room("lobby");
//! let sent = lobby.send_all(["one", "two", "three"]).await?;
//! assert!(sent[0].outcome().await?.is_none(), "the server has not decided it yet");
//! client.status().until(|status| status.state == State::Offline && status.cause.is_some()).await?;
//! client.close().await;
//!
//! // Another run of the program, or another program: what was sent waits for the server.
//! let client = builder.open().await?;
//! let waiting = client.room("lobby").pending(u64::MAX, 100).await?;
//! assert_eq!(waiting.len(), 4, "the entering of the room, and three messages");
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is a handle; clones of it, and every [`Room`], [`Sent`], [`Inbox`], [`Feed`] and [`Search`], keep it
//! open. [`Client::close`] says goodbye and waits; dropping the last handle does the same without anybody waiting. What
//! watches ([`StatusWatch`], [`Changes`], [`Notices`], [`PeopleWatch`]) does not keep it open and ends with [`Closed`].
//!
//! Any number of processes may use one profile at once: one of them drives the line, the others hand it what they have,
//! see the same status, and one takes over when it ends or is killed. A command that sends beside an open chat needs no
//! care.
//!
//! # Sending
//!
//! [`Client::room`] names a public room, which is entered, and made, by its first message; [`Client::direct`] the
//! conversation with an account; [`Client::create_private`] makes a room whose members are added. A message is text, or
//! a [`Draft`] with a content type and perhaps a [key](Draft::key), under which a program that does not know how far it
//! came may send it again.
//!
//! Each call gives a [`Sent`]: [`Sent::stored`] waits for the server's disk, over any drop, and tells a refusal.
//! [`Room::send_all`] takes one sync of the disk for many messages, and is all or nothing. The outbox holds
//! [`OUTBOX_OPERATIONS_MAX`] operations and [`OUTBOX_BYTES_MAX`] bytes; when it is full, sending says so
//! ([`SendError::Full`]) and writes nothing. A body has at most [`BODY_BYTES_MAX`] bytes.
//!
//! # Receiving
//!
//! What arrives is stored with the place that it moves to, in one transaction, before the server hears that it arrived:
//! there is no acknowledgement to forget. From that store programs consume:
//!
//! - [`Client::inbox`]: a consumer with a name. All rooms in one order; [`Inbox::commit`] notes the place in the
//!   profile, synced. At least once: what was acted on and not committed is shown again.
//! - [`Client::feed`]: the same, and the caller stores [`Delivery::place`] in the transaction that holds its own
//!   effect. Exactly once, end to end.
//! - [`Client::changes`] with [`Room::messages`] or [`Room::last`]: for programs that show rooms.
//!
//! A device holds what came since it joined. [`Room::fetch`] asks for what is older, page by page, and
//! [`Room::missing`] says what is not here yet.
//!
//! # Looking
//!
//! [`Client::rooms`], [`Room::info`], [`Room::messages`], [`Room::last`], [`Room::pending`], [`Room::unread`] and
//! [`Client::search`] read this device's own store, offline too. [`Client::people`], [`Room::members`] and
//! [`Client::public_rooms`] tell what the server knows now.
//!
//! # The line
//!
//! A program need not do anything about it: a lost line is noticed, tried again with growing pauses and jitter, and
//! resumed where it was. What a person may want to see and decide is here: [`Client::status`] with its
//! [cause](Status::cause) in plain words and the next try, [`Client::try_now`], [`Client::stop`], [`Client::resume`],
//! [`Client::set_reconnect`], [`Client::set_auto_login`]; and [`Client::flights`], which remembers what happened to the
//! last lines.
#![cfg_attr(
    feature = "durable",
    doc = "A program that shows how another one is doing looks at its profile: [`Builder::observe`]."
)]
//!
//! ```no_run
//! # async fn example(client: steadfast::Client) -> Result<(), steadfast::Closed> {
//! let mut status = client.status();
//! loop {
//!     let now = status.changed().await?;
//!     match (&now.cause, now.is_online()) {
//!         (_, true) => println!("online, round trip {} ms", now.round_trip_ms.unwrap_or(0)),
//!         (Some(cause), false) => println!("{}: {cause}; try {}", now.state, now.try_number),
//!         (None, false) => println!("{}", now.state),
//!     }
//! }
//! # }
//! ```
//!
//! # In memory
//!
//! [`Builder::memory`] opens a client that keeps nothing on a disk, for programs that have none. The promise holds for
//! as long as the process lives: over any drop nothing is lost or doubled. What waited in the outbox dies with the
//! process, the next opening is a new device that begins where its rooms stand then, and what there is no room for
//! becomes a hole that is told ([`InboxError::Dropped`]) and that [`Room::fetch`] can fill.
//!
//! Profiles on a disk are the feature `durable`, which is on by default and brings SQLite. Without it a client in
//! memory is the only kind; with it both are there.
//!
//! # Errors
//!
//! Each error says in its text whose fault it is and what to do, and `is_passing()` tells where the same call may
//! succeed later. A line that is down is no error: it is a status. The profile's own troubles are a [`ProfileError`],
//! whose [`fault`](ProfileError::fault) tells a full disk, which passes, from a broken one.
//!
//! # Cancelling
//!
//! Every async function says what dropping its future means. Those that wait and look are cancel-safe: nothing is
//! skipped. Those that queue leave one thing open: whether it was queued.

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

/// The code on the page is compiled with the library's own.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-plain-sockets.md")]
mod coming_from_plain_sockets {}

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
pub use status::{CatchingUp, Held, State, Status};
pub use watch::{Changes, StatusWatch};

pub use steadfast_net::tcp::KernelLiveness;
pub use steadfast_proto::hub::BODY_BYTES_MAX;
pub use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
pub use steadfast_proto::names::{NAME_BYTES_MAX, NameError};
pub use steadfast_proto::session::Schedule;
pub use steadfast_store::profile::OUTBOX_BYTES_MAX;
pub use steadfast_store::profile::OUTBOX_ROWS_MAX as OUTBOX_OPERATIONS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines above `line` that document it.
    fn documentation<'s>(lines: &[&'s str], line: usize) -> Vec<&'s str> {
        let above = lines[..line].iter().rev().map(|line| line.trim_start());
        above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect()
    }

    /// Compiles only if it is so.
    #[test]
    fn handles_and_the_futures_of_their_functions_go_to_any_thread() {
        fn any_thread<T: Send + Sync>() {}
        fn future<T>(_: impl Future<Output = T> + Send) {}
        any_thread::<(Client, Room, Sent, StatusWatch, Changes, Notices, PeopleWatch, Search)>();
        any_thread::<(Feed, Inbox, OpenError, SendError, StoreError, AskError, InboxError, NotStored)>();
        let opens = |builder: Builder| future(builder.open());
        let sends = |room: &Room, sent: &Sent| (future(room.send("hello")), future(sent.stored()));
        let reads = |inbox: &mut Inbox, delivery: &Delivery| {
            future(inbox.commit(delivery));
            future(inbox.next());
        };
        let waits = |client: Client, status: &mut StatusWatch| {
            future(status.until(Status::is_online));
            future(client.sync());
            future(client.close());
        };
        let _ = (opens, sends, reads, waits);
    }

    #[test]
    fn every_async_function_says_what_dropping_its_future_means_and_what_its_errors_are() {
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut functions = 0;
        for file in std::fs::read_dir(sources).expect("the sources") {
            let path = file.expect("an entry").path();
            let Ok(source) = std::fs::read_to_string(&path) else { continue };
            let lines: Vec<&str> = source.lines().collect();
            for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("    pub async fn")) {
                let documentation = documentation(&lines, number).join(" ");
                assert!(documentation.contains("ancel-safe"), "{}: {line}", path.display());
                let signature = lines[number..].split_inclusive(|line| line.ends_with('{')).next().unwrap_or_default();
                let fails = signature.iter().any(|line| line.contains("-> Result<"));
                assert_eq!(documentation.contains("# Errors"), fails, "{}: {line}", path.display());
                functions += 1;
            }
        }
        assert!(functions > 40, "only {functions} were found");
    }
}

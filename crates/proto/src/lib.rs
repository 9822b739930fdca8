//! The pure core of Steadfast: frames, links, sessions and the hub.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows an async runtime: time comes in with every
//! call, secrets and ids from the shell, and what should happen goes out as values. That is what lets one seed replay
//! a whole world of clients, servers, disks and lines.
//!
//! * [`codec`]: frames as bytes · [`link`]: one link, on either side
//! * [`session`]: the client, over its links · [`hub`]: the server's rooms, operations and readers

#![forbid(unsafe_code)]

pub mod codec;
pub mod features;
pub mod hub;
pub mod ids;
pub mod link;
pub mod names;
pub mod session;
pub mod time;

/// The frames, as `proto/steadfast/v1/wire.proto` defines them.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from the .proto file, which documents it")]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/steadfast.v1.rs"));
}

/// The server's stored rows, as `proto/steadfast/store/v1/state.proto` defines them.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from the .proto file, which documents it")]
pub mod rows {
    include!(concat!(env!("OUT_DIR"), "/steadfast.store.v1.rs"));
}

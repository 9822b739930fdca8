//! What Steadfast keeps on disk. `server` holds the server's log and state, `profile` a client's outbox, place and
//! messages. Both are blocking: the shells call them from threads of their own.

pub mod profile;
pub mod server;
mod sqlite;

pub use sqlite::{SqliteError, SqliteErrorKind};

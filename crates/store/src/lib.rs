//! What Steadfast keeps. `server` holds the server's log and state on a disk, `profile` a client's outbox, place and
//! messages, on a disk or in memory. All of it is blocking: the shells call it from threads of their own.
//!
//! Without the feature `sqlite` nothing is on a disk: there is no `server`, and profiles are in memory only.

mod database;
#[cfg(feature = "sqlite")]
mod log_again;
pub mod profile;
#[cfg(feature = "sqlite")]
pub mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use database::DatabaseErrorKind;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteError;

//! The one status: a level that can be read at any time, never an event that could be missed.

use super::cause::Cause;
use super::outbox::Held;
use crate::time::{Duration, Instant};

/// Where the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The server has welcomed us and the line is alive within its bound.
    Online,
    /// A try is under way.
    Connecting,
    /// No line; a try follows, or the user is asked.
    Offline,
    /// The user said stop, or no try can help.
    Stopped,
}

impl State {
    /// The name that scripts see.
    pub fn name(self) -> &'static str {
        match self {
            State::Online => "online",
            State::Connecting => "connecting",
            State::Offline => "offline",
            State::Stopped => "stopped",
        }
    }
}

/// Everything that a user interface shows of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where the line stands.
    pub state: State,
    /// Why it is not up, or why the last one ended.
    pub cause: Option<Cause>,
    /// The measured round trip.
    pub round_trip: Option<Duration>,
    /// The silence after which the line would be called dead now.
    pub bound: Option<Duration>,
    /// Everything up to here has arrived.
    pub position: u64,
    /// The number of the try under way or to come since the line was last up, and of how many.
    pub tries: (u32, Option<u32>),
    /// When the next try starts.
    pub next_try: Option<Instant>,
    /// The user is asked whether to log in again; nothing is tried before the answer.
    pub asks_login: bool,
    /// Whether a lost line is tried again.
    pub reconnects: bool,
    /// Whether a line that is back logs in by itself.
    pub logs_in: bool,
    /// What the server asked the outbox to wait for.
    pub held: Option<Held>,
    /// So many of so many entries that were missed before this link have come; `None`: all have, or it is not known.
    pub catching_up: Option<(u64, u64)>,
    /// Since when what arrived is being stored, if it takes.
    pub storing_since: Option<Instant>,
}

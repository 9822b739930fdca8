//! The status as programs and other processes of the profile see it.

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_net::clock::{BootClock, wall_ms};
use steadfast_net::tcp::Applied;
use steadfast_proto::session;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire;
use steadfast_store::profile as store;

use crate::cause::{Cause, CauseKind};
use crate::error::OpenError;

/// Where the line stands, and whatever else an interface shows of it. A level: whoever reads it sees what is true now.
///
/// It is the same in every process of a profile, whichever of them drives the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Where the line stands.
    pub state: State,
    /// Why it is not online, or why the last line ended.
    pub cause: Option<Cause>,
    /// The measured round trip, in milliseconds; none before it was measured.
    pub round_trip_ms: Option<u64>,
    /// The bound in force: the silence after which the line would be called dead now, in milliseconds.
    pub bound_ms: Option<u64>,
    /// The number of the try under way or to come, since the line was last up.
    pub try_number: u32,
    /// How many tries a round has, if it has.
    pub tries_max: Option<u32>,
    /// When the next try starts, Unix milliseconds.
    pub next_try_at_ms: Option<u64>,
    /// The user is asked whether to log in again; nothing is tried before the answer.
    #[serde(default)]
    pub asks_login: bool,
    /// Whether a lost line is tried again.
    #[serde(default)]
    pub reconnect: bool,
    /// Whether a line that is back logs in by itself.
    #[serde(default)]
    pub auto_login: bool,
    /// What the kernel was told of this line, and has applied.
    #[serde(default)]
    pub kernel: Option<String>,
    /// Why the server asked the outbox to wait, while it does.
    pub held: Option<Held>,
    /// How much of what was missed before this line has come; `None`: all of it, or it is not known.
    #[serde(default)]
    pub catching_up: Option<CatchingUp>,
    /// For how long what arrived has been waiting for this machine's disk, in milliseconds.
    pub storing_for_ms: Option<u64>,
    /// Why it waits, where the disk told: it is full, say.
    pub storing_text: Option<String>,
    /// The process that drives the line.
    pub process: u32,
}

/// How far a line has come with what was missed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CatchingUp {
    /// Entries that have come.
    pub entries: u64,
    /// Entries that were missed.
    pub of: u64,
}

/// Where the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The server has welcomed this device, and the line is alive within its bound.
    Online,
    /// A try is under way.
    Connecting,
    /// No line. A try follows, or the user is asked ([`Status::asks_login`]).
    Offline,
    /// No line, and no try by itself: the user said stop, or no try can help ([`Status::has_given_up`]).
    Stopped,
}

impl State {
    /// The name in JSON: `online`, `connecting`, `offline` or `stopped`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Online => session::State::Online.name(),
            Self::Connecting => session::State::Connecting.name(),
            Self::Offline => session::State::Offline.name(),
            Self::Stopped => session::State::Stopped.name(),
        }
    }
}

impl State {
    pub(crate) fn of(state: session::State) -> Self {
        match state {
            session::State::Online => Self::Online,
            session::State::Connecting => Self::Connecting,
            session::State::Offline => Self::Offline,
            session::State::Stopped => Self::Stopped,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why the server asks the outbox to wait. Nothing is lost by it: what waits is sent again when the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Held {
    /// It misses an operation before these; they are sent again.
    Gap,
    /// Its disk is full.
    DiskFull,
    /// It has more to do than it can.
    Overloaded,
    /// This device sends more than it may.
    Rate,
    /// It is shutting down.
    Draining,
    /// It does not know whether an earlier write of its own succeeded.
    InDoubt,
    /// For a reason that this version does not know.
    #[serde(other)]
    Unspecified,
}

impl Held {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::DiskFull => "disk_full",
            Self::Overloaded => "overloaded",
            Self::Rate => "rate",
            Self::Draining => "draining",
            Self::InDoubt => "in_doubt",
            Self::Unspecified => "unspecified",
        }
    }
}

impl Held {
    pub(crate) fn of(cause: wire::HoldCause) -> Self {
        match cause {
            wire::HoldCause::Gap => Self::Gap,
            wire::HoldCause::DiskFull => Self::DiskFull,
            wire::HoldCause::Overloaded => Self::Overloaded,
            wire::HoldCause::Rate => Self::Rate,
            wire::HoldCause::Draining => Self::Draining,
            wire::HoldCause::InDoubt => Self::InDoubt,
            wire::HoldCause::Unspecified => Self::Unspecified,
        }
    }
}

/// A store that takes longer than this is worth telling.
pub(crate) const STORING_TOLD: Duration = Duration::from_millis(250);

impl Status {
    pub(crate) fn of(status: &session::Status, kernel: Option<&Applied>) -> Self {
        let now = BootClock::now();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let storing = status.storing_since.map(|since| now.since(since)).filter(|&taken| taken >= STORING_TOLD);
        Self {
            state: State::of(status.state),
            cause: status.cause.as_ref().map(Cause::of),
            round_trip_ms: status.round_trip.map(ms),
            bound_ms: status.bound.map(ms),
            try_number: status.tries.0,
            tries_max: status.tries.1,
            next_try_at_ms: status.next_try.map(|at| wall_of(at, now)),
            asks_login: status.asks_login,
            reconnect: status.reconnects,
            auto_login: status.logs_in,
            kernel: kernel.map(ToString::to_string),
            held: status.held.map(|held| Held::of(held.cause)),
            catching_up: status.catching_up.map(|(entries, of)| CatchingUp { entries, of }),
            storing_for_ms: storing.map(ms),
            storing_text: None,
            process: std::process::id(),
        }
    }

    /// The status of a profile that nobody drives.
    pub(crate) fn offline() -> Self {
        Self {
            state: State::Offline,
            cause: None,
            round_trip_ms: None,
            bound_ms: None,
            try_number: 1,
            tries_max: None,
            next_try_at_ms: None,
            asks_login: false,
            reconnect: true,
            auto_login: true,
            kernel: None,
            held: None,
            catching_up: None,
            storing_for_ms: None,
            storing_text: None,
            process: 0,
        }
    }

    /// This process can't write the profile any more, so that it could acknowledge nothing.
    pub(crate) fn of_failed_profile(error: &store::ProfileError) -> Self {
        Self {
            state: State::Stopped,
            cause: Some(Cause::new(CauseKind::StoreFailed, error.to_string())),
            process: std::process::id(),
            ..Self::offline()
        }
    }

    /// The profile can't be driven for now, and it is tried again at that moment.
    pub(crate) fn of_waiting_profile(error: &OpenError, next_try: Instant) -> Self {
        let kind = match error {
            OpenError::Profile(_) => CauseKind::StoreFailed,
            OpenError::System(_) | OpenError::Settings(_) => CauseKind::LocalFault,
        };
        Self {
            cause: Some(Cause::new(kind, error.to_string())),
            next_try_at_ms: Some(wall_of(next_try, BootClock::now())),
            process: std::process::id(),
            ..Self::offline()
        }
    }

    /// The process that drives the profile's line does not answer.
    #[cfg(feature = "durable")]
    pub(crate) fn of_silent_holder(holder: Option<u32>) -> Self {
        let who = holder.map_or("another process".to_owned(), |process| format!("process {process}"));
        let text = format!("{who} holds the profile and does not answer");
        Self { cause: Some(Cause::new(CauseKind::HolderSilent, text)), process: holder.unwrap_or(0), ..Self::offline() }
    }

    /// After this one: the client was closed, or its task broke.
    pub(crate) fn ended(&self, broken: bool) -> Self {
        let cause = if broken {
            Cause::new(CauseKind::LocalFault, "the client's task ended by a fault of its own".to_owned())
        } else {
            Cause::of(&session::Cause::StoppedByUser)
        };
        let (reconnect, auto_login) = (self.reconnect, self.auto_login);
        Self { cause: Some(cause), process: std::process::id(), reconnect, auto_login, ..Self::offline() }
    }

    /// What happened, for a program to decide on; none while there is no cause.
    pub fn cause_kind(&self) -> Option<CauseKind> {
        self.cause.as_ref().map(Cause::kind)
    }

    /// Whether the line is up.
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Whether a try is under way.
    pub fn is_connecting(&self) -> bool {
        self.state == State::Connecting
    }

    /// Whether no further try will be made by itself.
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Whether it stopped because no further try can help, and not because the user wants no line for now. What waits
    /// in the outbox stays there.
    pub fn has_given_up(&self) -> bool {
        self.is_stopped() && self.cause_kind() != Some(CauseKind::StoppedByUser)
    }

    /// Whether a process said it as it ended: then it tells of that process, not of what the user wants.
    pub(crate) fn is_last_word(&self) -> bool {
        self.state == State::Offline && self.cause_kind() == Some(CauseKind::StoppedByUser)
    }

    /// Whether an interface shows the same but for figures that always move.
    pub(crate) fn says_the_same(&self, other: &Status) -> bool {
        let cause = |s: &Status| s.cause.as_ref().map(|cause| cause.name().to_owned());
        let shown = |s: &Status| (s.state, cause(s), s.try_number, s.held, s.next_try_at_ms);
        let storing = |s: &Status| (s.catching_up.is_some(), s.storing_for_ms.is_some(), s.storing_text.clone());
        let switches = |s: &Status| (s.asks_login, s.reconnect, s.auto_login);
        shown(self) == shown(other) && switches(self) == switches(other) && storing(self) == storing(other)
    }
}

/// A moment of the boot clock on the wall clock, to a tenth of a second so that it does not flicker.
fn wall_of(at: Instant, now: Instant) -> u64 {
    let in_ms = u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX);
    wall_ms().saturating_add(in_ms) / 100 * 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failed;

    #[test]
    fn a_shortage_of_this_machine_is_not_blamed_on_the_store() {
        let shortage = OpenError::System("too many open files".to_owned());
        let status = Status::of_waiting_profile(&shortage, BootClock::now() + Duration::from_secs(1));
        assert_eq!((status.state, status.cause_kind()), (State::Offline, Some(CauseKind::LocalFault)));
        assert_eq!(status.cause.as_ref().map(Cause::text), Some("the system refused: too many open files"));
        assert!(status.next_try_at_ms.is_some() && !status.has_given_up());
        let full = OpenError::from(Failed::Profile(store::ProfileError::DiskFull { dir: "here".into() }));
        let status = Status::of_waiting_profile(&full, BootClock::now());
        assert_eq!(status.cause_kind(), Some(CauseKind::StoreFailed));
    }
}

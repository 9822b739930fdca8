//! The status as programs and other processes of the profile see it.

use serde::{Deserialize, Serialize};
use steadfast_net::clock::{BootClock, wall_ms};
use steadfast_net::tcp::Applied;
use steadfast_proto::session::{self, Cause, State};
use steadfast_proto::time::{Duration, Instant};
use steadfast_store::profile::ProfileError;

use crate::error::OpenError;

/// Where the line stands. A level: whoever reads it sees what is true now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// `online`, `connecting`, `offline` or `stopped`.
    pub state: String,
    /// Why it is not online, or why the last line ended: a name of PROTOCOL.md's table of causes.
    pub cause: Option<String>,
    /// The same in plain words.
    pub cause_text: Option<String>,
    /// The measured round trip, in milliseconds.
    pub round_trip_ms: Option<u64>,
    /// The silence after which the line would be called dead now, in milliseconds.
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
    /// What the server asked the outbox to wait for.
    pub held: Option<String>,
    /// For how long what arrived has been waiting for this machine's disk, in milliseconds.
    pub storing_for_ms: Option<u64>,
    /// Why it waits, where the disk told: it is full, say.
    pub storing_text: Option<String>,
    /// The process that drives the line.
    pub process: u32,
}

/// A store that takes longer than this is worth telling.
pub(crate) const STORING_TOLD: Duration = Duration::from_millis(250);

impl Status {
    pub(crate) fn of(status: &session::Status, kernel: Option<&Applied>) -> Self {
        let now = BootClock::now();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let storing = status.storing_since.map(|since| now.since(since)).filter(|&taken| taken >= STORING_TOLD);
        Self {
            state: status.state.name().to_owned(),
            cause: status.cause.as_ref().map(|cause| cause.name().to_owned()),
            cause_text: status.cause.as_ref().map(ToString::to_string),
            round_trip_ms: status.round_trip.map(ms),
            bound_ms: status.bound.map(ms),
            try_number: status.tries.0,
            tries_max: status.tries.1,
            next_try_at_ms: status.next_try.map(|at| wall_of(at, now)),
            asks_login: status.asks_login,
            reconnect: status.reconnects,
            auto_login: status.logs_in,
            kernel: kernel.map(ToString::to_string),
            held: status.held.map(|held| held.cause.as_str_name().trim_start_matches("HOLD_CAUSE_").to_lowercase()),
            storing_for_ms: storing.map(ms),
            storing_text: None,
            process: std::process::id(),
        }
    }

    /// The status of a profile that nobody drives.
    pub fn offline() -> Self {
        Self {
            state: State::Offline.name().to_owned(),
            cause: None,
            cause_text: None,
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
            storing_for_ms: None,
            storing_text: None,
            process: 0,
        }
    }

    /// This process can't write the profile any more, so that it could acknowledge nothing.
    pub(crate) fn of_failed_profile(error: &ProfileError) -> Self {
        Self {
            state: State::Stopped.name().to_owned(),
            cause: Some("store_failed".to_owned()),
            cause_text: Some(error.to_string()),
            process: std::process::id(),
            ..Self::offline()
        }
    }

    /// The profile can't be driven for now, and it is tried again at that moment.
    pub(crate) fn of_waiting_profile(error: &OpenError, next_try: Instant) -> Self {
        let cause = match error {
            OpenError::Profile(_) => "store_failed",
            OpenError::System(_) => Cause::LocalFault.name(),
        };
        Self {
            cause: Some(cause.to_owned()),
            cause_text: Some(error.to_string()),
            next_try_at_ms: Some(wall_of(next_try, BootClock::now())),
            process: std::process::id(),
            ..Self::offline()
        }
    }

    /// The process that drives the profile's line does not answer.
    pub fn of_silent_holder(holder: Option<u32>) -> Self {
        let who = holder.map_or("another process".to_owned(), |process| format!("process {process}"));
        Self {
            cause: Some("holder_silent".to_owned()),
            cause_text: Some(format!("{who} holds the profile and does not answer")),
            process: holder.unwrap_or(0),
            ..Self::offline()
        }
    }

    /// Whether the line is up.
    pub fn is_online(&self) -> bool {
        self.state == State::Online.name()
    }

    /// Whether a process said it as it ended: then it tells of that process, not of what the user wants.
    pub(crate) fn is_last_word(&self) -> bool {
        self.state == State::Offline.name() && self.cause.as_deref() == Some(Cause::StoppedByUser.name())
    }

    /// Whether a try is under way.
    pub fn is_connecting(&self) -> bool {
        self.state == State::Connecting.name()
    }

    /// Whether no further try will be made by itself.
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped.name()
    }

    /// Whether it stopped because no further try can help, and not because the user wants no line for now.
    pub fn has_given_up(&self) -> bool {
        self.is_stopped() && self.cause.as_deref() != Some(Cause::StoppedByUser.name())
    }

    /// Whether an interface shows the same but for figures that always move.
    pub(crate) fn says_the_same(&self, other: &Status) -> bool {
        let shown = |s: &Status| (s.state.clone(), s.cause.clone(), s.try_number, s.held.clone(), s.next_try_at_ms);
        let storing = |s: &Status| (s.storing_for_ms.is_some(), s.storing_text.clone());
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

    #[test]
    fn a_shortage_of_this_machine_is_not_blamed_on_the_store() {
        let shortage = OpenError::System("too many open files".to_owned());
        let status = Status::of_waiting_profile(&shortage, BootClock::now() + Duration::from_secs(1));
        assert_eq!((status.state.as_str(), status.cause.as_deref()), ("offline", Some("local_fault")));
        assert_eq!(status.cause_text.as_deref(), Some("the system refused: too many open files"));
        assert!(status.next_try_at_ms.is_some() && !status.has_given_up());
        let full = OpenError::Profile(ProfileError::DiskFull { dir: "here".into() });
        let status = Status::of_waiting_profile(&full, BootClock::now());
        assert_eq!(status.cause.as_deref(), Some("store_failed"));
    }
}

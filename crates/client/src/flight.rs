//! What the flight recorder kept of a profile's links: read by people (`steadfast why`) and by other processes.

use serde::{Deserialize, Serialize};
use steadfast_net::clock::wall_ms;
use steadfast_proto::session;
use steadfast_proto::time::Instant;
use steadfast_store::profile::{FlightRow, ProfileError, ProfileStore};

use crate::cause::{Cause, CauseKind};

const PROCESS_ENDED_TEXT: &str = "the program ended without a goodbye: it was killed, or the machine lost power";

/// One link that was online. All times are Unix milliseconds of this machine's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flight {
    /// When its transport opened.
    pub opened_at_ms: u64,
    /// When the server had welcomed it.
    pub online_at_ms: u64,
    /// How it ended, once it has.
    pub loss: Option<Loss>,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Loss {
    /// When it was known.
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
    /// When the last byte had come in.
    pub last_byte_at_ms: u64,
    /// From the last byte to the moment at which the loss was known, in milliseconds.
    pub silent_for_ms: u64,
    /// When the first ping of the final silence left.
    pub suspected_at_ms: Option<u64>,
    /// How many pings had no answer.
    pub pings: u32,
    /// The silence that would have meant death then, in milliseconds.
    pub bound_ms: u64,
    /// Tries since then that failed.
    pub tries_failed: u32,
    /// Why the last of them failed.
    pub last_failure: Option<Cause>,
    /// The return, once there was one.
    pub back: Option<Return>,
}

/// How a device came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Return {
    /// When the server had welcomed the next link.
    pub at_ms: u64,
    /// From the loss to the return, in milliseconds.
    pub lasted_ms: u64,
    /// Messages of others that had been missed and came since; `None`: another process brought the line back.
    pub caught_up: Option<u64>,
    /// Operations of this device that were settled since; `None`: another process brought the line back.
    pub sent: Option<u64>,
    /// From the return until everything that was missed was here and nothing waited any more, in milliseconds.
    pub settled_after_ms: Option<u64>,
}

impl Flight {
    pub(crate) fn of(flight: &session::Flight, now: Instant) -> Self {
        let wall = Wall { now, wall_ms: wall_ms() };
        Self {
            opened_at_ms: wall.at(flight.opened),
            online_at_ms: wall.at(flight.online),
            loss: flight.loss.as_ref().map(|loss| Loss::of(loss, &wall)),
        }
    }

    /// Whether the line was lost although nobody wanted that and the program went on.
    pub fn is_drop(&self) -> bool {
        let wanted = [CauseKind::StoppedByUser, CauseKind::Renumbered, CauseKind::ProcessEnded];
        self.loss.as_ref().is_some_and(|loss| !wanted.contains(&loss.cause.kind()))
    }

    /// Whether the program ended in the middle of it, without a goodbye.
    pub fn is_unfinished(&self) -> bool {
        self.loss.as_ref().is_some_and(|loss| loss.cause.kind() == CauseKind::ProcessEnded)
    }

    /// The last links that a profile kept, in the order in which they came up. Rows of a program that writes them in
    /// another way are passed over.
    pub(crate) fn all(profile: &dyn ProfileStore, limit: usize) -> Result<Vec<Self>, ProfileError> {
        Ok(profile.flights(limit)?.iter().filter_map(Self::read).collect())
    }

    fn read(row: &FlightRow) -> Option<Self> {
        serde_json::from_str(&row.json).ok()
    }

    /// Keeps it, in place of what was kept of the same link.
    pub(crate) fn keep(&self, profile: &dyn ProfileStore, process: u64, link: u64) -> Result<(), ProfileError> {
        // A value of plain fields can always be written.
        let json = serde_json::to_string(self).unwrap_or_default();
        profile.set_flight(&FlightRow { process, link, json })
    }

    /// For a process that has just got online first: what the process before it left open ends here.
    pub(crate) fn finish_earlier(profile: &dyn ProfileStore, process: u64, at_ms: u64) -> Result<(), ProfileError> {
        for row in profile.flights(usize::MAX)?.iter().filter(|row| row.process != process) {
            let Some(mut flight) = Self::read(row) else { continue };
            if flight.finish(at_ms) {
                flight.keep(profile, row.process, row.link)?;
            }
        }
        Ok(())
    }

    /// Whether there was anything left open.
    fn finish(&mut self, at_ms: u64) -> bool {
        match &mut self.loss {
            Some(Loss { back: Some(_), .. }) => false,
            Some(loss) => {
                let lasted_ms = at_ms.saturating_sub(loss.at_ms);
                loss.back = Some(Return { at_ms, lasted_ms, caught_up: None, sent: None, settled_after_ms: None });
                true
            }
            None => {
                let back = Return { at_ms, lasted_ms: 0, caught_up: None, sent: None, settled_after_ms: None };
                self.loss = Some(Loss {
                    at_ms,
                    cause: Cause::new(CauseKind::ProcessEnded, PROCESS_ENDED_TEXT),
                    last_byte_at_ms: self.online_at_ms,
                    silent_for_ms: 0,
                    suspected_at_ms: None,
                    pings: 0,
                    bound_ms: 0,
                    tries_failed: 0,
                    last_failure: None,
                    back: Some(back),
                });
                true
            }
        }
    }
}

impl Loss {
    fn of(loss: &session::Loss, wall: &Wall) -> Self {
        Self {
            at_ms: wall.at(loss.at),
            cause: Cause::of(&loss.cause),
            last_byte_at_ms: wall.at(loss.last_inbound),
            silent_for_ms: ms(loss.at, loss.last_inbound),
            suspected_at_ms: loss.suspected.map(|at| wall.at(at)),
            pings: loss.pings,
            bound_ms: u64::try_from(loss.bound.as_millis()).unwrap_or(u64::MAX),
            tries_failed: loss.tries_failed,
            last_failure: loss.last_failure.as_ref().map(Cause::of),
            back: loss.back.map(|back| Return {
                at_ms: wall.at(back.at),
                lasted_ms: ms(back.at, loss.at),
                caught_up: Some(back.caught_up),
                sent: Some(back.sent),
                settled_after_ms: back.settled.map(|settled| ms(settled, back.at)),
            }),
        }
    }
}

/// One moment on both clocks.
struct Wall {
    now: Instant,
    wall_ms: u64,
}

impl Wall {
    fn at(&self, moment: Instant) -> u64 {
        self.wall_ms.saturating_sub(ms(self.now, moment))
    }
}

fn ms(later: Instant, earlier: Instant) -> u64 {
    u64::try_from(later.since(earlier).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use steadfast_proto::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(1_000_000_000) + Duration::from_millis(ms)
    }

    fn lost() -> session::Flight {
        let loss = session::Loss {
            at: at(9_000),
            cause: session::Cause::Silent { for_ms: 3_000 },
            last_inbound: at(6_000),
            suspected: Some(at(6_250)),
            pings: 2,
            bound: Duration::from_secs(3),
            tries_failed: 1,
            last_failure: Some(session::Cause::Refused),
            back: None,
        };
        session::Flight { link: 4, opened: at(0), online: at(10), loss: Some(loss) }
    }

    #[test]
    fn moments_of_the_boot_clock_become_times_of_day() {
        let flight = Flight::of(&lost(), at(10_000));
        let loss = flight.loss.clone().expect("it is lost");
        assert_eq!(loss.at_ms - flight.online_at_ms, 8_990);
        assert_eq!((loss.at_ms - loss.last_byte_at_ms, loss.silent_for_ms), (3_000, 3_000));
        assert_eq!(loss.cause.kind(), CauseKind::Silent);
        assert_eq!(loss.last_failure.map(|cause| cause.kind()), Some(CauseKind::Refused));
        assert!(flight.is_drop());
    }

    #[test]
    fn what_a_process_that_is_gone_left_open_is_finished_once() {
        let mut flight = Flight::of(&lost(), at(10_000));
        let lost_at = flight.loss.as_ref().map_or(0, |loss| loss.at_ms);
        assert!(flight.finish(lost_at + 700));
        assert_eq!(flight.loss.as_ref().and_then(|loss| loss.back.as_ref()).map(|back| back.lasted_ms), Some(700));
        assert!(!flight.finish(lost_at + 900));

        let mut killed = Flight { loss: None, ..flight };
        assert!(killed.finish(5) && killed.is_unfinished() && !killed.is_drop());
    }
}

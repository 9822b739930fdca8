//! Time as the tests see it: measured on the suspend-aware clock, and waited for in one place.

use std::time::Duration;

use steadfast_net::clock::BootClock;
use steadfast_proto::time::Instant;

/// How often something is looked at that can't be waited for.
const POLL: Duration = Duration::from_millis(10);

/// Measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(BootClock::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        BootClock::now().since(self.0)
    }

    /// The time from this start to another; zero if that was earlier.
    pub(crate) fn until(self, later: Stopwatch) -> Duration {
        later.0.since(self.0)
    }
}

/// Lets time pass: a moment of a fault, the pace of an input, the pause between two looks.
#[expect(clippy::disallowed_methods, reason = "faults and input come at moments, and nobody announces them")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Looks until there is something, for as long as `bound` at most.
pub(crate) fn wait_until<T>(what: &str, bound: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} in vain: {what}");
        pause(POLL);
    }
}

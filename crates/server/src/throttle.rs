//! What may happen thousands of times a second is said once a second, with how often it happened.

use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_net::clock::BootClock;
use steadfast_proto::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    said_at_nanos: AtomicU64,
    times: AtomicU64,
}

impl Throttle {
    /// It happened. If it is time to say so: how often since that was said last.
    pub(crate) fn count(&self) -> Option<u64> {
        self.times.fetch_add(1, Ordering::Relaxed);
        let now = BootClock::now().as_nanos();
        let said = self.said_at_nanos.load(Ordering::Relaxed);
        let pause = u64::try_from(PAUSE.as_nanos()).unwrap_or(u64::MAX);
        if said != 0 && now.saturating_sub(said) < pause {
            return None;
        }
        // Of two at once, one says it.
        let chosen = self.said_at_nanos.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed);
        chosen.is_ok().then(|| self.times.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_said_at_once_and_the_next_ones_are_counted() {
        let throttle = Throttle::default();
        assert_eq!(throttle.count(), Some(1));
        assert_eq!(throttle.count(), None);
        throttle.said_at_nanos.store(1, Ordering::Relaxed);
        assert_eq!(throttle.count(), Some(2));
    }
}

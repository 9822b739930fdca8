//! Hints that the network of this machine changed: acted on at once, and then once a second at most, the last one of
//! a burst included.

use crate::time::{Duration, Instant};

/// Between two reactions. A burst (an address goes, another comes, routes follow) takes less.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    acted: Option<Instant>,
    due: Option<Instant>,
}

impl Hints {
    pub(super) fn handle_hint(&mut self, now: Instant) {
        let at = self.acted.map_or(now, |acted| now.max(acted + PAUSE));
        self.due.get_or_insert(at);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a reaction is due; it counts as taken.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|at| at <= now);
        if due {
            self.due = None;
            self.acted = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hint_of_a_burst_counts_at_once_and_the_last_one_a_second_later() {
        let at = |ms: u64| Instant::from_nanos(0) + Duration::from_millis(ms);
        let mut hints = Hints::default();
        hints.handle_hint(at(0));
        assert!(hints.take_due(at(0)));
        hints.handle_hint(at(10));
        hints.handle_hint(at(400));
        assert!(!hints.take_due(at(999)));
        assert_eq!(hints.due(), Some(at(1_000)));
        assert!(hints.take_due(at(1_000)));
        assert_eq!(hints.due(), None);
        hints.handle_hint(at(5_000));
        assert!(hints.take_due(at(5_000)), "a hint of its own counts at once");
    }
}

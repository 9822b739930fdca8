//! When to try again after a loss.

use super::cause::NextStep;
use super::settings::Schedule;
use crate::time::{Duration, Instant};

/// A line that held this long has proved itself; the backoff starts anew after it.
pub(super) const STABLE: Duration = Duration::from_secs(10);

/// A small generator for jitter alone (SplitMix64, Steele et al. 2014).
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0 ..= most`, in whole microseconds.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.next() % micros.saturating_add(1))
    }

    /// Uniform in 950 ..= 1050.
    pub(super) fn permille(&mut self) -> u16 {
        950 + (self.next() % 101) as u16
    }
}

/// The policy: what the next pause is.
#[derive(Debug)]
pub(super) struct Reconnect {
    schedule: Schedule,
    jitter: Jitter,
    /// Tries and links that failed since the line was last stable: what the backoff grows with.
    failures: u32,
    /// Tries that failed since the line was last up: what the user is told.
    tried: u32,
    online_since: Option<Instant>,
    return_spread: Duration,
}

impl Reconnect {
    pub(super) fn new(schedule: Schedule, seed: u64) -> Self {
        let jitter = Jitter::new(seed);
        Self { schedule, jitter, failures: 0, tried: 0, online_since: None, return_spread: Duration::ZERO }
    }

    pub(super) fn jitter(&mut self) -> &mut Jitter {
        &mut self.jitter
    }

    /// The try under way or to come since the line was last up, counted from 1, and how many a round has.
    pub(super) fn tries(&self) -> (u32, Option<u32>) {
        match self.schedule {
            Schedule::Exponential { .. } => (self.tried.saturating_add(1), None),
            Schedule::Rounds { tries, .. } => (self.tried % tries.max(1) + 1, Some(tries)),
        }
    }

    pub(super) fn handle_online(&mut self, now: Instant, return_spread: Duration) {
        self.online_since = Some(now);
        self.return_spread = return_spread;
    }

    /// The user asked for a try at once.
    pub(super) fn handle_try_now(&mut self) {
        self.failures = 0;
        self.tried = 0;
    }

    /// The link made way for another one of this process.
    pub(super) fn handle_replaced(&mut self) {
        self.online_since = None;
    }

    /// A link or a try ended; when to try again, if at all.
    pub(super) fn handle_loss(&mut self, now: Instant, step: NextStep) -> Option<Instant> {
        let was_online = self.online_since.take();
        self.tried = if was_online.is_some() { 0 } else { self.tried.saturating_add(1) };
        if was_online.is_some_and(|since| now.since(since) >= STABLE) {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        let pause = match step {
            // A try that fails in the same way again and again is backed off from like any other.
            NextStep::Now if was_online.is_some() => Duration::ZERO,
            NextStep::Now => self.pause(),
            NextStep::Wait { ms } => Duration::from_millis(ms.into()),
            // A server that is gone without a word lost all its clients in one moment.
            NextStep::Backoff if was_online.is_some() => {
                let spread = self.jitter.up_to(self.return_spread);
                if self.failures == 0 { spread } else { spread.max(self.pause()) }
            }
            NextStep::Backoff => self.pause(),
            NextStep::AskUser | NextStep::Never => return None,
        };
        Some(now + pause)
    }

    fn pause(&mut self) -> Duration {
        match self.schedule {
            Schedule::Exponential { base, cap } => {
                let doubled = base.saturating_mul(1 << (self.failures - 1).min(20));
                self.jitter.up_to(doubled.min(cap))
            }
            Schedule::Rounds { tries, pause, round_pause } => {
                if self.tried > 0 && self.tried.is_multiple_of(tries.max(1)) { round_pause } else { pause }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(0) + Duration::from_millis(ms)
    }

    fn pauses(reconnect: &mut Reconnect, count: usize) -> Vec<u128> {
        (0..count)
            .map(|_| reconnect.handle_loss(at(0), NextStep::Backoff).map_or(0, |t| t.since(at(0)).as_millis()))
            .collect()
    }

    #[test]
    fn pauses_grow_to_the_cap_and_no_further() {
        let mut most = [0; 10];
        for seed in 0..200 {
            let mut reconnect = Reconnect::new(Schedule::default(), seed);
            for (most, pause) in most.iter_mut().zip(pauses(&mut reconnect, 10)) {
                *most = pause.max(*most);
            }
        }
        for (i, most) in most.iter().enumerate() {
            let bound = (500_u128 << i).min(20_000);
            assert!(*most <= bound && *most >= bound * 9 / 10, "pause {i}: at most {most} ms of {bound} ms");
        }
    }

    #[test]
    fn backoff_goes_on_growing_while_links_die_young() {
        let mut reconnect = Reconnect::new(Schedule::default(), 1);
        for _ in 0..5 {
            reconnect.handle_online(at(0), Duration::ZERO);
            reconnect.handle_loss(at(9_999), NextStep::Backoff);
        }
        assert_eq!(reconnect.failures, 5);
        assert_eq!(reconnect.tries().0, 1, "the user counts from the loss");
        reconnect.handle_online(at(0), Duration::ZERO);
        reconnect.handle_loss(at(10_000), NextStep::Backoff);
        assert_eq!(reconnect.failures, 0);
    }

    #[test]
    fn the_first_try_after_a_loss_is_spread_over_what_the_server_asked() {
        let returns: Vec<u128> = (0..1_000)
            .filter_map(|seed| {
                let mut reconnect = Reconnect::new(Schedule::default(), seed);
                reconnect.handle_online(at(0), Duration::from_secs(60));
                reconnect.handle_loss(at(20_000), NextStep::Backoff).map(|t| t.since(at(20_000)).as_millis())
            })
            .collect();
        let early = returns.iter().filter(|&&ms| ms < 30_000).count();
        assert!((430..570).contains(&early), "{early} of 1,000 in the first half");
        assert!(returns.iter().all(|&ms| ms <= 60_000));
    }

    #[test]
    fn a_farewell_with_a_time_is_kept_to_and_a_final_one_ends_it() {
        let mut reconnect = Reconnect::new(Schedule::default(), 1);
        assert_eq!(reconnect.handle_loss(at(0), NextStep::Wait { ms: 1_500 }), Some(at(1_500)));
        assert_eq!(reconnect.handle_loss(at(0), NextStep::Never), None);
    }

    #[test]
    fn the_schedule_of_2012_can_be_had() {
        let pause = Duration::from_secs(1);
        let schedule = Schedule::Rounds { tries: 6, pause, round_pause: Duration::from_secs(5) };
        let mut reconnect = Reconnect::new(schedule, 1);
        assert_eq!(pauses(&mut reconnect, 7), [1_000, 1_000, 1_000, 1_000, 1_000, 5_000, 1_000]);
        reconnect.handle_online(at(0), Duration::ZERO);
        reconnect.handle_loss(at(50), NextStep::Backoff);
        let tries: Vec<_> = (0..7).map(|_| (reconnect.tries(), pauses(&mut reconnect, 1)).0).collect();
        assert_eq!(
            tries,
            [1, 2, 3, 4, 5, 6, 1].map(|number| (number, Some(6))),
            "a round after a loss has all its tries"
        );
    }
}

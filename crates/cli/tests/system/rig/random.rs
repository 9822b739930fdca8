//! Random moments that can be had again: the seed is printed, and shown when the test fails.

use std::time::Duration;

/// Runs a test with the seed of an earlier run.
const SEED: &str = "STEADFAST_TEST_SEED";

#[derive(Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new() -> Self {
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| fastrand::u64(..));
        eprintln!("again with {SEED}={seed}");
        Self::of(seed)
    }

    pub(crate) fn of(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    pub(crate) fn between_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.0.u64(from..to))
    }
}

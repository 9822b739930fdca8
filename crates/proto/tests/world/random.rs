//! The one source of chance of a world: the same seed gives the same world.

use steadfast_proto::time::Duration;

/// SplitMix64 (Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0 .. end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("smaller than a usize")
    }

    /// Uniform in `from ..= to`.
    pub(crate) fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Uniform in `from ..= to` milliseconds, in microseconds.
    pub(crate) fn ms(&mut self, from: u64, to: u64) -> Duration {
        let micros = self.next() % ((to - from) * 1_000 + 1);
        Duration::from_micros(from * 1_000 + micros)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

/// Runs a scenario over many seeds; the seed of one that fails is printed.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for from outside")]
pub(crate) fn for_each_seed(seeds: std::ops::Range<u64>, scenario: impl Fn(u64)) {
    struct Printer(u64);
    impl Drop for Printer {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failing seed: {}", self.0);
            }
        }
    }
    // Other seeds than the gate's: STEADFAST_WORLD_FROM=1000 begins there.
    let from = std::env::var("STEADFAST_WORLD_FROM").ok().and_then(|from| from.parse().ok()).unwrap_or(0);
    for seed in seeds.start + from..seeds.end + from {
        let printer = Printer(seed);
        scenario(seed);
        drop(printer);
    }
}

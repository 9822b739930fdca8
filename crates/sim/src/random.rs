//! The one source of chance of a world: the same seed gives the same world.

use steadfast_proto::time::Duration;

/// SplitMix64 (Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed on.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0 .. end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end.max(1) as u64).expect("smaller than a usize")
    }

    /// Uniform in `from ..= to`.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Uniform in `from ..= to` milliseconds, in microseconds.
    pub fn ms(&mut self, from: u64, to: u64) -> Duration {
        let micros = self.number() % ((to - from) * 1_000 + 1);
        Duration::from_micros(from * 1_000 + micros)
    }

    /// Uniform in `from ..= to`, in microseconds.
    pub fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let spread = u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX - 1);
        from + Duration::from_micros(self.number() % (spread + 1))
    }

    /// Any bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.number().to_le_bytes()[0])
    }
}

//! Where and how the lines are cut, and a name for the room: nothing that has to be hard to guess.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        // Its keys come from the system.
        Self(RandomState::new().build_hasher().finish())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of at least one.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(all.len() as u64)).ok()?;
        all.get(index).copied()
    }

    /// Half of it to one and a half.
    pub(super) fn around(&mut self, middle: Duration) -> Duration {
        let whole = u64::try_from(middle.as_micros()).unwrap_or(u64::MAX / 2);
        Duration::from_micros(whole / 2 + self.below(whole.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_in_its_bounds_and_differs() {
        let mut random = Random::new();
        let middle = Duration::from_secs(2);
        let drawn: Vec<Duration> = (0..1_000).map(|_| random.around(middle)).collect();
        assert!(drawn.iter().all(|one| (middle / 2..=middle * 3 / 2).contains(one)));
        assert!(drawn.iter().any(|one| *one != drawn[0]));
        assert!((0..1_000).all(|_| random.below(3) < 3));
        assert_eq!((random.below(0), random.one_of(&[7]), random.one_of::<u8>(&[])), (0, Some(7), None));
        assert_ne!(Random::new().next(), Random::new().next());
    }
}

//! Durations in whole milliseconds, to be asked for their percentiles.

use std::time::Duration;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Vec<Duration>);

impl Histogram {
    /// One more, in whole milliseconds.
    pub fn add(&mut self, duration: Duration) {
        self.0.push(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)));
    }

    /// All of another one's.
    pub fn merge(&mut self, other: &Histogram) {
        self.0.extend(&other.0);
    }

    /// All of them, in milliseconds.
    pub fn millis(&self) -> impl Iterator<Item = u128> {
        self.0.iter().map(Duration::as_millis)
    }

    /// The one below which so many thousandths are; `None` of none.
    pub fn permille(&self, permille: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * permille).div_ceil(1_000).max(1) - 1;
        sorted.get(index).copied()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.permille(500), None);
        (1..=200).rev().for_each(|ms| histogram.add(Duration::from_millis(ms)));
        let asked = [500, 990, 1_000].map(|permille| histogram.permille(permille).map(|d| d.as_millis()));
        assert_eq!(asked, [Some(100), Some(198), Some(200)]);
    }
}

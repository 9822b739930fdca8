//! Round-trip estimation as in RFC 6298, fed by pongs alone.

use crate::time::Duration;

/// Smoothed round trip and its variation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    /// Microseconds; an hour and more counts as 71 minutes. Absent before the first sample.
    smoothed: Option<u32>,
    /// Microseconds.
    variation: u32,
}

impl Rtt {
    /// Takes one measured round trip.
    pub fn sample(&mut self, measured: Duration) {
        let measured = u32::try_from(measured.as_micros()).unwrap_or(u32::MAX);
        // Weighted means of u32 values are u32 values.
        let mean = |old: u32, weight: u64, new: u32| ((u64::from(old) * (weight - 1) + u64::from(new)) / weight) as u32;
        match self.smoothed {
            None => {
                self.smoothed = Some(measured);
                self.variation = measured / 2;
            }
            Some(smoothed) => {
                self.variation = mean(self.variation, 4, smoothed.abs_diff(measured));
                self.smoothed = Some(mean(smoothed, 8, measured));
            }
        }
    }

    /// The smoothed round trip; `None` before the first sample.
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|micros| Duration::from_micros(micros.into()))
    }

    /// srtt + 4·rttvar: what nearly every round trip stays under. Zero before the first sample.
    pub fn upper(&self) -> Duration {
        self.smoothed().unwrap_or_default() + Duration::from_micros(u64::from(self.variation) * 4)
    }
}

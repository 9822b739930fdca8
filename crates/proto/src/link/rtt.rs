//! Round-trip estimation as in RFC 6298, fed by pongs alone.

use crate::time::Duration;

/// Smoothed round trip and its variation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
}

impl Rtt {
    /// Takes one measured round trip.
    pub fn sample(&mut self, measured: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(measured);
                self.variation = measured / 2;
            }
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(measured)) / 4;
                self.smoothed = Some((smoothed * 7 + measured) / 8);
            }
        }
    }

    /// The smoothed round trip; `None` before the first sample.
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// srtt + 4·rttvar: what nearly every round trip stays under. Zero before the first sample.
    pub fn upper(&self) -> Duration {
        self.smoothed.unwrap_or_default() + self.variation * 4
    }
}

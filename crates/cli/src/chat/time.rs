//! Days and times of day as the person's clock has them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The time zone of the person.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone that `TZ`, or else the system, names.
    pub(crate) fn of_the_system() -> Self {
        Self(TimeZone::system())
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    pub(crate) fn day(&self, at_ms: u64) -> Date {
        self.at(at_ms).date()
    }

    /// As `14:02`.
    pub(crate) fn time(&self, at_ms: u64) -> String {
        self.at(at_ms).strftime("%H:%M").to_string()
    }

    /// As `Tuesday, 24 November 2026`.
    pub(crate) fn day_words(&self, at_ms: u64) -> String {
        self.at(at_ms).strftime("%A, %-d %B %Y").to_string()
    }

    /// As `2026-11-24 14:02`.
    pub(crate) fn moment(&self, at_ms: u64) -> String {
        self.at(at_ms).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn at(&self, at_ms: u64) -> jiff::ZonedDateTime {
        let ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        // A time that no calendar has, from a server whose clock is out of order.
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_the_clock_of_the_person_has_it() {
        let zone = Zone(TimeZone::fixed(jiff::tz::offset(2)));
        let at_ms = 1_767_225_600_000;
        assert_eq!((zone.time(at_ms).as_str(), Zone::utc().time(at_ms).as_str()), ("02:00", "00:00"));
        assert_eq!(zone.day_words(at_ms), "Thursday, 1 January 2026");
        assert_eq!(Zone::utc().moment(at_ms - 1), "2025-12-31 23:59");
        assert_eq!(zone.day(u64::MAX), Zone::utc().day(0), "a time beyond the calendar is shown as none");
    }
}

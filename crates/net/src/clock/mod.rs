//! Time that counts suspend, and waiting for it. tokio's own timers stand still while the machine sleeps, so that
//! every deadline after a sleep would be late by its length.
//!
//! - [`BootTimer`]: one timer with a descriptor of its own; for a client, or a single wait.
//! - [`Timers`]: any number of timers behind one descriptor; for a server.

mod shared;
mod timer;

pub use shared::{TimerHandle, Timers, TimersStopped, TimersTask};
pub use steadfast_proto::time::Instant;
pub use timer::BootTimer;

use crate::sys;

/// The clock of all deadlines: counts suspend, and steps of the wall clock mean nothing to it. On Linux it is
/// `CLOCK_BOOTTIME`, the same for all processes of a machine.
#[derive(Clone, Copy, Debug)]
pub struct BootClock;

impl BootClock {
    /// The present moment.
    pub fn now() -> Instant {
        Instant::from_nanos(sys::boot_nanos())
    }
}

/// The wall clock in milliseconds since 1970 (Unix time), for stamps that people read. It may step at any time.
#[allow(clippy::disallowed_methods, reason = "this is the function that the rule points to")]
pub fn wall_ms() -> u64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_never_goes_back() {
        let moments: Vec<_> = (0..1_000).map(|_| BootClock::now()).collect();
        assert!(moments.is_sorted());
        assert!(moments[0].as_nanos() > 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_boot_clock_is_the_systems_uptime_with_suspend() {
        // The second field of /proc/uptime is idle time; the first counts suspend (proc_uptime(5)), in 1/100 s.
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime_s: f64 = text.split(' ').next().unwrap().parse().unwrap();
        let now_s = BootClock::now().as_nanos() as f64 / 1e9;
        assert!((now_s - uptime_s).abs() < 5.0, "{now_s} {uptime_s}");
    }

    #[test]
    fn the_wall_clock_is_in_milliseconds() {
        assert!((1_700_000_000_000..10_000_000_000_000).contains(&wall_ms()));
    }
}

//! The clock that counts suspend.

/// Nanoseconds of the clock that counts suspend and ignores steps of the wall clock: `CLOCK_BOOTTIME` on Linux
/// (clock_gettime(2)). macOS counts suspend in `CLOCK_MONOTONIC`; other Unixes may not count it at all.
#[cfg(unix)]
pub(crate) fn boot_nanos() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec for the whole call, and the call writes nothing else.
    let result = unsafe { libc::clock_gettime(CLOCK, &raw mut now) };
    assert_eq!(result, 0, "the clock exists since Linux 2.6.39, and the pointer is good");
    // Neither part of a clock that starts at boot is negative.
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

#[cfg(target_os = "linux")]
const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(all(unix, not(target_os = "linux")))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Nanoseconds since this was first called, of a clock that counts suspend (QueryPerformanceCounter does).
#[cfg(not(unix))]
#[allow(clippy::disallowed_methods, reason = "this is the clock that the rule points to")]
pub(crate) fn boot_nanos() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

//! How many descriptors this process may have open. Every connection takes one.

use std::io;

/// Lets the process have `wanted` descriptors open, or as many as the system allows it by itself; gives how many those
/// are. A limit that is higher already stays. Where the system has no such limit that is as many as there are numbers.
#[cfg(unix)]
pub fn allow(wanted: u64) -> io::Result<u64> {
    let (in_force, highest) = crate::sys::descriptors()?;
    if in_force >= wanted {
        return Ok(in_force);
    }
    let raised = wanted.min(highest);
    // A system may have a second limit that it does not tell (macOS has): then what was in force stays so.
    let taken = raised > in_force && crate::sys::set_descriptors(raised, highest).is_ok();
    Ok(if taken { raised } else { in_force })
}

/// Lets the process have `wanted` descriptors open, or as many as the system allows it by itself; gives how many those
/// are.
#[cfg(not(unix))]
pub fn allow(_: u64) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// How many are open now, where the system tells.
pub fn open_now() -> Option<u64> {
    let listed = std::fs::read_dir("/proc/self/fd").ok()?;
    // The listing has one open itself.
    Some((listed.count() as u64).saturating_sub(1))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_already_stays_and_what_is_open_is_counted() {
        let allowed = allow(1).unwrap();
        assert!(allowed >= 1);
        assert_eq!(allow(allowed).unwrap(), allowed);
        let before = open_now().unwrap();
        assert!((1..=allowed).contains(&before), "{before} open of {allowed}");
    }
}

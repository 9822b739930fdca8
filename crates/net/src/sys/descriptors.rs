//! How many descriptors the process may have open: getrlimit(2), `RLIMIT_NOFILE`.

use std::io;

/// The limit in force, and the highest one that the process may set itself.
pub(crate) fn descriptors() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`, to `limit`, which is valid for the whole call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets both.
pub(crate) fn set_descriptors(in_force: u64, highest: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: in_force, rlim_max: highest };
    // SAFETY: the kernel reads one `rlimit`, from `limit`, which is valid for the whole call.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

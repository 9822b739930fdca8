//! A terminal and whose it is at the moment: tcgetpgrp(3), tcflush(3), poll(2).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Whether this process may read from the terminal without being stopped for it (`SIGTTIN`): it is in the foreground,
/// or the terminal is not the one that rules its job.
pub(crate) fn in_foreground(terminal: &impl AsFd) -> bool {
    // SAFETY: takes a descriptor that is open, since `terminal` is borrowed, and touches no memory of ours.
    let foreground = unsafe { libc::tcgetpgrp(terminal.as_fd().as_raw_fd()) };
    // SAFETY: takes nothing and can't fail.
    foreground < 0 || foreground == unsafe { libc::getpgrp() }
}

/// Throws away what was typed and not read.
pub(crate) fn discard_input(terminal: &impl AsFd) -> io::Result<()> {
    // SAFETY: takes a descriptor that is open, since `terminal` is borrowed, and touches no memory of ours.
    let result = unsafe { libc::tcflush(terminal.as_fd().as_raw_fd(), libc::TCIFLUSH) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether a read would return at once: a line was typed, or the keyboard is gone.
pub(crate) fn has_input(terminal: &impl AsFd) -> bool {
    let mut polled = libc::pollfd { fd: terminal.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads and writes one `pollfd`, which is valid for the whole call; the descriptor is open.
    let ready = unsafe { libc::poll(&raw mut polled, 1, 0) };
    ready > 0
}

/// Tells when there is something to be read. Must be called in a tokio runtime with I/O.
pub(crate) fn watched(terminal: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: the file owns its descriptor and always names the same one; it is closed only when it is dropped, which
    // AsyncFd does after it has deregistered it.
    let watched = unsafe { AsyncFd::register_with_interest(terminal, Interest::READABLE) }?;
    Ok(watched)
}

/// A new terminal: what whoever sits at it holds, and what its programs read.
#[cfg(test)]
pub(crate) fn new_terminal() -> io::Result<(File, File)> {
    use std::os::fd::FromRawFd;

    let (mut person, mut program) = (-1, -1);
    let nothing = std::ptr::null_mut();
    // SAFETY: the two numbers are written, the three null pointers are allowed and mean defaults.
    let result = unsafe { libc::openpty(&raw mut person, &raw mut program, nothing, nothing.cast(), nothing.cast()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors were opened by the call above and belong to nobody else.
    Ok(unsafe { (File::from_raw_fd(person), File::from_raw_fd(program)) })
}

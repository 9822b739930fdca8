//! A timer of `CLOCK_BOOTTIME` as a descriptor: timerfd_create(2).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Goes off at a moment of the boot clock, also if the machine sleeps through it.
#[derive(Debug)]
pub(crate) struct Alarm(AsyncFd<File>);

impl Alarm {
    /// An alarm that is not set. Must be called in a tokio runtime with I/O; fails when the process is out of
    /// descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: takes two numbers and touches no memory of ours.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_BOOTTIME, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above made `fd`, it is open, and nobody else has it.
        let timer = unsafe { File::from_raw_fd(fd) };
        // SAFETY: the file owns its descriptor and always names the same one; it is closed only when it is dropped,
        // which AsyncFd does after it has deregistered it.
        let watched = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
        Ok(Self(watched))
    }

    /// Lets it go off once at `nanos`, at once if that is past; forgets what it was set to before.
    pub(crate) fn set(&mut self, nanos: u64) -> io::Result<()> {
        let setting = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: timespec(nanos.max(1)), // 0 would disarm it
        };
        let (fd, absolute) = (self.0.as_raw_fd(), libc::TFD_TIMER_ABSTIME);
        let nothing = std::ptr::null_mut::<libc::itimerspec>();
        // Not through the C library: faketime(1), which people test with, puts itself between and moves an absolute
        // time by the steps of the wall clock, whatever clock the timer has.
        // SAFETY: `setting` is valid for the whole call, which only reads it; a null old value is allowed.
        let result = unsafe { libc::syscall(libc::SYS_timerfd_settime, fd, absolute, &raw const setting, nothing) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Returns once it has gone off, which is then forgotten in the same step: dropping this midway loses nothing.
    pub(crate) async fn rings(&mut self) -> io::Result<()> {
        let take = |mut timer: &File| timer.read_exact(&mut [0; 8]);
        self.0.async_io(Interest::READABLE, take).await
    }
}

fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(nanos / NANOS_PER_SECOND).unwrap_or(libc::time_t::MAX),
        // Below 10^9, which every c_long holds.
        tv_nsec: (nanos % NANOS_PER_SECOND) as libc::c_long,
    }
}

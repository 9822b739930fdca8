//! The options of a socket. The kernel is the last line of liveness: it lets go of a line when this program can't,
//! and above all bounds of the heartbeat, so that it never decides what the heartbeat should.

use std::fmt;
use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// With more unsent bytes than this the socket is not writable, so that a ping never stands behind much of one's own
/// bulk (`TCP_NOTSENT_LOWAT`; tcp(7)). The kernel still fills the segment it has begun, which may have 64 KiB.
#[cfg(target_os = "linux")]
const NOT_SENT_BYTES_MAX: u32 = 16 * 1024;

/// What Linux takes for the keepalive options (`MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`, `MAX_TCP_KEEPCNT`).
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;
const KEEPALIVE_COUNT_MAX: u32 = 127;

/// When the kernel gives a line up (tcp(7); user timeout: RFC 5482). Keepalive works on idle lines only, the user
/// timeout only while something is unacknowledged or probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLiveness {
    /// Silence before the first keepalive probe; whole seconds, a rest is cut off.
    pub idle: Duration,
    /// Time between two probes; whole seconds, a rest is cut off.
    pub interval: Duration,
    /// Unanswered probes that end the line.
    pub count: u32,
    /// How long sent bytes may stay unacknowledged; zero: as long as the system's own default.
    pub user_timeout: Duration,
}

/// What the kernel says that it applied; `None`: this system has no such option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Whether keepalive is on.
    pub keepalive: bool,
    /// Silence before the first keepalive probe.
    pub idle: Duration,
    /// Time between two probes.
    pub interval: Duration,
    /// Unanswered probes that end the line.
    pub count: u32,
    /// How long sent bytes may stay unacknowledged.
    pub user_timeout: Option<Duration>,
    /// Whether small segments leave at once (Nagle's algorithm is off; RFC 896).
    pub no_delay: bool,
    /// With more unsent bytes than this the socket is not writable.
    pub not_sent_bytes_max: Option<u32>,
}

/// Sets what every line of ours has, and asks the kernel what it made of it. Values that it would not take are
/// [`io::ErrorKind::InvalidInput`], with words for the user.
pub fn configure<'s>(socket: impl Into<SockRef<'s>>, liveness: &KernelLiveness) -> io::Result<Applied> {
    liveness.check()?;
    let socket = socket.into();
    let keepalive =
        TcpKeepalive::new().with_time(liveness.idle).with_interval(liveness.interval).with_retries(liveness.count);
    socket.set_tcp_keepalive(&keepalive)?; // switches SO_KEEPALIVE on as well
    socket.set_tcp_nodelay(true)?;
    set_linux_options(&socket, liveness)?;
    read_back(&socket, liveness)
}

impl Default for KernelLiveness {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(20),
            interval: Duration::from_secs(5),
            count: 3,
            user_timeout: Duration::from_secs(34),
        }
    }
}

impl KernelLiveness {
    fn check(&self) -> io::Result<()> {
        let seconds = 1..=KEEPALIVE_SECONDS_MAX;
        let fault = if !seconds.contains(&self.idle.as_secs()) {
            format!("keepalive idle time {:?} is not within 1 s to {KEEPALIVE_SECONDS_MAX} s", self.idle)
        } else if !seconds.contains(&self.interval.as_secs()) {
            format!("keepalive interval {:?} is not within 1 s to {KEEPALIVE_SECONDS_MAX} s", self.interval)
        } else if !(1..=KEEPALIVE_COUNT_MAX).contains(&self.count) {
            format!("keepalive count {} is not within 1 to {KEEPALIVE_COUNT_MAX}", self.count)
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, fault))
    }
}

/// As it stands in the log: `keepalive 20s + 5s × 3, user timeout 34s, no delay, unsent ≤ 16384 B`.
impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keepalive {
            write!(f, "keepalive {:?} + {:?} × {}", self.idle, self.interval, self.count)?;
        } else {
            f.write_str("keepalive off")?;
        }
        match self.user_timeout {
            Some(timeout) => write!(f, ", user timeout {timeout:?}")?,
            None => f.write_str(", user timeout of the system")?,
        }
        f.write_str(if self.no_delay { ", no delay" } else { ", with Nagle's delay" })?;
        match self.not_sent_bytes_max {
            Some(bytes) => write!(f, ", unsent ≤ {bytes} B"),
            None => Ok(()),
        }
    }
}

#[cfg(target_os = "linux")]
fn set_linux_options(socket: &SockRef<'_>, liveness: &KernelLiveness) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(liveness.user_timeout))?;
    socket.set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)
}

#[cfg(not(target_os = "linux"))]
fn set_linux_options(_: &SockRef<'_>, _: &KernelLiveness) -> io::Result<()> {
    Ok(())
}

fn read_back(socket: &SockRef<'_>, liveness: &KernelLiveness) -> io::Result<Applied> {
    let (idle, interval) = keepalive_times(socket, liveness)?;
    #[cfg(target_os = "linux")]
    let (user_timeout, not_sent_bytes_max) = (socket.tcp_user_timeout()?, Some(socket.tcp_notsent_lowat()?));
    #[cfg(not(target_os = "linux"))]
    let (user_timeout, not_sent_bytes_max) = (None, None);
    Ok(Applied {
        keepalive: socket.keepalive()?,
        idle,
        interval,
        count: socket.tcp_keepalive_retries()?,
        user_timeout,
        no_delay: socket.tcp_nodelay()?,
        not_sent_bytes_max,
    })
}

#[cfg(not(windows))]
fn keepalive_times(socket: &SockRef<'_>, _: &KernelLiveness) -> io::Result<(Duration, Duration)> {
    Ok((socket.tcp_keepalive_time()?, socket.tcp_keepalive_interval()?))
}

/// Windows takes the two but has no way to ask for them: what it was told has to do.
#[cfg(windows)]
fn keepalive_times(_: &SockRef<'_>, liveness: &KernelLiveness) -> io::Result<(Duration, Duration)> {
    Ok((liveness.idle, liveness.interval))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    fn configured(liveness: &KernelLiveness) -> io::Result<Applied> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        configure(&TcpSocket::new_v4()?, liveness)
    }

    #[test]
    fn the_kernel_says_what_it_was_told() {
        let applied = configured(&KernelLiveness::default()).unwrap();
        assert!(applied.keepalive && applied.no_delay);
        assert_eq!((applied.idle.as_secs(), applied.interval.as_secs(), applied.count), (20, 5, 3));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_log_line_has_every_option() {
        assert_eq!(
            configured(&KernelLiveness::default()).unwrap().to_string(),
            "keepalive 20s + 5s × 3, user timeout 34s, no delay, unsent ≤ 16384 B"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_kernel_rounds_is_told_as_it_is() {
        let liveness = KernelLiveness {
            idle: Duration::from_millis(1_900),
            user_timeout: Duration::ZERO,
            ..KernelLiveness::default()
        };
        let applied = configured(&liveness).unwrap();
        assert_eq!((applied.idle, applied.user_timeout), (Duration::from_secs(1), None));
    }

    #[test]
    fn values_that_the_kernel_would_not_take_are_refused_with_their_bounds() {
        let default = KernelLiveness::default();
        let rows = [
            (KernelLiveness { idle: Duration::from_millis(999), ..default }, "idle"),
            (KernelLiveness { interval: Duration::from_secs(32_768), ..default }, "interval"),
            (KernelLiveness { count: 128, ..default }, "count"),
        ];
        for (liveness, named) in rows {
            let error = configured(&liveness).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(named), "{error}");
        }
        let at_the_bounds = KernelLiveness { idle: Duration::from_secs(32_767), count: 127, ..default };
        assert_eq!(configured(&at_the_bounds).unwrap().count, 127);
    }
}

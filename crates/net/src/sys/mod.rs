//! System calls that no crate in use offers safely. The only place of this crate with `unsafe`; each use says why it
//! is sound. What the results mean is said by those who call.

mod clock;
#[cfg(unix)]
mod descriptors;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(not(target_os = "linux"))]
mod steps;
#[cfg(target_os = "linux")]
mod tcp;
#[cfg(unix)]
mod terminal;
#[cfg(target_os = "linux")]
mod timer_fd;

pub(crate) use clock::boot_nanos;
#[cfg(unix)]
pub(crate) use descriptors::{descriptors, set_descriptors};
#[cfg(target_os = "linux")]
pub(crate) use netlink::route_changes;
#[cfg(not(target_os = "linux"))]
pub(crate) use steps::Alarm;
#[cfg(target_os = "linux")]
pub(crate) use tcp::{tcp_info, unacknowledged_bytes};
#[cfg(all(test, unix))]
pub(crate) use terminal::new_terminal;
#[cfg(unix)]
pub(crate) use terminal::{discard_input, has_input, in_foreground, watched};
#[cfg(target_os = "linux")]
pub(crate) use timer_fd::Alarm;

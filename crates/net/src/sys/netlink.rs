//! A socket on which the kernel tells of every change of links, addresses and routes: rtnetlink(7).

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The groups of rtnetlink(7) that tell of links, addresses and routes.
const GROUPS: libc::c_int = libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE;

/// A socket that becomes readable with every change in this network namespace. Must be called in a tokio runtime with
/// I/O.
pub(crate) fn route_changes() -> io::Result<AsyncFd<File>> {
    let socket = File::from(open()?);
    // SAFETY: the descriptor is the file's own, and the file is closed by nobody but AsyncFd's drop, which deregisters
    // it first.
    let watched = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
    Ok(watched)
}

fn open() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes three numbers and touches no memory of ours.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened here and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero bytes are a valid address: family and groups are set below, port 0 lets the kernel choose one.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK.unsigned_abs() as libc::sa_family_t;
    address.nl_groups = GROUPS.unsigned_abs();
    let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: `address` is a whole sockaddr_nl for the time of the call, and `length` is its size.
    let bound = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
    if bound != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

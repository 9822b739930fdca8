//! What the kernel knows of a connection: tcp(7), `TCP_INFO` and `SIOCOUTQ`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Fills `buffer` with the kernel's `struct tcp_info`; returns how many bytes of it this kernel has.
pub(crate) fn tcp_info(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let fd = socket.as_fd().as_raw_fd();
    let mut length = libc::socklen_t::try_from(buffer.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: `buffer` is writable for `length` bytes, of which the kernel writes at most that many and says how
    // many in `length`; bytes need no alignment. The descriptor is open, since `socket` is borrowed.
    let result = unsafe {
        let value = buffer.as_mut_ptr().cast();
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, value, &raw mut length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(buffer.len().min(length as usize))
}

/// Bytes written to the socket that the other end has not acknowledged, sent or not (`SIOCOUTQ`, which Linux
/// defines as `TIOCOUTQ`).
pub(crate) fn unacknowledged_bytes(socket: &impl AsFd) -> io::Result<u32> {
    let fd = socket.as_fd().as_raw_fd();
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes one int, to `bytes`, which is valid for the whole call; the descriptor is open.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes.unsigned_abs()) // never negative: the kernel clamps it
}

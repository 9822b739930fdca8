//! What the kernel knows of a line: tcp(7), `TCP_INFO` and `SIOCOUTQ`. For the log, for `why`, and to see what still
//! stands between a ping and the wire; it is never proof of life. Linux only; elsewhere
//! [`io::ErrorKind::Unsupported`].

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// What the kernel knows of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state of its TCP.
    pub state: TcpState,
    /// Retransmissions of what is at the front, without an answer so far.
    pub retransmits: u8,
    /// Smoothed round-trip time (RFC 6298).
    pub rtt: Duration,
    /// Its variation (RFC 6298).
    pub rtt_variation: Duration,
    /// Segments sent and not acknowledged.
    pub unacked_segments: u32,
    /// Bytes that the other end has acknowledged since the connection was made.
    pub bytes_acked: u64,
    /// Bytes that were not sent even once.
    pub not_sent_bytes: u32,
    /// The latest measured rate at which bytes arrive, in bytes a second.
    pub delivery_bytes_per_second: u64,
}

/// The states of RFC 9293, section 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the RFC")]
pub enum TcpState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

/// What the kernel knows of this line.
#[cfg(target_os = "linux")]
pub fn info(stream: &TcpStream) -> io::Result<TcpInfo> {
    let mut bytes = [0; size_of::<libc::tcp_info>()];
    let length = crate::sys::tcp_info(stream, &mut bytes)?;
    parse(&bytes[..length]).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Bytes written to the stream that the other end's TCP has not acknowledged, sent or not.
#[cfg(target_os = "linux")]
pub fn unacknowledged_bytes(stream: &TcpStream) -> io::Result<u32> {
    crate::sys::unacknowledged_bytes(stream)
}

/// What the kernel knows of this line.
#[cfg(not(target_os = "linux"))]
pub fn info(_: &TcpStream) -> io::Result<TcpInfo> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes written to the stream that the other end's TCP has not acknowledged, sent or not.
#[cfg(not(target_os = "linux"))]
pub fn unacknowledged_bytes(_: &TcpStream) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `None` if the kernel is too old to have all of the fields (Linux 4.9 has them), or has a state of its own.
#[cfg(target_os = "linux")]
fn parse(bytes: &[u8]) -> Option<TcpInfo> {
    use std::mem::offset_of;

    use libc::tcp_info as layout;

    let u32_at = |offset: usize| {
        let field = bytes.get(offset..offset + 4)?;
        field.try_into().ok().map(u32::from_ne_bytes)
    };
    let u64_at = |offset: usize| {
        let field = bytes.get(offset..offset + 8)?;
        field.try_into().ok().map(u64::from_ne_bytes)
    };
    let micros_at = |offset: usize| u32_at(offset).map(|us| Duration::from_micros(us.into()));
    Some(TcpInfo {
        state: TcpState::from_kernel(*bytes.get(offset_of!(layout, tcpi_state))?)?,
        retransmits: *bytes.get(offset_of!(layout, tcpi_retransmits))?,
        rtt: micros_at(offset_of!(layout, tcpi_rtt))?,
        rtt_variation: micros_at(offset_of!(layout, tcpi_rttvar))?,
        unacked_segments: u32_at(offset_of!(layout, tcpi_unacked))?,
        bytes_acked: u64_at(offset_of!(layout, tcpi_bytes_acked))?,
        not_sent_bytes: u32_at(offset_of!(layout, tcpi_notsent_bytes))?,
        delivery_bytes_per_second: u64_at(offset_of!(layout, tcpi_delivery_rate))?,
    })
}

#[cfg(target_os = "linux")]
impl TcpState {
    /// By the numbers of the kernel's `net/tcp_states.h`.
    fn from_kernel(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::tcp::{ConnectOptions, connect, listen};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let (client, _) = connect(&server, &ConnectOptions::default()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[test]
    fn the_layout_is_the_kernels() {
        // include/uapi/linux/tcp.h; the layout is the same on all machines, and fields are only ever appended.
        assert_eq!(offset_of!(libc::tcp_info, tcpi_unacked), 24);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_rtt), 68);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_bytes_acked), 120);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_notsent_bytes), 144);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_delivery_rate), 160);
    }

    #[test]
    fn a_kernel_that_knows_less_gives_nothing_instead_of_zeros() {
        let mut bytes = [0; 168];
        bytes[0] = 1;
        assert_eq!(parse(&bytes).unwrap().state, TcpState::Established);
        for length in 0..168 {
            assert_eq!(parse(&bytes[..length]), None, "{length}");
        }
    }

    #[tokio::test]
    async fn bytes_that_arrived_are_acknowledged() {
        let (client, server) = pair().await;
        server.writable().await.unwrap();
        client.try_write(b"hello").unwrap();
        server.readable().await.unwrap();
        // An answer carries the acknowledgement of what came before it, so that nothing has to be waited for.
        server.try_write(b"x").unwrap();
        client.readable().await.unwrap();
        let known = info(&client).unwrap();
        assert_eq!((known.state, known.bytes_acked, known.not_sent_bytes), (TcpState::Established, 6, 0));
        assert_eq!((known.unacked_segments, known.retransmits), (0, 0));
        assert!(known.rtt > Duration::ZERO && known.rtt < Duration::from_secs(1));
        assert_eq!(unacknowledged_bytes(&client).unwrap(), 0);
    }

    #[tokio::test]
    async fn bytes_that_nobody_reads_are_counted_and_the_writer_stops_with_few_of_them_unsent() {
        let (client, _server) = pair().await;
        let mut written = 0;
        while let Ok(bytes) = client.try_write(&[0; 4_096]) {
            written += bytes as u64;
        }
        let known = info(&client).unwrap();
        let waiting = u64::from(unacknowledged_bytes(&client).unwrap());
        assert!(waiting > 0 && waiting <= written);
        // 16 KiB, and the segment that was being filled, which on loopback has up to 64 KiB.
        assert!(known.not_sent_bytes <= 80 * 1_024, "{known:?}");
    }

    #[tokio::test]
    async fn a_peer_that_closed_shows_in_the_state() {
        let (client, server) = pair().await;
        drop(server);
        client.readable().await.unwrap();
        assert_eq!(info(&client).unwrap().state, TcpState::CloseWait);
    }
}

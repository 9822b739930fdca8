//! TCP as a transport: making connections, listening, and what the kernel does and knows of a line.

mod connect;
mod info;
mod options;

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

pub use connect::{ConnectError, ConnectOptions, connect};
pub use info::{TcpInfo, TcpState, info, unacknowledged_bytes};
pub use options::{Applied, KernelLiveness, configure};

/// How many connections may wait to be accepted; the kernel cuts it to `net.core.somaxconn` (listen(2)).
pub const BACKLOG: i32 = 4_096;

/// Listens at `address`; port 0 takes a free one. A port whose last connections still fade away (TIME-WAIT, RFC 9293,
/// section 3.6.1) can be taken again at once. Must be called in a tokio runtime with I/O.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this option would let two servers have one port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[tokio::test]
    async fn a_port_can_be_taken_again_at_once_after_its_server_closed_its_connections() {
        let listener = listen(loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        let (client, _) = connect(&address.to_string(), &ConnectOptions::default()).await.unwrap();
        // The side that closes first is the one whose port waits in TIME-WAIT.
        drop(listener.accept().await.unwrap());
        client.readable().await.unwrap();
        assert_eq!(client.try_read(&mut [0]).unwrap(), 0);
        drop((client, listener));
        listen(address).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_port_that_another_server_has_is_refused() {
        let first = listen(loopback()).unwrap();
        let second = listen(first.local_addr().unwrap());
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}

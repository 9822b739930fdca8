//! From a server's name to a connection with its options set, or to the cause why there is none.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use steadfast_proto::session::cause::Cause;
use tokio::net::{TcpSocket, TcpStream};

use super::options::{Applied, KernelLiveness, configure};
use crate::cause::of_io;
use crate::clock::{BootClock, BootTimer, Instant};

/// Addresses of one name that are tried at most.
const ADDRESSES_MAX: usize = 16;

/// How to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// For everything together: looking the name up, and trying each of its addresses.
    pub timeout: Duration,
    /// What the kernel is told.
    pub liveness: KernelLiveness,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause} ({text})")]
pub struct ConnectError {
    /// The cause, from the address that told most.
    pub cause: Cause,
    /// What the system said of each address, for the log.
    pub text: String,
}

/// Connects to `server` (`HOST:PORT`; an IPv6 address in brackets), trying the addresses of its name in the system's
/// order (RFC 6724), each with its share of the time that is left. Options are set before the first byte leaves, so
/// that they hold for the handshake of TCP, too.
///
/// A lookup that took too long goes on in tokio's pool of blocking threads until the system gives it up; a runtime
/// that shall end before has to be shut down with a time-out.
pub async fn connect(server: &str, options: &ConnectOptions) -> Result<(TcpStream, Applied), ConnectError> {
    let deadline = BootClock::now() + options.timeout;
    let mut timer = BootTimer::new().map_err(|error| ConnectError::new(of_connecting(&error), server, &error))?;
    let addresses = resolve(server, &mut timer, deadline).await?;

    let mut failure: Option<ConnectError> = None;
    for (n, &address) in addresses.iter().enumerate() {
        let until = share_of(BootClock::now(), deadline, addresses.len() - n);
        let error = match timer.within(until, attempt(address, &options.liveness)).await.flatten() {
            Ok(connected) => return Ok(connected),
            Err(error) => ConnectError::new(of_connecting(&error), &address.to_string(), &error),
        };
        failure = Some(match failure {
            None => error,
            Some(earlier) => earlier.and(error),
        });
    }
    Err(failure.unwrap_or_else(|| ConnectError {
        cause: Cause::NameNotFound,
        text: format!("{server}: the name has no address"),
    }))
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), liveness: KernelLiveness::default() }
    }
}

impl ConnectError {
    fn new(cause: Cause, whom: &str, error: &io::Error) -> Self {
        Self { cause, text: format!("{whom}: {error}") }
    }

    /// Both as one. The later cause counts, unless it only says that this machine has no way to such addresses (no
    /// IPv6, say), which hides what the other address said.
    fn and(self, later: Self) -> Self {
        let text = format!("{}; {}", self.text, later.text);
        let cause = match later.cause {
            Cause::Unreachable | Cause::NetworkDown => self.cause,
            told => told,
        };
        Self { cause, text }
    }
}

async fn resolve(server: &str, timer: &mut BootTimer, deadline: Instant) -> Result<Vec<SocketAddr>, ConnectError> {
    let found = timer.within(deadline, tokio::net::lookup_host(server)).await.flatten();
    match found {
        Ok(addresses) => Ok(addresses.take(ADDRESSES_MAX).collect()),
        Err(error) => Err(ConnectError::new(of_lookup(&error), server, &error)),
    }
}

async fn attempt(address: SocketAddr, liveness: &KernelLiveness) -> io::Result<(TcpStream, Applied)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let applied = configure(&socket, liveness)?;
    Ok((open(socket, address).await?, applied))
}

async fn open(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket.connect(address).await?;
    // Trying a local port where nobody listens can hit upon itself (simultaneous open; RFC 9293, section 3.5), and
    // would then hold the port that the server wants.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens, it met itself"));
    }
    Ok(stream)
}

/// An equal part of what is left until `deadline` for each of the `tries` left.
fn share_of(now: Instant, deadline: Instant, tries: usize) -> Instant {
    let tries = u32::try_from(tries).unwrap_or(u32::MAX).max(1);
    now + deadline.since(now) / tries
}

fn of_connecting(error: &io::Error) -> Cause {
    match of_io(error) {
        Cause::TimedOut => Cause::ConnectTimedOut,
        cause => cause,
    }
}

/// A failed lookup has no number but where the resolver itself met an error; a text that is no `HOST:PORT` is
/// `InvalidInput`.
fn of_lookup(error: &io::Error) -> Cause {
    match (error.kind(), of_io(error)) {
        (io::ErrorKind::InvalidInput, _) => Cause::AddressInvalid,
        (_, Cause::Other { .. }) => Cause::NameNotFound,
        (_, Cause::TimedOut) => Cause::ConnectTimedOut,
        (_, cause) => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::listen;

    const LOOPBACK: &str = "127.0.0.1:0";

    async fn cause_of(server: &str) -> Cause {
        connect(server, &ConnectOptions::default()).await.unwrap_err().cause
    }

    #[tokio::test]
    async fn a_name_is_found_and_its_addresses_are_tried_in_turn() {
        let listener = listen(LOOPBACK.parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // `localhost` may be ::1 first, where nobody listens.
        let server = format!("localhost:{}", address.port());
        let (stream, _) = connect(&server, &ConnectOptions::default()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn an_open_connection_has_the_options_that_were_told() {
        let listener = listen(LOOPBACK.parse().unwrap()).unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let options = ConnectOptions::default();
        let (stream, applied) = connect(&server, &options).await.unwrap();
        assert_eq!(socket2::SockRef::from(&stream).tcp_keepalive_time().unwrap(), applied.idle);
        let (accepted, _) = listener.accept().await.unwrap();
        assert_eq!(configure(&accepted, &options.liveness).unwrap(), applied);
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_refused() {
        let taken = TcpSocket::new_v4().unwrap();
        taken.bind(LOOPBACK.parse().unwrap()).unwrap();
        let server = taken.local_addr().unwrap().to_string();
        let error = connect(&server, &ConnectOptions::default()).await.unwrap_err();
        assert_eq!(error.cause, Cause::Refused);
        assert!(error.text.starts_with(&server), "{error}");
    }

    #[tokio::test]
    async fn a_connection_to_itself_is_refused() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK.parse().unwrap()).unwrap();
        let itself = socket.local_addr().unwrap();
        let error = open(socket, itself).await.unwrap_err();
        assert_eq!(of_connecting(&error), Cause::Refused);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_server_that_does_not_answer_is_given_up_in_time() {
        // A full backlog drops what comes, as a dead network does.
        let full = TcpSocket::new_v4().unwrap();
        full.bind(LOOPBACK.parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let server = full.local_addr().unwrap().to_string();
        let options = ConnectOptions { timeout: Duration::from_millis(30), ..ConnectOptions::default() };
        let mut held = Vec::new();
        let error = loop {
            match connect(&server, &options).await {
                Ok(connected) => held.push(connected),
                Err(error) => break error,
            }
            assert!(held.len() < 10, "a backlog of 0 takes one or two");
        };
        assert_eq!(error.cause, Cause::ConnectTimedOut);
    }

    #[tokio::test]
    async fn a_text_that_is_no_address_and_a_name_that_nobody_has_are_told_apart() {
        assert_eq!(cause_of("no port").await, Cause::AddressInvalid);
        assert_eq!(cause_of("localhost:70000").await, Cause::AddressInvalid);
        // Longer than a label may be (RFC 1035, section 2.3.4), so that no resolver is asked.
        assert_eq!(cause_of(&format!("{}:7400", "x".repeat(64))).await, Cause::NameNotFound);
    }

    #[test]
    fn an_address_without_a_way_does_not_hide_what_the_other_said() {
        let error = |cause, text: &str| ConnectError { cause, text: text.into() };
        let both = error(Cause::Refused, "a").and(error(Cause::Unreachable, "b"));
        assert_eq!(both, error(Cause::Refused, "a; b"));
        let both = error(Cause::Unreachable, "a").and(error(Cause::ConnectTimedOut, "b"));
        assert_eq!(both, error(Cause::ConnectTimedOut, "a; b"));
    }

    #[test]
    fn an_address_that_does_not_answer_leaves_time_for_the_others() {
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        assert_eq!(share_of(at(0), at(5_000), 2), at(2_500));
        assert_eq!(share_of(at(2_500), at(5_000), 1), at(5_000));
        assert_eq!(share_of(at(6_000), at(5_000), 1), at(6_000));
    }
}

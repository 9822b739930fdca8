//! The one driver of both sides: moves bytes between a socket and a core. It decides nothing.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use steadfast_proto::session::{Cause, Session};
use steadfast_proto::time::Instant;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::clock::BootClock;
use crate::{cause, tcp};

/// One read takes this much at most.
const READ_BYTES: usize = 64 * 1024;
/// Bytes written before the other direction, and other tasks, get their turn.
const TURN_BYTES: usize = 256 * 1024;
/// The same of bytes that are read. Less: a peer can make small frames of them, and each is work.
const READ_TURN_BYTES: usize = 64 * 1024;
/// Bytes that may be under way, whatever the line's rate.
const UNDER_WAY_BYTES: u64 = 16 * 1024;
/// How soon a line that is full is looked at again.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);
/// Nothing said of an idle connection is kept in buffers of its own: reads land here, one buffer a thread.
const BUFFER_KEPT_BYTES: usize = 4 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What a driver moves bytes for: a client's session or a server's connection, with what each needs around it.
pub trait Core {
    /// Bytes arrived.
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]);
    /// A deadline came.
    fn handle_timeout(&mut self, now: Instant);
    /// The transport holds so many bytes, and carries so many a second if that was measured.
    fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>);
    /// Appends what should leave now, a bounded amount; nothing if nothing should.
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>);
}

impl Core for Session {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        Session::handle_bytes(self, now, bytes);
    }

    fn handle_timeout(&mut self, now: Instant) {
        Session::handle_timeout(self, now);
    }

    fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        Session::handle_line(self, queued_bytes, bytes_per_second);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        Session::poll_transmit(self, now, out);
    }
}

/// A socket, and what was pulled from the core and has not left.
#[derive(Debug)]
pub struct Driver {
    stream: TcpStream,
    out: Vec<u8>,
    out_at: usize,
    /// The socket takes nothing now.
    blocked: bool,
    /// A turn ended before its work did.
    unfinished: bool,
    /// The line has as much under way as it carries in a second.
    full: bool,
}

impl Driver {
    /// A driver for an open connection.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, out: Vec::new(), out_at: 0, blocked: false, unfinished: false, full: false }
    }

    /// The socket, for its figures.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until the socket has bytes for us, or takes some again. Cancel-safe.
    pub async fn ready(&self) -> io::Result<()> {
        if self.unfinished {
            tokio::task::yield_now().await;
            return Ok(());
        }
        if self.full {
            return self.ready_or_drained().await;
        }
        let interest = if self.blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.stream.ready(interest).await.map(|_| ())
    }

    /// Moves what can be moved in both directions; an error says why the connection is over.
    pub fn on_ready(&mut self, core: &mut impl Core) -> Result<(), Cause> {
        self.unfinished = false;
        let read = self.on_readable(core);
        let written = self.on_writable(core);
        read.and(written)
    }

    /// A deadline of the core came. What has arrived by now is read first: it may prove that the line is alive.
    pub fn on_deadline(&mut self, core: &mut impl Core) -> Result<(), Cause> {
        let read = self.on_readable(core);
        let queued = tcp::unacknowledged_bytes(&self.stream).map_or(0, u64::from) + self.pending() as u64;
        let rate = tcp::info(&self.stream).ok().map(|info| info.delivery_bytes_per_second).filter(|&rate| rate > 0);
        core.handle_line(queued, rate);
        core.handle_timeout(BootClock::now());
        read.and(self.on_writable(core))
    }

    /// Writes what is pending and pulls more, until the socket is full or the core has nothing.
    pub fn on_writable(&mut self, core: &mut impl Core) -> Result<(), Cause> {
        let mut moved = 0;
        loop {
            while self.pending() > 0 {
                match self.stream.try_write(&self.out[self.out_at..]) {
                    Ok(0) => return Err(Cause::ClosedByPeer),
                    Ok(written) => {
                        self.out_at += written;
                        moved += written;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.blocked = true;
                        return Ok(());
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(cause::of_io(&error)),
                }
            }
            self.blocked = false;
            self.out.clear();
            self.out_at = 0;
            if moved >= TURN_BYTES {
                self.unfinished = true;
                return Ok(());
            }
            self.full = self.is_full();
            if self.full {
                return Ok(());
            }
            core.poll_transmit(BootClock::now(), &mut self.out);
            if self.out.is_empty() {
                if self.out.capacity() > BUFFER_KEPT_BYTES || moved == 0 {
                    self.out = Vec::new();
                }
                return Ok(());
            }
        }
    }

    /// The system does not say when a queue shrinks that it would still add to: so this looks again.
    #[expect(clippy::disallowed_methods, reason = "a pause of milliseconds between two looks: a suspend costs nothing")]
    async fn ready_or_drained(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.stream.ready(Interest::READABLE) => ready.map(|_| ()),
            () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
        }
    }

    /// Whether more is under way than the line carries in a second: what would be added now, a ping among it, would
    /// only wait.
    fn is_full(&self) -> bool {
        let under_way = tcp::unacknowledged_bytes(&self.stream).map_or(0, u64::from);
        if under_way <= UNDER_WAY_BYTES {
            return false;
        }
        let rate = tcp::info(&self.stream).map_or(u64::MAX, |info| info.delivery_bytes_per_second);
        under_way > rate.max(UNDER_WAY_BYTES)
    }

    /// Bytes that were pulled and have not left.
    pub fn pending(&self) -> usize {
        self.out.len() - self.out_at
    }

    /// Says that nothing more comes, and throws away what still arrives; whether the peer has ended, too. A socket that
    /// is closed with unread bytes makes the system reset the connection, and the last words are lost with it.
    pub fn finish(&mut self) -> bool {
        if SockRef::from(&self.stream).shutdown(Shutdown::Write).is_err() {
            return true;
        }
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut thrown_away = 0;
            while thrown_away < TURN_BYTES {
                match self.stream.try_read(buffer) {
                    Ok(0) => return true,
                    Ok(read) => thrown_away += read,
                    Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
                }
            }
            self.unfinished = true;
            false
        })
    }

    /// Lets a dead line go. What it holds is thrown away, and the peer's system is told by a reset: an end in good
    /// order would wait behind what was never acknowledged, and the peer with it, should this way of the line still
    /// work.
    pub fn abandon(self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "a dead line is closed in good order");
        }
    }

    fn on_readable(&mut self, core: &mut impl Core) -> Result<(), Cause> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut moved = 0;
            loop {
                match self.stream.try_read(buffer) {
                    Ok(0) => return Err(Cause::ClosedByPeer),
                    Ok(read) => {
                        core.handle_bytes(BootClock::now(), &buffer[..read]);
                        moved += read;
                        if moved >= READ_TURN_BYTES {
                            self.unfinished = true;
                            return Ok(());
                        }
                        if read < buffer.len() {
                            return Ok(());
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(cause::of_io(&error)),
                }
            }
        })
    }
}

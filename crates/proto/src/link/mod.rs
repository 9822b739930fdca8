//! One link: what lives and dies with one transport connection, on either side.
//!
//! A link decodes, counts, answers pings and knows whether the line is alive. What frames mean is for its owner
//! (a client's session, a server's connection) to say. The owner's loop:
//!
//! ```text
//! bytes came      → handle_bytes, then next_frame until None
//! deadline fired  → handle_timeout
//! socket takes    → begin_transmit, then send / send_encoded until the owner has enough
//! afterwards      → poll_timeout
//! ```

mod liveness;
mod rtt;

pub use liveness::{ACTIVE_BOUND, Beat, Bounds, IDLE_BOUND, Liveness, Pinging};
pub use rtt::Rtt;

use crate::codec::{self, CodecError, Decoder, Received};
use crate::time::{Duration, Instant};
use crate::wire::{ByeReason, Ping, Pong, frame::Kind};
use liveness::Verdict;

/// How long a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take while the peer answers pings: it has Hello and works on it (a sign-up waits for a disk).
const HANDSHAKE_BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// A deadline that fires later than this was slept through.
const LATE: Duration = Duration::from_millis(500);
/// How long one part (16 KiB at most) may take from its first byte to its last.
const PART_TIMEOUT: Duration = Duration::from_secs(30);
/// Control frames of the owner that may wait for the socket.
const CONTROL_WAITING_MAX: usize = 16;

/// Why a link ended from inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The peer's bytes are wrong.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The peer sent more or less than arrived.
    #[error("bytes were lost or added on the line: {sent} sent, {received} received")]
    Hole {
        /// As the peer counted.
        sent: u64,
        /// As we did.
        received: u64,
    },
    /// No byte for the bound in force.
    #[error("no byte for {:.1} s", .silent_for.as_secs_f64())]
    Silent {
        /// The silence.
        silent_for: Duration,
    },
    /// The same, right after this side slept.
    #[error("the line was gone after a sleep")]
    WokeFromSleep,
    /// A part began and did not end in time.
    #[error("a frame did not end within {} s", PART_TIMEOUT.as_secs())]
    SlowFrame,
    /// The handshake did not end in time.
    #[error("the handshake did not end in time")]
    HandshakeTimeout,
}

impl LinkError {
    /// The farewell that a server sends for it.
    pub fn bye_reason(&self) -> ByeReason {
        match self {
            Self::Codec(_) | Self::SlowFrame => ByeReason::ProtocolError,
            Self::Hole { .. } => ByeReason::Hole,
            Self::Silent { .. } | Self::WokeFromSleep => ByeReason::Silent,
            Self::HandshakeTimeout => ByeReason::HandshakeTimeout,
        }
    }
}

/// What a link's next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Liveness.
    Beat(Beat),
    /// The handshake.
    Handshake,
    /// A part that has begun.
    SlowFrame,
}

/// What went over a link, both ways. Frames that left in parts count once a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Parts received.
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Parts sent.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Pings sent, among those.
    pub pings_out: u32,
}

/// The state of one link.
#[derive(Debug)]
pub struct Link {
    decoder: Decoder,
    liveness: Liveness,
    control: Vec<Kind>,
    frames_sent: u64,
    bytes_sent: u64,
    pings_sent: u32,
    pong_due: Option<u32>,
    pinged: bool,
    /// Bye has left, and nothing follows it.
    said_bye: bool,
    handshake_until: Option<Instant>,
    /// The peer is known to work on it.
    handshake_extended: bool,
    part_since: Option<Instant>,
}

impl Link {
    /// A link whose transport opened now; its handshake has [`HANDSHAKE_TIMEOUT`].
    pub fn new(bounds: Bounds, now: Instant) -> Self {
        Self {
            decoder: Decoder::default(),
            liveness: Liveness::new(bounds, now),
            control: Vec::new(),
            frames_sent: 0,
            bytes_sent: 0,
            pings_sent: 0,
            pong_due: None,
            pinged: false,
            said_bye: false,
            handshake_until: Some(now + HANDSHAKE_TIMEOUT),
            handshake_extended: false,
            part_since: None,
        }
    }

    /// The line's liveness.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// The line's liveness, for the owner's own events.
    pub fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// What went over it so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            frames_in: self.decoder.parts(),
            bytes_in: self.decoder.bytes(),
            frames_out: self.frames_sent,
            bytes_out: self.bytes_sent,
            pings_out: self.pings_sent,
        }
    }

    /// The handshake has until then, and not [`HANDSHAKE_TIMEOUT`]. (After a sleep it has that.)
    pub fn set_handshake_until(&mut self, until: Instant) {
        self.handshake_until = Some(until);
    }

    /// The handshake is over (or its clock does not count for now).
    pub fn end_handshake(&mut self) {
        self.handshake_until = None;
    }

    /// Takes bytes that arrived.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.liveness.handle_inbound(now);
        self.decoder.push(bytes);
    }

    /// The next frame for the owner; pings and pongs are dealt with here.
    pub fn next_frame(&mut self, now: Instant) -> Result<Option<Received>, LinkError> {
        let parts_before = self.decoder.parts();
        while let Some(received) = self.decoder.next_frame()? {
            match &received.kind {
                Kind::Ping(ping) => {
                    check_count(ping.frames_before, ping.bytes_before, &received)?;
                    self.pong_due = Some(ping.number);
                    self.pinged = true;
                }
                Kind::Pong(pong) => {
                    check_count(pong.frames_before, pong.bytes_before, &received)?;
                    let asked = self.liveness.handle_pong(pong.number, now);
                    if asked && !self.handshake_extended {
                        self.handshake_extended = true;
                        let more = HANDSHAKE_BUSY_TIMEOUT - HANDSHAKE_TIMEOUT;
                        self.handshake_until = self.handshake_until.map(|until| until + more);
                    }
                }
                _ => return Ok(Some(received)),
            }
        }
        // Each part has its time; so a frame comes at 500 B/s at least.
        let began = if self.decoder.parts() > parts_before { None } else { self.part_since };
        self.part_since = self.decoder.is_within_part().then(|| began.unwrap_or(now));
        Ok(None)
    }

    /// What the peer may have half sent on all lanes together.
    pub fn assembled_bytes_max(&self) -> u32 {
        self.decoder.assembled_bytes_max()
    }

    /// What the peer may have half sent on all lanes together, from now on.
    pub fn set_assembled_bytes_max(&mut self, bytes_max: u32) {
        self.decoder.set_assembled_bytes_max(bytes_max);
    }

    /// The peer has stored so much of the stream: what stood before a ping on a slow line is moving.
    pub fn handle_progress(&mut self, now: Instant) {
        self.liveness.handle_progress(now);
    }

    /// Whether a ping came since this was last asked.
    pub fn take_pinged(&mut self) -> bool {
        std::mem::take(&mut self.pinged)
    }

    /// Judges the deadlines that have come.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        let (deadline, timer) = self.poll_timeout();
        let late = now.since(deadline) > LATE;
        let verdict = match timer {
            Timer::Beat(_) => self.liveness.handle_timeout(now),
            Timer::Handshake | Timer::SlowFrame if late => self.liveness.wake(now),
            Timer::Handshake | Timer::SlowFrame => Verdict::Wait,
        };
        match verdict {
            Verdict::Dead { woke: true, .. } => return Err(LinkError::WokeFromSleep),
            Verdict::Dead { silent_for, woke: false } => return Err(LinkError::Silent { silent_for }),
            // What was slept through says nothing about the peer's other deadlines either.
            Verdict::Woke => {
                self.part_since = self.part_since.map(|_| now);
                self.handshake_until = self.handshake_until.map(|_| now + HANDSHAKE_TIMEOUT);
            }
            Verdict::Ping | Verdict::Wait => {}
        }
        if self.part_since.is_some_and(|since| now >= since + PART_TIMEOUT) {
            return Err(LinkError::SlowFrame);
        }
        if self.handshake_until.is_some_and(|until| now >= until) {
            return Err(LinkError::HandshakeTimeout);
        }
        Ok(())
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> (Instant, Timer) {
        let (at, beat) = self.liveness.poll_timeout();
        let mut next = (at, Timer::Beat(beat));
        if let Some(until) = self.handshake_until
            && until < next.0
        {
            next = (until, Timer::Handshake);
        }
        if let Some(since) = self.part_since
            && since + PART_TIMEOUT < next.0
        {
            next = (since + PART_TIMEOUT, Timer::SlowFrame);
        }
        next
    }

    /// Queues a control frame of the owner's; it leaves before any other lane. An `Ack` replaces one that waits.
    pub fn queue_control(&mut self, kind: Kind) {
        if matches!(kind, Kind::Ack(_)) {
            self.control.retain(|waiting| !matches!(waiting, Kind::Ack(_)));
        }
        // By construction an owner has no more than these at a time; a full list means its loop stands still, and
        // then the newest word matters more than the oldest.
        if self.control.len() == CONTROL_WAITING_MAX {
            self.control.remove(0);
        }
        self.control.push(kind);
    }

    /// Starts a filling of `out`: what is on the control lane.
    pub fn begin_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        for kind in std::mem::take(&mut self.control) {
            if !self.said_bye {
                self.said_bye = matches!(kind, Kind::Bye(_));
                self.send(now, kind, out);
            }
        }
        if self.said_bye {
            return;
        }
        if let Some(number) = self.pong_due.take() {
            let (frames_before, bytes_before) = (self.frames_sent, self.bytes_sent);
            self.send(now, Kind::Pong(Pong { number, frames_before, bytes_before }), out);
        }
        if self.liveness.is_ping_pending() {
            self.pings_sent = self.pings_sent.wrapping_add(1);
            let (frames_before, bytes_before) = (self.frames_sent, self.bytes_sent);
            self.send(now, Kind::Ping(Ping { number: self.pings_sent, frames_before, bytes_before }), out);
            self.liveness.handle_ping_sent(self.pings_sent, now);
        }
    }

    /// Appends a frame to what leaves now; returns its bytes on the wire.
    pub fn send(&mut self, now: Instant, kind: Kind, out: &mut Vec<u8>) -> u64 {
        let start = out.len();
        self.frames_sent += codec::encode_kind(kind, out);
        self.handle_appended(now, out.len() - start)
    }

    /// Appends the first part of a frame to what leaves now; returns the others. They leave with
    /// [`send_encoded`](Self::send_encoded), one at a time: what is long must not stand before a pong.
    pub fn send_first_part(&mut self, now: Instant, kind: Kind, out: &mut Vec<u8>) -> Vec<u8> {
        let start = out.len();
        codec::encode_kind(kind, out);
        let first_bytes = codec::first_part(&out[start..]).0.len();
        let rest = out.split_off(start + first_bytes);
        self.frames_sent += 1;
        self.handle_appended(now, first_bytes);
        rest
    }

    /// Appends frames that are encoded already, `parts` of them.
    pub fn send_encoded(&mut self, now: Instant, encoded: &[u8], parts: u64, out: &mut Vec<u8>) -> u64 {
        out.extend_from_slice(encoded);
        self.frames_sent += parts;
        self.handle_appended(now, encoded.len())
    }

    fn handle_appended(&mut self, now: Instant, bytes: usize) -> u64 {
        self.bytes_sent += bytes as u64;
        self.liveness.handle_outbound(now);
        bytes as u64
    }
}

fn check_count(frames: u64, bytes: u64, received: &Received) -> Result<(), LinkError> {
    if bytes != received.bytes_before {
        return Err(LinkError::Hole { sent: bytes, received: received.bytes_before });
    }
    if frames != received.frames_before {
        return Err(LinkError::Hole { sent: frames, received: received.frames_before });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Through;

    fn pair() -> (Link, Link) {
        let now = Instant::from_nanos(0);
        let bounds = |pinging| Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging };
        (Link::new(bounds(Pinging::Here { jitter_permille: 1_000 }), now), Link::new(bounds(Pinging::There), now))
    }

    fn carry(now: Instant, from: &mut Link, to: &mut Link) -> Result<Vec<Kind>, LinkError> {
        let mut bytes = Vec::new();
        from.begin_transmit(now, &mut bytes);
        to.handle_bytes(now, &bytes);
        let mut kinds = Vec::new();
        while let Some(received) = to.next_frame(now)? {
            kinds.push(received.kind);
        }
        Ok(kinds)
    }

    #[test]
    fn a_ping_is_answered_and_measures_the_round_trip() {
        let (mut client, mut server) = pair();
        let sent = Instant::from_nanos(1_000_000);
        client.liveness_mut().want_ping();
        assert_eq!(carry(sent, &mut client, &mut server), Ok(vec![]));
        let back = sent + Duration::from_millis(80);
        assert_eq!(carry(back, &mut server, &mut client), Ok(vec![]));
        assert_eq!(client.liveness().rtt().smoothed(), Some(Duration::from_millis(80)));
    }

    #[test]
    fn bytes_that_vanish_on_the_line_are_found_by_the_next_ping() {
        let (mut client, mut server) = pair();
        let now = Instant::from_nanos(1);
        let mut lost = Vec::new();
        client.send(now, Kind::Through(Through::default()), &mut lost);
        client.liveness_mut().want_ping();
        let found = carry(now, &mut client, &mut server);
        assert_eq!(found, Err(LinkError::Hole { sent: lost.len() as u64, received: 0 }));
    }

    #[test]
    fn nothing_follows_bye() {
        let (mut client, mut server) = pair();
        let now = Instant::from_nanos(1);
        client.liveness_mut().want_ping();
        assert_eq!(carry(now, &mut client, &mut server), Ok(vec![]));
        // A pong is due, a ping is wanted and an acknowledgement waits behind it.
        server.liveness_mut().want_ping();
        let bye = Kind::Bye(crate::wire::Bye::default());
        server.queue_control(bye.clone());
        server.queue_control(Kind::Ack(crate::wire::Ack::default()));
        assert_eq!(carry(now, &mut server, &mut client), Ok(vec![bye]));
        let mut later = Vec::new();
        server.begin_transmit(now, &mut later);
        assert_eq!((later, client.liveness().rtt().smoothed()), (vec![], None));
    }

    #[test]
    fn a_part_that_does_not_end_is_not_waited_for_without_end() {
        let (_, mut server) = pair();
        server.end_handshake();
        let mut now = Instant::from_nanos(0);
        server.handle_bytes(now, &[0xff]);
        assert_eq!(server.next_frame(now), Ok(None));
        for _ in 0..30 {
            assert_eq!(server.handle_timeout(now), Ok(()));
            now = now + Duration::from_secs(1);
            server.liveness_mut().handle_inbound(now);
        }
        assert_eq!(server.handle_timeout(now), Err(LinkError::SlowFrame));
    }

    #[test]
    fn a_handshake_has_ten_seconds() {
        let (mut client, _) = pair();
        assert_eq!(client.poll_timeout().1, Timer::Handshake);
        let late = Instant::from_nanos(0) + HANDSHAKE_TIMEOUT;
        assert_eq!(client.handle_timeout(late), Err(LinkError::HandshakeTimeout));
    }
}

//! A line between a device and the server: two pipes of bytes in flight, late, in pieces, and cut at any byte.

use std::collections::VecDeque;

use steadfast_proto::time::{Duration, Instant};

use super::tap::Tap;
use super::versions::Newer;
use crate::random::Random;

/// A transport connection.
#[derive(Debug)]
pub struct Line {
    /// Whose.
    pub device: usize,
    /// To the server.
    pub up: Pipe,
    /// To the device.
    pub down: Pipe,
    /// Nothing was done to it, or to what it runs through, since then.
    pub disturbed_until: Instant,
    /// When it stopped carrying, one way or both.
    pub dead_since: Option<Instant>,
    /// Chance of this line alone.
    pub random: Random,
    /// When the server heard of the device last.
    pub heard: Instant,
    /// What the server's end and the device's end send.
    pub(super) taps: [Tap; 2],
    /// What makes the words of the device's end, and of the server's, those of a newer version.
    pub(super) newer: [Option<Newer>; 2],
}

impl Line {
    /// What an end of a newer version would send in place of this; nothing, if it is of today.
    pub(super) fn rewrite(&mut self, up: bool, bytes: &[u8]) -> Option<Vec<u8>> {
        self.newer[usize::from(!up)].as_mut().map(|newer| newer.rewrite(bytes))
    }
}

/// What arrives.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// The connection ended in good order, or was thrown away.
    End {
        /// It was thrown away.
        reset: bool,
    },
}

/// One direction.
#[derive(Debug)]
pub struct Pipe {
    in_flight: VecDeque<(Instant, Piece)>,
    bytes: usize,
    capacity: usize,
    bytes_per_second: Option<u64>,
    /// When the last byte that waits for its turn will have left.
    idle_from: Instant,
    last_arrival: Instant,
    last_pushed: Instant,
    stalled_until: Option<Instant>,
    /// Nothing that is pushed from now on arrives.
    dead: bool,
    carried: u64,
    spoil: Option<Spoil>,
}

/// What is done to the bytes that are pushed next.
#[derive(Clone, Copy, Debug)]
pub enum Spoil {
    /// A bit of them flips.
    Flip,
    /// So many of them are missing.
    Drop(usize),
}

impl Pipe {
    /// An empty one.
    pub fn new(capacity: usize, bytes_per_second: Option<u64>, now: Instant) -> Self {
        Self {
            in_flight: VecDeque::new(),
            bytes: 0,
            capacity,
            bytes_per_second,
            idle_from: now,
            last_arrival: now,
            last_pushed: now,
            stalled_until: None,
            dead: false,
            carried: 0,
            spoil: None,
        }
    }

    /// Whether the driver would add more: not what the line carries in a second is under way, as in `net::Driver`.
    pub fn has_room(&self) -> bool {
        const UNDER_WAY_BYTES: u64 = 16 * 1024;
        let is_full = |rate: u64| self.bytes as u64 > rate.max(UNDER_WAY_BYTES);
        self.bytes < self.capacity && !self.bytes_per_second.is_some_and(is_full)
    }

    /// What the sender's system can tell of a line that has a rate: bytes that have not arrived, and the rate.
    pub fn line(&self) -> Option<(u64, Option<u64>)> {
        let arrived = self.carried - self.bytes as u64;
        self.bytes_per_second.map(|rate| (self.bytes as u64, Some(rate).filter(|_| arrived > 0)))
    }

    /// What leaves at once. On a line that has a rate the first bytes of what is sent arrive before the last have left.
    pub fn segment_bytes_max(&self) -> usize {
        const SEGMENT_BYTES: usize = 1_460;
        self.bytes_per_second.map_or(usize::MAX, |_| SEGMENT_BYTES)
    }

    /// Bytes that left.
    pub fn carried(&self) -> u64 {
        self.carried
    }

    /// Bytes that left and have not arrived.
    pub fn in_flight(&self) -> usize {
        self.bytes
    }

    /// Sends bytes. Gives what kind of fault was done to them on the way.
    pub fn push(&mut self, now: Instant, latency: Duration, bytes: &[u8], random: &mut Random) -> Option<&'static str> {
        self.bytes += bytes.len();
        self.carried += bytes.len() as u64;
        self.last_pushed = now;
        let left = match self.bytes_per_second {
            None => now,
            Some(rate) => {
                let takes = Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / rate);
                self.idle_from = self.idle_from.max(now) + takes;
                self.idle_from
            }
        };
        if self.dead {
            return None;
        }
        let mut bytes = bytes.to_vec();
        let spoilt = self.spoil.take().map(|spoil| spoil.apply(&mut bytes, random));
        if bytes.is_empty() {
            return spoilt;
        }
        self.put(left + latency, Piece::Bytes(bytes));
        spoilt
    }

    /// The bytes that are pushed next do not arrive as they are.
    pub fn spoil(&mut self, spoil: Spoil) {
        self.spoil = Some(spoil);
    }

    /// Nothing arrives before then; nothing is lost.
    pub fn stall(&mut self, until: Instant) {
        self.stalled_until = Some(until);
    }

    /// How long ago something was sent last.
    pub fn quiet_for(&self, now: Instant) -> Duration {
        now.since(self.last_pushed)
    }

    /// The sender closes it, or throws it away.
    pub fn end(&mut self, at: Instant, reset: bool) {
        if !self.dead {
            self.put(at, Piece::End { reset });
            self.dead = true;
        }
    }

    /// Some first bytes of what is in flight still arrive, then nothing does; the receiver of a loud cut is told. What
    /// waits for its turn on a line that has a rate stands before the cut: none of it arrives. Gives whether it lived.
    pub fn cut(&mut self, now: Instant, loud: bool, random: &mut Random) -> bool {
        if self.dead {
            return false;
        }
        let mut left = if self.bytes_per_second.is_some() { 0 } else { random.below(self.bytes + 1) };
        let in_flight = std::mem::take(&mut self.in_flight);
        for (at, piece) in in_flight {
            match piece {
                Piece::Bytes(mut bytes) if left > 0 => {
                    bytes.truncate(left);
                    left -= bytes.len();
                    self.in_flight.push_back((at, Piece::Bytes(bytes)));
                }
                Piece::Bytes(_) | Piece::End { .. } => {}
            }
        }
        if loud {
            self.put(now, Piece::End { reset: true });
        }
        self.dead = true;
        true
    }

    /// When the next piece is there.
    pub fn next_arrival(&self) -> Option<Instant> {
        let &(at, _) = self.in_flight.front()?;
        Some(self.stalled_until.map_or(at, |until| until.max(at)))
    }

    /// The next piece, if it is there, and whether a stall held it.
    pub fn take(&mut self, now: Instant) -> Option<(Piece, bool)> {
        if self.next_arrival().is_none_or(|at| at > now) {
            return None;
        }
        let (at, piece) = self.in_flight.pop_front()?;
        let held = self.stalled_until.is_some_and(|until| at < until);
        if let Piece::Bytes(bytes) = &piece {
            self.bytes = self.bytes.saturating_sub(bytes.len());
        }
        Some((piece, held))
    }

    fn put(&mut self, at: Instant, piece: Piece) {
        self.last_arrival = self.last_arrival.max(at);
        self.in_flight.push_back((self.last_arrival, piece));
    }
}

impl Spoil {
    /// Does it to bytes that are not none, and says what kind of fault it is.
    fn apply(self, bytes: &mut Vec<u8>, random: &mut Random) -> &'static str {
        match self {
            Spoil::Flip => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                "bit flipped"
            }
            Spoil::Drop(count) => {
                let from = random.below(bytes.len());
                let to = (from + count).min(bytes.len());
                bytes.drain(from..to);
                "hole on the line"
            }
        }
    }
}

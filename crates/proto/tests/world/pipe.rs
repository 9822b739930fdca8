//! One direction of a line: bytes in flight, late, in pieces, and cut at any byte.

use std::collections::VecDeque;

use steadfast_proto::time::{Duration, Instant};

use crate::random::Random;

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// The connection ended in good order, or was thrown away.
    End {
        reset: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Pipe {
    in_flight: VecDeque<(Instant, Piece)>,
    bytes: usize,
    capacity: usize,
    bytes_per_second: Option<u64>,
    /// When the last byte that waits for its turn will have left.
    idle_from: Instant,
    last_arrival: Instant,
    /// Nothing that is pushed from now on arrives.
    dead: bool,
    pub(crate) carried: u64,
}

impl Pipe {
    pub(crate) fn new(capacity: usize, bytes_per_second: Option<u64>, now: Instant) -> Self {
        Self {
            in_flight: VecDeque::new(),
            bytes: 0,
            capacity,
            bytes_per_second,
            idle_from: now,
            last_arrival: now,
            dead: false,
            carried: 0,
        }
    }

    /// Whether the driver would add more: not what the line carries in a second is under way, as in `net::Driver`.
    pub(crate) fn has_room(&self) -> bool {
        const UNDER_WAY_BYTES: u64 = 16 * 1024;
        let is_full = |rate: u64| self.bytes as u64 > rate.max(UNDER_WAY_BYTES);
        self.bytes < self.capacity && !self.bytes_per_second.is_some_and(is_full)
    }

    /// What the sender's system can tell of a line that has a rate: bytes that have not arrived, and the rate.
    pub(crate) fn line(&self) -> Option<(u64, Option<u64>)> {
        self.bytes_per_second.map(|rate| (self.bytes as u64, Some(rate).filter(|_| self.arrived() > 0)))
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.carried - self.bytes as u64
    }

    pub(crate) fn push(&mut self, now: Instant, latency: Duration, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.carried += bytes.len() as u64;
        let left = match self.bytes_per_second {
            None => now,
            Some(rate) => {
                let takes = Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / rate);
                self.idle_from = self.idle_from.max(now) + takes;
                self.idle_from
            }
        };
        if !self.dead {
            self.put(left + latency, Piece::Bytes(bytes.to_vec()));
        }
    }

    pub(crate) fn end(&mut self, at: Instant, reset: bool) {
        if !self.dead {
            self.put(at, Piece::End { reset });
            self.dead = true;
        }
    }

    /// Some first bytes of what is in flight still arrive, then nothing does; the receiver of a loud cut is told. What
    /// waits for its turn on a line that has a rate stands before the cut: none of it arrives.
    pub(crate) fn cut(&mut self, now: Instant, loud: bool, random: &mut Random) {
        if self.dead {
            return;
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
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.front().map(|&(at, _)| at)
    }

    pub(crate) fn take(&mut self, now: Instant) -> Option<Piece> {
        if self.next_arrival().is_none_or(|at| at > now) {
            return None;
        }
        let (_, piece) = self.in_flight.pop_front()?;
        if let Piece::Bytes(bytes) = &piece {
            self.bytes -= bytes.len();
        }
        Some(piece)
    }

    fn put(&mut self, at: Instant, piece: Piece) {
        self.last_arrival = self.last_arrival.max(at);
        self.in_flight.push_back((self.last_arrival, piece));
    }
}

/// How late a line is, and how finely it chops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

impl Latency {
    pub(crate) fn draw(self, random: &mut Random) -> Duration {
        random.ms(self.from_ms, self.to_ms)
    }
}

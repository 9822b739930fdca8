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
    last_arrival: Instant,
    /// Nothing that is pushed from now on arrives.
    dead: bool,
    pub(crate) carried: u64,
}

impl Pipe {
    pub(crate) fn new(capacity: usize, now: Instant) -> Self {
        Self { in_flight: VecDeque::new(), bytes: 0, capacity, last_arrival: now, dead: false, carried: 0 }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes < self.capacity
    }

    pub(crate) fn push(&mut self, at: Instant, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.carried += bytes.len() as u64;
        if !self.dead {
            self.put(at, Piece::Bytes(bytes.to_vec()));
        }
    }

    pub(crate) fn end(&mut self, at: Instant, reset: bool) {
        if !self.dead {
            self.put(at, Piece::End { reset });
            self.dead = true;
        }
    }

    /// Some first bytes of what is in flight still arrive, then nothing does; the receiver of a loud cut is told.
    pub(crate) fn cut(&mut self, now: Instant, loud: bool, random: &mut Random) {
        if self.dead {
            return;
        }
        let mut left = random.below(self.bytes + 1);
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

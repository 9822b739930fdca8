//! What a connection does with bytes that arrive: as much as it can without the hub, which all connections share.

use super::{Connection, Phase};
use crate::codec::Received;
use crate::hub::Hub;
use crate::link::LinkError;
use crate::time::Instant;
use crate::wire::ByeReason;

/// Frames that are handled in one go, while whoever else needs the hub waits.
const FRAMES_TAKEN_MAX: usize = 64;

/// Frames that came and are for the hub.
#[derive(Debug)]
pub struct Taken {
    frames: Vec<Received>,
    /// What is wrong with what came behind them.
    error: Option<LinkError>,
}

impl Connection {
    /// Bytes arrived: takes them in and handles them.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8], hub: &mut Hub) {
        self.receive(now, bytes);
        while let Some(taken) = self.take(now) {
            self.handle_taken(now, taken, hub);
        }
    }

    /// Bytes arrived: takes them in. Then [`take`](Self::take) until it gives nothing.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.link.handle_bytes(now, bytes);
    }

    /// The next frames for [`handle_taken`](Self::handle_taken), a bounded number. Pings and pongs are not among them:
    /// a client that sends nothing else, however fast, keeps nobody from the hub. `None` once all is handled.
    pub fn take(&mut self, now: Instant) -> Option<Taken> {
        let frames_max = match self.phase {
            Phase::Closed => return None,
            // What may follow depends on what Hello says.
            Phase::Fresh { .. } => 1,
            Phase::Greeting(_) | Phase::Diverged | Phase::Live(_) => FRAMES_TAKEN_MAX,
        };
        let mut frames = Vec::new();
        while frames.len() < frames_max {
            match self.link.next_frame(now) {
                Ok(Some(received)) => frames.push(received),
                Ok(None) => break,
                Err(error) => return Some(Taken { frames, error: Some(error) }),
            }
        }
        if frames.is_empty() {
            self.through_due |= self.link.take_pinged();
            self.settle_awaiting();
            return None;
        }
        Some(Taken { frames, error: None })
    }

    /// Handles frames that were taken.
    pub fn handle_taken(&mut self, now: Instant, taken: Taken, hub: &mut Hub) {
        for received in taken.frames {
            self.handle_frame(now, received.kind, received.wire_bytes, hub);
            if self.replies.as_ref().is_some_and(|replies| replies.is_overfull()) {
                self.say_bye(ByeReason::Overloaded, "more was asked for than is read", 1_000, hub);
            }
            if matches!(self.phase, Phase::Closed) {
                return;
            }
        }
        if let Some(error) = taken.error {
            self.fail(error, hub);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::hub::State;
    use crate::ids::LogId;
    use crate::time::Duration;
    use crate::wire::{Cancel, Hello, Ping, frame::Kind};

    fn connection() -> (Connection, Hub) {
        let second = Duration::from_secs(1);
        let connection = Connection::new(second, second, Instant::from_nanos(1));
        (connection, Hub::new(State::empty(LogId([7; 16])), 1))
    }

    fn bytes_of(kinds: impl IntoIterator<Item = Kind>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for kind in kinds {
            codec::encode_kind(kind, &mut bytes);
        }
        bytes
    }

    #[test]
    fn pings_however_many_ask_nothing_of_the_hub_and_are_answered() {
        let (mut connection, mut hub) = connection();
        let now = Instant::from_nanos(2);
        let mut bytes = Vec::new();
        for number in 0..1_000 {
            let bytes_before = bytes.len() as u64;
            let ping = Ping { number, frames_before: u64::from(number), bytes_before };
            codec::encode_kind(Kind::Ping(ping), &mut bytes);
        }
        connection.receive(now, &bytes);
        assert!(connection.take(now).is_none());
        let mut said = Vec::new();
        connection.poll_transmit(now, &mut hub, &mut said);
        assert!(!said.is_empty(), "the last one is answered");
    }

    #[test]
    fn frames_are_taken_a_bounded_number_at_a_time_and_what_is_wrong_behind_them_ends_the_link() {
        let (mut connection, mut hub) = connection();
        let now = Instant::from_nanos(2);
        let many = FRAMES_TAKEN_MAX * 2 + 1;
        let cancel = || Kind::Cancel(Cancel::default());
        let mut bytes = bytes_of([Kind::Hello(Hello::default())]);
        bytes.extend(bytes_of((0..many).map(|_| cancel())));
        bytes.extend([0; 8]);
        connection.receive(now, &bytes);
        let mut counts = Vec::new();
        while let Some(taken) = connection.take(now) {
            counts.push(taken.frames.len());
            connection.handle_taken(now, taken, &mut hub);
        }
        assert_eq!(counts, [1, FRAMES_TAKEN_MAX, FRAMES_TAKEN_MAX, 1]);
        assert!(matches!(connection.phase, Phase::Closed), "{:?}", connection.phase);
        connection.receive(now, &bytes);
        assert!(connection.take(now).is_none(), "nothing is heard any more");
    }
}

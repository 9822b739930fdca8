//! The entries lane: what a connection pulls from the hub, within the client's credit.

use bytes::Bytes;

use super::catchup::{self, Catchup};
use super::{Connection, Event, TRANSMIT_BYTES};
use crate::codec;
use crate::hub::{Hub, Pull, ReaderId};
use crate::time::Instant;
use crate::wire::{self, frame::Kind};

impl Connection {
    /// Appends what the reader may have, until `out` has enough since `start` or there is no more.
    pub(super) fn pull(&mut self, now: Instant, reader: ReaderId, hub: &mut Hub, out: &mut Vec<u8>, start: usize) {
        loop {
            while !self.rest.is_empty() && out.len() - start < TRANSMIT_BYTES {
                let (part, _) = codec::first_part(&self.rest);
                let part = self.rest.split_to(part.len());
                self.stream_sent += self.link.send_encoded(now, &part, 1, out);
                self.entries_sent += u64::from(self.rest.is_empty());
            }
            if !self.rest.is_empty() || out.len() - start >= TRANSMIT_BYTES {
                return;
            }
            self.rest = Bytes::new();
            let credit = u64::from(self.window_bytes).saturating_sub(self.stream_sent - self.stream_stored);
            let nothing_open = self.stream_sent == self.stream_stored;
            let fits = |unit: &Bytes| unit.len() as u64 <= credit || nothing_open;
            if let Some(catchup) = &mut self.catchup {
                match catchup.next_if(fits) {
                    catchup::Next::Unit(unit) => self.rest = unit,
                    catchup::Next::Enough { given_through } => {
                        // A reader that stalls costs its place, not what it could be given.
                        self.catchup = None;
                        hub.caught_up_to(reader, given_through);
                        return;
                    }
                    catchup::Next::Done { covered_through } => {
                        self.catchup = None;
                        hub.caught_up_to(reader, covered_through);
                    }
                    catchup::Next::Reading => return,
                }
                continue;
            }
            let mut taken = None;
            let pulled = hub.pull(reader, |unit| {
                let take = taken.is_none() && fits(unit);
                if take {
                    taken = Some(unit.clone());
                }
                take
            });
            match (taken, pulled) {
                (Some(unit), _) => self.rest = unit,
                (None, Pull::Behind { rooms, after }) if rooms.is_empty() => hub.caught_up_to(reader, after),
                // Not before there is credit for a good part of what is read.
                (None, Pull::Behind { .. }) if !nothing_open && credit < u64::from(self.window_bytes / 2) => return,
                (None, Pull::Behind { rooms, after }) => {
                    self.catchup = Some(Box::new(Catchup::reading(after, hub.state().head())));
                    self.want(Event::ReadChunks { rooms, after });
                    return;
                }
                (None, Pull::Enough) => return,
                (None, Pull::CaughtUp) => return self.send_through(now, reader, hub, out),
            }
        }
    }

    /// Answers the Syncs whose head the reader has reached, and says on a quiet link how far the client has all.
    fn send_through(&mut self, now: Instant, reader: ReaderId, hub: &Hub, out: &mut Vec<u8>) {
        let position = hub.place(reader);
        while let Some(number) = self.replies.as_mut().and_then(|replies| replies.next_sync(position)) {
            let through = Kind::Through(wire::Through { position, number });
            self.stream_sent += self.link.send(now, through, out);
            self.through_told = position;
        }
        if std::mem::take(&mut self.through_due) && self.through_told < position {
            let through = Kind::Through(wire::Through { position, number: 0 });
            self.stream_sent += self.link.send(now, through, out);
            self.through_told = position;
        }
        if self.replies.as_ref().is_some_and(|replies| replies.is_empty()) {
            self.replies = None;
        }
    }
}

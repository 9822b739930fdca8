//! The flight recorder: what happened to the last link, and how the device came back from its loss. It watches and
//! decides nothing; bounded to two flights, the one under way and the one whose loss is not over, and to
//! the rooms of the account.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::reconnect::STABLE;
use super::{Event, Line, Session};
use crate::ids::RoomId;
use crate::link::Liveness;
use crate::time::{Duration, Instant};
use crate::wire::{self, entry::What, frame::Kind};

/// A link that was online, from its opening to the settling of what its loss left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Which link of this process it was, counted from 1.
    pub link: u64,
    /// When its transport opened.
    pub opened: Instant,
    /// When the server had welcomed it.
    pub online: Instant,
    /// How it ended, once it has.
    pub loss: Option<Loss>,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When it was known.
    pub at: Instant,
    /// Why.
    pub cause: Cause,
    /// When the last byte had come in.
    pub last_inbound: Instant,
    /// When the first ping of the final silence left; absent if none did.
    pub suspected: Option<Instant>,
    /// How many pings had no answer.
    pub pings: u32,
    /// The silence that would have meant death then.
    pub bound: Duration,
    /// Tries since then that failed.
    pub tries_failed: u32,
    /// Why the last of them failed.
    pub last_failure: Option<Cause>,
    /// The return, once there was one.
    pub back: Option<Return>,
}

/// How a device came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// When the server had welcomed the next link.
    pub at: Instant,
    /// Messages of others that had been missed and came since.
    pub caught_up: u64,
    /// Operations of this device that were settled since.
    pub sent: u64,
    /// When all that was missed was here and the outbox empty; or, where the outbox never empties, when the new link
    /// had proved itself.
    pub settled: Option<Instant>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    opened: Option<(u64, Instant)>,
    /// The link that is online.
    flight: Option<Flight>,
    /// The last one that was lost, until its return has settled.
    lost: Option<Flight>,
    /// The rooms that had something when the present link began, each with its head then; one that is reached goes.
    missed: BTreeMap<RoomId, u64>,
    /// Whether all of these have been named.
    missed_named: bool,
}

impl Recorder {
    pub(super) fn handle_opened(&mut self, link: u64, now: Instant) {
        self.opened = Some((link, now));
    }

    /// The server welcomed the link. Gives what is worth keeping now.
    pub(super) fn handle_online(&mut self, now: Instant) -> Vec<Flight> {
        self.missed.clear();
        self.missed_named = false;
        let mut kept = Vec::new();
        if let Some(flight) = &mut self.lost
            && let Some(loss) = &mut flight.loss
        {
            loss.back = Some(Return { at: now, caught_up: 0, sent: 0, settled: None });
            kept.push(flight.clone());
        }
        if let Some((link, opened)) = self.opened {
            let flight = Flight { link, opened, online: now, loss: None };
            kept.push(flight.clone());
            self.flight = Some(flight);
        }
        kept
    }

    /// A link or a try ended.
    pub(super) fn handle_lost(&mut self, now: Instant, cause: &Cause, link: Option<&Liveness>) -> Option<Flight> {
        self.opened = None;
        let (Some(mut flight), Some(line)) = (self.flight.take(), link) else { return self.handle_failed(cause) };
        flight.loss = Some(Loss {
            at: now,
            cause: cause.clone(),
            last_inbound: line.last_inbound(),
            suspected: line.suspected_since(),
            pings: u32::try_from(line.pings_unanswered()).unwrap_or(u32::MAX),
            bound: line.bound_in_force(),
            tries_failed: 0,
            last_failure: None,
            back: None,
        });
        self.lost = Some(flight);
        self.lost.clone()
    }

    fn handle_failed(&mut self, cause: &Cause) -> Option<Flight> {
        // What the user ended has not failed.
        if *cause == Cause::StoppedByUser {
            return None;
        }
        let flight = self.lost.as_mut()?;
        let loss = flight.loss.as_mut().filter(|loss| loss.back.is_none())?;
        loss.tries_failed = loss.tries_failed.saturating_add(1);
        loss.last_failure = Some(cause.clone());
        Some(flight.clone())
    }

    /// Rooms that had something when the link began.
    fn handle_heads(&mut self, heads: &wire::Heads) {
        if self.is_settling() {
            self.missed.extend(heads.rooms.iter().map(|head| (RoomId(head.room), head.room_sequence)));
            self.missed_named = !heads.more;
        }
    }

    /// An entry came; `ends` if nothing more of its room will.
    fn handle_entry(&mut self, entry: &wire::Entry, counts: bool, ends: bool) {
        let Some(&head) = self.missed.get(&RoomId(entry.room)) else { return };
        if counts
            && entry.room_sequence <= head
            && let Some(back) = self.back_mut()
        {
            back.caught_up += 1;
        }
        if ends || entry.room_sequence >= head {
            self.missed.remove(&RoomId(entry.room));
        }
    }

    /// So many operations of this device were settled.
    pub(super) fn handle_settled(&mut self, operations: u64) {
        if let Some(back) = self.back_mut() {
            back.sent += operations;
        }
    }

    /// All that came is stored; the outbox is empty, or not.
    fn handle_stored(&mut self, now: Instant, outbox_empty: bool) -> Option<Flight> {
        let caught_up = self.missed_named && self.missed.is_empty();
        let back = self.back_mut()?;
        if !caught_up || !outbox_empty && now.since(back.at) < STABLE {
            return None;
        }
        back.settled = Some(now);
        self.lost.take()
    }

    /// Whether a return is under way.
    fn is_settling(&self) -> bool {
        self.lost.as_ref().and_then(|flight| flight.loss.as_ref()).is_some_and(|loss| loss.back.is_some())
    }

    fn back_mut(&mut self) -> Option<&mut Return> {
        self.lost.as_mut()?.loss.as_mut()?.back.as_mut()
    }
}

impl Session {
    pub(super) fn record(&mut self, flights: impl IntoIterator<Item = Flight>) {
        self.events.extend(flights.into_iter().map(|flight| Event::Recorded(Box::new(flight))));
    }

    /// A link, or a try to have one, ended.
    pub(super) fn record_loss(&mut self, now: Instant, cause: &Cause) {
        let line = match &self.line {
            Line::Up(up) => Some(up.link.liveness()),
            Line::Connecting => None,
            Line::Offline { .. } | Line::Asking | Line::Stopped => return,
        };
        let lost = self.recorder.handle_lost(now, cause, line);
        self.record(lost);
    }

    /// What the recorder counts of the entries lane.
    pub(super) fn record_arrival(&mut self, kind: &Kind) {
        let own = self.known.account.0;
        match kind {
            Kind::Heads(heads) => {
                self.recorder.handle_heads(heads);
                self.catch_up.handle_heads(heads, &self.known);
            }
            Kind::Entry(entry) => {
                let counts = entry.account != own && matches!(entry.what, Some(What::Message(_)));
                let ends = matches!(&entry.what, Some(What::Left(left)) if left.account == own);
                self.recorder.handle_entry(entry, counts, ends);
                self.catch_up.handle_entry(entry, ends);
            }
            Kind::Through(_) => self.catch_up.handle_through(),
            _ => {}
        }
    }

    pub(super) fn settle_flight(&mut self, now: Instant) {
        if self.recorder.is_settling() && self.intake.is_idle() {
            let settled = self.recorder.handle_stored(now, self.outbox.is_empty());
            self.record(settled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{ACTIVE_BOUND, Bounds, IDLE_BOUND, Pinging};

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(0) + Duration::from_millis(ms)
    }

    fn line(last_inbound_ms: u64, ping_ms: Option<u64>) -> Liveness {
        let pinging = Pinging::Here { jitter_permille: 1_000 };
        let bounds = Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging };
        let mut line = Liveness::new(bounds, at(0));
        line.handle_inbound(at(last_inbound_ms));
        if let Some(ms) = ping_ms {
            line.handle_ping_sent(1, at(ms));
        }
        line
    }

    fn heads(rooms: &[(u64, u64)], more: bool) -> wire::Heads {
        let head = |&(room, room_sequence)| wire::Head { room, room_sequence, ..wire::Head::default() };
        wire::Heads { as_of: 100, rooms: rooms.iter().map(head).collect(), more }
    }

    fn entry(room: u64, room_sequence: u64) -> wire::Entry {
        wire::Entry { room, room_sequence, ..wire::Entry::default() }
    }

    #[test]
    fn a_loss_tells_when_the_silence_began_what_was_tried_and_what_the_return_brought() {
        let mut recorder = Recorder::default();
        recorder.handle_opened(1, at(0));
        let began = recorder.handle_online(at(40));
        assert_eq!(began, [Flight { link: 1, opened: at(0), online: at(40), loss: None }]);

        let silent = Cause::Silent { for_ms: 3_000 };
        let flight = recorder.handle_lost(at(9_000), &silent, Some(&line(6_000, Some(6_250)))).expect("it was online");
        let loss = flight.loss.expect("it is lost");
        assert_eq!((loss.last_inbound, loss.suspected, loss.pings), (at(6_000), Some(at(6_250)), 1));
        assert_eq!((loss.at, loss.cause, loss.bound), (at(9_000), silent, ACTIVE_BOUND));

        recorder.handle_lost(at(9_100), &Cause::Refused, None);
        recorder.handle_opened(2, at(13_000));
        recorder.handle_online(at(13_100));
        recorder.handle_heads(&heads(&[(7, 20), (8, 3)], true));
        recorder.handle_heads(&heads(&[(9, 40)], false));
        recorder.handle_settled(1);
        for (room, sequence) in [(7, 19), (7, 20), (9, 40), (7, 21)] {
            recorder.handle_entry(&entry(room, sequence), true, false);
        }
        assert_eq!(recorder.handle_stored(at(13_200), true), None, "room 8 is missing still");
        recorder.handle_entry(&entry(8, 2), false, true);
        assert_eq!(recorder.handle_stored(at(13_300), false), None, "the outbox is not empty");
        let flight = recorder.handle_stored(at(13_400), true).expect("settled");
        let loss = flight.loss.expect("it was lost");
        assert_eq!((loss.tries_failed, loss.last_failure), (1, Some(Cause::Refused)));
        let back = Return { at: at(13_100), caught_up: 3, sent: 1, settled: Some(at(13_400)) };
        assert_eq!(loss.back, Some(back));
    }

    #[test]
    fn a_sender_whose_outbox_never_empties_is_back_all_the_same_once_its_link_has_proved_itself() {
        let mut recorder = Recorder::default();
        recorder.handle_opened(1, at(0));
        recorder.handle_online(at(0));
        recorder.handle_lost(at(1_000), &Cause::Reset, Some(&line(900, None)));
        recorder.handle_opened(2, at(2_000));
        recorder.handle_online(at(2_000));
        recorder.handle_heads(&heads(&[], false));
        assert_eq!(recorder.handle_stored(at(11_999), false), None);
        assert!(recorder.handle_stored(at(12_000), false).is_some());
    }

    #[test]
    fn a_try_that_fails_before_there_ever_was_a_link_is_no_loss() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.handle_lost(at(5), &Cause::Refused, None), None);
    }

    #[test]
    fn a_link_that_is_lost_before_the_last_return_settled_begins_a_loss_of_its_own() {
        let mut recorder = Recorder::default();
        for link in 1..=2 {
            recorder.handle_opened(link, at(link * 1_000));
            recorder.handle_online(at(link * 1_000));
            let flight = recorder.handle_lost(at(link * 1_000 + 500), &Cause::Reset, Some(&line(0, None)));
            assert_eq!(flight.map(|flight| flight.link), Some(link));
        }
    }
}

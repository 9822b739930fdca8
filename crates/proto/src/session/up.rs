//! The client's side of one link: the handshake, what was taken in on it, what goes out. Dies with the link.

use bytes::Bytes;

use super::cause::ProtocolFault;
use super::intake::Intake;
use super::known::Known;
use super::outbox::Outbox;
use super::requests::Requests;
use super::{Cause, Change, Settings, divergence};
use crate::codec;
use crate::features;
use crate::ids::{AccountId, LogId, RoomId, Term};
use crate::link::{Bounds, Link, Pinging};
use crate::time::{Instant, wire_ms};
use crate::wire::{self, entry::What, frame::Kind};

/// What one call of `transmit` gives, about.
const TRANSMIT_BYTES: usize = 16 * 1024;
/// What may leave before the server has welcomed us, besides Hello.
const FIRST_FLIGHT_BYTES_MAX: u64 = 64 * 1024;
/// The smallest window that a server grants.
const WINDOW_BYTES_MIN: u32 = 16 * 1024;
/// The versions of the protocol that this client speaks.
const VERSION_MIN: u32 = 1;
const VERSION_MAX: u32 = 1;

/// The optional features that this client knows.
const FEATURES: u64 = features::PEOPLE;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Hello has not left yet.
    Fresh,
    /// Hello has left, and the outbox behind it.
    Greeting,
    /// Welcomed.
    Live,
    /// The histories parted; ours goes back before the link goes on.
    GoingBack,
}

#[derive(Debug)]
pub(super) struct Up {
    pub(super) link: Link,
    pub(super) number: u64,
    pub(super) phase: Phase,
    /// The optional features in force.
    features: u64,
    /// Bytes of the entries lane taken in, and those of them that were acknowledged.
    stream_bytes: u64,
    acknowledged: u64,
    /// What the server may have sent beyond them.
    window_bytes: u64,
    /// Heads of a new device, until the last frame of them.
    first_heads: Option<Vec<wire::Head>>,
    first_flight_bytes: u64,
    /// The parts of an operation that have not left.
    op_rest: Bytes,
    go_on: Option<wire::Continue>,
    /// The last operation of this device that the server had when it welcomed us.
    pub(super) last_sequence: Option<u64>,
    /// The server decides no operation of this link any more.
    pub(super) settled: bool,
    /// What waits is to get other numbers: no operation leaves under those that it has.
    pub(super) listens_only: bool,
}

impl Up {
    pub(super) fn new(number: u64, settings: &Settings, jitter_permille: u16, now: Instant) -> Self {
        let bounds = Bounds {
            active_bound: settings.active_bound,
            idle_bound: settings.idle_bound,
            pinging: Pinging::Here { jitter_permille },
        };
        Self {
            link: Link::new(bounds, now),
            number,
            phase: Phase::Fresh,
            features: 0,
            stream_bytes: 0,
            acknowledged: 0,
            window_bytes: settings.window_bytes.max(WINDOW_BYTES_MIN).into(),
            first_heads: None,
            first_flight_bytes: 0,
            op_rest: Bytes::new(),
            go_on: None,
            last_sequence: None,
            settled: false,
            listens_only: false,
        }
    }

    /// Welcomed, and not lost since.
    pub(super) fn is_online(&self) -> bool {
        match self.phase {
            Phase::Live | Phase::GoingBack => true,
            Phase::Fresh | Phase::Greeting => false,
        }
    }

    /// Whether the server knows of members, rooms and signals. Ask of a link that is online.
    pub(super) fn has_people(&self) -> bool {
        self.features & features::PEOPLE != 0
    }

    /// Whether what the session has to say of people may leave now: never between the parts of an operation.
    pub(super) fn may_tell_people(&self) -> bool {
        self.has_people() && self.may_request() && self.op_rest.is_empty()
    }

    pub(super) fn acknowledge(&mut self, position: u64, stream_bytes: u64) {
        self.acknowledged = stream_bytes;
        self.link.queue_control(Kind::Ack(wire::Ack { position, stream_bytes }));
    }

    /// Our history went back to the position; the link goes on.
    pub(super) fn go_on(&mut self, position: u64, confirmed_through: u64) {
        if self.phase == Phase::GoingBack {
            self.go_on = Some(wire::Continue { position, confirmed_through });
            self.phase = Phase::Live;
        }
    }

    pub(super) fn transmit(
        &mut self,
        now: Instant,
        known: &Known,
        settings: &Settings,
        outbox: &mut Outbox,
        requests: &mut Requests,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        if self.phase == Phase::Fresh {
            let hello = self.hello(known, settings, outbox.confirmed_through());
            self.link.send(now, hello, out);
            self.phase = Phase::Greeting;
            // Hello wants an answer like any send.
            self.link.liveness_mut().handle_sent_awaiting(now);
        }
        self.link.begin_transmit(now, out);
        self.transmit_rest(now, start, out);
        // A frame that has begun ends before another one of its lane begins.
        if !self.op_rest.is_empty() {
            return;
        }
        if let Some(go_on) = self.go_on.take() {
            self.link.send(now, Kind::Continue(go_on), out);
        }
        while self.may_request() && out.len() - start < TRANSMIT_BYTES {
            let Some(request) = requests.poll_send() else { break };
            self.link.send(now, request, out);
        }
        while self.may_operate() && out.len() - start < TRANSMIT_BYTES {
            let room = match self.phase {
                Phase::Greeting => FIRST_FLIGHT_BYTES_MAX.saturating_sub(self.first_flight_bytes),
                Phase::Fresh | Phase::Live | Phase::GoingBack => u64::MAX,
            };
            let Some(op) = outbox.poll_send(now, room) else { break };
            let before = out.len();
            self.op_rest = self.link.send_first_part(now, op, out).into();
            if self.phase == Phase::Greeting {
                self.first_flight_bytes += (out.len() - before + self.op_rest.len()) as u64;
            }
            self.transmit_rest(now, start, out);
        }
    }

    fn transmit_rest(&mut self, now: Instant, start: usize, out: &mut Vec<u8>) {
        while !self.op_rest.is_empty() && out.len() - start < TRANSMIT_BYTES {
            let length = codec::first_part(&self.op_rest).0.len();
            self.link.send_encoded(now, &self.op_rest.split_to(length), 1, out);
        }
    }

    pub(super) fn handle_welcome(
        &mut self,
        welcome: &wire::Welcome,
        known: &mut Known,
        intake: &mut Intake,
    ) -> Result<(), Cause> {
        if self.phase != Phase::Greeting {
            return Err(broken("Welcome came at the wrong time"));
        }
        if !(VERSION_MIN..=VERSION_MAX).contains(&welcome.version) {
            return Err(Cause::VersionUnsupported);
        }
        let log_id = LogId::from_wire(&welcome.log_id).ok_or(broken("a log id has 16 bytes"))?;
        if known.log_id.is_some_and(|ours| ours != log_id) {
            return Err(Cause::AnotherServer);
        }
        let (term, account) = (Term(welcome.term), AccountId(welcome.account));
        known.log_id = Some(log_id);
        known.account = account;
        if known.terms.last().is_none_or(|&(last, _)| last != term) {
            known.terms.retain(|&(earlier, _)| earlier != term);
            known.terms.push((term, 0));
        }
        if known.place.is_none() {
            self.first_heads = Some(Vec::new());
        }
        self.phase = Phase::Live;
        self.last_sequence = Some(welcome.last_sequence);
        self.features = welcome.features & FEATURES;
        self.link.end_handshake();
        intake.push(Change::Welcomed { log_id, term, account, name: welcome.name.clone() });
        Ok(())
    }

    pub(super) fn handle_diverged(
        &mut self,
        diverged: &wire::Diverged,
        known: &Known,
        intake: &mut Intake,
    ) -> Result<(), Cause> {
        if self.phase != Phase::Live || self.stream_bytes > 0 {
            return Err(broken("Diverged came at the wrong time"));
        }
        let common = divergence::common_position(&known.terms, &diverged.terms, diverged.head);
        self.phase = Phase::GoingBack;
        intake.push(Change::Diverged { common, last_sequence: diverged.last_sequence });
        Ok(())
    }

    /// Whether a frame may come now, before anything is made of it: who has not welcomed us may be anybody, and who has
    /// another history has nothing to say of ours.
    pub(super) fn check_time(&self, kind: &Kind) -> Result<(), Cause> {
        let early = match self.phase {
            Phase::Live => false,
            Phase::Fresh | Phase::Greeting => !matches!(kind, Kind::Welcome(_) | Kind::Bye(_)),
            Phase::GoingBack => !matches!(kind, Kind::Bye(_)),
        };
        if early { Err(broken("a frame came before its time")) } else { Ok(()) }
    }

    /// Whether a frame of the ordered lane may come now.
    pub(super) fn check_stream(&self, kind: &Kind, wire_bytes: u64, known: &Known) -> Result<(), Cause> {
        match kind {
            Kind::Entry(entry) => {
                let unacknowledged = self.stream_bytes.saturating_sub(self.acknowledged);
                if unacknowledged > 0 && unacknowledged + wire_bytes > self.window_bytes {
                    return Err(broken("more entries came than the window takes"));
                }
                check_order(entry, known)
            }
            _ => Ok(()),
        }
    }

    /// A frame of the ordered lane that was checked; gives the number of the request that it answers.
    pub(super) fn handle_stream(
        &mut self,
        kind: Kind,
        wire_bytes: u64,
        known: &mut Known,
        intake: &mut Intake,
    ) -> Result<Option<u32>, Cause> {
        self.stream_bytes += wire_bytes;
        let mut answered = None;
        match kind {
            Kind::Heads(heads) => self.handle_heads(heads, known, intake),
            Kind::Entry(entry) => {
                follow(&entry, known);
                known.advance(entry.position);
                intake.push(Change::Entry(entry));
            }
            Kind::Through(through) => {
                if known.place.is_none_or(|place| place.position <= through.position) {
                    known.advance(through.position);
                    intake.push(Change::Through { position: through.position });
                }
                answered = Some(through.number).filter(|&number| number != 0);
            }
            // Nothing is retained for less than ever by version 1's servers; a hole that is told is still no order.
            Kind::Gap(gap) => {
                if let Some(last) = known.rooms.get_mut(&RoomId(gap.room)) {
                    *last = Some(gap.to_sequence);
                }
            }
            _ => return Err(broken("a frame came on the wrong lane")),
        }
        intake.handle_stream(self.number, self.stream_bytes);
        Ok(answered)
    }

    fn handle_heads(&mut self, heads: wire::Heads, known: &mut Known, intake: &mut Intake) {
        let Some(mut rooms) = self.first_heads.take() else { return };
        rooms.extend(heads.rooms);
        if heads.more {
            self.first_heads = Some(rooms);
            return;
        }
        known.rooms = rooms.iter().map(|head| (RoomId(head.room), Some(head.room_sequence))).collect();
        known.advance(heads.as_of);
        intake.push(Change::FirstHeads { as_of: heads.as_of, rooms });
    }

    fn may_operate(&self) -> bool {
        match self.phase {
            _ if self.listens_only => false,
            Phase::Live => true,
            Phase::Greeting => self.first_flight_bytes < FIRST_FLIGHT_BYTES_MAX,
            Phase::Fresh | Phase::GoingBack => false,
        }
    }

    pub(super) fn may_request(&self) -> bool {
        self.phase == Phase::Live
    }

    fn hello(&self, known: &Known, settings: &Settings, confirmed_through: u64) -> Kind {
        let place = |place: crate::ids::Place| wire::Place { position: place.position, term: place.term.0 };
        let identity = &known.identity;
        Kind::Hello(wire::Hello {
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            features: FEATURES,
            log_id: known.log_id.map_or_else(Default::default, |id| id.0.to_vec().into()),
            place: known.place.map(place),
            told: known.told.map(place),
            confirmed_through,
            credentials: Some(wire::Credentials {
                name: identity.name.clone(),
                device_id: identity.device_id.0.to_vec().into(),
                secret: identity.secret.to_vec().into(),
                account: identity.account.0,
            }),
            incarnation: Some(wire::Incarnation {
                process_start_ms: settings.process_start_ms,
                process: settings.process,
                link: self.number,
            }),
            idle_bound_ms: wire_ms(settings.idle_bound),
            active_bound_ms: wire_ms(settings.active_bound),
            pinger: wire::Pinger::Client.into(),
            window_bytes: settings.window_bytes,
            program: settings.program.clone(),
        })
    }
}

/// Positions rise, and a room's sequence is the last + 1, but where one's own membership begins.
fn check_order(entry: &wire::Entry, known: &Known) -> Result<(), Cause> {
    if known.place.is_none_or(|place| entry.position <= place.position) {
        return Err(broken("an entry came twice or out of order"));
    }
    let room = RoomId(entry.room);
    let begins = match &entry.what {
        Some(What::Joined(joined)) => [joined.account, joined.other].contains(&known.account.0),
        Some(What::DeviceAdded(_)) => room == known.account.room(),
        _ => false,
    };
    match known.rooms.get(&room) {
        Some(&Some(last)) if entry.room_sequence == last + 1 => Ok(()),
        Some(None) => Ok(()),
        None if begins => Ok(()),
        Some(Some(_)) | None => Err(Cause::Hole),
    }
}

/// The room's next entry is expected behind this one.
fn follow(entry: &wire::Entry, known: &mut Known) {
    let room = RoomId(entry.room);
    match &entry.what {
        // Should one's membership begin anew, it may do so anywhere behind this.
        Some(What::Left(left)) if left.account == known.account.0 => known.rooms.remove(&room),
        _ => known.rooms.insert(room, Some(entry.room_sequence)),
    };
}

fn broken(rule: &'static str) -> Cause {
    Cause::ProtocolError(ProtocolFault::Rule(rule))
}

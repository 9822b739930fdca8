//! A session, and the server's end of its line, at one moment.

use steadfast_proto::ids::{AccountId, DeviceId, LogId, RoomId, Term};
use steadfast_proto::link::{ACTIVE_BOUND, Bounds, IDLE_BOUND, Link, Pinging};
use steadfast_proto::session::cause::{Cause, ProtocolFault};
use steadfast_proto::session::{Change, Event, Identity, Load, Resume, Session, Settings, Stored};
use steadfast_proto::time::Instant;
use steadfast_proto::wire::{self, Entry, Op, RoomRef, entry::What, frame::Kind, op::Body, room_ref::By};

pub(crate) const START: Instant = Instant::from_nanos(1_000_000_000);
const LOG: LogId = LogId([7; 16]);
/// Whose client it is.
pub(crate) const ANN: u64 = 3;
/// The room that it is in; its last entry there has this sequence, and this is its place.
pub(crate) const ROOM: u64 = 9;
pub(crate) const ROOM_SEQUENCE: u64 = 4;
pub(crate) const PLACE: u64 = 20;

/// See the module's documentation.
pub(crate) struct Line {
    pub(crate) now: Instant,
    pub(crate) session: Session,
    pub(crate) server: Link,
    /// The load that it asked for and has not got.
    pub(crate) load: Option<Load>,
}

impl Line {
    /// It is connected, and its Hello has come.
    pub(crate) fn greeting() -> Self {
        let identity =
            Identity { name: "ann".to_owned(), device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(ANN) };
        let place = Some(steadfast_proto::ids::Place { position: PLACE, term: Term(5) });
        let resume = Resume {
            identity,
            log_id: Some(LOG),
            place,
            told: place,
            confirmed_through: 0,
            recounts: false,
            rooms: vec![(RoomId(ROOM), Some(ROOM_SEQUENCE))],
            terms: vec![(Term(5), PLACE)],
        };
        let bounds = Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging: Pinging::There };
        let (session, server) = (Session::new(Settings::default(), resume), Link::new(bounds, START));
        let mut line = Self { now: START, session, server, load: None };
        assert_eq!(line.answers(), []);
        assert!(matches!(line.carry().1[..], [Kind::Hello(_)]));
        line
    }

    /// It is welcomed.
    pub(crate) fn online() -> Self {
        let mut line = Self::greeting();
        line.say(welcome());
        assert_eq!(line.stored().len(), 1, "Welcome alone");
        line
    }

    /// It is welcomed, and these operations wait in its outbox.
    pub(crate) fn with_outbox(ops: Vec<Op>) -> Self {
        let mut line = Self::online();
        let load = line.load.take().expect("it asks for its outbox");
        line.session.handle_loaded(line.now, load.generation, ops, false);
        line
    }

    /// The server says this.
    pub(crate) fn say(&mut self, kind: Kind) {
        let mut bytes = Vec::new();
        self.server.send(self.now, kind, &mut bytes);
        self.session.handle_bytes(self.now, &bytes);
    }

    /// What the session lets out in one turn: its bytes, and the frames in it that are no pings.
    pub(crate) fn carry(&mut self) -> (usize, Vec<Kind>) {
        let mut bytes = Vec::new();
        self.session.poll_transmit(self.now, &mut bytes);
        self.server.handle_bytes(self.now, &bytes);
        let mut kinds = Vec::new();
        while let Some(received) = self.server.next_frame(self.now).expect("the client's frames are good") {
            kinds.push(received.kind);
        }
        (bytes.len(), kinds)
    }

    /// The requests that were answered since this was asked last; the shell does what else is to be done.
    pub(crate) fn answers(&mut self) -> Vec<u32> {
        let mut answers = Vec::new();
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connect => self.session.handle_opened(self.now),
                Event::Load(load) => self.load = Some(load),
                Event::Answered { number, .. } => answers.push(number),
                Event::Close | Event::StatusChanged | Event::Recorded(_) => {}
            }
        }
        answers
    }

    /// What is to be stored now; it is.
    pub(crate) fn stored(&mut self) -> Vec<Change> {
        let Some(batch) = self.session.poll_store(self.now) else { return Vec::new() };
        let outcomes = batch.iter().filter_map(|change| match change {
            Change::Outcome(outcome) => Some(outcome.sequence),
            _ => None,
        });
        let stored = Stored {
            position: self.session.status().position,
            confirmed_through: outcomes.max().unwrap_or(0),
            ..Stored::default()
        };
        self.session.handle_stored(self.now, &stored, None);
        batch
    }

    /// The rule that the server broke, if that is what the last line ended with.
    pub(crate) fn broken_rule(&self) -> Option<&'static str> {
        match self.session.status().cause {
            Some(Cause::ProtocolError(ProtocolFault::Rule(rule))) => Some(rule),
            _ => None,
        }
    }
}

pub(crate) fn welcome() -> Kind {
    let log_id = LOG.0.to_vec().into();
    Kind::Welcome(wire::Welcome { version: 1, features: 1, log_id, term: 5, account: ANN, ..wire::Welcome::default() })
}

pub(crate) fn op(sequence: u64, body_bytes: usize) -> Op {
    let room = Some(RoomRef { by: Some(By::Room(ROOM)) });
    let body = Body::Send(wire::Send { room, body: vec![b'x'; body_bytes].into(), content_type: String::new() });
    Op { sequence, id: sequence + 10, confirmed_through: 0, composed_at_ms: 0, body: Some(body) }
}

/// The n-th message of the room behind the place.
pub(crate) fn message(n: u64, body_bytes: usize) -> Kind {
    let what = What::Message(wire::Message { body: vec![b'm'; body_bytes].into(), content_type: String::new() });
    let (position, room_sequence) = (PLACE + n, ROOM_SEQUENCE + n);
    let (room, account, id) = (ROOM, ANN + 1, 1_000 + n);
    Kind::Entry(Entry { position, room, room_sequence, account, id, what: Some(what), ..Entry::default() })
}

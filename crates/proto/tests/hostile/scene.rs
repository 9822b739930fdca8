//! A server's core and the connections to it, without time.

use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::hub::connection::{Admission, Ending, Event, StoredChunk, check_hello};
use steadfast_proto::hub::{Answer, Connection, Draft, Hub, NewEntry, Origin, SignUp, State};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, Term};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, ByeReason, Op, RoomRef, frame::Kind, op::Body, room_ref::By};

pub(crate) const START: Instant = Instant::from_nanos(1_000_000_000);
/// Those who are there in every scene; others are numbered.
const NAMES: [&str; 2] = ["ann", "bob"];

/// A server's core with some people, and all that it has stored.
pub(crate) struct Scene {
    pub(crate) hub: Hub,
    log: Vec<NewEntry>,
}

impl Scene {
    pub(crate) fn set() -> Self {
        Self::with_rings(8 << 20)
    }

    pub(crate) fn with_rings(ring_bytes_max: usize) -> Self {
        let mut scene = Self { hub: Hub::new(State::empty(LogId([7; 16])), ring_bytes_max), log: Vec::new() };
        scene.batch(|draft| draft.open_term(Term(5)));
        (0..NAMES.len()).for_each(|person| scene.sign_up(person));
        scene
    }

    /// So many people, in a room of this name that the first one makes; and the room.
    pub(crate) fn crowd(people: usize, name: &str) -> (Self, u64) {
        let mut scene = Self::set();
        (NAMES.len()..people).for_each(|person| scene.sign_up(person));
        let room = scene.op(0, 1, enter(name)).room;
        for person in 1..people {
            assert_eq!(scene.op(person, 1, enter(name)).room, room);
        }
        (scene, room)
    }

    pub(crate) fn sign_up(&mut self, person: usize) {
        let (name, device_id, account) = (name(person), device(person), account(person));
        let sign_up = SignUp { name, device_id, secret_hash: [1; 32], account };
        self.batch(|draft| draft.sign_up(&sign_up)).expect("nobody has this name");
    }

    pub(crate) fn batch<T>(&mut self, decide: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let mut draft = self.hub.draft(1_000);
        let decided = decide(&mut draft);
        let changes = draft.finish();
        self.log.extend(changes.entries.iter().cloned());
        self.hub.commit(&changes);
        decided
    }

    /// The outcome of a person's next operation.
    pub(crate) fn op(&mut self, person: usize, sequence: u64, body: Body) -> wire::Outcome {
        let id = person as u64 * 1_000_000 + sequence + 1;
        let op = Op { sequence, id, confirmed_through: sequence - 1, composed_at_ms: 0, body: Some(body) };
        let origin = Origin { device: device(person), link: 900 + person as u64 };
        match self.batch(|draft| draft.apply(origin, &op)) {
            Answer::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn connect(&mut self, person: usize) -> Connection {
        self.greet(person, accepted())
    }

    pub(crate) fn greet(&mut self, person: usize, mut connection: Connection) -> Connection {
        self.admit(hello(person), account(person), &mut connection);
        connection
    }

    /// What somebody who says this is welcomed with, and is from then on.
    pub(crate) fn welcome(&mut self, hello: wire::Hello) -> wire::Welcome {
        let device_id = hello.credentials.as_ref().map(|credentials| credentials.device_id.clone());
        let person = (0..).find(|&person| device_id.as_deref() == Some(&device(person).0[..])).expect("it is known");
        let mut decoder = Decoder::default();
        decoder.push(&self.admit(hello, account(person), &mut accepted()));
        match decoder.next_frame().expect("our own frames are good").map(|received| received.kind) {
            Some(Kind::Welcome(welcome)) => welcome,
            other => panic!("{other:?}"),
        }
    }

    fn admit(&mut self, hello: wire::Hello, account: AccountId, connection: &mut Connection) -> Vec<u8> {
        connection.handle_bytes(START, &bytes_of(Kind::Hello(hello)), &mut self.hub);
        let Some(Event::Greeted(hello)) = connection.poll_event() else { panic!("not greeted") };
        let greeting = check_hello(&hello).expect("it is well formed");
        connection.handle_greeting(&hello, greeting, Duration::from_secs(3));
        let (admission, mut out) = (Admission { account, return_spread_ms: 0, now_ms: 0 }, Vec::new());
        connection.handle_admitted(START, &admission, &mut self.hub, &mut out);
        out
    }

    /// The stored entries from one position to another as one chunk.
    pub(crate) fn chunk(&self, from: u64, to: u64) -> StoredChunk {
        let entries = || self.log.iter().filter(|entry| (from..=to).contains(&entry.position));
        let frames: Vec<u8> = entries().flat_map(|entry| entry.unit.to_vec()).collect();
        StoredChunk { first_position: from, count: entries().count() as u32, frames: frames.into() }
    }

    /// What leaves when the socket takes all.
    pub(crate) fn drain(&mut self, connection: &mut Connection) -> Vec<Kind> {
        let (mut decoder, mut kinds) = (Decoder::default(), Vec::new());
        loop {
            let mut out = Vec::new();
            connection.poll_transmit(START, &mut self.hub, &mut out);
            if out.is_empty() {
                return kinds;
            }
            decoder.push(&out);
            while let Some(received) = decoder.next_frame().expect("our own frames are good") {
                kinds.push(received.kind);
            }
        }
    }
}

pub(crate) fn hello(person: usize) -> wire::Hello {
    wire::Hello {
        version_min: 1,
        version_max: 1,
        idle_bound_ms: 3_600_000,
        window_bytes: 65_536,
        credentials: Some(wire::Credentials {
            name: name(person),
            device_id: device(person).0.to_vec().into(),
            secret: vec![1; 32].into(),
            account: 0,
        }),
        incarnation: Some(wire::Incarnation { process_start_ms: 1, process: 1, link: 1 }),
        ..wire::Hello::default()
    }
}

pub(crate) fn accepted() -> Connection {
    Connection::new(Duration::from_secs(3), Duration::from_secs(15), START)
}

pub(crate) fn name(person: usize) -> String {
    NAMES.get(person).map_or_else(|| format!("p{person}"), |&name| name.to_owned())
}

pub(crate) fn device(person: usize) -> DeviceId {
    DeviceId((person as u128 + 1).to_be_bytes())
}

pub(crate) fn account(person: usize) -> AccountId {
    AccountId((1 << 48) + person as u64)
}

pub(crate) fn bytes_of(kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_kind(kind, &mut bytes);
    bytes
}

pub(crate) fn the_room(room: u64) -> Option<RoomRef> {
    Some(RoomRef { by: Some(By::Room(room)) })
}

pub(crate) fn enter(name: &str) -> Body {
    Body::Enter(wire::Enter { name: name.to_owned() })
}

pub(crate) fn send(room: u64, bytes: usize) -> Body {
    Body::Send(wire::Send { room: the_room(room), body: vec![0; bytes].into(), content_type: String::new() })
}

pub(crate) fn farewell(connection: &mut Connection) -> Option<ByeReason> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Close(Ending::Said { reason, .. }) => Some(reason),
        Event::Close(Ending::Found(error)) => Some(error.bye_reason()),
        _ => None,
    })
}

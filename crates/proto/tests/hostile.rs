//! A client that asks for more than it reads, sends half of what it begins, or wears a room out, has a bounded cost.

use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::hub::connection::{
    Admission, CLIENT_BYTES_MAX, Ending, Event, FRAME_BYTES, StoredChunk, check_hello,
};
use steadfast_proto::hub::{
    Answer, BODY_BYTES_MAX, CONTENT_TYPE_BYTES_MAX, Connection, Draft, Hub, NewEntry, Origin, SignUp, State,
};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, Term};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{
    self, ByeReason, HistoryPage, Op, Refusal, RoomRef, entry::What, frame::Kind, op::Body, room_ref::By,
};

const START: Instant = Instant::from_nanos(1_000_000_000);
const NAMES: [&str; 2] = ["ann", "bob"];

/// A server's core with two people, and all that it has stored.
struct Scene {
    hub: Hub,
    log: Vec<NewEntry>,
}

impl Scene {
    fn set() -> Self {
        Self::with_rings(8 << 20)
    }

    fn with_rings(ring_bytes_max: usize) -> Self {
        let mut scene = Self { hub: Hub::new(State::empty(LogId([7; 16])), ring_bytes_max), log: Vec::new() };
        scene.batch(|draft| draft.open_term(Term(5)));
        for (number, name) in NAMES.iter().enumerate() {
            let device_id = device(number);
            let account = account(number);
            let sign_up = SignUp { name: (*name).to_owned(), device_id, secret_hash: [1; 32], account };
            scene.batch(|draft| draft.sign_up(&sign_up)).expect("nobody has this name");
        }
        scene
    }

    fn batch<T>(&mut self, decide: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let mut draft = self.hub.draft(1_000);
        let decided = decide(&mut draft);
        let changes = draft.finish();
        self.log.extend(changes.entries.iter().cloned());
        self.hub.commit(&changes);
        decided
    }

    /// The outcome of a person's next operation.
    fn op(&mut self, person: usize, sequence: u64, body: Body) -> wire::Outcome {
        let id = person as u64 * 1_000_000 + sequence + 1;
        let op = Op { sequence, id, confirmed_through: sequence - 1, composed_at_ms: 0, body: Some(body) };
        let origin = Origin { device: device(person), link: 900 + person as u64 };
        match self.batch(|draft| draft.apply(origin, &op)) {
            Answer::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn connect(&mut self, person: usize) -> Connection {
        self.greet(person, accepted())
    }

    fn greet(&mut self, person: usize, mut connection: Connection) -> Connection {
        let hello = hello(person);
        connection.handle_bytes(START, &bytes_of(Kind::Hello(hello)), &mut self.hub);
        let Some(Event::Greeted(hello)) = connection.poll_event() else { panic!("not greeted") };
        let greeting = check_hello(&hello).expect("it is well formed");
        connection.handle_greeting(&hello, greeting, Duration::from_secs(3));
        let admission = Admission { account: account(person), return_spread_ms: 0, now_ms: 0 };
        connection.handle_admitted(START, &admission, &mut self.hub, &mut Vec::new());
        connection
    }

    /// The stored entries from one position to another as one chunk.
    fn chunk(&self, from: u64, to: u64) -> StoredChunk {
        let entries = || self.log.iter().filter(|entry| (from..=to).contains(&entry.position));
        let frames: Vec<u8> = entries().flat_map(|entry| entry.unit.to_vec()).collect();
        StoredChunk { first_position: from, count: entries().count() as u32, frames: frames.into() }
    }

    /// What leaves when the socket takes all.
    fn drain(&mut self, connection: &mut Connection) -> Vec<Kind> {
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

fn hello(person: usize) -> wire::Hello {
    wire::Hello {
        version_min: 1,
        version_max: 1,
        idle_bound_ms: 3_600_000,
        window_bytes: 65_536,
        credentials: Some(wire::Credentials {
            name: NAMES[person].to_owned(),
            device_id: device(person).0.to_vec().into(),
            secret: vec![1; 32].into(),
            account: 0,
        }),
        incarnation: Some(wire::Incarnation { process_start_ms: 1, process: 1, link: 1 }),
        ..wire::Hello::default()
    }
}

fn accepted() -> Connection {
    Connection::new(Duration::from_secs(3), Duration::from_secs(15), START)
}

fn device(person: usize) -> DeviceId {
    DeviceId([person as u8 + 1; 16])
}

fn account(person: usize) -> AccountId {
    AccountId(100 + person as u64)
}

fn bytes_of(kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_kind(kind, &mut bytes);
    bytes
}

fn the_room(room: u64) -> Option<RoomRef> {
    Some(RoomRef { by: Some(By::Room(room)) })
}

fn enter() -> Body {
    Body::Enter(wire::Enter { name: "lobby".to_owned() })
}

fn send(room: u64, bytes: usize) -> Body {
    Body::Send(wire::Send { room: the_room(room), body: vec![0; bytes].into(), content_type: String::new() })
}

fn farewell(connection: &mut Connection) -> Option<ByeReason> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Close(Ending::Said { reason, .. }) => Some(reason),
        Event::Close(Ending::Found(error)) => Some(error.bye_reason()),
        _ => None,
    })
}

#[test]
fn a_client_that_asks_for_pages_and_reads_none_holds_four_of_them() {
    let mut scene = Scene::set();
    let room = scene.op(0, 1, enter()).room;
    let position = scene.op(0, 2, send(room, 60_000)).position;
    let chunk = scene.chunk(position, position);
    let mut connection = scene.connect(0);
    let mut built = 0;
    for number in 1..=40 {
        let history = wire::History { number, room, from_sequence: 1, to_sequence: 9 };
        connection.handle_bytes(START, &bytes_of(Kind::History(history)), &mut scene.hub);
        while let Some(event) = connection.poll_event() {
            if let Event::ReadHistory(asked) = event {
                connection.handle_history(&asked, std::slice::from_ref(&chunk), &scene.hub);
                built += 1;
            }
        }
    }
    assert_eq!(built, 4);
    let pages = |kinds: &[Kind]| kinds.iter().filter(|kind| matches!(kind, Kind::HistoryPage(_))).count();
    assert_eq!(pages(&scene.drain(&mut connection)), 4);
    let again = wire::History { number: 41, room, from_sequence: 1, to_sequence: 9 };
    connection.handle_bytes(START, &bytes_of(Kind::History(again)), &mut scene.hub);
    assert!(matches!(connection.poll_event(), Some(Event::ReadHistory(_))), "once they have left it may ask again");
}

#[test]
fn a_client_that_never_reads_its_refusals_is_let_go() {
    let mut scene = Scene::set();
    let mut connection = scene.connect(0);
    for number in 1..=500 {
        let history = wire::History { number, room: 4_242, from_sequence: 1, to_sequence: 9 };
        connection.handle_bytes(START, &bytes_of(Kind::History(history)), &mut scene.hub);
    }
    assert_eq!(farewell(&mut connection), Some(ByeReason::Overloaded));
}

#[test]
fn half_a_frame_has_its_time_and_its_room_like_half_a_part() {
    let part = |lane: u8| {
        let mut part = vec![0x85, 0x80, 0x01, lane | 0b100];
        part.extend_from_slice(&[8; codec::PART_BODY_BYTES_MAX]);
        part.extend_from_slice(&crc32c::crc32c(&part).to_le_bytes());
        part
    };
    let mut scene = Scene::set();
    let mut slow = scene.connect(0);
    slow.handle_bytes(START, &part(2), &mut scene.hub);
    slow.handle_timeout(START + Duration::from_secs(29), &mut scene.hub);
    assert!(slow.poll_event().is_none());
    slow.handle_timeout(START + Duration::from_secs(30), &mut scene.hub);
    assert_eq!(farewell(&mut slow), Some(ByeReason::ProtocolError));

    let mut greedy = scene.connect(1);
    for lane in [0, 1, 2, 3, 0, 1, 2, 3] {
        greedy.handle_bytes(START, &part(lane), &mut scene.hub);
    }
    assert!(greedy.poll_event().is_none(), "128 KiB over all lanes");
    greedy.handle_bytes(START, &part(0), &mut scene.hub);
    assert_eq!(farewell(&mut greedy), Some(ByeReason::ProtocolError));
}

#[test]
fn a_room_that_is_left_and_entered_for_ever_ends_in_a_refusal() {
    let mut scene = Scene::set();
    let mut sequence = 0;
    let mut next = || {
        sequence += 1;
        sequence
    };
    let room = scene.op(0, next(), enter()).room;
    for _ in 0..999 {
        assert_eq!(scene.op(0, next(), Body::Leave(wire::Leave { room: the_room(room) })).refusal, 0);
        assert_eq!(scene.op(0, next(), enter()).refusal, 0);
    }
    assert_eq!(scene.op(0, next(), Body::Leave(wire::Leave { room: the_room(room) })).refusal, 0);
    assert_eq!(scene.op(0, next(), enter()).refusal, Refusal::NotAllowed as i32);
}

#[test]
fn a_page_over_a_gap_that_may_not_be_read_says_where_to_ask_on() {
    let mut scene = Scene::set();
    let room = scene.op(0, 1, Body::CreatePrivate(wire::CreatePrivate { name: "den".to_owned() })).room;
    let add = || Body::Add(wire::Add { room: the_room(room), name: "bob".to_owned() });
    scene.op(0, 2, add());
    scene.op(0, 3, Body::Remove(wire::Remove { room: the_room(room), name: "bob".to_owned() }));
    let hidden: Vec<u64> = (4..8).map(|sequence| scene.op(0, sequence, send(room, 9)).position).collect();
    let again = scene.op(0, 8, add()).position;
    let readable = scene.op(0, 9, send(room, 9)).position;

    let mut connection = scene.connect(1);
    let mut page = |scene: &mut Scene, from_sequence, chunk: &StoredChunk| -> HistoryPage {
        let asked = wire::History { number: 1, room, from_sequence, to_sequence: 99 };
        connection.handle_history(&asked, std::slice::from_ref(chunk), &scene.hub);
        let page = scene.drain(&mut connection).into_iter().find_map(|kind| match kind {
            Kind::HistoryPage(page) => Some(page),
            _ => None,
        });
        page.expect("a page")
    };
    let gap = scene.chunk(hidden[0], hidden[3]);
    let first = page(&mut scene, 4, &gap);
    assert_eq!((first.entries.len(), first.next_sequence), (0, 8));
    let rest = scene.chunk(again, readable);
    let second = page(&mut scene, first.next_sequence, &rest);
    let is_message = |entry: &wire::Entry| matches!(entry.what, Some(What::Message(_)));
    assert_eq!((second.entries.iter().filter(|e| is_message(e)).count(), second.next_sequence), (1, 0));
}

#[test]
fn the_least_frame_that_a_server_can_be_set_to_takes_every_valid_operation_and_a_larger_one_hears_the_limit() {
    let largest = |bytes| Op {
        sequence: u64::MAX,
        id: u64::MAX,
        confirmed_through: u64::MAX,
        composed_at_ms: u64::MAX,
        body: Some(Body::Send(wire::Send {
            room: Some(RoomRef { by: Some(By::EnteredBy(u64::MAX)) }),
            body: vec![0; bytes].into(),
            content_type: "x".repeat(CONTENT_TYPE_BYTES_MAX),
        })),
    };
    let mut scene = Scene::set();
    let mut connection = accepted();
    connection.set_limits(0, START + Duration::from_secs(10));
    let mut connection = scene.greet(0, connection);
    connection.handle_bytes(START, &bytes_of(Kind::Op(largest(BODY_BYTES_MAX))), &mut scene.hub);
    assert!(matches!(connection.poll_event(), Some(Event::Submit(_))), "0 counts as the least");

    connection.handle_bytes(START, &bytes_of(Kind::Op(largest(*FRAME_BYTES.start() as usize))), &mut scene.hub);
    let said = scene.drain(&mut connection).into_iter().find_map(|kind| match kind {
        Kind::Bye(bye) => Some(bye),
        _ => None,
    });
    let said = said.expect("it says goodbye");
    assert_eq!(said.reason(), ByeReason::ProtocolError);
    assert_eq!(said.text, "this server takes frames of at most 67584 bytes");
}

#[test]
fn a_stranger_has_the_time_that_the_server_is_set_to_and_one_who_greeted_has_no_such_bound() {
    let until = START + Duration::from_secs(2);
    let mut scene = Scene::set();
    let mut silent = accepted();
    silent.set_limits(CLIENT_BYTES_MAX, until);
    assert_eq!(silent.poll_timeout().0, until);
    silent.handle_timeout(until, &mut scene.hub);
    assert_eq!(farewell(&mut silent), Some(ByeReason::HandshakeTimeout));

    let mut greeted = accepted();
    greeted.set_limits(CLIENT_BYTES_MAX, until);
    let greeted = scene.greet(0, greeted);
    assert!(greeted.poll_timeout().0 > until);
}

#[test]
fn a_catch_up_that_the_store_has_no_time_for_is_asked_for_again_with_the_next_bytes() {
    let mut scene = Scene::with_rings(1);
    let room = scene.op(0, 1, enter()).room;
    let mut connection = scene.connect(0);
    scene.drain(&mut connection);
    scene.op(0, 2, send(room, 9));
    let asked = |connection: &mut Connection| matches!(connection.poll_event(), Some(Event::ReadChunks { .. }));
    scene.drain(&mut connection);
    assert!(asked(&mut connection), "a ring of one byte holds nothing");
    connection.handle_chunks_busy();
    assert!(connection.poll_event().is_none(), "not before there is something to send");
    scene.drain(&mut connection);
    assert!(asked(&mut connection));
}

#[test]
fn a_pong_overtakes_a_page_that_is_leaving() {
    let mut scene = Scene::set();
    let room = scene.op(0, 1, enter()).room;
    let position = scene.op(0, 2, send(room, 60_000)).position;
    let chunk = scene.chunk(position, position);
    let mut connection = scene.connect(0);
    scene.drain(&mut connection);
    let history = wire::History { number: 1, room, from_sequence: 1, to_sequence: 9 };
    let mut asked = bytes_of(Kind::History(history));
    connection.handle_bytes(START, &asked, &mut scene.hub);
    let Some(Event::ReadHistory(asked_for)) = connection.poll_event() else { panic!("no read is wanted") };
    connection.handle_history(&asked_for, std::slice::from_ref(&chunk), &scene.hub);

    let mut decoder = Decoder::default();
    let mut step = |connection: &mut Connection, hub: &mut Hub| {
        let mut out = Vec::new();
        connection.poll_transmit(START, hub, &mut out);
        assert!(out.len() <= 2 * 16_400, "{} bytes at once", out.len());
        decoder.push(&out);
        std::iter::from_fn(|| decoder.next_frame().expect("our own frames are good"))
            .map(|r| r.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(step(&mut connection, &mut scene.hub), [], "the page has begun to leave");
    let (frames_before, bytes_before) = (2, (bytes_of(Kind::Hello(hello(0))).len() + asked.len()) as u64);
    asked = bytes_of(Kind::Ping(wire::Ping { number: 1, frames_before, bytes_before }));
    connection.handle_bytes(START, &asked, &mut scene.hub);
    let kinds = step(&mut connection, &mut scene.hub);
    assert!(matches!(kinds[..], [Kind::Pong(_)]), "{} frames", kinds.len());
    let mut rest = Vec::new();
    while rest.is_empty() {
        rest = step(&mut connection, &mut scene.hub);
    }
    assert!(matches!(rest[..], [Kind::HistoryPage(_), ..]));
}

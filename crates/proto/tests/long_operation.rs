//! A long operation leaves the client part by part: what the server asks meanwhile is answered between two parts.

use steadfast_proto::ids::{AccountId, DeviceId};
use steadfast_proto::link::{ACTIVE_BOUND, Bounds, IDLE_BOUND, Link, Pinging};
use steadfast_proto::session::{Event, Identity, Load, Resume, Session, Settings};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, Op, RoomRef, frame::Kind, op::Body, room_ref::By};

const START: Instant = Instant::from_nanos(1_000_000_000);
const BODY_BYTES: usize = 60_000;
/// One part of 16 KiB with what is around it, and what stands before it on the control lane.
const TURN_BYTES_MAX: usize = 16 * 1024 + 200;

fn session() -> Session {
    let identity =
        Identity { name: "ann".to_owned(), device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(3) };
    let resume = Resume {
        identity,
        log_id: None,
        place: None,
        told: None,
        confirmed_through: 0,
        recounts: false,
        rooms: Vec::new(),
        terms: Vec::new(),
    };
    Session::new(Settings::default(), resume)
}

fn op(sequence: u64, body_bytes: usize) -> Op {
    let room = Some(RoomRef { by: Some(By::Room(9)) });
    let body = Body::Send(wire::Send { room, body: vec![b'x'; body_bytes].into(), content_type: String::new() });
    Op { sequence, id: sequence + 10, confirmed_through: 0, composed_at_ms: 0, body: Some(body) }
}

/// What the session lets out in one turn, taken in by the server's end; the frames in it that are no pings.
fn carry(session: &mut Session, server: &mut Link, now: Instant) -> (usize, Vec<Kind>) {
    let mut bytes = Vec::new();
    session.poll_transmit(now, &mut bytes);
    server.handle_bytes(now, &bytes);
    let mut kinds = Vec::new();
    while let Some(received) = server.next_frame(now).expect("the client's frames are good") {
        kinds.push(received.kind);
    }
    (bytes.len(), kinds)
}

#[test]
fn a_ping_is_answered_between_two_parts_of_a_long_operation() {
    let mut now = START;
    let bounds = Bounds { active_bound: ACTIVE_BOUND, idle_bound: IDLE_BOUND, pinging: Pinging::There };
    let (mut session, mut server) = (session(), Link::new(bounds, now));
    let generation = loop {
        match session.poll_event().expect("it asks for its outbox") {
            Event::Load(Load { generation, .. }) => break generation,
            Event::Connect => session.handle_opened(now),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(carry(&mut session, &mut server, now).1[..], [Kind::Hello(_)]));
    let mut welcome = Vec::new();
    let greeting = wire::Welcome { version: 1, log_id: vec![7; 16].into(), term: 5, account: 3, ..Default::default() };
    server.send(now, Kind::Welcome(greeting), &mut welcome);
    session.handle_bytes(now, &welcome);
    session.handle_loaded(now, generation, vec![op(1, BODY_BYTES), op(2, 10)], false);

    let (mut turns, mut kinds) = (0, Vec::new());
    while kinds.len() < 2 {
        server.liveness_mut().want_ping();
        let mut ping = Vec::new();
        server.begin_transmit(now, &mut ping);
        session.handle_bytes(now, &ping);
        now = now + Duration::from_millis(100);
        let (bytes, new) = carry(&mut session, &mut server, now);
        assert!(0 < bytes && bytes <= TURN_BYTES_MAX, "{bytes} bytes in one turn");
        // Measured by the pong that came in this turn, whatever else did.
        assert_eq!(server.liveness().rtt().smoothed(), Some(Duration::from_millis(100)));
        kinds.extend(new);
        turns += 1;
    }
    assert_eq!(turns, BODY_BYTES.div_ceil(16 * 1024));
    let arrived = [op(1, BODY_BYTES), op(2, 10)].map(Kind::Op);
    assert_eq!(kinds, arrived, "whole and in order");
}

//! A client that asks for more than it reads, sends half of what it begins, or wears a room out, has a bounded cost.

mod people;
mod scene;

use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::hub::connection::{CLIENT_BYTES_MAX, Event, FRAME_BYTES, StoredChunk};
use steadfast_proto::hub::{BODY_BYTES_MAX, CONTENT_TYPE_BYTES_MAX, Connection, Hub};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{
    self, ByeReason, HistoryPage, Op, Refusal, RoomRef, entry::What, frame::Kind, op::Body, room_ref::By,
};

use scene::*;

#[test]
fn a_client_that_asks_for_pages_and_reads_none_holds_four_of_them() {
    let mut scene = Scene::set();
    let room = scene.op(0, 1, enter("lobby")).room;
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
    let room = scene.op(0, next(), enter("lobby")).room;
    for _ in 0..999 {
        assert_eq!(scene.op(0, next(), Body::Leave(wire::Leave { room: the_room(room) })).refusal, 0);
        assert_eq!(scene.op(0, next(), enter("lobby")).refusal, 0);
    }
    assert_eq!(scene.op(0, next(), Body::Leave(wire::Leave { room: the_room(room) })).refusal, 0);
    assert_eq!(scene.op(0, next(), enter("lobby")).refusal, Refusal::NotAllowed as i32);
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
    let room = scene.op(0, 1, enter("lobby")).room;
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
    let room = scene.op(0, 1, enter("lobby")).room;
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

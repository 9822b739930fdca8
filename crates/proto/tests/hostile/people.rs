//! Who watches, types or asks more than is sensible costs little, learns nothing that is not for it, and holds nobody
//! up.

use std::collections::BTreeSet;

use steadfast_proto::features;
use steadfast_proto::hub::Connection;
use steadfast_proto::ids::RoomId;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, MembersPage, RequestError, RoomsPage, Signal, frame::Kind, op::Body};

use crate::scene::*;

/// Signals of one link between two ticks.
const SIGNALS_PER_TICK: usize = 32;
const TYPING_PAUSE: Duration = Duration::from_secs(1);

fn say(scene: &mut Scene, connection: &mut Connection, at: Instant, kind: Kind) {
    connection.handle_bytes(at, &bytes_of(kind), &mut scene.hub);
}

fn watch(scene: &mut Scene, connection: &mut Connection, rooms: Vec<u64>) {
    say(scene, connection, START, Kind::Watch(wire::Watch { rooms }));
}

fn types_in(room: u64) -> Kind {
    Kind::Signal(Signal { room, ..Signal::default() })
}

fn signals(scene: &mut Scene, connection: &mut Connection) -> Vec<Signal> {
    let told = scene.drain(connection).into_iter().filter_map(|kind| match kind {
        Kind::Signal(signal) => Some(signal),
        _ => None,
    });
    told.collect()
}

/// What a link is told until it is quiet: a tick, and what it gives, again and again.
fn told_in_the_end(scene: &mut Scene, connection: &mut Connection) -> Vec<Signal> {
    let mut told = signals(scene, connection);
    loop {
        scene.hub.tick_people();
        let more = signals(scene, connection);
        if more.is_empty() {
            return told;
        }
        told.extend(more);
    }
}

/// Everybody's devices acknowledge what they were sent.
fn all_acknowledge(scene: &mut Scene, connections: &mut [Connection], position: u64) {
    for connection in connections {
        let sent = scene.drain(connection);
        let stream_bytes = sent.into_iter().filter(|kind| matches!(kind, Kind::Entry(_) | Kind::Heads(_)));
        let stream_bytes: u64 = stream_bytes.map(|kind| bytes_of(kind).len() as u64).sum();
        say(scene, connection, START, Kind::Ack(wire::Ack { position, stream_bytes }));
    }
}

fn private_room(scene: &mut Scene, person: usize, sequence: u64) -> u64 {
    scene.op(person, sequence, Body::CreatePrivate(wire::CreatePrivate { name: "den".to_owned() })).room
}

#[test]
fn a_watch_of_ten_thousand_rooms_is_one_of_sixteen() {
    let mut scene = Scene::set();
    let rooms: Vec<u64> = (0..20).map(|n| scene.op(0, n + 1, enter(&format!("room{n}"))).room).collect();
    let mut connection = scene.connect(0);
    scene.drain(&mut connection);
    let mut asked: Vec<u64> = [&rooms[..], &rooms].concat();
    asked.extend(1_000_000..1_010_000);
    watch(&mut scene, &mut connection, asked);
    let told: BTreeSet<u64> = told_in_the_end(&mut scene, &mut connection).iter().map(|signal| signal.room).collect();
    assert_eq!(told, rooms[..16].iter().copied().collect());
}

#[test]
fn a_link_gets_so_many_signals_a_tick_and_in_the_end_each_of_the_members_once() {
    let (mut scene, room) = Scene::crowd(100, "lobby");
    let mut connection = scene.connect(0);
    scene.drain(&mut connection);
    let mut told = Vec::new();
    // Watching anew, again and again, gives no more.
    for _ in 0..5 {
        watch(&mut scene, &mut connection, vec![]);
        watch(&mut scene, &mut connection, vec![room]);
    }
    watch(&mut scene, &mut connection, vec![room]);
    told.push(signals(&mut scene, &mut connection).len());
    for _ in 0..4 {
        assert_eq!(scene.hub.tick_people().woken.len(), usize::from(told.iter().sum::<usize>() < 100));
        told.push(signals(&mut scene, &mut connection).len());
    }
    assert_eq!(told, [SIGNALS_PER_TICK, SIGNALS_PER_TICK, SIGNALS_PER_TICK, 4, 0]);
}

#[test]
fn a_room_with_one_member_too_many_tells_no_signals_and_its_members_on_asking() {
    let (mut scene, room) = Scene::crowd(101, "lobby");
    let mut connection = scene.connect(0);
    let mut last = scene.connect(100);
    scene.drain(&mut connection);
    watch(&mut scene, &mut connection, vec![room]);
    say(&mut scene, &mut last, START, types_in(room));
    assert_eq!(told_in_the_end(&mut scene, &mut connection), []);
    let Kind::MembersPage(page) = answer(&mut scene, &mut connection, members(room, 0)) else { panic!("no page") };
    assert_eq!((page.members.len(), page.total), (101, 101));
    assert_eq!(page.members.iter().filter(|member| member.online).count(), 2);

    // As soon as it is small enough all are told.
    scene.op(100, 2, Body::Leave(wire::Leave { room: the_room(room) }));
    scene.op(0, 2, send(room, 9));
    let head = scene_head(&scene);
    all_acknowledge(&mut scene, std::slice::from_mut(&mut connection), head);
    scene.hub.tick_people();
    let told: BTreeSet<u64> = told_in_the_end(&mut scene, &mut connection).iter().map(|s| s.account).collect();
    assert_eq!(told.len(), 100);
}

fn scene_head(scene: &Scene) -> u64 {
    scene.hub.state().head()
}

fn members(room: u64, after_account: u64) -> Kind {
    Kind::Members(wire::Members { number: 7, room, after_account })
}

fn answer(scene: &mut Scene, connection: &mut Connection, asked: Kind) -> Kind {
    say(scene, connection, START, asked);
    let answers = |kind: &Kind| matches!(kind, Kind::MembersPage(_) | Kind::RoomsPage(_) | Kind::Failed(_));
    scene.drain(connection).into_iter().find(answers).expect("it is answered")
}

#[test]
fn a_stranger_to_a_private_room_learns_nothing_of_it_by_watching_typing_or_asking() {
    let mut scene = Scene::set();
    let den = private_room(&mut scene, 0, 1);
    let (mut ann, mut bob) = (scene.connect(0), scene.connect(1));
    scene.drain(&mut ann);
    scene.drain(&mut bob);
    watch(&mut scene, &mut bob, vec![den]);
    watch(&mut scene, &mut ann, vec![den]);
    say(&mut scene, &mut ann, START, types_in(den));
    say(&mut scene, &mut bob, START, types_in(den));
    assert_eq!(told_in_the_end(&mut scene, &mut bob), [], "a stranger is told nothing");
    let told = told_in_the_end(&mut scene, &mut ann);
    assert!(told.iter().all(|signal| signal.name == "ann"), "nor can one make itself seen: {told:?}");
    assert_eq!(answer(&mut scene, &mut bob, members(den, 0)), answer(&mut scene, &mut bob, members(4_242, 0)));
    let Kind::Failed(failed) = answer(&mut scene, &mut bob, members(den, 0)) else { panic!("it was told") };
    assert_eq!(failed.error(), RequestError::NoSuchRoom);

    // The one who is added is told, without another word of its own.
    scene.op(0, 2, Body::Add(wire::Add { room: the_room(den), name: "bob".to_owned() }));
    let told: BTreeSet<String> = told_in_the_end(&mut scene, &mut bob).into_iter().map(|signal| signal.name).collect();
    assert_eq!(told, ["ann", "bob"].map(str::to_owned).into());
    // And who was removed is told nothing more.
    scene.op(0, 3, Body::Remove(wire::Remove { room: the_room(den), name: "bob".to_owned() }));
    say(&mut scene, &mut ann, START + TYPING_PAUSE, types_in(den));
    assert_eq!(told_in_the_end(&mut scene, &mut bob), []);
    assert!(matches!(answer(&mut scene, &mut bob, members(den, 0)), Kind::Failed(_)));
}

#[test]
fn a_flood_of_typing_counts_once_a_second_and_wakes_a_watcher_once_a_tick() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let (mut ann, mut bob) = (scene.connect(0), scene.connect(1));
    watch(&mut scene, &mut ann, vec![room]);
    told_in_the_end(&mut scene, &mut ann);
    for second in 0..3_u32 {
        let at = START + TYPING_PAUSE * second;
        for millisecond in 0..1_000 {
            say(&mut scene, &mut bob, at + Duration::from_millis(millisecond), types_in(room));
        }
        assert_eq!(scene.hub.tick_people().woken.len(), 1);
        let told: Vec<_> = signals(&mut scene, &mut ann).iter().map(|s| (s.name.clone(), s.typing_ms)).collect();
        // The core's time stands still here when it sends.
        assert_eq!(told, [("bob".to_owned(), 5_000 + second * 1_000)]);
    }
    assert!(bob.poll_event().is_none(), "a flood ends no link");
}

#[test]
fn who_has_sent_what_it_typed_wakes_nobody_by_the_next_message() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let (mut ann, mut bob) = (scene.connect(0), scene.connect(1));
    watch(&mut scene, &mut ann, vec![room]);
    told_in_the_end(&mut scene, &mut ann);
    say(&mut scene, &mut bob, START, types_in(room));
    scene.hub.tick_people();
    for (sequence, woken) in [(2, 1), (3, 0), (4, 0)] {
        let op = wire::Op { sequence, body: Some(send(room, 9)), ..wire::Op::default() };
        say(&mut scene, &mut bob, START, Kind::Op(op));
        assert_eq!(scene.hub.tick_people().woken.len(), woken, "message {sequence}");
    }
}

#[test]
fn who_returns_has_what_its_hello_names_before_it_acknowledges_anything() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let mut ann = scene.connect(0);
    scene.drain(&mut ann);
    watch(&mut scene, &mut ann, vec![room]);
    let head = scene_head(&scene);
    let place = Some(wire::Place { position: head - 1, term: 5 });
    scene.welcome(wire::Hello { log_id: vec![7; 16].into(), place, ..hello(1) });
    let told = told_in_the_end(&mut scene, &mut ann);
    let bobs = told.iter().rfind(|signal| signal.name == "bob").expect("bob is told");
    assert_eq!((bobs.presence(), bobs.delivered), (wire::Presence::Online, head - 1));
}

#[test]
fn a_busy_room_keeps_no_quiet_one_from_being_told() {
    let (mut scene, busy) = Scene::crowd(100, "busy");
    let quiet = [0, 1].map(|person| scene.op(person, 2, enter("quiet")).room)[0];
    let mut everybody: Vec<Connection> = (1..100).map(|person| scene.connect(person)).collect();
    let mut ann = scene.connect(0);
    watch(&mut scene, &mut ann, vec![busy, quiet]);
    told_in_the_end(&mut scene, &mut ann);
    let mut ticks_without = 0;
    for sequence in 2..40 {
        // Everybody in the busy room has something new with every tick, and so has bob in the quiet one.
        scene.op(1, sequence + 1, send(quiet, 9));
        let position = scene.op(99, sequence, send(busy, 9)).position;
        all_acknowledge(&mut scene, &mut everybody, position);
        scene.hub.tick_people();
        let told = signals(&mut scene, &mut ann);
        assert!(told.len() <= SIGNALS_PER_TICK);
        ticks_without = if told.iter().any(|signal| signal.room == quiet) { 0 } else { ticks_without + 1 };
        assert!(ticks_without < 8, "the quiet room starves");
    }
}

#[test]
fn what_is_acknowledged_typed_and_sent_elsewhere_wakes_nobody_in_a_room() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let elsewhere = scene.op(1, 2, enter("elsewhere")).room;
    let (mut ann, mut bob) = (scene.connect(0), scene.connect(1));
    watch(&mut scene, &mut ann, vec![room]);
    told_in_the_end(&mut scene, &mut ann);
    let position = scene.op(1, 3, send(elsewhere, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    scene.hub.tick_people();
    told_in_the_end(&mut scene, &mut ann);
    let position = scene.op(1, 4, send(elsewhere, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    say(&mut scene, &mut bob, START, types_in(elsewhere));
    assert_eq!(scene.hub.tick_people().woken, []);
    let position = scene.op(1, 5, send(room, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    assert_eq!(scene.hub.tick_people().woken.len(), 1);
}

#[test]
fn a_room_that_is_too_large_to_be_told_of_wakes_nobody_and_is_told_anew_when_it_has_shrunk() {
    let (mut scene, room) = Scene::crowd(100, "lobby");
    let mut ann = scene.connect(0);
    watch(&mut scene, &mut ann, vec![room]);
    told_in_the_end(&mut scene, &mut ann);
    scene.sign_up(100);
    scene.op(100, 1, enter("lobby"));
    scene.hub.tick_people();
    told_in_the_end(&mut scene, &mut ann);
    let mut bob = scene.connect(1);
    let position = scene.op(99, 2, send(room, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    assert_eq!(scene.hub.tick_people().woken, []);
    scene.op(100, 2, Body::Leave(wire::Leave { room: the_room(room) }));
    let position = scene.op(99, 3, send(room, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    let told = told_in_the_end(&mut scene, &mut ann);
    assert_eq!(told.len(), 100);
}

#[test]
fn who_watches_a_room_from_outside_is_woken_by_nothing_in_it_and_told_all_on_entering() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    scene.sign_up(5);
    let (mut stranger, mut bob) = (scene.connect(5), scene.connect(1));
    watch(&mut scene, &mut stranger, vec![room]);
    assert_eq!(told_in_the_end(&mut scene, &mut stranger), []);
    say(&mut scene, &mut bob, START, types_in(room));
    let position = scene.op(1, 2, send(room, 9)).position;
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position, stream_bytes: 0 }));
    assert_eq!(scene.hub.tick_people().woken, []);
    scene.op(5, 1, enter("lobby"));
    assert_eq!(told_in_the_end(&mut scene, &mut stranger).len(), 3);
}

#[test]
fn signals_leave_behind_entries_and_a_pong_before_both() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let mut ann = scene.connect(0);
    scene.drain(&mut ann);
    // More than one turn of the socket.
    for sequence in 2..7 {
        scene.op(1, sequence, send(room, 10_000));
    }
    watch(&mut scene, &mut ann, vec![room]);
    let before: u64 = [Kind::Hello(hello(0)), Kind::Watch(wire::Watch { rooms: vec![room] })]
        .into_iter()
        .map(|kind| bytes_of(kind).len() as u64)
        .sum();
    say(&mut scene, &mut ann, START, Kind::Ping(wire::Ping { number: 1, frames_before: 2, bytes_before: before }));
    let kinds = scene.drain(&mut ann);
    let first = |wanted: fn(&Kind) -> bool| kinds.iter().position(wanted).expect("it is sent");
    let last_entry = kinds.iter().rposition(|kind| matches!(kind, Kind::Entry(_))).expect("it is sent");
    assert_eq!(first(|kind| matches!(kind, Kind::Pong(_))), 0);
    assert!(first(|kind| matches!(kind, Kind::Signal(_))) > last_entry, "{kinds:?}");
}

#[test]
fn pages_of_members_and_rooms_hold_five_hundred_and_lead_to_all() {
    let (mut scene, room) = Scene::crowd(1_203, "lobby");
    // Who has left is on no page.
    scene.op(700, 2, Body::Leave(wire::Leave { room: the_room(room) }));
    let mut connection = scene.connect(0);
    let (mut all, mut after, mut sizes) = (Vec::new(), 0, Vec::new());
    loop {
        let asked = members(room, after);
        let Kind::MembersPage(MembersPage { members, total, next_after, .. }) =
            answer(&mut scene, &mut connection, asked)
        else {
            panic!("no page")
        };
        assert_eq!(total, 1_202);
        sizes.push(members.len());
        all.extend(members.into_iter().map(|member| member.account));
        after = next_after;
        if after == 0 {
            break;
        }
    }
    assert_eq!(sizes, [500, 500, 202]);
    let expected = (0..1_203).filter(|&person| person != 700).map(|person| account(person).0);
    assert!(all.into_iter().eq(expected));

    for n in 0..501_u64 {
        scene.op(0, n + 2, enter(&format!("{}{n:03}", if n % 2 == 0 { 'R' } else { 'r' })));
    }
    let rooms = |after: &str| Kind::Rooms(wire::Rooms { number: 7, after_name: after.to_owned() });
    let Kind::RoomsPage(RoomsPage { rooms: first, more, .. }) = answer(&mut scene, &mut connection, rooms("")) else {
        panic!("no page")
    };
    assert_eq!((first.len(), more, first[0].name.as_str(), first[0].members), (500, true, "lobby", 1_202));
    let last = first[499].name.clone();
    let Kind::RoomsPage(rest) = answer(&mut scene, &mut connection, rooms(&last)) else { panic!("no page") };
    let rest: Vec<&str> = rest.rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!((last.as_str(), rest), ("R498", vec!["r499", "R500"]));
    // What is no name at all is behind something, too.
    let Kind::RoomsPage(page) = answer(&mut scene, &mut connection, rooms("r500 \u{1}")) else { panic!("no page") };
    assert_eq!((page.rooms.len(), page.more), (0, false));
}

#[test]
fn a_client_that_asks_for_members_and_reads_nothing_holds_four_pages() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let mut connection = scene.connect(0);
    scene.drain(&mut connection);
    for _ in 0..10 {
        say(&mut scene, &mut connection, START, members(room, 0));
        say(&mut scene, &mut connection, START, Kind::Rooms(wire::Rooms { number: 8, after_name: String::new() }));
    }
    let kinds = scene.drain(&mut connection);
    let pages = kinds.iter().filter(|kind| matches!(kind, Kind::MembersPage(_) | Kind::RoomsPage(_))).count();
    let busy = |kind: &&Kind| matches!(kind, Kind::Failed(failed) if failed.error() == RequestError::Busy);
    assert_eq!((pages, kinds.iter().filter(busy).count()), (4, 16));
    assert!(matches!(answer(&mut scene, &mut connection, members(room, 0)), Kind::MembersPage(_)), "it has read them");
}

#[test]
fn an_acknowledgement_beyond_the_log_delivers_nothing_beyond_it() {
    let (mut scene, room) = Scene::crowd(2, "lobby");
    let (mut ann, mut bob) = (scene.connect(0), scene.connect(1));
    scene.drain(&mut ann);
    watch(&mut scene, &mut ann, vec![room]);
    say(&mut scene, &mut bob, START, Kind::Ack(wire::Ack { position: u64::MAX, stream_bytes: 0 }));
    let told = told_in_the_end(&mut scene, &mut ann);
    let bobs = told.iter().rfind(|signal| signal.name == "bob").expect("bob is told");
    let last = scene.hub.state().room(RoomId(room)).expect("it is there").head_position;
    assert!(last < scene_head(&scene), "the log goes on in other rooms");
    assert_eq!(bobs.delivered, last, "of them nothing is told");
}

#[test]
fn welcome_has_the_features_that_both_know() {
    for (known, in_force) in [(0, 0), (features::PEOPLE, features::PEOPLE), (u64::MAX, features::PEOPLE)] {
        let mut scene = Scene::set();
        let welcome = scene.welcome(wire::Hello { features: known, ..hello(0) });
        assert_eq!(welcome.features, in_force);
    }
}

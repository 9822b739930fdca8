//! Who watches a room knows who is there, who is typing, and how far each member has stored everything: soon, and in
//! the end exactly. It is the lossy lane: what follows here holds for the present state, not for each change of it.

use steadfast_proto::ids::{AccountId, OperationId, RoomId};
use steadfast_proto::session::{Person, Reply, Request, Session, State};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::RequestError;
use steadfast_sim::plan::{VersionPlan, WeatherPlan};
use steadfast_sim::random::Random;
use steadfast_store::profile::{NewBody, Target};

use crate::oracle::{come_to_rest, positions_of};
use crate::scene::World;
use crate::seeds::for_each_seed;
use crate::weather::any_weather;

/// A tick of the server, and the line twice.
const SOON: Duration = Duration::from_millis(110);
/// For how long a member counts as typing.
const TYPING: Duration = Duration::from_secs(5);
const NAMES: [&str; 3] = ["ann", "bob", "cy"];
const ANN: usize = 0;
const BOB: usize = 1;
const CY: usize = 2;

/// Three in a room on good lines, the first of whom watches it.
fn watched(seed: u64) -> (World, RoomId, [OperationId; 3]) {
    let (mut world, room, entered) = three_in_a_room(seed, WeatherPlan::FAIR);
    watch(&mut world, ANN, &[room]);
    world.run_for(SOON);
    (world, room, entered)
}

fn three_in_a_room(seed: u64, weather: WeatherPlan) -> (World, RoomId, [OperationId; 3]) {
    let mut world = World::new(seed, weather);
    let clients = NAMES.map(|name| world.add_client(name));
    let entered = clients.map(|client| world.enter(client, "lobby"));
    come_to_rest(&mut world);
    let room = room_of(&world, "lobby");
    (world, room, entered)
}

fn room_of(world: &World, name: &str) -> RoomId {
    let hub = world.sim.server.hub().expect("the server runs");
    let found = hub.state().public_rooms_after("").find(|(_, room)| room.name == name);
    found.expect("there is such a room").0
}

fn watch(world: &mut World, client: usize, rooms: &[RoomId]) {
    world.tell(client, |session, _| session.watch(rooms));
}

fn type_in(world: &mut World, client: usize, room: RoomId) {
    world.tell(client, |session, now| session.type_in(now, room));
}

fn leave(room: RoomId) -> NewBody {
    NewBody::Leave { room: Target::Room(room) }
}

fn account(world: &World, client: usize) -> AccountId {
    world.identity(client).account
}

/// What a client knows of another one.
fn seen(world: &World, by: usize, room: RoomId, client: usize) -> Option<Person> {
    let wanted = account(world, client);
    let session = world.session(by)?;
    session.people().of(room).find(|&(account, _)| account == wanted).map(|(_, person)| person.clone())
}

fn is_seen(world: &World, room: RoomId, client: usize, holds: impl Fn(&Person) -> bool) -> bool {
    seen(world, ANN, room, client).is_some_and(|person| holds(&person))
}

/// Other members with a device that has stored everything up to the position.
fn delivered_to(world: &World, by: usize, room: RoomId, position: u64) -> usize {
    let (own, session) = (account(world, by), world.session(by).expect("it runs"));
    session.people().of(room).filter(|&(account, person)| account != own && person.delivered >= position).count()
}

fn is_online(world: &World, client: usize) -> bool {
    world.session(client).is_some_and(|session| session.status().state == State::Online)
}

#[test]
fn a_member_who_types_is_seen_typing_within_a_tick_and_for_five_seconds() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, _) = watched(seed);
        let began = world.now();
        type_in(&mut world, BOB, room);
        let types = |person: &Person| person.typing_until.is_some();
        assert!(world.run_until(SOON, |world| is_seen(world, room, BOB, types)), "not seen typing in time");
        assert!(!is_seen(&world, room, CY, types));
        assert!(world.run_until(TYPING * 2, |world| !is_seen(world, room, BOB, types)), "it never ends");
        // Counted from when the server heard it; what is left of it is told in whole milliseconds.
        let lasted = world.now().since(began);
        let about = TYPING - Duration::from_millis(1)..=TYPING + Duration::from_millis(10);
        assert!(about.contains(&lasted), "it lasted {lasted:?}");
    });
}

#[test]
fn who_sends_what_was_typed_is_no_longer_typing() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, entered) = watched(seed);
        type_in(&mut world, BOB, room);
        world.run_for(SOON);
        assert!(is_seen(&world, room, BOB, |person| person.typing_until.is_some()));
        let sent = world.send_entered(BOB, entered[BOB], 20);
        let has_it = |world: &World| world.messages(ANN).iter().any(|held| held.id == sent);
        assert!(world.run_until(SOON, has_it));
        assert!(is_seen(&world, room, BOB, |person| person.typing_until.is_none()), "with the message, not after it");
        world.run_for(Duration::from_secs(1));
        assert!(is_seen(&world, room, BOB, |person| person.typing_until.is_none()), "nor does it come back");
    });
}

#[test]
fn who_goes_while_typing_is_typing_no_more() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, _) = watched(seed);
        type_in(&mut world, BOB, room);
        world.run_for(SOON);
        assert!(is_seen(&world, room, BOB, |person| person.typing_until.is_some()));
        world.tell(BOB, Session::stop);
        world.run_for(SOON);
        assert!(is_seen(&world, room, BOB, |person| !person.online && person.typing_until.is_none()));
    });
}

#[test]
fn delivered_to_a_member_means_stored_by_a_device_of_it() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, entered) = watched(seed);
        world.stall(BOB, true);
        let sent = world.send_entered(ANN, entered[ANN], 20);
        world.run_for(Duration::from_secs(1));
        let position = positions_of(&world, sent)[0];
        assert_eq!(delivered_to(&world, ANN, room, position), 1, "cy has it; bob's disk has not");
        // A second device of bob's is a device of his.
        let twin = world.add_client("bob");
        come_to_rest_but(&mut world, BOB);
        world.run_for(SOON);
        let second = world.send_entered(ANN, entered[ANN], 20);
        world.run_for(Duration::from_secs(1));
        assert_eq!(delivered_to(&world, ANN, room, positions_of(&world, second)[0]), 2);
        assert!(is_online(&world, twin));
    });
}

/// Runs until the clients have settled that can.
fn come_to_rest_but(world: &mut World, stalled: usize) {
    let others: Vec<usize> = (0..world.clients.len()).filter(|&client| client != stalled).collect();
    let settled = |world: &World| others.iter().all(|&client| is_online(world, client));
    assert!(world.run_until(Duration::from_secs(60), settled));
    world.run_for(Duration::from_secs(1));
}

#[test]
fn without_a_line_nobody_is_known_to_be_there_what_was_delivered_stays_and_a_return_tells_all_anew() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, entered) = watched(seed);
        let sent = world.send_entered(ANN, entered[ANN], 20);
        world.run_for(Duration::from_secs(1));
        let position = positions_of(&world, sent)[0];
        assert_eq!(delivered_to(&world, ANN, room, position), 2);
        world.cut(ANN, true, true, true);
        assert!(world.run_until(SOON, |world| !is_online(world, ANN)));
        for client in [ANN, BOB, CY] {
            assert!(is_seen(&world, room, client, |person| !person.online));
        }
        assert_eq!(delivered_to(&world, ANN, room, position), 2);
        assert!(world.run_until(Duration::from_secs(60), |world| is_online(world, ANN)));
        let all_online =
            |world: &World| [ANN, BOB, CY].iter().all(|&c| is_seen(world, room, c, |person| person.online));
        assert!(world.run_until(SOON, all_online), "the watch is not said again");
        world.tell(ANN, Session::stop);
        assert!([ANN, BOB, CY].iter().all(|&client| is_seen(&world, room, client, |person| !person.online)));
    });
}

#[test]
fn a_server_that_was_started_anew_learns_what_was_delivered_from_those_who_return() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, entered) = watched(seed);
        let sent = world.send_entered(ANN, entered[ANN], 20);
        come_to_rest(&mut world);
        let position = positions_of(&world, sent)[0];
        world.crash_server();
        world.start_server();
        // A process that is gone may say nothing of it.
        world.run_for(Duration::from_secs(60));
        assert!([ANN, BOB, CY].iter().all(|&client| is_online(&world, client)));
        // Nothing was sent since: it is their Hello that says so.
        assert_eq!(delivered_to(&world, ANN, room, position), 2);
    });
}

#[test]
fn who_leaves_is_seen_no_more_and_sees_no_more() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, _) = watched(seed);
        watch(&mut world, BOB, &[room]);
        world.run_for(SOON);
        assert!(seen(&world, BOB, room, CY).is_some());
        world.append(BOB, leave(room));
        come_to_rest(&mut world);
        assert_eq!(seen(&world, ANN, room, BOB), None);
        type_in(&mut world, CY, room);
        type_in(&mut world, BOB, room);
        world.run_for(Duration::from_secs(1));
        assert!(is_seen(&world, room, CY, |person| person.typing_until.is_some()));
        assert_eq!((seen(&world, ANN, room, BOB), seen(&world, BOB, room, CY)), (None, None));
        // Whoever comes back is seen again, and sees.
        world.enter(BOB, "lobby");
        come_to_rest(&mut world);
        world.run_for(SOON);
        assert!(is_seen(&world, room, BOB, |person| person.online) && seen(&world, BOB, room, CY).is_some());
    });
}

#[test]
fn members_and_public_rooms_are_told_to_whom_may_know_and_other_rooms_are_as_if_they_were_not() {
    let (mut world, lobby, _) = three_in_a_room(1, WeatherPlan::FAIR);
    let den = world.append(ANN, NewBody::CreatePrivate { name: "den".to_owned() });
    world.enter(CY, "Zoo");
    world.enter(CY, "attic");
    world.tell(BOB, Session::stop);
    come_to_rest_but(&mut world, BOB);
    let members = |world: &mut World, client, room| ask(world, client, Request::Members { room, after: AccountId(0) });

    let Ok(Reply::Members(page)) = members(&mut world, ANN, lobby) else { panic!("no members") };
    let mut told: Vec<_> = page.members.iter().map(|m| (m.name.as_str(), m.online, m.delivered > 0)).collect();
    told.sort_unstable();
    assert_eq!(told, [("ann", true, true), ("bob", false, true), ("cy", true, true)]);
    assert_eq!((page.total, page.next_after, page.as_of), (3, 0, world.head()));

    let den = RoomId(den.0);
    let Ok(Reply::Members(page)) = members(&mut world, ANN, den) else { panic!("no members") };
    assert_eq!((page.members.len(), page.members[0].name.as_str()), (1, "ann"));
    assert_eq!(members(&mut world, CY, den), Err(RequestError::NoSuchRoom));
    assert_eq!(members(&mut world, CY, RoomId(4_242)), Err(RequestError::NoSuchRoom));
    let attic = room_of(&world, "attic");
    assert!(matches!(members(&mut world, ANN, attic), Ok(Reply::Members(_))), "anybody may look into a public room");

    let Ok(Reply::Rooms(page)) = ask(&mut world, ANN, Request::Rooms { after: String::new() }) else { panic!() };
    let told: Vec<_> = page.rooms.iter().map(|room| (room.name.as_str(), room.members)).collect();
    assert_eq!((told, page.more), (vec![("attic", 1), ("lobby", 3), ("Zoo", 1)], false));
    // Counted, not kept: a server that starts counts them anew.
    world.crash_server();
    world.start_server();
    world.run_for(Duration::from_secs(60));
    let Ok(Reply::Rooms(page)) = ask(&mut world, ANN, Request::Rooms { after: String::new() }) else { panic!() };
    assert_eq!(page.rooms.iter().map(|room| room.members).collect::<Vec<_>>(), [1, 3, 1]);
    let Ok(Reply::Rooms(page)) = ask(&mut world, ANN, Request::Rooms { after: "Lobby".to_owned() }) else { panic!() };
    assert_eq!((page.rooms.len(), page.rooms[0].name.as_str(), page.rooms[0].room_sequence), (1, "Zoo", 1));
}

fn ask(world: &mut World, client: usize, request: Request) -> Result<Reply, RequestError> {
    let number = world.ask(client, request).expect("the process runs");
    let answered = |world: &World| world.answer(client, number).is_some();
    assert!(world.run_until(Duration::from_secs(60), answered), "it is never answered");
    world.answer(client, number).cloned().expect("it is")
}

#[test]
fn a_server_that_is_too_old_is_asked_nothing_and_the_asker_is_told_so() {
    let mut world = World::new(1, WeatherPlan::FAIR);
    world.sim.weather.server_version = VersionPlan::Older;
    let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
    let rooms = [world.enter(ann, "lobby"), world.enter(bob, "lobby")].map(|entered| RoomId(entered.0));
    // Asked before anybody knows what the server is, and after.
    let early = world.ask(ann, Request::Rooms { after: String::new() }).expect("it runs");
    come_to_rest(&mut world);
    watch(&mut world, ann, &rooms);
    type_in(&mut world, ann, rooms[0]);
    type_in(&mut world, bob, rooms[0]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.answer(ann, early), Some(&Err(RequestError::Unsupported)));
    let members = Request::Members { room: rooms[0], after: AccountId(0) };
    assert_eq!(ask(&mut world, ann, members), Err(RequestError::Unsupported));
    // The core here would answer a Watch with signals, and take it from a client of any kind.
    let people = world.session(ann).expect("it runs").people();
    assert_eq!(people.rooms().map(|(_, people)| people.len()).sum::<usize>(), 0);
    assert!(world.clients.iter().all(|client| client.drops.is_empty()));

    // The next one is of today: what was watched is watched, without another word.
    world.crash_server();
    world.sim.weather.server_version = VersionPlan::Ours;
    world.start_server();
    world.run_for(Duration::from_secs(60));
    let people = world.session(ann).expect("it runs").people();
    assert_eq!(people.rooms().map(|(_, people)| people.len()).sum::<usize>(), 2);
    let room = room_of(&world, "lobby");
    assert!(ask(&mut world, ann, Request::Members { room, after: AccountId(0) }).is_ok());
}

#[test]
fn after_a_server_was_restored_what_was_watched_is_watched() {
    for_each_seed(0..40, |seed| {
        let (mut world, room, entered) = three_in_a_room(seed, any_weather(&mut Random::new(seed)));
        // Welcome and the news that the histories parted come apart.
        world.sim.weather.piece_bytes_max = 30;
        watch(&mut world, ANN, &[room]);
        let copy = world.copy_server();
        let sent = world.send_entered(ANN, entered[ANN], 100);
        come_to_rest(&mut world);
        let lost = positions_of(&world, sent)[0];
        world.crash_server();
        world.restore_server(&copy);
        world.start_server();
        come_to_rest(&mut world);
        world.run_for(Duration::from_secs(2));
        assert_eq!(world.clients[ANN].history.commons.len(), 1);
        assert!([ANN, BOB, CY].iter().all(|&client| is_seen(&world, room, client, |person| person.online)));
        let head = world.head();
        assert!(is_seen(&world, room, CY, |person| person.delivered <= head), "{lost} was of another history");
    });
}

#[test]
fn who_was_set_back_knows_of_nobody_between_its_lines() {
    for_each_seed(0..25, |seed| {
        let (mut world, room, entered) = three_in_a_room(seed, WeatherPlan::FAIR);
        let copy = world.copy_profile(BOB);
        world.send_entered(BOB, entered[BOB], 20);
        come_to_rest(&mut world);
        world.crash_client(BOB);
        world.restore_profile(BOB, &copy);
        world.send_entered(BOB, entered[BOB], 30);
        world.start_client(BOB);
        watch(&mut world, BOB, &[room]);
        let knows = |world: &World| seen(world, BOB, room, CY).is_some_and(|person| person.online);
        let beyond_its_line = |world: &World| knows(world) && !is_online(world, BOB);
        assert!(!world.run_until(Duration::from_secs(10), beyond_its_line));
        assert_eq!((world.clients[BOB].history.set_back, knows(&world)), (1, true));
    });
}

#[test]
fn whatever_happens_to_lines_and_processes_in_the_end_each_watcher_knows_how_it_is() {
    for_each_seed(0..25, |seed| {
        let mut world = World::any(seed);
        let clients: Vec<usize> = NAMES.iter().map(|name| world.add_client(name)).collect();
        let entered: Vec<OperationId> = clients.iter().map(|&client| world.enter(client, "lobby")).collect();
        come_to_rest(&mut world);
        let room = room_of(&world, "lobby");
        clients.iter().for_each(|&client| watch(&mut world, client, &[room]));
        for _ in 0..world.random.between(5, 25) {
            let client = clients[world.random.below(3)];
            match world.random.below(9) {
                0 => world.cut_any(client),
                1 if world.random.percent(30) => {
                    world.crash_server();
                    world.start_server();
                }
                2 => type_in_if_up(&mut world, client, room),
                3 => watch_if_up(&mut world, client, &[]),
                4 => watch_if_up(&mut world, client, &[room]),
                5 => drop(world.append(client, leave(room))),
                6 => drop(world.enter(client, "lobby")),
                _ => drop(world.send_entered(client, entered[client], 200)),
            }
            let pause = world.random.ms(0, 1_500);
            world.run_for(pause);
        }
        come_to_rest(&mut world);
        clients.iter().for_each(|&client| watch(&mut world, client, &[room]));
        world.run_for(TYPING + Duration::from_secs(2));
        let state = world.sim.server.hub().expect("the server runs").state();
        let is_member = |client: usize| state.is_member(account(&world, client), room);
        let last = state.room(room).expect("it is there").head_position;
        for &by in &clients {
            for &client in &clients {
                let person = seen(&world, by, room, client);
                assert_eq!(person.is_some(), is_member(by) && is_member(client), "{by} of {client}");
                let Some(person) = person else { continue };
                let position = world.position(client).min(last);
                let told = (person.name.as_str(), person.online, person.typing_until, person.delivered);
                assert_eq!(told, (NAMES[client], true, None, position), "{by} of {client}");
            }
        }
    });
}

fn type_in_if_up(world: &mut World, client: usize, room: RoomId) {
    if world.session(client).is_some() {
        type_in(world, client, room);
    }
}

fn watch_if_up(world: &mut World, client: usize, rooms: &[RoomId]) {
    if world.session(client).is_some() {
        watch(world, client, rooms);
    }
}

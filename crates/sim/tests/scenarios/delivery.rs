//! Whatever breaks: everything arrives, once, in order.

use steadfast_proto::hub::CONTENT_TYPE_BYTES_MAX;
use steadfast_proto::ids::OperationId;
use steadfast_proto::time::Duration;
use steadfast_proto::wire;
use steadfast_sim::plan::WeatherPlan;
use steadfast_sim::random::Random;
use steadfast_store::profile::{NewBody, Target};

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;
use crate::weather::any_weather;

const ROOMS: [&str; 3] = ["lobby", "Den", "attic"];

/// What each client entered, by room.
type Entered = Vec<[Option<OperationId>; ROOMS.len()]>;

/// One thing that somebody does.
fn act(world: &mut World, entered: &mut Entered) {
    let client = world.random.below(world.clients.len());
    let room = world.random.below(ROOMS.len());
    match world.random.below(100) {
        0..=9 => entered[client][room] = Some(world.enter(client, ROOMS[room])),
        10..=13 => {
            if let Some(entering) = entered[client][room] {
                world.append(client, NewBody::Leave { room: Target::By(entering) });
            }
        }
        14..=17 => {
            let other = world.random.below(world.clients.len());
            let name = world.identity(other).name;
            world.append(client, NewBody::Direct { name });
        }
        _ => {
            let Some(entering) = entered[client][room] else { return };
            for _ in 0..world.random.between(1, 8) {
                let bytes = [10, 300, 3_000, 30_000][world.random.below(4)];
                world.send_entered(client, entering, bytes);
            }
        }
    }
}

/// One thing that goes wrong.
fn fail(world: &mut World) {
    let client = world.random.below(world.clients.len());
    let back = world.random.ms(0, 4_000);
    match world.random.below(10) {
        0..=4 => world.cut_any(client),
        5..=7 => {
            world.crash_client(client);
            world.start_client_later(back, client);
        }
        _ => {
            world.crash_server();
            world.start_server_later(back);
        }
    }
}

fn a_rough_hour(seed: u64) -> World {
    let mut world = World::any(seed);
    let clients = world.random.between(2, 4);
    let mut entered: Entered = Vec::new();
    for number in 0..clients {
        let client = world.add_client(&format!("client{number}"));
        entered.push([Some(world.enter(client, ROOMS[0])), None, None]);
    }
    for _ in 0..40 {
        act(&mut world, &mut entered);
        if world.random.percent(30) {
            fail(&mut world);
        }
        let pause = world.random.ms(0, 1_500);
        world.run_for(pause);
    }
    come_to_rest(&mut world);
    world
}

#[test]
fn all_is_delivered_once_and_in_order_while_lines_are_cut_and_clients_and_server_crash() {
    for_each_seed(0..30, |seed| {
        let world = a_rough_hour(seed);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn rooms_entered_while_a_reader_catches_up_from_the_store_are_not_skipped() {
    for_each_seed(0..80, |seed| {
        let weather = any_weather(&mut Random::new(seed));
        let mut world = World::new(seed, WeatherPlan { ring_bytes_max: 0, ..weather });
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let lobbies = [world.enter(ann, "lobby"), world.enter(bob, "lobby")];
        let den = world.enter(bob, "den");
        for _ in 0..30 {
            world.send_entered(bob, lobbies[1], 200);
            world.send_entered(bob, den, 50);
            if world.random.percent(10) {
                world.enter(ann, "den");
            }
            if world.random.percent(20) {
                world.send_entered(ann, lobbies[0], 50);
            }
            let pause = world.random.ms(0, 20);
            world.run_for(pause);
        }
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn an_operation_that_is_refused_does_not_hold_up_what_is_behind_it() {
    let mut world = World::any(1);
    let ann = world.add_client("ann");
    let lobby = world.enter(ann, "lobby");
    let content_type = "x".repeat(CONTENT_TYPE_BYTES_MAX + 1);
    let bad = world.append(ann, NewBody::Send { to: Target::By(lobby), body: bytes::Bytes::new(), content_type });
    let good = world.send_entered(ann, lobby, 10);
    world.run_for(Duration::from_secs(5));
    come_to_rest(&mut world);
    let refused = wire::Refusal::BodyTooLarge.into();
    let refusals = [bad, good].map(|id| world.outcome(ann, id).expect("it has one").refusal);
    assert_eq!(refusals, [Some(refused), None]);
    check_operations(&world);
}

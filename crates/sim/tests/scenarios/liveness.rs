//! Who is told of a dead line, and when; and that a living one is left alone.

use steadfast_proto::session::Cause;
use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

/// The default active bound, and what reading the outbox takes here.
const ACTIVE_BOUND: Duration = Duration::from_secs(3);
const OUTBOX_READ: Duration = Duration::from_millis(3);

/// A client that has been idle for a while on a good line, perhaps on a resumed link.
fn idle_client(seed: u64) -> (World, usize) {
    let mut world = World::new(seed, WeatherPlan { piece_bytes_max: 20, ..WeatherPlan::FAIR });
    let client = world.add_client("ann");
    world.enter(client, "lobby");
    come_to_rest(&mut world);
    if world.random.percent(50) {
        world.cut(client, true, true, true);
        come_to_rest(&mut world);
    }
    let idle = world.random.ms(0, 40_000);
    world.run_for(idle);
    world.clients[client].drops.clear();
    (world, client)
}

#[test]
fn an_idle_line_that_is_cut_silently_is_noticed_within_fifteen_seconds_by_the_client_and_fourteen_by_the_server() {
    for_each_seed(0..140, |seed| {
        let (mut world, client) = idle_client(seed);
        let cut = world.now();
        let (up, down) = [(true, true), (true, false), (false, true)][world.random.below(3)];
        world.cut(client, up, down, false);
        let wire = world.wire(client).expect("the client is online");
        let in_flight = world.sim.weather.latency.1;
        let server_told = world.run_until(Duration::from_secs(14) + in_flight, |w| !w.server_holds(wire));
        assert!(server_told || !up, "the server holds a dead link for more than 14 s");
        let left = (cut + Duration::from_secs(15) + in_flight).since(world.now());
        let client_told = world.run_until(left, |world| !world.clients[client].drops.is_empty());
        assert!(client_told, "the client holds a dead link for more than 15 s");
    });
}

#[test]
fn a_silent_cut_is_noticed_three_seconds_after_something_was_asked() {
    for_each_seed(0..140, |seed| {
        let (mut world, client) = idle_client(seed);
        world.cut(client, true, true, false);
        let pause = world.random.ms(10, 5_000);
        world.run_for(pause);
        if !world.clients[client].drops.is_empty() {
            // The idle line's own ping found out first.
            return;
        }
        let asked = world.now();
        world.enter(client, "den");
        world.run_for(Duration::from_secs(4));
        let (at, cause) = world.clients[client].drops.first().cloned().expect("noticed within 4 s");
        assert!(at.since(asked) <= ACTIVE_BOUND + OUTBOX_READ, "{:?} after it was asked", at.since(asked));
        assert!(matches!(cause, Cause::Silent { .. }), "{cause:?}");
    });
}

#[test]
fn a_line_whose_latency_swings_between_50_and_350_ms_is_never_given_up() {
    for_each_seed(0..70, |seed| {
        let weather =
            WeatherPlan { latency: (Duration::from_millis(50), Duration::from_millis(350)), ..WeatherPlan::FAIR };
        let mut world = World::new(seed, weather);
        let clients = [world.add_client("ann"), world.add_client("bob")];
        let lobbies = clients.map(|client| world.enter(client, "lobby"));
        for _ in 0..20 {
            let which = world.random.below(2);
            let bytes = world.random.below(5_000);
            world.send_entered(clients[which], lobbies[which], bytes);
            let pause = world.random.ms(0, 25_000);
            world.run_for(pause);
        }
        come_to_rest(&mut world);
        assert!(world.clients.iter().all(|client| client.drops.is_empty()));
        check_streams(&world);
    });
}

#[test]
fn disks_that_stall_for_ten_seconds_on_both_sides_cost_no_link() {
    for_each_seed(0..70, |seed| {
        let weather = WeatherPlan {
            device_sync_max: Duration::from_secs(10),
            server_sync_max: Duration::from_secs(10),
            ..WeatherPlan::FAIR
        };
        let mut world = World::new(seed, weather);
        let clients = [world.add_client("ann"), world.add_client("bob")];
        let lobbies = clients.map(|client| world.enter(client, "lobby"));
        for _ in 0..10 {
            let which = world.random.below(2);
            world.send_entered(clients[which], lobbies[which], 2_000);
            let pause = world.random.ms(0, 8_000);
            world.run_for(pause);
        }
        come_to_rest(&mut world);
        assert!(world.clients.iter().all(|client| client.drops.is_empty()));
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn an_idle_line_carries_a_ping_and_its_answer_every_eleven_seconds_and_no_more() {
    const PING_BYTES_MAX: u64 = 24;
    for_each_seed(0..70, |seed| {
        let (mut world, client) = idle_client(seed);
        let wire = world.wire(client).expect("the client is online");
        let carried = |world: &World| (world.carried(wire)[0], world.carried(wire)[1]);
        world.run_for(Duration::from_secs(15));
        let before = carried(&world);
        world.run_for(Duration::from_secs(600));
        let after = carried(&world);
        // 600 s hold 58 pauses of 11 s, 5 % shorter, at most.
        assert!(after.0 - before.0 <= 58 * PING_BYTES_MAX, "{} bytes up in 600 s", after.0 - before.0);
        assert!(after.1 - before.1 <= 58 * PING_BYTES_MAX, "{} bytes down in 600 s", after.1 - before.1);
    });
}

/// What is under way when a line is cut has arrived, is stored, and its answer is here, after this: two ways over the
/// line, both disks, and the sequencer's own time.
const SETTLING: Duration = Duration::from_millis(25);

#[test]
fn a_busy_client_notices_a_cut_in_any_direction_as_soon_as_an_idle_one_that_asks_once() {
    const PACE: Duration = Duration::from_millis(50);
    for_each_seed(0..50, |seed| {
        for busy in [true, false] {
            let (mut world, client) = idle_client(seed);
            let mut number = 0;
            let mut ask = |world: &mut World| {
                world.enter(client, &format!("den{number}"));
                number += 1;
            };
            for _ in 0..if busy { 20 } else { 0 } {
                ask(&mut world);
                world.run_for(PACE);
            }
            assert!(world.clients[client].drops.is_empty());
            let cut = world.now();
            let (up, down) = [(true, true), (true, false), (false, true)][world.random.below(3)];
            world.cut(client, up, down, false);
            ask(&mut world);
            while world.clients[client].drops.is_empty() {
                assert!(world.now().since(cut) < 2 * ACTIVE_BOUND, "a dead line is not noticed");
                if busy {
                    ask(&mut world);
                }
                world.run_for(PACE);
            }
            let (at, cause) = world.clients[client].drops[0].clone();
            assert!(at.since(cut) <= ACTIVE_BOUND + SETTLING, "busy {busy}: {:?} after the cut", at.since(cut));
            match cause {
                Cause::Silent { for_ms } => assert!(for_ms >= 3_000, "after {for_ms} ms of silence"),
                // Its own words got through: the server was the first to say so.
                Cause::Bye { .. } => assert!(!down, "{cause:?}"),
                other => panic!("{other:?}"),
            }
            come_to_rest(&mut world);
            check_operations(&world);
        }
    });
}

#[test]
fn the_server_lets_a_client_go_three_seconds_after_entries_went_out_on_a_line_cut_in_any_direction() {
    const PACE: Duration = Duration::from_millis(10);
    for_each_seed(0..30, |seed| {
        let (mut world, ann) = idle_client(seed);
        let bob = world.add_client("bob");
        let lobby = world.enter(bob, "lobby");
        come_to_rest(&mut world);
        // All is acknowledged, and neither the idle bound nor an idle ping is near enough to come first.
        let idle = world.random.ms(50, 10_000);
        world.run_for(idle);
        let wire = world.wire(ann).expect("ann is online");
        let carried = |world: &World| world.carried(wire)[0];
        let (up, down) = [(true, true), (true, false), (false, true)][world.random.below(3)];
        let busy = world.random.percent(50);
        world.cut(ann, up, down, false);
        world.send_entered(bob, lobby, 20);
        let (asked, mut heard, mut from_ann) = (world.now(), world.now(), carried(&world));
        while world.server_holds(wire) {
            assert!(world.now().since(asked) < 3 * ACTIVE_BOUND, "a dead line is not noticed");
            if busy {
                world.send_entered(bob, lobby, 20);
            }
            world.run_until(PACE, |world| !world.server_holds(wire));
            let now_from_ann = carried(&world);
            // What she pings for herself does arrive, if only the other direction is cut.
            if !up && now_from_ann > from_ann {
                (heard, from_ann) = (world.now(), now_from_ann);
            }
        }
        let (took, silent) = (world.now().since(asked), world.now().since(heard));
        assert!(silent <= ACTIVE_BOUND + SETTLING, "up {up}, down {down}, busy {busy}: let go after {silent:?}");
        assert!(took >= ACTIVE_BOUND, "up {up}, down {down}, busy {busy}: let go after {took:?} already");
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn a_client_that_stood_still_knows_it_whether_the_line_outlived_that_or_not() {
    for_each_seed(0..140, |seed| {
        let (mut world, client) = idle_client(seed);
        let wire = world.wire(client).expect("the client is online");
        let time = world.random.ms(0, 40_000);
        world.freeze_client(client, true);
        world.run_for(time);
        let let_go = !world.server_holds(wire);
        world.freeze_client(client, false);
        world.run_for(SETTLING);
        let causes: Vec<Cause> = world.clients[client].drops.iter().map(|(_, cause)| cause.clone()).collect();
        let expected = if let_go { vec![Cause::WokeFromSleep] } else { vec![] };
        assert_eq!(causes, expected, "after {time:?}");
        // It is back at once, and stays.
        world.run_for(SETTLING);
        let back = world.wire(client).expect("it is connected");
        assert_eq!(back != wire, let_go);
        world.run_for(Duration::from_secs(60));
        assert_eq!(world.wire(client), Some(back));
        come_to_rest(&mut world);
    });
}

#[test]
fn a_server_that_stands_still_is_noticed_after_the_active_bound_and_for_less_than_that_drops_nobody() {
    for_each_seed(0..70, |seed| {
        let (mut world, asking) = idle_client(seed);
        let idle = world.add_client("bob");
        world.run_for(Duration::from_secs(1));
        let stopped = world.now();
        world.freeze_server(true);
        world.enter(asking, "den");
        let short = world.random.percent(50);
        let time = if short { world.random.ms(0, 2_900) } else { world.random.ms(3_100, 30_000) };
        world.run_for(time);
        if short {
            assert!(world.clients[asking].drops.is_empty(), "before the bound");
        } else {
            let (at, cause) = world.clients[asking].drops.first().cloned().expect("noticed");
            let took = at.since(stopped);
            assert!(took >= ACTIVE_BOUND && took <= ACTIVE_BOUND + SETTLING, "noticed after {took:?}");
            assert!(matches!(cause, Cause::Silent { .. }), "{cause:?}");
        }
        world.freeze_server(false);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
        if short {
            assert!(world.clients[asking].drops.is_empty() && world.clients[idle].drops.is_empty());
        }
        // Those for whom the time was too short are not dropped by it later.
        let drops = |world: &World| (world.clients[asking].drops.len(), world.clients[idle].drops.len());
        let before = drops(&world);
        world.run_for(Duration::from_secs(60));
        assert_eq!(drops(&world), before);
    });
}

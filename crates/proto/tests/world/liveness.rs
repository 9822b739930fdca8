//! Who is told of a dead line, and when; and that a living one is left alone.

use steadfast_proto::session::Cause;
use steadfast_proto::time::Duration;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::pipe::Latency;
use crate::random::for_each_seed;
use crate::sim::{Weather, World};

/// The default active bound, and what reading the outbox takes here.
const ACTIVE_BOUND: Duration = Duration::from_secs(3);
const OUTBOX_READ: Duration = Duration::from_millis(3);

/// A client that has been idle for a while on a good line, perhaps on a resumed link.
fn idle_client(seed: u64) -> (World, usize) {
    let mut world = World::new(seed, Weather { piece_bytes_max: 20, ..Weather::FAIR });
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
    for_each_seed(0..300, |seed| {
        let (mut world, client) = idle_client(seed);
        let cut = world.now;
        let (up, down) = [(true, true), (true, false), (false, true)][world.random.below(3)];
        world.cut(client, up, down, false);
        let wire = world.clients[client].wire.expect("the client is online");
        let in_flight = Duration::from_millis(world.weather.latency.to_ms);
        let server_told = world.run_until(Duration::from_secs(14) + in_flight, |w| !w.server.conns.contains_key(&wire));
        assert!(server_told || !up, "the server holds a dead link for more than 14 s");
        let left = (cut + Duration::from_secs(15) + in_flight).since(world.now);
        let client_told = world.run_until(left, |world| !world.clients[client].drops.is_empty());
        assert!(client_told, "the client holds a dead link for more than 15 s");
    });
}

#[test]
fn a_silent_cut_is_noticed_three_seconds_after_something_was_asked() {
    for_each_seed(0..300, |seed| {
        let (mut world, client) = idle_client(seed);
        world.cut(client, true, true, false);
        let pause = world.random.ms(10, 5_000);
        world.run_for(pause);
        if !world.clients[client].drops.is_empty() {
            // The idle line's own ping found out first.
            return;
        }
        let asked = world.now;
        world.enter(client, "den");
        world.run_for(Duration::from_secs(4));
        let (at, cause) = world.clients[client].drops.first().cloned().expect("noticed within 4 s");
        assert!(at.since(asked) <= ACTIVE_BOUND + OUTBOX_READ, "{:?} after it was asked", at.since(asked));
        assert!(matches!(cause, Cause::Silent { .. }), "{cause:?}");
    });
}

#[test]
fn a_line_whose_latency_swings_between_50_and_350_ms_is_never_given_up() {
    for_each_seed(0..200, |seed| {
        let weather = Weather { latency: Latency { from_ms: 50, to_ms: 350 }, ..Weather::FAIR };
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
    for_each_seed(0..200, |seed| {
        let weather = Weather { client_sync_ms_max: 10_000, server_sync_ms_max: 10_000, ..Weather::FAIR };
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
    for_each_seed(0..200, |seed| {
        let (mut world, client) = idle_client(seed);
        let wire = world.clients[client].wire.expect("the client is online");
        let carried = |world: &World| (world.wires[&wire].up.carried, world.wires[&wire].down.carried);
        world.run_for(Duration::from_secs(15));
        let before = carried(&world);
        world.run_for(Duration::from_secs(600));
        let after = carried(&world);
        // 600 s hold 58 pauses of 11 s, 5 % shorter, at most.
        assert!(after.0 - before.0 <= 58 * PING_BYTES_MAX, "{} bytes up in 600 s", after.0 - before.0);
        assert!(after.1 - before.1 <= 58 * PING_BYTES_MAX, "{} bytes down in 600 s", after.1 - before.1);
    });
}

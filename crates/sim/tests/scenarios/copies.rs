//! A client's profile is restored from a copy.

use std::cell::Cell;

use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest, positions_of};
use crate::scene::World;
use crate::seeds::for_each_seed;

const QUEUED: usize = 20;
const WRITTEN_OFFLINE: usize = 40;

#[test]
fn a_profile_restored_from_a_copy_goes_on_with_nothing_lost_or_doubled() {
    for_each_seed(0..80, |seed| {
        let mut world = World::any(seed);
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let lobby = world.enter(ann, "lobby");
        let lobby_of_bob = world.enter(bob, "lobby");
        for _ in 0..world.random.below(5) {
            world.send_entered(bob, lobby_of_bob, 20);
        }
        come_to_rest(&mut world);
        // The copy holds some messages that the original sends later.
        world.crash_client(bob);
        let queued = world.random.below(25);
        world.send_many(bob, lobby_of_bob, queued, 1_500);
        let copied = world.copy_profile(bob);
        let sent_since = if world.random.percent(30) { 0 } else { world.random.below(WRITTEN_OFFLINE + 10) };
        world.send_many(bob, lobby_of_bob, sent_since, 40);
        come_to_rest(&mut world);
        world.crash_client(bob);
        let originals = std::mem::take(&mut world.clients[bob].made);
        world.restore_profile(bob, &copied);
        world.send_many(bob, lobby_of_bob, WRITTEN_OFFLINE, 50);
        world.start_client(bob);
        for _ in 0..world.random.below(8) {
            let pause = world.random.ms(0, 900);
            world.run_for(pause);
            world.send_entered(ann, lobby, 60);
            match world.random.below(3) {
                0 => world.cut_any(bob),
                1 => {
                    world.crash_client(bob);
                    world.start_client(bob);
                }
                _ => {}
            }
        }
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
        for id in originals {
            assert_eq!(positions_of(&world, id).len(), 1, "{id} of the original");
        }
        let set_back = world.clients[bob].history.set_back;
        let ended = world.flights(bob).values().rev().skip(1).all(|flight| flight.loss.is_some());
        assert!(ended, "each link but the last has an end: {:?}", world.flights(bob));
        assert!(set_back <= 1, "a profile that was put back once learns it once");
        assert!(set_back == 1 || sent_since == 0, "another history under the same numbers is found out");
    });
}

#[test]
fn a_profile_found_set_back_sends_nothing_under_old_numbers_on_the_next_link_either() {
    for_each_seed(0..120, |seed| {
        let mut world = World::any(seed);
        world.sim.weather.socket_bytes = 4 * 1024;
        world.sim.weather.device_sync_max = Duration::from_millis(1);
        world.sim.weather.latency = (Duration::from_millis(1), Duration::from_millis(30));
        world.sim.weather.piece_bytes_max = usize::MAX;
        let bob = world.add_client("bob");
        let lobby = world.enter(bob, "lobby");
        come_to_rest(&mut world);
        world.crash_client(bob);
        world.sim.weather.server_sync_max = Duration::from_millis(1);
        world.send_many(bob, lobby, QUEUED, 1_500);
        let copied = world.copy_profile(bob);
        // The original is restarted in the middle, so that it confirms some of them.
        world.sim.weather.server_sync_max = Duration::from_millis(400);
        world.start_client(bob);
        world.run_until(Duration::from_secs(30), |world| world.waiting(bob) < QUEUED as u64);
        world.crash_client(bob);
        come_to_rest(&mut world);
        world.crash_client(bob);
        world.restore_profile(bob, &copied);
        world.send_many(bob, lobby, QUEUED, 50);
        // Now it is found out before what came back is stored, and what is new waits long at the server.
        world.sim.weather.server_sync_max = Duration::from_millis(1);
        world.sim.weather.device_sync_max = Duration::from_millis(300);
        world.start_client(bob);
        let pause = world.random.ms(0, 300);
        world.run_for(pause);
        world.sim.weather.server_sync_max = Duration::from_millis(2_000);
        world.cut(bob, true, true, true);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

/// Of two copies with the same messages in them one sends some, the other learns of that and sends the rest, and then
/// the first one comes back, whose next number is what the server expects next of it.
#[test]
fn a_copy_that_is_behind_and_one_that_is_not_send_what_waits_in_both_once() {
    let found = Cell::new(0);
    for_each_seed(0..25, |seed| {
        let mut world = World::new(seed, WeatherPlan { socket_bytes: 4 * 1024, ..WeatherPlan::FAIR });
        let bob = world.add_client("bob");
        let lobby = world.enter(bob, "lobby");
        come_to_rest(&mut world);
        world.crash_client(bob);
        world.send_many(bob, lobby, QUEUED, 1_500);
        let behind = world.copy_profile(bob);
        // On a line so slow that the last ones never leave. Twice, so that it confirms to the server what it knows of
        // the first time.
        world.sim.weather.bytes_per_second = Some(8_000);
        for waiting in [QUEUED as u64 * 2 / 3, QUEUED as u64 / 3] {
            world.start_client(bob);
            world.run_until(Duration::from_secs(30), |world| world.waiting(bob) <= waiting);
            world.cut(bob, true, true, true);
            world.crash_client(bob);
        }
        world.sim.weather.bytes_per_second = None;
        let ahead = world.copy_profile(bob);
        // The server answers before what it has is stored here.
        world.sim.weather.server_sync_max = Duration::from_millis(1);
        world.sim.weather.device_sync_max = Duration::from_millis(400);
        for copy in [&behind, &ahead, &behind] {
            world.restore_profile(bob, copy);
            world.start_client(bob);
            come_to_rest(&mut world);
            world.crash_client(bob);
        }
        found.set(found.get() + world.clients[bob].history.set_back);
        world.start_client(bob);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
    assert!(found.get() > 0, "a copy was behind");
}

/// The copy is of before the first contact, with messages in it: it has no place yet, and what was sent since stands
/// before the place that a new device would begin at.
#[test]
fn a_profile_put_back_to_before_its_first_contact_sends_nothing_twice() {
    for_each_seed(0..30, |seed| {
        let mut world = World::any(seed);
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let lobby = world.enter(ann, "lobby");
        world.crash_client(bob);
        assert_eq!(world.position(bob), 0, "bob was never there");
        let lobby_of_bob = world.enter(bob, "lobby");
        world.send_many(bob, lobby_of_bob, 5, 40);
        let copy = world.copy_profile(bob);
        world.start_client(bob);
        come_to_rest(&mut world);
        world.send_entered(bob, lobby_of_bob, 40);
        world.send_entered(ann, lobby, 40);
        come_to_rest(&mut world);
        world.crash_client(bob);
        world.restore_profile(bob, &copy);
        world.send_entered(bob, lobby_of_bob, 50);
        world.start_client(bob);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

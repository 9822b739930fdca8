//! A client's profile is restored from a copy.

use steadfast_proto::time::Duration;

use crate::oracle::{check_operations, check_streams, come_to_rest, positions_of};
use crate::scene::World;
use crate::seeds::for_each_seed;

const QUEUED: usize = 20;
const WRITTEN_OFFLINE: usize = 40;

#[test]
fn a_profile_restored_from_a_copy_goes_on_as_a_new_device_with_nothing_lost_or_doubled() {
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
        let new_devices = world.clients[bob].history.new_devices;
        let ended = world.flights(bob).values().rev().skip(1).all(|flight| flight.loss.is_some());
        assert!(ended, "each link but the last has an end: {:?}", world.flights(bob));
        assert!(new_devices <= 1, "a profile that was copied once is renewed once");
        assert!(new_devices == 1 || sent_since == 0, "another history under the same numbers is found out");
    });
}

#[test]
fn a_profile_found_rolled_back_says_nothing_more_as_the_old_device_on_the_next_link_either() {
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

//! A version of the protocol beside the next one: each side ignores what it does not know of the other.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::{VersionPlan, WeatherPlan};
use steadfast_sim::random::Random;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;
use crate::weather::any_weather;

#[test]
fn a_newer_side_is_understood_by_one_of_today_and_costs_no_line() {
    use VersionPlan::{Newer, Older, Ours};
    for_each_seed(0..10, |seed| {
        for (server, devices) in [(Ours, [Newer, Ours]), (Newer, [Ours, Newer]), (Newer, [Older, Ours])] {
            let weather = any_weather(&mut Random::new(seed));
            let mut world = World::new(seed, WeatherPlan { server_version: server, ..weather });
            let clients = [world.add_client_of("ann", devices[0]), world.add_client_of("bob", devices[1])];
            let lobbies = clients.map(|client| world.enter(client, "lobby"));
            for round in 0..12 {
                let which = world.random.below(2);
                let bytes = [10, 2_000, 40_000][world.random.below(3)];
                world.send_entered(clients[which], lobbies[which], bytes);
                let pause = Duration::from_millis(700 * round);
                world.run_for(pause);
            }
            // Idle lines are pinged, and count what they carried.
            world.run_for(Duration::from_secs(60));
            come_to_rest(&mut world);
            assert!(world.clients.iter().all(|client| client.drops.is_empty()), "{:?}", world.clients);
            check_operations(&world);
            check_streams(&world);
        }
    });
}

//! Clients that lose their server in one moment come back over the time that it asked for.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;
use steadfast_sim::world::device::Device;

use crate::scene::World;
use crate::seeds::for_each_seed;

const CLIENTS: usize = 200;
/// A line that held for ten seconds starts with no backoff.
const STABLE: Duration = Duration::from_secs(10);
/// The longest that an idle line's death goes unnoticed, and what the line takes.
const NOTICED: Duration = Duration::from_millis(15_010);

/// How long after its loss each client tried for the first time; each was told, when it came, to spread its return.
fn first_tries(seed: u64, return_spread_ms: u32) -> Vec<Duration> {
    let spread = Duration::from_millis(return_spread_ms.into());
    let mut world = World::new(seed, WeatherPlan::FAIR);
    world.sim.server.return_spread_ms = return_spread_ms;
    for number in 0..CLIENTS {
        world.add_client(&format!("client{number}"));
    }
    let is_online = |device: &Device| device.is_online();
    assert!(world.run_until(Duration::from_secs(30), |world| world.sim.devices.iter().all(is_online)));
    world.run_for(STABLE + Duration::from_secs(1));
    assert!(world.clients.iter().all(|client| client.drops.is_empty()));
    world.sim.devices.iter_mut().flat_map(|device| &mut device.tries).for_each(Vec::clear);
    // Some systems reset the lines of a process that is gone; for the others it falls silent.
    world.crash_server();
    let first_try = |device: &Device| device.tries.iter().flatten().next().copied();
    let all_tried = |world: &World| world.sim.devices.iter().all(|device| first_try(device).is_some());
    assert!(world.run_until(NOTICED + spread, all_tried), "a client does not come back");
    let devices = world.sim.devices.iter().zip(&world.clients);
    devices.filter_map(|(device, client)| Some(first_try(device)?.since(client.drops[0].0))).collect()
}

#[test]
fn clients_that_lose_the_server_without_a_word_return_evenly_over_the_time_it_asked_for() {
    const SPREAD_MS: u32 = 6_000;
    // A third of 200 is 67; chance takes four times its deviation of 6.7 from that once in 10,000 thirds.
    const THIRD: std::ops::RangeInclusive<usize> = 40..=94;
    for_each_seed(0..2, |seed| {
        let tries = first_tries(seed, SPREAD_MS);
        let spread = Duration::from_millis(SPREAD_MS.into());
        assert!(tries.iter().all(|&after| after <= spread), "{:?} after the loss", tries.iter().max());
        let mut thirds = [0; 3];
        for after in tries {
            thirds[(after.as_nanos() * 3 / (spread.as_nanos() + 1)) as usize] += 1;
        }
        assert!(thirds.iter().all(|third| THIRD.contains(third)), "first tries by thirds of the spread: {thirds:?}");
    });
}

#[test]
fn clients_of_a_server_that_asked_for_no_spread_try_at_once() {
    for_each_seed(0..1, |seed| {
        assert_eq!(first_tries(seed, 0), [Duration::ZERO; CLIENTS]);
    });
}

//! A line that carries 64 kbit/s, with megabytes waiting on both of its ends: it lives, and its death is noticed.

use steadfast_proto::session::{Cause, Session, State, Status};
use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

/// 64 kbit/s.
const BYTES_PER_SECOND: u64 = 8_000;
const BACKLOG_BYTES: u64 = 2_000_000;
const BODY_BYTES: usize = 8_000;
const SLOW: WeatherPlan = WeatherPlan {
    latency: (Duration::from_millis(50), Duration::from_millis(100)),
    bytes_per_second: Some(BYTES_PER_SECOND),
    // What a packet holds.
    piece_bytes_max: 1_400,
    window_bytes: 256 * 1024,
    ..WeatherPlan::FAIR
};
/// A glance at the line, so often.
const GLANCE: Duration = Duration::from_millis(50);
/// The driver adds to what is under way below 16 KiB; what it adds is frames until they are 16 KiB, the last one whole.
const UNDER_WAY_BYTES_MAX: u64 = 2 * 16 * 1024 + BODY_BYTES as u64 + 200;
/// Behind the most that is under way, there and back, and both ways of the line itself.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(2 * UNDER_WAY_BYTES_MAX * 1_000 / BYTES_PER_SECOND + 200);

/// So often a ping is asked for.
const PROBE_PAUSE: Duration = Duration::from_secs(10);
/// Who has nothing more to send and waits for an answer pings once a second; the line adds its lateness, the glances
/// theirs.
const SILENCE_MAX: Duration = Duration::from_millis(1_000 + 100 + 2 * 50);

fn status(world: &World, client: usize) -> Status {
    world.session(client).expect("the process runs").status()
}

/// Ann is back on a slow line after bob, who has a good one, wrote 2 MB; and she wrote as much.
fn two_backlogs(seed: u64) -> (World, usize) {
    let mut world = World::new(seed, WeatherPlan { window_bytes: SLOW.window_bytes, ..WeatherPlan::FAIR });
    let [ann, bob] = ["ann", "bob"].map(|name| world.add_client(name));
    let lobbies = [ann, bob].map(|client| world.enter(client, "lobby"));
    come_to_rest(&mut world);
    world.crash_client(ann);
    for (client, lobby) in [ann, bob].into_iter().zip(lobbies) {
        world.send_many(client, lobby, (BACKLOG_BYTES / BODY_BYTES as u64) as usize, BODY_BYTES);
    }
    let emptied = world.run_until(Duration::from_secs(60), |world| world.waiting(bob) == 0);
    assert!(emptied, "bob's line is a good one");
    // The server has let the crashed process go.
    world.run_for(Duration::from_secs(20));
    world.sim.weather = SLOW;
    world.start_client(ann);
    let online = |world: &World| status(world, ann).state == State::Online;
    assert!(world.run_until(Duration::from_secs(15), online), "{:?}", status(&world, ann));
    (world, ann)
}

#[test]
fn a_line_of_64_kbit_with_two_megabytes_waiting_each_way_is_never_given_up_and_delivers_all() {
    for_each_seed(0..4, |seed| {
        let (mut world, ann) = two_backlogs(seed);
        let wire = world.wire(ann).expect("ann is online");
        let (began, mut longest_round_trip, mut most_under_way) = (world.now(), Duration::ZERO, 0);
        let arrived = |world: &World| {
            let (carried, under_way) = (world.carried(wire), world.under_way(wire));
            [carried[0] - under_way[0], carried[1] - under_way[1]]
        };
        let before = arrived(&world);
        let (mut asked, mut last, mut longest_silence) = (began, before.map(|bytes| (bytes, began)), Duration::ZERO);
        while world.waiting(ann) > 0 {
            assert!(world.now().since(began) < Duration::from_secs(600), "the outbox does not empty");
            // A line that is never silent makes no ping of its own: so one is asked for.
            if world.now().since(asked) >= PROBE_PAUSE {
                asked = world.now();
                world.tell(ann, Session::handle_network_changed);
            }
            world.run_for(GLANCE);
            assert_eq!(world.clients[ann].drops, [], "after {:?}", world.now().since(began));
            assert!(world.server_holds(wire), "the server let go");
            for (last, bytes) in last.iter_mut().zip(arrived(&world)) {
                if last.0 != bytes {
                    *last = (bytes, world.now());
                }
                longest_silence = longest_silence.max(world.now().since(last.1));
            }
            longest_round_trip = longest_round_trip.max(status(&world, ann).round_trip.unwrap_or_default());
            most_under_way = world.under_way(wire).into_iter().fold(most_under_way, u64::max);
        }
        let (took, after) = (world.now().since(began), arrived(&world));
        // Both backlogs went over this line, both at once and no faster than it carries.
        for (before, after) in before.into_iter().zip(after) {
            assert!(after - before >= BACKLOG_BYTES * 9 / 10, "{} bytes in {took:?}", after - before);
            let most = (took.as_millis() as u64 + 100) * BYTES_PER_SECOND / 1_000 + 1_400;
            assert!(after - before <= most, "{} bytes in {took:?}", after - before);
        }
        eprintln!(
            "{took:?}: round trip {longest_round_trip:?}, silence {longest_silence:?}, {most_under_way} B queued"
        );
        assert!(longest_silence <= SILENCE_MAX, "{longest_silence:?} without a byte one way");
        assert!(most_under_way <= UNDER_WAY_BYTES_MAX, "{most_under_way}");
        assert!(longest_round_trip > Duration::ZERO && longest_round_trip <= ROUND_TRIP_MAX, "{longest_round_trip:?}");
        let all_there = |world: &World| world.position(ann) == world.head();
        assert!(world.run_until(Duration::from_secs(600), all_there), "{:?}", status(&world, ann));
        assert_eq!(world.clients[ann].drops, []);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn a_line_of_64_kbit_that_is_cut_silently_under_its_backlog_is_noticed_within_the_bound_that_its_status_names() {
    for_each_seed(0..4, |seed| {
        let (mut world, ann) = two_backlogs(seed);
        let moment = world.random.ms(1_000, 200_000);
        world.run_for(moment);
        assert_eq!(world.clients[ann].drops, []);
        let cut = world.now();
        world.cut(ann, true, true, false);
        let mut bound = Duration::ZERO;
        while world.clients[ann].drops.is_empty() {
            assert!(world.now().since(cut) <= Duration::from_secs(15) + GLANCE, "a dead line is not noticed");
            bound = status(&world, ann).bound.expect("the line is thought to be up");
            world.run_for(GLANCE);
        }
        let (at, cause) = world.clients[ann].drops[0].clone();
        eprintln!("noticed {:?} after the cut, bound {bound:?}", at.since(cut));
        // Something is always asked here, so that the bound runs from the last byte.
        assert!(at.since(cut) <= bound + GLANCE, "{:?} after the cut, bound {bound:?}", at.since(cut));
        assert!(matches!(cause, Cause::Silent { .. }), "{cause:?}");
    });
}

//! How a lost line comes back: the user's switches, hints of the network, and what the flight recorder tells of it.

use steadfast_proto::session::{Cause, Session, State, Status};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::ByeReason;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

const SOON: Duration = Duration::from_secs(2);

fn status(world: &World, client: usize) -> Status {
    world.session(client).expect("the process runs").status()
}

fn is_online(world: &World, client: usize) -> bool {
    status(world, client).state == State::Online
}

/// Two members of one room on a good line.
fn two_in_a_room(seed: u64) -> (World, [usize; 2]) {
    let mut world = World::new(seed, WeatherPlan::FAIR);
    let clients = [world.add_client("ann"), world.add_client("bob")];
    for client in clients {
        world.enter(client, "lobby");
    }
    come_to_rest(&mut world);
    (world, clients)
}

#[test]
fn without_automatic_login_a_lost_line_comes_back_and_says_nothing_until_the_user_has_answered() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        world.tell(ann, |session, _| session.set_auto_login(false));
        world.cut(ann, true, true, true);
        assert!(world.run_until(SOON, |world| status(world, ann).asks_login), "the user is asked");
        assert_eq!(status(&world, ann).state, State::Offline);
        // The server waits ten seconds for a Hello, then it hangs up; the question stands, and nothing is tried.
        let waited = world.random.ms(0, 60_000);
        world.run_for(waited);
        assert!(status(&world, ann).asks_login && !is_online(&world, ann));
        assert_eq!(world.wire(ann).is_some(), waited < Duration::from_secs(10), "after {waited:?}");

        world.tell(ann, |session, _| session.log_in());
        assert!(world.run_until(SOON, |world| is_online(world, ann)), "the answer logs in");
        assert!(!status(&world, ann).asks_login);
        world.cut(ann, true, true, true);
        assert!(world.run_until(SOON, |world| status(world, ann).asks_login), "each loss asks anew");
        world.tell(ann, |session, _| session.set_auto_login(true));
        assert!(world.run_until(SOON, |world| is_online(world, ann)), "switching it on is an answer");
    });
}

#[test]
fn the_first_login_of_a_process_needs_no_answer_whatever_the_switch_says() {
    let (mut world, [ann, _]) = two_in_a_room(1);
    world.crash_client(ann);
    world.start_client(ann);
    world.tell(ann, |session, _| session.set_auto_login(false));
    assert!(world.run_until(SOON, |world| is_online(world, ann)));
}

#[test]
fn reconnecting_can_be_switched_off_and_on_in_the_middle_of_a_pause() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        world.crash_server();
        let pause = world.random.ms(500, 60_000);
        world.run_for(pause);
        world.tell(ann, |session, _| session.set_reconnect(false));
        let stopped = |world: &World| status(world, ann).state == State::Stopped;
        // A try that is under way ends first, and a line whose server went without a word has yet to be found dead.
        assert!(world.run_until(Duration::from_secs(16), stopped));
        world.start_server();
        world.run_for(Duration::from_secs(60));
        assert_eq!(status(&world, ann).state, State::Stopped, "nothing is tried");
        world.tell(ann, |session, _| session.set_reconnect(true));
        assert!(world.run_until(SOON, |world| is_online(world, ann)));
    });
}

#[test]
fn a_stop_holds_at_every_moment_of_a_reconnect_until_the_user_resumes() {
    for_each_seed(0..80, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        if world.random.percent(50) {
            world.crash_server();
        } else {
            world.cut(ann, true, true, true);
        }
        let moment = world.random.ms(0, 1_000);
        world.run_for(moment);
        world.tell(ann, Session::stop);
        world.start_server();
        world.tell(ann, |session, _| session.try_now());
        world.tell(ann, Session::handle_network_changed);
        world.run_for(Duration::from_secs(90));
        assert_eq!((status(&world, ann).state, world.wire(ann)), (State::Stopped, None));
        world.tell(ann, |session, _| session.resume());
        assert!(world.run_until(SOON, |world| is_online(world, ann)));
    });
}

#[test]
fn a_change_of_the_network_probes_an_idle_line_at_once_so_that_its_death_is_known_three_seconds_later() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        let idle = world.random.ms(0, 30_000);
        world.run_for(idle);
        world.clients[ann].drops.clear();
        world.cut(ann, true, true, false);
        world.tell(ann, Session::handle_network_changed);
        world.run_for(Duration::from_secs(3) + Duration::from_millis(5));
        assert!(!world.clients[ann].drops.is_empty(), "not noticed three seconds after the probe");
    });
}

#[test]
fn changes_of_the_network_never_end_a_healthy_line() {
    for_each_seed(0..20, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        for _ in 0..200 {
            world.tell(ann, Session::handle_network_changed);
            let pause = world.random.ms(0, 700);
            world.run_for(pause);
        }
        assert!(world.clients[ann].drops.is_empty() && is_online(&world, ann));
    });
}

#[test]
fn a_change_of_the_network_cuts_a_long_pause_short() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        world.crash_server();
        world.run_for(Duration::from_secs(120));
        world.start_server();
        world.tell(ann, Session::handle_network_changed);
        let back = world.run_until(Duration::from_millis(1_100), |world| is_online(world, ann));
        assert!(back, "{:?}", status(&world, ann));
    });
}

#[test]
fn a_farewell_that_was_slept_through_is_obeyed_all_the_same() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        world.freeze_client(ann, true);
        world.run_for(Duration::from_secs(5));
        let wire = world.wire(ann).expect("the line is up");
        world.sim.refuse(wire, ByeReason::Draining, "", 20_000);
        let asleep = world.random.ms(20_000, 60_000);
        world.run_for(asleep);
        world.clients[ann].drops.clear();
        world.freeze_client(ann, false);
        world.run_for(Duration::from_secs(19));
        let causes: Vec<Cause> = world.clients[ann].drops.iter().map(|(_, cause)| cause.clone()).collect();
        assert_eq!(causes, [Cause::Draining { retry_after_ms: 20_000 }]);
        assert_eq!(world.wire(ann), None, "it waits as long as it was asked to");
        assert!(world.run_until(Duration::from_secs(2), |world| is_online(world, ann)));
    });
}

#[test]
fn what_the_user_stops_counts_as_no_try() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, _]) = two_in_a_room(seed);
        // Between two tries, in the middle of one, while it greets, or while the user is asked.
        if world.random.percent(50) {
            world.crash_server();
        } else {
            world.tell(ann, |session, _| session.set_auto_login(false));
            world.cut(ann, true, true, true);
        }
        let moment = world.random.ms(0, 3_000);
        world.run_for(moment);
        let tries = |world: &World| {
            let flights = world.flights(ann).values();
            flights.filter_map(|flight| flight.loss.as_ref()).map(|loss| loss.tries_failed).sum::<u32>()
        };
        let before = tries(&world);
        for _ in 0..3 {
            world.tell(ann, Session::stop);
        }
        assert_eq!(tries(&world), before);
        let loss = |world: &World| world.flights(ann).values().find_map(|flight| flight.loss.clone());
        assert_ne!(loss(&world).and_then(|loss| loss.last_failure), Some(Cause::StoppedByUser));
    });
}

#[test]
fn the_flight_recorder_tells_when_it_went_silent_when_that_was_noticed_and_what_the_return_brought() {
    for_each_seed(0..50, |seed| {
        let (mut world, [ann, bob]) = two_in_a_room(seed);
        let lobbies = [ann, bob].map(|client| world.enter(client, "lobby"));
        come_to_rest(&mut world);
        world.run_for(Duration::from_secs(1));
        let (missed, waiting) = (world.random.between(0, 40), world.random.between(1, 20));
        let cut = world.clock(ann);
        world.cut(ann, true, true, false);
        for _ in 0..missed {
            world.send_entered(bob, lobbies[1], 50);
        }
        for _ in 0..waiting {
            world.send_entered(ann, lobbies[0], 50);
        }
        come_to_rest(&mut world);

        let flights: Vec<_> = world.flights(ann).values().filter_map(|flight| flight.loss.clone()).collect();
        let [loss] = &flights[..] else { panic!("one loss, not {flights:?}") };
        assert!(matches!(loss.cause, Cause::Silent { .. }), "{:?}", loss.cause);
        assert!(loss.last_inbound <= cut + Duration::from_millis(5));
        assert!(loss.pings > 0 && loss.suspected.is_some_and(|at| at > loss.last_inbound && at < loss.at));
        assert!(loss.at.since(cut) <= Duration::from_secs(3) + Duration::from_millis(5), "{:?}", loss.at.since(cut));
        let back = loss.back.expect("it is back");
        assert_eq!((back.caught_up, back.sent), (missed as u64, waiting as u64));
        assert!(back.settled.is_some_and(|settled| settled >= back.at));
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn a_return_tells_how_much_of_what_was_missed_has_come_and_is_done_when_all_is_here() {
    const MISSED: u64 = 300;
    for_each_seed(0..8, |seed| {
        let (mut world, [ann, bob]) = two_in_a_room(seed);
        world.tell(ann, Session::stop);
        let lobby = world.enter(bob, "lobby");
        for _ in 0..MISSED {
            world.send_entered(bob, lobby, 1_000);
        }
        world.run_for(Duration::from_secs(5));
        world.tell(ann, |session, _| session.resume());
        let mut told = Vec::new();
        for _ in 0..2_000 {
            world.run_for(Duration::from_millis(1));
            told.extend(status(&world, ann).catching_up);
        }
        assert!(!told.is_empty(), "nothing was told");
        assert!(told.iter().all(|&(came, of)| came < of && of == MISSED), "{told:?}");
        assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{told:?}");
        assert_eq!(status(&world, ann).catching_up, None);
        world.tell(ann, Session::stop);
        world.tell(ann, |session, _| session.resume());
        assert!(world.run_until(SOON, |world| is_online(world, ann)));
        assert_eq!(status(&world, ann).catching_up, None, "nothing was missed");
    });
}

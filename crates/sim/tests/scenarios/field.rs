//! What went wrong in the field with other systems, acted out here: see `docs/field-bugs.md`.

use steadfast_proto::session::{Cause, Session, State};
use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

const SOON: Duration = Duration::from_secs(2);
/// The active bound, and what reading the outbox and the line itself take here.
const NOTICED: Duration = Duration::from_millis(3_010);

fn is_online(world: &World, client: usize) -> bool {
    world.session(client).is_some_and(|session| session.status().state == State::Online)
}

/// A client in a room on a good line, and the operation that entered it.
fn one_in_a_room(seed: u64) -> (World, usize, steadfast_proto::ids::OperationId) {
    let mut world = World::new(seed, WeatherPlan::FAIR);
    let client = world.add_client("ann");
    let lobby = world.enter(client, "lobby");
    come_to_rest(&mut world);
    (world, client, lobby)
}

#[test]
fn what_is_sent_after_a_cut_and_before_its_noticing_arrives_once() {
    for_each_seed(0..80, |seed| {
        let (mut world, ann, lobby) = one_in_a_room(seed);
        world.cut(ann, true, true, false);
        for _ in 0..world.random.between(1, 10) {
            world.send_entered(ann, lobby, 20);
            let pause = world.random.ms(0, 250);
            world.run_for(pause);
        }
        assert!(world.clients[ann].drops.is_empty(), "all of it was sent before the loss was known");
        come_to_rest(&mut world);
        assert_eq!(world.clients[ann].drops.len(), 1);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn what_waits_for_its_answer_goes_out_again_on_the_next_link_of_the_same_process() {
    for_each_seed(0..80, |seed| {
        let (mut world, ann, lobby) = one_in_a_room(seed);
        for _ in 0..world.random.between(1, 20) {
            world.send_entered(ann, lobby, 2_000);
        }
        // Somewhere between the first byte's leaving and the last outcome's storing.
        let moment = world.random.ms(0, 30);
        world.run_for(moment);
        world.cut(ann, true, true, true);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

#[test]
fn the_first_send_after_a_return_is_taken_like_any_other() {
    for_each_seed(0..50, |seed| {
        let (mut world, ann, lobby) = one_in_a_room(seed);
        for _ in 0..5 {
            world.cut(ann, true, true, true);
            assert!(world.run_until(SOON, |world| !world.clients[ann].drops.is_empty()));
            // Links that die young are backed off from.
            assert!(world.run_until(Duration::from_secs(20), |world| is_online(world, ann)));
            world.send_entered(ann, lobby, 20);
            let stored = |world: &World| world.waiting(ann) == 0;
            assert!(world.run_until(SOON, stored), "the outbox does not empty");
            world.clients[ann].drops.clear();
        }
        check_operations(&world);
    });
}

#[test]
fn a_hint_that_the_network_is_back_which_comes_too_early_costs_no_long_pause() {
    for_each_seed(0..50, |seed| {
        let (mut world, ann, _) = one_in_a_room(seed);
        world.crash_server();
        world.run_for(Duration::from_secs(120));
        // The address is there, the route is not: the try fails. The route's own news follows.
        world.tell(ann, Session::handle_network_changed);
        let pause = world.random.ms(50, 900);
        world.run_for(pause);
        world.start_server();
        world.tell(ann, Session::handle_network_changed);
        assert!(world.run_until(Duration::from_millis(1_100), |world| is_online(world, ann)));
    });
}

#[test]
fn clients_that_come_back_all_at_once_and_have_missed_nothing_cost_the_store_no_read() {
    let mut world = World::new(3, WeatherPlan::FAIR);
    for number in 0..30 {
        let client = world.add_client(&format!("client{number}"));
        world.enter(client, ["lobby", "den", "attic"][number % 3]);
    }
    come_to_rest(&mut world);
    let reads = world.sim.server.reads;
    world.crash_server();
    world.run_for(Duration::from_secs(1));
    world.start_server();
    let all_online = |world: &World| (0..30).all(|client| is_online(world, client));
    assert!(world.run_until(Duration::from_secs(60), all_online));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.sim.server.reads, reads);
}

#[test]
fn a_device_that_was_away_for_weeks_goes_on_where_it_was() {
    for_each_seed(0..20, |seed| {
        let (mut world, ann, _) = one_in_a_room(seed);
        let bob = world.add_client("bob");
        let lobby = world.enter(bob, "lobby");
        come_to_rest(&mut world);
        world.crash_client(ann);
        for _ in 0..20 {
            world.send_entered(bob, lobby, 3_000);
            world.run_for(Duration::from_secs(60));
        }
        world.crash_client(bob);
        world.run_for(Duration::from_secs(21 * 24 * 3_600));
        come_to_rest(&mut world);
        check_streams(&world);
    });
}

#[test]
fn an_old_links_late_end_touches_neither_the_new_link_nor_the_device() {
    for_each_seed(0..50, |seed| {
        let (mut world, ann, lobby) = one_in_a_room(seed);
        let old = world.wire(ann).expect("the line is up");
        // The client hears nothing any more; the server hears it all, and learns of the end later.
        world.cut(ann, false, true, false);
        world.send_entered(ann, lobby, 20);
        assert!(world.run_until(NOTICED, |world| !world.clients[ann].drops.is_empty()));
        assert!(matches!(world.clients[ann].drops[0].1, Cause::Silent { .. }));
        assert!(world.run_until(SOON, |world| is_online(world, ann)));
        assert_ne!(world.wire(ann), Some(old));
        world.run_for(Duration::from_secs(60));
        assert_eq!(world.clients[ann].drops.len(), 1, "the new link lives: {:?}", world.clients[ann].drops);
        assert_eq!(world.sim.server.connections(), 1, "the old one is gone");
        check_operations(&world);
    });
}

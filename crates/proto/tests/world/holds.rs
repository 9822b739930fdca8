//! A disk that is full for a while: senders wait, and nothing is lost.

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::random::for_each_seed;
use crate::sim::World;

/// Three senders with full pipes, and a disk that refuses some batches in the middle.
fn a_full_disk_in_the_middle(seed: u64, queue_max: usize, holds_name_any: bool) {
    let mut world = World::any(seed);
    let clients = [world.add_client("ann"), world.add_client("bob"), world.add_client("cy")];
    let lobbies = clients.map(|client| world.enter(client, "lobby"));
    come_to_rest(&mut world);
    world.server.queue_max = queue_max;
    world.server.holds_name_any = holds_name_any;
    for _ in 0..30 {
        for (client, lobby) in clients.into_iter().zip(lobbies) {
            for _ in 0..world.random.below(4) {
                let bytes = world.random.below(200);
                world.send_entered(client, lobby, bytes);
            }
        }
        if world.random.percent(20) {
            world.server.disk_full = true;
            let refused = world.server.refused_batches + world.random.between(1, 3);
            let while_full = world.random.ms(0, 900);
            world.run_until(while_full, |world| world.server.refused_batches >= refused);
            world.server.disk_full = false;
        }
        let pause = world.random.ms(0, 300);
        world.run_for(pause);
    }
    come_to_rest(&mut world);
    check_operations(&world);
    check_streams(&world);
    assert!(world.clients.iter().all(|client| client.drops.is_empty()), "a full disk is no reason to drop a link");
}

#[test]
fn a_disk_full_in_the_middle_of_a_pipelined_outbox_loses_nothing_and_stops_nobody_for_good() {
    for_each_seed(0..200, |seed| a_full_disk_in_the_middle(seed, usize::MAX, false));
}

#[test]
fn a_server_that_is_overloaded_besides_loses_nothing_and_stops_nobody_for_good() {
    for_each_seed(0..200, |seed| a_full_disk_in_the_middle(seed, 4, false));
}

#[test]
fn a_hold_that_names_another_operation_than_the_next_one_loses_nothing_and_stops_nobody_for_good() {
    for_each_seed(0..200, |seed| a_full_disk_in_the_middle(seed, 8, true));
}

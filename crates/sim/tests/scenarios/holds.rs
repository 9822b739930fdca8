//! A disk that is full for a while: senders wait, and nothing is lost.

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

/// Three senders with full pipes, and a disk that refuses some batches in the middle. Gives how many, and how many
/// links were told to wait from another operation on than the next one.
fn a_full_disk_in_the_middle(seed: u64, queue_max: usize) -> [usize; 2] {
    let mut world = World::any(seed);
    let clients = [world.add_client("ann"), world.add_client("bob"), world.add_client("cy")];
    let lobbies = clients.map(|client| world.enter(client, "lobby"));
    come_to_rest(&mut world);
    world.sim.server.queue_max = queue_max;
    for _ in 0..30 {
        for (client, lobby) in clients.into_iter().zip(lobbies) {
            for _ in 0..world.random.below(4) {
                let bytes = world.random.below(200);
                world.send_entered(client, lobby, bytes);
            }
        }
        if world.random.percent(20) {
            world.set_disk_full(true);
            let refused = world.sim.server.refused_batches + world.random.between(1, 3);
            let while_full = world.random.ms(0, 900);
            world.run_until(while_full, |world| world.sim.server.refused_batches >= refused);
            world.set_disk_full(false);
        }
        let pause = world.random.ms(0, 300);
        world.run_for(pause);
    }
    come_to_rest(&mut world);
    check_operations(&world);
    check_streams(&world);
    assert!(world.clients.iter().all(|client| client.drops.is_empty()), "a full disk is no reason to drop a link");
    [world.sim.server.refused_batches, world.sim.server.holds_beside_the_next]
}

/// The same over some seeds, all in all.
fn full_disks(seeds: std::ops::Range<u64>, queue_max: usize) -> [usize; 2] {
    let counts = std::cell::Cell::new([0; 2]);
    for_each_seed(seeds, |seed| {
        let ([refused, beside], [more, more_beside]) = (counts.get(), a_full_disk_in_the_middle(seed, queue_max));
        counts.set([refused + more, beside + more_beside]);
    });
    counts.get()
}

#[test]
fn a_disk_full_in_the_middle_of_a_pipelined_outbox_loses_nothing_and_stops_nobody_for_good() {
    let [refused, _] = full_disks(0..30, usize::MAX);
    assert!(refused > 30, "{refused} batches were refused");
}

#[test]
fn a_server_that_is_overloaded_besides_loses_nothing_and_stops_nobody_for_good() {
    let [refused, _] = full_disks(0..30, 4);
    assert!(refused > 30, "{refused} batches were refused");
}

#[test]
fn a_hold_that_names_another_operation_than_the_next_one_loses_nothing_and_stops_nobody_for_good() {
    let [_, beside] = full_disks(0..30, 8);
    assert!(beside > 0, "no hold named another one");
}

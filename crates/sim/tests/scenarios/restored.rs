//! The server's disk is restored from a copy while others go on and one client comes last.

use steadfast_proto::ids::OperationId;
use steadfast_proto::time::Duration;

use crate::oracle::{check_operations, check_streams, come_to_rest, is_same};
use crate::scene::World;
use crate::seeds::for_each_seed;

fn talk(world: &mut World, rooms: &[(usize, OperationId)], rounds: usize) {
    for _ in 0..rounds {
        let (client, room) = rooms[world.random.below(rooms.len())];
        for _ in 0..world.random.between(1, 4) {
            let bytes = [5, 100, 2_000][world.random.below(3)];
            world.send_entered(client, room, bytes);
        }
        if world.random.percent(15) {
            world.cut_any(client);
        }
        let pause = world.random.ms(0, 1_500);
        world.run_for(pause);
    }
}

fn restored_from_a_copy(seed: u64, restarts: bool) {
    let mut world = World::any(seed);
    let mut rooms = Vec::new();
    for name in ["ann", "bob", "cy"] {
        let client = world.add_client(name);
        rooms.push((client, world.enter(client, "lobby")));
    }
    come_to_rest(&mut world);
    talk(&mut world, &rooms, 6);
    let copy = world.copy_server();
    if restarts && world.random.percent(50) {
        world.crash_server();
        world.start_server();
    }
    if world.random.percent(50) {
        // A device, and perhaps an account, that the copy has never heard of.
        let name = ["ann", "dot"][world.random.below(2)];
        let client = world.add_client(name);
        rooms.push((client, world.enter(client, "lobby")));
    }
    talk(&mut world, &rooms, 6);
    let last = world.random.below(rooms.len());
    world.crash_client(last);
    talk(&mut world, &rooms, 3);
    let lost = world.log();
    world.crash_server();
    world.restore_server(&copy);
    world.start_server();
    if world.random.percent(50) {
        // Lines break while profiles that are slow to store go back.
        world.sim.weather.device_sync_max = Duration::from_millis(2_000);
        for _ in 0..8 {
            let pause = world.random.ms(0, 700);
            world.run_for(pause);
            let client = world.random.below(rooms.len());
            world.cut(client, true, true, true);
        }
    }
    let others: Vec<_> = rooms.iter().copied().filter(|&(client, _)| client != last).collect();
    talk(&mut world, &others, 10);
    world.send_entered(last, rooms[last].1, 7);
    come_to_rest(&mut world);
    talk(&mut world, &rooms, 3);
    come_to_rest(&mut world);

    check_operations(&world);
    check_streams(&world);
    for (number, client) in world.clients.iter().enumerate() {
        let aside = world.aside(number);
        let Some(&common) = client.history.commons.iter().min() else {
            assert_eq!(aside, [], "client {number}: nothing is moved without need");
            continue;
        };
        assert!(common <= copy.head, "client {number}: {common} is not common, the copy ends at {}", copy.head);
        if !restarts {
            assert_eq!(common, copy.head, "client {number}: one term tells all");
        }
        for entry in &aside {
            assert!(entry.position > common, "client {number}: {} was moved, common is {common}", entry.position);
            let index = usize::try_from(entry.position - 1).expect("a short log");
            assert!(
                lost.get(index).is_some_and(|lost| is_same(lost, entry)),
                "client {number}: what is moved stood in the lost history"
            );
        }
    }
}

#[test]
fn after_a_restore_each_client_goes_back_to_what_is_shared_and_on_with_the_new_history() {
    for_each_seed(0..30, |seed| restored_from_a_copy(seed, false));
}

#[test]
fn after_a_restore_over_several_terms_nothing_of_the_lost_history_is_taken_for_the_new_one() {
    for_each_seed(200..230, |seed| restored_from_a_copy(seed, true));
}

#[test]
fn what_is_asked_between_welcome_and_the_news_of_the_parting_is_answered() {
    for_each_seed(0..30, |seed| {
        let mut world = World::any(seed);
        world.sim.weather.piece_bytes_max = 30;
        let ann = world.add_client("ann");
        let lobby = world.enter(ann, "lobby");
        come_to_rest(&mut world);
        let copy = world.copy_server();
        world.send_entered(ann, lobby, 100);
        come_to_rest(&mut world);
        world.crash_server();
        world.restore_server(&copy);
        world.start_server();
        // This asks for a Sync before the line is back.
        come_to_rest(&mut world);
        assert_eq!(world.clients[ann].history.commons.len(), 1);
    });
}

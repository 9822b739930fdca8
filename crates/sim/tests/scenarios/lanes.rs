//! What one reader leaves unacknowledged holds up neither other readers, in any room, nor what it sends itself.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

const ROUNDS: usize = 30;
/// So much a round fills a window of 64 KiB in the ninth.
const LOUD_BYTES: usize = 8_000;
/// Two ways over the line, the disks and the sequencer, several times over.
const PACE: Duration = Duration::from_millis(100);

#[test]
fn one_who_never_acknowledges_one_rooms_messages_holds_up_nobody_in_any_room_and_not_its_own_sends() {
    for_each_seed(0..25, |seed| {
        let mut world = World::new(seed, WeatherPlan::FAIR);
        let [ann, bob, cy] = ["ann", "bob", "cy"].map(|name| world.add_client(name));
        // Bob is in both rooms; cy in the second alone.
        let loud = [ann, bob].map(|client| world.enter(client, "loud"));
        let calm = [ann, bob, cy].map(|client| world.enter(client, "calm"));
        come_to_rest(&mut world);
        let position = |world: &World, client: usize| world.position(client);

        // Bob stores nothing, so that more than his window of the loud room stays unacknowledged.
        world.stall(bob, true);
        let before = position(&world, bob);
        let wire = world.wire(bob).expect("bob is online");
        let carried_before = world.carried(wire)[1];
        for _ in 0..ROUNDS {
            world.send_entered(ann, loud[0], LOUD_BYTES);
            world.send_entered(ann, calm[0], 20);
            world.send_entered(cy, calm[2], 20);
            let own = world.send_entered(bob, calm[1], 20);
            world.run_for(PACE);
            // The others have all that is theirs, and what bob sent is in the log and with them, answered or not.
            let log = world.log();
            let last = log.iter().filter(|entry| entry.room != 0).map(|entry| entry.position).max();
            assert_eq!(Some(position(&world, ann)), last, "ann is held up");
            let calm_room = log.iter().find(|entry| entry.id == own.0).expect("what bob says gets through").room;
            let calm_last = log.iter().filter(|entry| entry.room == calm_room).map(|entry| entry.position).max();
            assert!(Some(position(&world, cy)) >= calm_last, "cy is held up");
            assert!(world.waiting(ann) == 0 && world.waiting(cy) == 0);
        }
        assert_eq!(position(&world, bob), before);
        let sent = world.carried(wire)[1] - carried_before;
        assert!(
            sent < (ROUNDS * LOUD_BYTES / 2) as u64,
            "{sent} bytes went to bob: his window is not what he waits for"
        );
        assert!(world.clients.iter().all(|client| client.drops.is_empty()), "nor does it cost a line");
        world.stall(bob, false);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

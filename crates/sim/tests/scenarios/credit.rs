//! A reader that stores nothing is sent no more than its window.

use steadfast_proto::time::Duration;

use crate::oracle::{check_operations, check_streams, come_to_rest};
use crate::scene::World;
use crate::seeds::for_each_seed;

/// The largest body sent here, and what its frame adds; pongs and outcomes of a minute.
const BODY_BYTES_MAX: usize = 20_000;
const FRAME_BYTES: u64 = 200;
const CONTROL_BYTES: u64 = 4_000;

#[test]
fn a_reader_that_stores_nothing_gets_one_window_and_when_it_stores_again_everything() {
    for_each_seed(0..25, |seed| {
        let mut world = World::any(seed);
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let (lobby, _) = (world.enter(ann, "lobby"), world.enter(bob, "lobby"));
        come_to_rest(&mut world);
        world.stall(bob, true);
        let wire = world.wire(bob).expect("bob is online");
        let before = world.carried(wire)[1];
        let mut most = 0;
        for _ in 0..60 {
            let bytes = world.random.between(1, BODY_BYTES_MAX);
            most = bytes.max(most);
            world.send_entered(ann, lobby, bytes);
        }
        world.run_for(Duration::from_secs(60));
        let sent = world.carried(wire)[1] - before;
        let bound = u64::from(world.sim.weather.window_bytes) + most as u64 + FRAME_BYTES + CONTROL_BYTES;
        assert!(sent <= bound, "{sent} bytes went to a reader that stores nothing");
        assert!(world.clients[bob].drops.is_empty(), "a slow reader is no dead one");
        world.stall(bob, false);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
    });
}

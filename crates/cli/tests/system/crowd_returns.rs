//! A server that is killed under a thousand clients: they all come back, and by themselves.

use std::time::Duration;

use crate::rig::{Crowd, SOON, Stopwatch, World};

const CROWD: usize = 1_000;

#[test]
fn a_thousand_clients_come_back_to_a_server_that_was_killed_and_what_they_wrote_meanwhile_is_stored() {
    let world = World::new();
    let mut server = world.serve();
    let mut crowd = Crowd::new(CROWD, server.address());
    crowd.send();
    crowd.run_until_settled(6 * SOON);
    assert_eq!(crowd.online(), CROWD);

    server.kill();
    crowd.run_for(Duration::from_millis(300));
    assert_eq!(crowd.online(), 0, "they know");
    crowd.send();
    crowd.run_for(Duration::from_millis(300));
    server.restart();
    let restarted = Stopwatch::start();
    crowd.run_until_settled(6 * SOON);
    eprintln!("{CROWD} clients were back and had stored what they wrote after {:?}", restarted.elapsed());
    assert_eq!(crowd.online(), CROWD);
}

//! The machine's addresses and routes change: a hint to look at once, which proves nothing.

use std::time::Duration;

use crate::rig::{Direction, Network, SOON, Stopwatch, TwoHosts, command, is_root, lines_of, pause};

/// Between a change and the noticing of a death that it is a hint of: a ping, and the active bound.
const NOTICED: Duration = Duration::from_secs(3);

/// Another address on the client's link: it comes, and goes again.
fn change_addresses(network: &Network) {
    let link = format!("sfb{}", std::process::id());
    for what in ["add", "del"] {
        command("ip", &["-n", network.client(), "address", what, "192.0.2.7/32", "dev", &link]);
    }
}

#[test]
fn a_change_of_addresses_finds_a_dead_idle_line_in_seconds_and_leaves_a_living_one_alone() {
    if !is_root() {
        return;
    }
    let mut hosts = TwoHosts::new(&[]);
    // Long pauses between tries, so that only the hint can bring the line back soon.
    let slow = &["--reconnect-pause", "600s", "--reconnect-wait", "1s"];
    let ann = hosts.member("ann").trying(slow);
    let tail = ann.start_tail(&["--follow", "--idle-bound", "60s"]);
    ann.wait_until_online(SOON);
    for _ in 0..5 {
        change_addresses(&hosts.network);
        pause(Duration::from_millis(300));
    }
    assert!(tail.err.so_far().is_empty(), "the line lives: {:#?}", tail.err.so_far());

    hosts.network.cut(Direction::Both);
    let cut = Stopwatch::start();
    change_addresses(&hosts.network);
    tail.wait_to_say("nothing was received for", 3 * NOTICED);
    eprintln!("dead line noticed {:?} after the change; the idle bound was 60 s", cut.elapsed());
    assert!(cut.elapsed() < 3 * NOTICED);

    // Tries fail until the pauses are long.
    hosts.server.kill();
    hosts.network.mend();
    pause(Duration::from_secs(8));
    hosts.server.restart();
    let changed = Stopwatch::start();
    change_addresses(&hosts.network);
    tail.wait_to_say("online again", 3 * Duration::from_secs(2));
    eprintln!("online again {:?} after the change", changed.elapsed());
    hosts.neighbour("bob").send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);
}

//! The server's disk is full in the middle of a pipelined outbox, and freed again.

use std::time::Duration;

use crate::rig::{Feeder, SOON, Server, Tmpfs, World, assert_stored, is_root, lines_of, pause};

#[test]
fn a_full_disk_holds_the_outbox_and_loses_nothing_once_it_is_freed() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let disk = Tmpfs::mount(&world.path("disk"), "48m");
    let mut server = Server::start(world.program(), &disk.path().join("data"), "127.0.0.1:0", &[]);
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, Duration::from_millis(1));
    send.wait_to_print(100, SOON);

    let filler = disk.fill();
    let line = send.wait_to_say("asks to wait", 2 * SOON);
    eprintln!("{line}");
    let stored = send.out.count();
    pause(Duration::from_secs(1));
    assert!(!send.has_ended(), "a full disk is no outcome: {:#?}", send.err.so_far());
    assert_eq!(ann.status().text("state"), Some("online"), "a full disk is no drop");
    std::fs::remove_file(filler).expect("the disk can be freed");

    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    eprintln!("{} lines, {stored} of them stored before the disk was full", lines.len());
    assert_eq!(ann.status().drops(), [], "a full disk is no drop");
    // What was acknowledged is on the disk: another process finds it there.
    server.kill();
    server.restart();
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines)]);
    server.stop();
}

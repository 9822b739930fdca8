//! A member's disk is slow all the time: its status says so, its line does not suffer, and all is right.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{Feeder, Injection, Log, SOON, Stopwatch, World, assert_stored, is_root, lines_of, pause, wait_until};

/// What every sync takes longer.
const SLOW: Duration = Duration::from_millis(300);

#[test]
fn a_disk_on_which_every_sync_is_slow_costs_no_line_and_the_status_tells() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);

    let strace = Injection::slow_syncs(tail.id(), SLOW);
    let started = Stopwatch::start();
    let mut send = bob.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "bob", 0, Duration::from_millis(5));
    let told = wait_until("the status tells that storing takes", SOON, || {
        let status = ann.status();
        assert_eq!(status.text("state"), Some("online"), "a slow disk is no drop");
        status.number("storing_for_ms")
    });
    let lines = lines_of("bob", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    // Somebody else of this profile, on the same slow disk: what it queues is sent by the one that drives.
    ann.send_lines(&lines_of("ann", 0, 3), &[]).expect_code(0);
    tail.wait_to_print(1 + lines.len() + 3, 3 * SOON);
    eprintln!("told {told} ms; {} lines after {:?}", lines.len() + 3, started.elapsed());
    drop(strace);

    assert_eq!(ann.status().drops(), [], "a slow disk is no drop");
    let bobs = [lines_of("bob", 0, 1), lines].concat();
    Log::of_lines(&tail.kill().out).assert_has("bob", &bobs);
    let sent = [("bob", bobs), ("ann", lines_of("ann", 0, 3))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn a_send_with_a_time_limit_waits_no_longer_for_a_disk_that_stalls() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let started = Stopwatch::start();
    let mut send = ann.start_send(&["--json", "--timeout", "2s"]);
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);

    let stall = Injection::stall_next_sync(&send, 3 * SOON);
    writeln!(input, "ann 1").expect("the send reads");
    // The last that it does; what its threads are at is held by the tracer until that is gone.
    let words = send.wait_to_say("the disk does not answer", SOON);
    eprintln!("ended after {:?} with 2 s to spend", started.elapsed());
    assert!(words.contains("from line 2 on is not known"), "{words}");
    drop(stall);
    send.wait(SOON).expect_code(1);

    ann.send_lines(&lines_of("ann", 2, 1), &[]).expect_code(0);
    let log = world.member("witness", &server).read_from_start();
    let texts = log.texts();
    assert!(texts == ["ann 0", "ann 2"] || texts == ["ann 0", "ann 1", "ann 2"], "{texts:?}");
}

#[test]
fn a_line_that_comes_when_time_is_up_is_not_waited_for_on_a_disk_that_stalls() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json", "--timeout", "3s"]);
    let started = Stopwatch::start();
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);
    let stall = Injection::stall_next_sync(&send, 3 * SOON);

    // Within the grace that an input has after the time.
    pause(Duration::from_millis(3_100).saturating_sub(started.elapsed()));
    writeln!(input, "ann 1").expect("the send reads");
    send.wait_to_say("the disk does not answer; whether anything was queued from line 2 on is not known", SOON);
    eprintln!("ended after {:?} with 3 s to spend", started.elapsed());
    drop(stall);
    send.wait(SOON).expect_code(1);
}

#[test]
fn a_send_beside_a_process_whose_sync_stalls_keeps_its_time_limit_and_one_without_waits_its_turn() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);

    let stall = Injection::stall_next_sync(&tail, 3 * SOON);
    bob.send_lines(&lines_of("bob", 1, 1), &[]).expect_code(0);
    wait_until("its sync stalls", SOON, || ann.status().number("storing_for_ms"));
    let mut patient = ann.start_send(&["ann 0"]);
    let started = Stopwatch::start();
    let ended = ann.start_send(&["--timeout", "1s", "ann 1"]).wait(SOON).expect_code(1);
    eprintln!("ended after {:?} with 1 s to spend", started.elapsed());
    assert!(ended.said("the disk does not answer"), "{:?}", ended.err);

    // Longer than SQLite waits for a lock.
    pause(Duration::from_secs(6).saturating_sub(started.elapsed()));
    assert!(!patient.has_ended(), "{:?}", patient.err.so_far());
    drop(stall);
    patient.wait(SOON).expect_code(0);
    tail.wait_to_print(3, SOON);
    let sent = [("bob", lines_of("bob", 0, 2)), ("ann", lines_of("ann", 0, 1))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

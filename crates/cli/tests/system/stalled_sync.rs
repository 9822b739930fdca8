//! The server's disk stalls for ten seconds in the middle of a sync.

use std::io::Write as _;
use std::time::Duration;

use steadfast_proto::session::Cause;

use crate::rig::{Crowd, Injection, SOON, Stopwatch, World, assert_stored, is_root, lines_of};

const STALL: Duration = Duration::from_secs(10);
const SENDERS: usize = 10;

#[test]
fn a_sync_that_stalls_for_ten_seconds_costs_no_line() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let members: Vec<_> = (0..SENDERS).map(|n| world.member(&format!("sender{n}"), &server)).collect();
    let mut sends = Vec::new();
    for member in &members {
        let mut send = member.start_send(&["--json"]);
        let mut input = send.input();
        writeln!(input, "{} 0", member.name).expect("the send reads");
        sends.push((send, input));
    }
    sends.iter().for_each(|(send, _)| send.wait_to_print(1, SOON));

    let strace = Injection::stall_next_sync(server.process(), STALL);
    let stalled = Stopwatch::start();
    for ((_, input), member) in sends.iter_mut().zip(&members) {
        writeln!(input, "{} 1", member.name).expect("the send reads");
    }
    sends[0].0.wait_to_print(2, 3 * STALL);
    let took = stalled.elapsed();
    eprintln!("stored after {took:?}");
    assert!(took > STALL - Duration::from_secs(1), "the sync did not stall: {took:?}");
    drop(strace);

    let mut sent = Vec::new();
    for ((send, input), member) in sends.into_iter().zip(&members) {
        drop(input);
        let ended = send.wait(SOON).expect_code(0);
        assert!(ended.err.is_empty(), "a line was lost: {:#?}", ended.err);
        assert_eq!(member.status().drops(), [], "a stalled disk is no drop");
        sent.push((member.name.as_str(), lines_of(&member.name, 0, 2)));
    }
    assert_stored(&world.member("witness", &server), &members[..2], &sent);
}

#[test]
fn a_sync_that_stalls_under_a_thousand_senders_costs_none_of_their_lines() {
    const CROWD: usize = 1_000;
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let mut crowd = Crowd::new(CROWD, server.address());
    crowd.send();
    let took = crowd.run_until_settled(6 * SOON);
    eprintln!("{CROWD} clients signed up, entered a room each and sent: {took:?}");

    let strace = Injection::stall_next_sync(server.process(), STALL);
    crowd.send();
    let took = crowd.run_until_settled(3 * STALL);
    eprintln!("{CROWD} messages stored after {took:?}");
    assert!(took > STALL - Duration::from_secs(1), "the sync did not stall: {took:?}");
    drop(strace);
    assert_eq!(crowd.drops(), Vec::<&Cause>::new(), "a stalled disk is no drop");
}

#[test]
fn a_profile_whose_disk_stalls_keeps_its_line_though_another_process_asks_all_the_time() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let driver = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    let follower = ann.start_tail(&["--follow", "--from-start"]);
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    driver.wait_to_print(1, SOON);
    follower.wait_to_print(1, SOON);

    let strace = Injection::stall_next_sync(&driver, STALL);
    let stalled = Stopwatch::start();
    bob.send_lines(&lines_of("bob", 1, 1), &[]).expect_code(0);
    driver.wait_to_print(2, 3 * STALL);
    let took = stalled.elapsed();
    eprintln!("stored and printed after {took:?}");
    assert!(took > STALL - Duration::from_secs(1), "the sync did not stall: {took:?}");
    drop(strace);
    follower.wait_to_print(2, SOON);
    assert_eq!(ann.status().drops(), [], "a stalled disk is no drop");
    // Before either goes: the other one would drive then, and begin anew.
    for tail in [&driver, &follower] {
        tail.wait_to_say("online, what had arrived is stored", SOON);
    }
    for tail in [driver, follower] {
        let said = tail.kill().err;
        let [delayed, _] = &said[..] else {
            panic!("neither a drop nor a silent driver, but the delay was told: {said:#?}");
        };
        assert!(delayed.contains("online, storing delayed: the disk of this machine is slow"), "{delayed}");
    }
}

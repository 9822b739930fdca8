//! The wall clock is moved by years under running programs. It stamps messages, and decides nothing.

use std::time::Duration;

use crate::rig::{Feeder, ROOM, SOON, Server, WallClock, World, assert_stored, lines_of, pause};

const IDLE_FLAGS: [&str; 2] = ["--idle-bound", "3s"];
const PACE: Duration = Duration::from_millis(20);

#[test]
fn a_wall_clock_that_is_moved_by_years_drops_no_line_and_the_times_shown_are_the_servers_and_never_go_back() {
    let world = World::new();
    let clock = |name: &str| WallClock::new(&world.path(""), name);
    let (theirs, ours) = (clock("server"), clock("client"));
    let program = world.program().with_environment(theirs.environment());
    let server = Server::start(program, &world.path("server"), "127.0.0.1:0", &[]);
    let member = |name| world.member(name, &server).with_environment(ours.environment());
    let (ann, bob, cleo) = (member("ann"), member("bob"), member("cleo"));
    let tail = bob.start_tail(&[&["--follow"], &IDLE_FLAGS[..]].concat());
    let idle = cleo.start("tail", &[&["--room", "den", "--follow"], &IDLE_FLAGS[..]].concat());
    let mut send = ann.start_send(&[&["--json"], &IDLE_FLAGS[..]].concat());
    let feeder = Feeder::start(send.input(), "ann", 0, PACE);
    tail.wait_to_print(20, SOON);
    cleo.wait_until_online(SOON);

    let year_of = |line: &String| -> i32 {
        let message: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
        let year = message["at"].as_str().and_then(|at| at.split_once('-')).expect("an RFC 3339 time").0;
        year.parse().expect("a year")
    };
    let this_year = year_of(&tail.out.so_far()[0]);
    let at_least = |year: i32| move |line: &String| year_of(line) >= year;
    let next_lines = || {
        let shown = tail.out.count();
        // What was stamped before the clock was moved may still be under way.
        tail.wait_to_print(shown + 50, SOON);
        tail.out.so_far()[shown + 20..].to_vec()
    };
    ours.move_to("+10y");
    assert!(!next_lines().iter().any(at_least(this_year + 9)), "the clients' clock stamps nothing");
    ours.move_to("-10y");
    assert!(next_lines().iter().all(at_least(this_year)), "the clients' clock stamps nothing");
    theirs.move_to("+10y");
    assert!(next_lines().iter().all(at_least(this_year + 9)), "the server's clock does");
    theirs.move_to("-10y");
    assert!(next_lines().iter().all(at_least(this_year + 9)), "time never goes back");
    // Longer than an idle line is held without a word.
    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    tail.wait_to_print(lines.len(), SOON);
    pause(Duration::from_secs(4));

    for (member, process) in [(&bob, &tail), (&cleo, &idle)] {
        assert_eq!(member.status().drops(), [], "{}: a wall clock is no reason", member.name);
        assert!(process.err.so_far().is_empty(), "{}: {:#?}", member.name, process.err.so_far());
    }
    assert_eq!(ann.status().drops(), [], "ann: a wall clock is no reason");
    let shown: Vec<String> = tail.out.so_far().iter().map(|line| at_of(line)).collect();
    assert!(shown.is_sorted(), "times in {ROOM} never go back");
    eprintln!("{} messages, stamped from {} to {}", lines.len(), shown[0], shown[shown.len() - 1]);
    drop((tail, idle));
    assert_stored(&world.member("witness", &server), &[ann, bob], &[("ann", lines)]);
}

/// The time that `tail --json` shows; texts of one length, which sort as the times do.
fn at_of(line: &str) -> String {
    let message: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
    message["at"].as_str().expect("a time").to_owned()
}

#[test]
fn a_copy_whose_clock_is_years_behind_waits_until_the_other_one_has_gone() {
    let world = World::new();
    let server = world.serve();
    let behind = WallClock::new(&world.path(""), "behind");
    behind.move_to("-10y");
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    let copy = world.device("ann", "copy", server.address()).with_environment(behind.environment());
    crate::rig::copy_directory(ann.profile(), copy.profile());

    let first = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    let second = copy.start_tail(&["--follow", "--reconnect-tries", "1000"]);
    second.wait_to_say("a newer connection took this one's place", SOON);
    assert!(copy.status().drops().iter().all(|(cause, _)| cause == "superseded"), "{:?}", copy.status().drops());
    assert_eq!(ann.status().drops(), [], "the one that was there is not disturbed");
    drop(first);
    copy.wait_until_online(SOON);
}

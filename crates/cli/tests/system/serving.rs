//! A server that is told to stop tells its clients, and they come back.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{
    Crowd, Feeder, Injection, Process, SOON, Stopwatch, World, assert_stored, is_root, lines_of, pause, wait_until,
};

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(5);
/// How long the disk stalls: so long that a server that waited for it would be found out.
const STALL: Duration = Duration::from_secs(10);

#[test]
fn a_server_told_to_stop_ends_in_five_seconds_and_its_clients_come_back() {
    let world = World::new();
    let mut server = world.serve();
    let members = ["ann", "bob", "cleo"].map(|name| world.member(name, &server));
    let tails = members.each_ref().map(|member| member.start_tail(&["--follow"]));
    members.iter().for_each(|member| member.wait_until_online(SOON));
    members[0].send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    tails.iter().for_each(|tail| tail.wait_to_print(1, SOON));

    let started = Stopwatch::start();
    server.stop();
    let took = started.elapsed();
    eprintln!("stopped in {took:?} with three clients");
    assert!(took < STOP, "it took {took:?}");
    tails.iter().for_each(|tail| drop(tail.wait_to_say("the server is shutting down", SOON)));

    server.restart();
    let restarted = Stopwatch::start();
    members[1].send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tails.iter().for_each(|tail| tail.wait_to_print(2, SOON));
    eprintln!("all were back {:?} after the restart", restarted.elapsed());
    for member in &members {
        let drops = member.status().drops();
        assert_eq!(drops[0].0, "draining", "{}: {drops:?}", member.name);
    }
    drop(tails);
    let sent = [("ann", lines_of("ann", 0, 1)), ("bob", lines_of("bob", 0, 1))];
    assert_stored(&world.member("witness", &server), &members, &sent);
}

#[test]
fn a_thousand_newcomers_hold_up_no_open_line_and_a_server_with_all_of_them_reading_nothing_stops_in_five_seconds() {
    const CROWD: usize = 1_000;
    const PACE: Duration = Duration::from_millis(20);
    let world = World::new();
    let mut server = world.serve();
    let (ann, frozen) = (world.member("ann", &server), world.member("frozen", &server));
    let tail = frozen.start_tail(&["--follow"]);
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, PACE);
    tail.wait_to_print(10, SOON);

    let before = send.out.count();
    let mut crowd = Crowd::new(CROWD, server.address());
    crowd.send();
    let took = crowd.run_until_settled(6 * SOON);
    eprintln!(
        "{CROWD} signed up and sent in {took:?}; an open line's longest wait was {:?}",
        longest_pause(&send, before)
    );
    assert_eq!(ann.status().drops(), [], "the open line stayed");

    tail.signal("STOP");
    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    // From here on nobody reads: the crowd has no turn, and one client is stopped.
    let started = Stopwatch::start();
    server.stop();
    let took = started.elapsed();
    eprintln!("stopped in {took:?} with {CROWD} clients that do not read");
    assert!(took < STOP, "it took {took:?}");

    tail.signal("CONT");
    server.restart();
    tail.wait_to_print(lines.len(), SOON);
    assert_stored(&world.member("witness", &server), &[ann, frozen], &[("ann", lines)]);
}

/// The longest time between two lines that came behind the `skipped` first ones.
fn longest_pause(process: &Process, skipped: usize) -> Duration {
    let moment = |line: usize| process.out.wait_for("", line, SOON).expect("it was printed").0;
    let moments: Vec<Stopwatch> = (skipped..process.out.count()).map(moment).collect();
    moments.windows(2).map(|pair| pair[0].until(pair[1])).max().expect("there were lines")
}

#[test]
fn a_server_told_to_stop_while_its_disk_stalls_ends_in_five_seconds_and_what_it_was_at_is_stored_once_later() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);

    let stall = Injection::stall_next_sync(server.process(), STALL);
    writeln!(input, "ann 1").expect("the send reads");
    let stalled = Stopwatch::start();
    pause(Duration::from_millis(500));
    assert_eq!(send.out.count(), 1, "the sync did not stall");
    server.process().signal("TERM");
    let told = Stopwatch::start();
    wait_until("the server ends", 3 * STOP, || has_ended(server.process()).then_some(()));
    eprintln!("ended {:?} after it was told, with a disk that stalls for {STALL:?}", told.elapsed());
    assert!(stalled.elapsed() < STALL - Duration::from_secs(1), "it waited for the disk: {:?}", stalled.elapsed());
    // The thread at the disk is held by the one who stalls it, and its process can't be waited for before.
    drop(stall);
    let ended = server.stop();
    assert!(ended.said("the disk does not finish in time"), "{:#?}", ended.err);

    server.restart();
    send.wait_to_print(2, SOON);
    drop(input);
    send.wait(SOON).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 2))]);
}

/// Whether nothing of the process runs any more, though the kernel may not let it be waited for yet.
fn has_ended(process: &Process) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("nobody has waited for it");
    status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}

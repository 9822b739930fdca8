//! What the server notices of its lines, and what it remembers of each.

use std::time::Duration;

use steadfast_server::{EndedBy, Flight, Stream, flights};

use crate::rig::{
    Direction, Member, Process, SOON, Server, TwoHosts, World, copy_directory, is_root, lines_of, wait_until,
};

/// The bounds that the server goes by: 14/15 of the idle bound, where the client asks for this one.
const IDLE_BOUND: &str = "5s";
const IDLE_DEATH_MS: u64 = 14 * 5_000 / 15;
const ACTIVE_BOUND_MS: u64 = 3_000;
/// The last words of a dead line have half a second to leave; an end in good order would take the kernel half a
/// minute.
const CLOSED: Duration = Duration::from_secs(5);
/// Moments are told in whole milliseconds, and the wall clock may be adjusted a little meanwhile.
const ROUNDED_MS: u64 = 20;

#[test]
fn the_server_lets_a_line_go_that_died_silently_within_its_bounds_and_remembers_what_happened() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let (busy, idle, near) = (hosts.member("busy"), hosts.member("idle"), hosts.neighbour("near"));
    let server = &hosts.server;
    let busy_tail = busy.start_tail(&["--follow"]);
    let idle_tail = idle.start("tail", &["--room", "attic", "--json", "--follow", "--idle-bound", IDLE_BOUND]);
    near.send_lines(&lines_of("near", 0, 1), &[]).expect_code(0);
    busy_tail.wait_to_print(1, SOON);
    idle.wait_until_online(SOON);

    hosts.network.cut(Direction::Both);
    near.send_lines(&lines_of("near", 1, 1), &[]).expect_code(0);
    let (died_busy, died_idle) = (wait_for_flight(server, &busy, 0), wait_for_flight(server, &idle, 0));
    assert_died_while_an_answer_was_due(&died_busy);
    assert_died_idle(&died_idle);
    let line = server.process().wait_to_say("cause=\"silent\"", SOON);
    assert!(line.contains("connection ended: no byte for ") && line.contains("pings_unanswered="), "{line}");

    wait_until("the server's system has let go of what the dead lines held", CLOSED, || {
        hosts.network.closing(hosts.network.server()).is_empty().then_some(())
    });

    hosts.network.mend();
    for (tail, member, died) in [(busy_tail, &busy, died_busy), (idle_tail, &idle, died_idle)] {
        // What the old connection still brings proves nothing: it is back when the server has admitted it.
        server.process().wait_to_say(&format!("device={} away_ms=", device(member)), SOON);
        tail.signal("INT");
        tail.wait(SOON);
        let back = wait_for_flight(server, member, 1);
        assert_eq!((back.end.cause.as_str(), back.end.ended_by), ("peer_stopped", EndedBy::Client), "{back:?}");
        assert_away_since(died.ended_at_ms, &back);
        eprintln!("{} was away for {:?} ms", member.name, back.away_ms);
    }
}

#[track_caller]
fn assert_died_while_an_answer_was_due(flight: &Flight) {
    assert_eq!((flight.end.cause.as_str(), flight.end.ended_by), ("silent", EndedBy::Server), "{flight:?}");
    let suspected_at_ms = flight.suspected_at_ms.expect("it was asked whether it lives");
    let (silent_ms, suspected_ms) = (flight.ended_at_ms - flight.last_in_at_ms, flight.ended_at_ms - suspected_at_ms);
    eprintln!("an answer due: let go {suspected_ms} ms after the first ping, {silent_ms} ms after the last byte");
    // The ping left within a second after what it asks about.
    assert!(silent_ms + ROUNDED_MS >= ACTIVE_BOUND_MS, "too early: {flight:?}");
    assert!(suspected_ms + ROUNDED_MS >= ACTIVE_BOUND_MS - 1_000, "too early: {flight:?}");
    assert!(suspected_ms < 3 * ACTIVE_BOUND_MS, "too late: {flight:?}");
    assert!(flight.traffic.pings_unanswered >= 1 && flight.traffic.pings_out >= 1, "{flight:?}");
    assert!(flight.opened_at_ms <= flight.admitted_at_ms.expect("it was admitted"), "{flight:?}");
    assert!(flight.kernel.contains("keepalive 20s + 5s × 3, user timeout 34s"), "{flight:?}");
}

#[track_caller]
fn assert_died_idle(flight: &Flight) {
    assert_eq!((flight.end.cause.as_str(), flight.end.ended_by), ("silent", EndedBy::Server), "{flight:?}");
    let silent_ms = flight.ended_at_ms - flight.last_in_at_ms;
    eprintln!("idle: let go {silent_ms} ms after the last byte");
    assert!(silent_ms + ROUNDED_MS >= IDLE_DEATH_MS, "too early: {flight:?}");
    assert!(silent_ms < 3 * IDLE_DEATH_MS, "too late: {flight:?}");
    assert_eq!((flight.suspected_at_ms, flight.traffic.pings_unanswered), (None, 0), "it is the client who pings");
}

#[track_caller]
fn assert_away_since(ended_at_ms: u64, back: &Flight) {
    let away_ms = back.away_ms.expect("the server knows when the device was last there");
    let measured_ms = back.admitted_at_ms.expect("it was admitted") - ended_at_ms;
    assert!(away_ms.abs_diff(measured_ms) <= ROUNDED_MS, "away for {away_ms} ms, not {measured_ms} ms: {back:?}");
}

/// The flight of a member's device, behind the `skipped` first ones.
fn wait_for_flight(server: &Server, member: &Member, skipped: usize) -> Flight {
    let device = device(member);
    wait_until("the end of a link is written down", SOON, || {
        let flights = flights(server.data()).expect("the file can be read");
        let of_device = |flight: &Flight| flight.who.as_ref().is_some_and(|who| who.device == device);
        flights.into_iter().filter(of_device).nth(skipped)
    })
}

fn device(member: &Member) -> String {
    member.status().text("device").expect("it has a device").to_owned()
}

#[test]
fn a_device_that_was_away_is_told_with_where_it_went_on_and_how_much_it_was_sent() {
    const MISSED: usize = 38;
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    assert_eq!(ann.read_from_start().texts().len(), 1);
    let new = wait_for_flight(&server, &ann, 0).stream.expect("it was let in");
    assert_eq!(new.resumed_from, None, "a new device goes on from nowhere: {new:?}");

    // All that there is by now, ann's own entering of the room included.
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    wait_for_flight(&server, &ann, 1);
    let place = ann.status().number("position").expect("it has a place");
    let mut missed = lines_of("bob", 1, MISSED - 1);
    // Leaves in parts, and counts once.
    missed.push("x".repeat(60_000));
    bob.send_lines(&missed, &[]).expect_code(0);
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    let back = wait_for_flight(&server, &ann, 2).stream.expect("it was let in");
    eprintln!("{back:?}, from a place {place}");
    assert_eq!(back, Stream { resumed_from: Some(place), entries_out: MISSED as u64 });
    let head = ann.status().number("position").expect("it has a place");
    assert_eq!(head, place + MISSED as u64, "all of it is on ann's disk");
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    let nothing = wait_for_flight(&server, &ann, 3).stream.expect("it was let in");
    assert_eq!(nothing, Stream { resumed_from: Some(head), entries_out: 0 }, "nothing was missed");

    let data = server.data().display().to_string();
    let mut command = world.program().command(&["flights", "--data", &data]);
    let told = Process::start(&mut command).wait(SOON).expect_code(0).out;
    let words = format!(", went on after position {place}, {MISSED} entries sent: the client said goodbye after ");
    assert!(told.iter().any(|line| line.contains(&words)), "{words:?} is not in {told:#?}");
}

#[test]
fn a_device_whose_history_parted_from_the_servers_is_told_to_go_on_after_what_both_share() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    assert_eq!(ann.read_from_start().texts().len(), 1);
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    let shared = ann.status().number("position").expect("it has a place");
    server.stop();
    let copy = world.path("copy-of-server");
    copy_directory(server.data(), &copy);
    server.restart();
    bob.send_lines(&lines_of("bob", 1, 5), &[]).expect_code(0);
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    assert!(ann.status().number("position") > Some(shared + 4), "ann has what the copy knows nothing of");

    server.stop();
    copy_directory(&copy, server.data());
    server.restart();
    ann.start_tail(&[]).wait(SOON).expect_code(0);
    // The two before it are in the copy, too.
    let back = wait_for_flight(&server, &ann, 2).stream.expect("it was let in");
    eprintln!("{back:?}, and both share {shared}");
    assert_eq!(back.resumed_from, Some(shared), "not the place that its Hello named: {back:?}");
}

#[test]
fn what_happened_to_a_line_is_remembered_over_a_restart_and_a_full_or_strange_file_costs_nothing_else() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    let first = wait_for_flight(&server, &ann, 0);
    assert_eq!((first.end.cause.as_str(), first.away_ms), ("peer_stopped", None), "{first:?}");
    let traffic = first.traffic;
    assert!(traffic.frames_in >= 3 && traffic.bytes_in > 100, "Hello, Enter, Send: {traffic:?}");
    assert!(traffic.frames_out >= 3 && traffic.bytes_out > 100, "Welcome, Heads, Outcomes: {traffic:?}");

    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    server.stop();
    let drained = wait_for_flight(&server, &ann, 1);
    assert_eq!((drained.end.cause.as_str(), drained.end.ended_by), ("draining", EndedBy::Server), "{drained:?}");
    std::fs::write(server.data().join("flights.old.jsonl"), b"\xff\n{\"peer\":7}\n\n[").expect("it can be written");
    server.restart();
    ann.wait_until_online(SOON);
    tail.kill();
    let killed = wait_for_flight(&server, &ann, 2);
    assert_eq!(killed.end.ended_by, EndedBy::Line, "a killed client says nothing: {killed:?}");
    assert_away_since(drained.ended_at_ms, &killed);

    // A directory where the file should be: as good as a disk that takes nothing.
    server.stop();
    std::fs::remove_file(server.data().join("flights.jsonl")).expect("it is there");
    std::fs::create_dir(server.data().join("flights.jsonl")).expect("it can be made");
    server.restart();
    ann.send_lines(&lines_of("ann", 1, 3), &[]).expect_code(0);
    server.process().wait_to_say("what happened to a link can't be written down", SOON);
    assert_eq!(world.member("witness", &server).read_from_start().texts(), lines_of("ann", 0, 4));
}

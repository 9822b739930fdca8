//! Whoever is at the other end, and whatever is being done: a dead line is noticed within its bound, and a living one
//! is left alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use crate::rig::{
    Direction, Feeder, Member, Process, Proxy, SOON, Server, Stopwatch, TwoHosts, World, assert_stored, is_root,
    lines_of, pause, wait_until,
};

/// The default, while an answer is due.
const ACTIVE: Duration = Duration::from_secs(3);
/// Short enough for a test.
const IDLE: Duration = Duration::from_secs(5);
const IDLE_FLAGS: [&str; 4] = ["--idle-bound", "5s", "--reconnect-tries", "1000"];
/// Pauses that don't depend on chance: a line that is back before anybody looked would say nothing.
const STEADY: [&str; 2] = ["--reconnect-tries", "1000"];
/// A busy machine may be late.
const SLACK: u32 = 3;

/// When the process said that the line is silent, after `since`.
#[track_caller]
fn noticed(process: &Process, said_before: usize, since: Stopwatch, bound: Duration) -> Duration {
    let line = process.err.wait_for("nothing was received for", said_before, SLACK * bound);
    let (at, _) = line.unwrap_or_else(|| panic!("not noticed in {SLACK} × {bound:?}: {:#?}", process.err.so_far()));
    since.until(at)
}

/// When the server's log says that it let a line go because it was silent.
#[track_caller]
fn let_go(server: &Server, logged_before: usize, since: Stopwatch, bound: Duration) -> Duration {
    let log = &server.process().err;
    let line = log.wait_for(SILENT, logged_before, SLACK * bound);
    let (at, _) = line.unwrap_or_else(|| panic!("not let go in {SLACK} × {bound:?}: {:#?}", log.so_far()));
    since.until(at)
}

/// How the server's log says that it let a silent line go.
const SILENT: &str = "cause=\"silent\" ended_by=Server";

#[track_caller]
fn assert_no_drop(member: &Member) {
    assert_eq!(member.status().drops(), [], "{}'s line was healthy", member.name);
}

#[test]
fn a_busy_a_bulk_and_an_idle_sender_notice_a_dead_line_equally_fast_and_lose_nothing() {
    const BULK_BYTES: usize = 50_000;
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let (busy, bulk, idle) = (hosts.member("ann"), hosts.member("bob"), hosts.member("cleo"));
    let mut sends = [&busy, &bulk, &idle].map(|member| member.start_send(&[&["--json"], &STEADY[..]].concat()));
    let [busy_input, bulk_input, mut idle_input] = sends.each_mut().map(Process::input);
    let bulk_line = "x".repeat(BULK_BYTES);
    let busy_feeder = Feeder::start(busy_input, "ann", 0, Duration::from_millis(10));
    let bulk_feeder = Feeder::start(bulk_input, &bulk_line, 0, Duration::from_millis(20));
    writeln!(idle_input, "cleo 0").expect("the send reads");
    for (send, lines) in sends.iter().zip([50, 20, 1]) {
        send.wait_to_print(lines, SOON);
    }

    let before = sends.each_ref().map(|send| send.err.count());
    let logged = hosts.server.process().err.count();
    let cut = Stopwatch::start();
    hosts.network.cut(Direction::Both);
    // One question is open on the idle one's line, and the server has something for all of them.
    hosts.neighbour("dan").send_lines(&lines_of("dan", 0, 1), &[]).expect_code(0);
    idle.send_lines(&["cleo asks".to_owned()], &["--queue"]).expect_code(0);
    let mut took = Vec::new();
    for (send, before) in sends.iter().zip(before) {
        took.push(noticed(send, before, cut, ACTIVE));
    }
    eprintln!("noticed after the cut: busy {:?}, bulk {:?}, idle with one question {:?}", took[0], took[1], took[2]);
    assert!(took[0] < took[2] + ACTIVE / 2 && took[1] < took[2] + ACTIVE / 2, "as fast as the idle one: {took:?}");
    let closing = hosts.network.closing(hosts.network.client());
    assert_eq!(closing, [""; 0], "nothing gets stuck in closing a dead line, not even one full of bulk");
    let server_took = let_go(&hosts.server, logged, cut, ACTIVE);
    eprintln!("the server let the first one go after {server_took:?}");

    hosts.network.mend();
    for (send, member) in sends.iter().zip([&busy, &bulk, &idle]) {
        member.wait_until_online(SOON);
        assert_eq!(member.status().drops().len(), 1, "{}", member.name);
        drop(send.wait_to_say("online again", SOON));
    }
    let sent = [
        ("ann", lines_of("ann", 0, busy_feeder.stop())),
        ("bob", lines_of(&bulk_line, 0, bulk_feeder.stop())),
        ("cleo", vec!["cleo 0".to_owned(), "cleo asks".to_owned()]),
        ("dan", lines_of("dan", 0, 1)),
    ];
    drop(idle_input);
    for send in sends {
        send.wait(SOON).expect_code(0);
    }
    assert_stored(&hosts.member("witness"), &[], &sent);
}

#[test]
fn an_idle_line_that_is_cut_in_one_direction_is_noticed_by_both_sides() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let ann = hosts.member("ann");
    let tail = ann.start_tail(&[&["--follow"], &IDLE_FLAGS[..]].concat());
    for direction in [Direction::ToClient, Direction::ToServer] {
        ann.wait_until_idle(IDLE, SOON);
        let (said, logged, drops) = (tail.err.count(), hosts.server.process().err.count(), ann.status().drops().len());
        let cut = Stopwatch::start();
        hosts.network.cut(direction);
        // Where its own words still arrive, the server is the first to say so.
        let line = tail.err.wait_for("offline: ", said, SLACK * IDLE);
        let (at, line) = line.unwrap_or_else(|| panic!("not noticed: {:#?}", tail.err.so_far()));
        eprintln!("{direction:?}, client: {:?}: {line}", cut.until(at));
        let words = match direction {
            Direction::ToClient | Direction::Both => "nothing was received for",
            Direction::ToServer => "the other side heard nothing from here",
        };
        assert!(line.contains(words), "{direction:?}: {line}");
        // And where the client's words arrive, its system tells the server's at once.
        let cause = match direction {
            Direction::ToClient | Direction::Both => "cause=\"reset\"",
            Direction::ToServer => "cause=\"silent\"",
        };
        let line = hosts.server.process().err.wait_for("connection ended", logged, SLACK * IDLE);
        let (at, line) = line.unwrap_or_else(|| panic!("not noticed: {:#?}", hosts.server.process().err.so_far()));
        eprintln!("{direction:?}, server: {:?}: {line}", cut.until(at));
        assert!(line.contains(cause), "{direction:?}: {line}");
        wait_until("the drop is told", SOON, || (ann.status().drops().len() > drops).then_some(()));
        hosts.network.mend();
    }
    ann.wait_until_online(SOON);
}

#[test]
fn a_server_that_stands_still_is_noticed_by_busy_and_idle_clients_and_goes_on_without_loss() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let mut send = ann.start_send(&[&["--json"], &STEADY[..]].concat());
    let tail = bob.start_tail(&[&["--follow"], &IDLE_FLAGS[..]].concat());
    bob.wait_until_online(SOON);
    let feeder = Feeder::start(send.input(), "ann", 0, Duration::from_millis(10));
    send.wait_to_print(20, SOON);
    tail.wait_to_print(20, SOON);

    let (busy_said, idle_said) = (send.err.count(), tail.err.count());
    server.process().signal("STOP");
    let stopped = Stopwatch::start();
    let busy = noticed(&send, busy_said, stopped, ACTIVE);
    let idle = noticed(&tail, idle_said, stopped, IDLE);
    eprintln!("the server stood still: noticed by the busy client after {busy:?}, by the idle one after {idle:?}");
    for member in [&ann, &bob] {
        assert_ne!(member.status().text("state"), Some("online"), "the status is a level");
    }
    server.process().signal("CONT");
    let went_on = Stopwatch::start();
    send.wait_to_print(send.out.count() + 20, SOON);
    eprintln!("stored again {:?} after it went on", went_on.elapsed());
    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    tail.wait_to_print(lines.len(), SOON);
    drop(tail);
    assert_stored(&world.member("witness", &server), &[ann, bob], &[("ann", lines)]);
}

#[test]
fn clients_that_stand_still_are_let_go_by_the_server_and_go_on_without_loss() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob, cleo) = (world.member("ann", &server), world.member("bob", &server), world.member("cleo", &server));
    let flags = [&["--follow"], &IDLE_FLAGS[..]].concat();
    let (asked, idle) = (bob.start_tail(&flags), cleo.start("tail", &[&["--room", "den"], &flags[..]].concat()));
    bob.wait_until_online(SOON);
    cleo.wait_until_online(SOON);
    let logged = server.process().err.count();
    asked.signal("STOP");
    idle.signal("STOP");
    let stopped = Stopwatch::start();
    // Bob's device owes an answer for this, cleo's owes none.
    ann.send_lines(&lines_of("ann", 0, 3), &[]).expect_code(0);
    let first = let_go(&server, logged, stopped, ACTIVE);
    let log = &server.process().err;
    let both = || log.so_far()[logged..].iter().filter(|line| line.contains(SILENT)).count() == 2;
    wait_until("both are let go", SLACK * IDLE, || both().then_some(()));
    eprintln!("let go: with an answer due after {first:?}, idle after {:?}", stopped.elapsed());
    assert!(first < ACTIVE + IDLE / 3, "the active bound counts for the one that owes an answer: {first:?}");
    asked.signal("CONT");
    idle.signal("CONT");
    asked.wait_to_print(3, SOON);
    cleo.wait_until_online(SOON);
    drop((asked, idle));
    assert_stored(&world.member("witness", &server), &[bob], &[("ann", lines_of("ann", 0, 3))]);
}

#[test]
fn a_line_whose_latency_swings_between_50_and_350_ms_is_never_given_up() {
    const TIME: Duration = Duration::from_secs(25);
    let world = World::new();
    let server = world.serve();
    let proxy = Proxy::before(server.address());
    proxy.delay_ms(50, 350);
    let there = |name| world.device(name, name, &proxy.address());
    let (ann, bob) = (there("ann"), there("bob"));
    let tails = [&ann, &bob].map(|member| member.start_tail(&[&["--follow"], &IDLE_FLAGS[..]].concat()));
    ann.wait_until_online(SOON);
    bob.wait_until_online(SOON);
    let (started, mut said) = (Stopwatch::start(), 0);
    // Bursts both ways, and pauses in which the line falls idle.
    while started.elapsed() < TIME {
        for member in [&ann, &bob] {
            member.send_lines(&lines_of(&member.name, said, 20), &["--queue"]).expect_code(0);
        }
        said += 20;
        pause(Duration::from_secs(if said % 60 == 0 { 7 } else { 1 }));
    }
    for (tail, member) in tails.iter().zip([&ann, &bob]) {
        tail.wait_to_print(2 * said, SOON);
        assert_no_drop(member);
        assert!(tail.err.so_far().is_empty(), "{:#?}", tail.err.so_far());
    }
    assert_eq!(proxy.accepted(), 2, "one connection each");
    eprintln!("{said} messages each way in {TIME:?}, and {} bytes down", proxy.down().carried_bytes());
    drop(tails);
    assert_stored(
        &world.member("witness", &server),
        &[],
        &[("ann", lines_of("ann", 0, said)), ("bob", lines_of("bob", 0, said))],
    );
}

#[test]
fn a_tail_whose_output_nobody_reads_for_four_idle_bounds_keeps_its_line_and_prints_everything_later() {
    /// As a minute is with the default bound.
    const UNREAD: Duration = Duration::from_secs(4 * 3);
    const FLAGS: [&str; 5] = ["--follow", "--idle-bound", "3s", "--reconnect-tries", "1000"];
    const LINES: usize = 2_000;
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    bob.start_tail(&[]).wait(SOON).expect_code(0);
    let mut command = bob.command("tail", &[&["--room", "lobby"], &FLAGS[..]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tail = command.spawn().expect("it starts");
    bob.wait_until_online(SOON);
    // Far more than a pipe holds.
    let lines: Vec<String> =
        lines_of("ann", 0, LINES).iter().map(|line| format!("{line} {}", "x".repeat(100))).collect();
    ann.send_lines(&lines, &[]).expect_code(0);
    let unread = Stopwatch::start();
    while unread.elapsed() < UNREAD {
        let status = bob.status();
        assert_eq!(status.text("state"), Some("online"), "after {:?}", unread.elapsed());
        pause(Duration::from_secs(1));
    }
    assert_no_drop(&bob);
    let out = BufReader::new(tail.stdout.take().expect("it is piped"));
    let printed: Vec<String> = out.lines().take(LINES).map(|line| line.expect("it prints text")).collect();
    assert!(printed.iter().zip(&lines).all(|(printed, line)| printed.ends_with(line.as_str())), "all, in order");
    assert_no_drop(&bob);
    tail.kill().expect("it runs");
    tail.wait().expect("it ended");
    let mut said = String::new();
    tail.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it says text");
    assert_eq!(said, "", "neither a drop nor anything else was told");
}

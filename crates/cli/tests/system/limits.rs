//! What the server takes at most: who is beyond a limit hears it, and nobody else notices.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use steadfast_proto::wire::{self, ByeReason, RoomRef, frame::Kind, op::Body, room_ref::By};

use crate::rig::{
    Crowd, Process, Raw, SOON, Server, Stopwatch, World, assert_stored, command, cpu_time, lines_of, pause, wait_until,
};

/// A server on loopback with these flags.
fn serve(world: &World, flags: &[&str]) -> Server {
    Server::start(world.program(), &world.path("server"), "127.0.0.1:0", flags)
}

#[test]
fn a_limit_out_of_its_range_is_a_usage_error_that_says_the_range() {
    let world = World::new();
    let cases = [
        ("--frame-bytes-max", "67583", "67584..=1048576"),
        ("--frame-bytes-max", "1048577", "67584..=1048576"),
        ("--name-bytes-max", "65", "1..=64"),
        ("--connections-max", "0", "1..=1000000"),
        ("--connections-per-address", "0", "1..=1000000"),
        ("--handshakes-max", "0", "1..=1000000"),
        ("--submissions-max", "0", "1..=1000000"),
        ("--reads-max", "0", "1..=1000000"),
        ("--catchups-max", "33", "1..=32"),
        ("--handshake-timeout", "100ms", "1s to 1m"),
    ];
    for (flag, value, range) in cases {
        let mut command = world.program().command(&["serve", "--listen", "127.0.0.1:0", flag, value]);
        let ended = Process::start(&mut command).wait(SOON).expect_code(64);
        assert!(ended.said(range), "{flag} {value}: {:?}", ended.err);
    }
}

#[test]
fn a_newcomer_to_a_full_server_is_told_so_and_gets_in_when_somebody_goes() {
    let world = World::new();
    let server = serve(&world, &["--connections-max", "2"]);
    let mut inside: Vec<Raw> = (1..=2).map(|n| Raw::greet(server.address(), &format!("raw{n}"), n)).collect();
    inside.iter_mut().for_each(|raw| raw.wait_for_welcome(SOON));
    let mut third = Raw::greet(server.address(), "raw3", 3);
    let bye = third.wait_for_bye(SOON);
    assert_eq!(bye.reason(), ByeReason::Overloaded);
    assert_eq!(bye.text, "this server has 2 connections, which is all that it takes");
    assert!((2_000..6_000).contains(&bye.retry_after_ms), "it says when to come back: {bye:?}");

    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    writeln!(send.input(), "ann 0").expect("the send reads");
    send.wait_to_say("the server is overloaded", SOON);
    inside.pop();
    send.wait(SOON).expect_code(0);
    drop(inside);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 1))]);
}

#[test]
fn one_address_has_its_share_and_an_error_that_names_it() {
    let world = World::new();
    let server = serve(&world, &["--connections-per-address", "1"]);
    let mut first = Raw::greet(server.address(), "raw1", 1);
    first.wait_for_welcome(SOON);
    let bye = Raw::greet(server.address(), "raw2", 2).wait_for_bye(SOON);
    assert_eq!(bye.reason(), ByeReason::Overloaded);
    assert_eq!(bye.text, "this server has 1 connections from your address, which is all that it takes");
    drop(first);
    wait_until("there is room again", SOON, || {
        let mut next = Raw::greet(server.address(), "raw2", 2);
        next.wait_for(SOON, |kind| matches!(kind, Kind::Welcome(_)).then_some(()))
    });
}

#[test]
fn a_name_longer_than_the_server_takes_is_refused_with_the_limit_but_an_account_that_has_one_keeps_it() {
    let world = World::new();
    let mut server = serve(&world, &["--name-bytes-max", "5"]);
    let bye = Raw::greet(server.address(), "abcdef", 1).wait_for_bye(SOON);
    assert_eq!(bye.reason(), ByeReason::NameInvalid);
    assert_eq!(bye.text, "this server takes names of at most 5 bytes of UTF-8");
    Raw::greet(server.address(), "äbcd", 2).wait_for_welcome(SOON);
    let bye = Raw::greet(server.address(), "-", 3).wait_for_bye(SOON);
    assert_eq!((bye.reason(), bye.text.as_str()), (ByeReason::NameInvalid, "a name starts with a letter or a digit"));

    server.stop();
    let server = serve(&world, &["--name-bytes-max", "3"]);
    Raw::greet(server.address(), "äbcd", 2).wait_for_welcome(SOON);
    Raw::greet(server.address(), "ÄBCD", 4).wait_for_welcome(SOON);
    assert_eq!(Raw::greet(server.address(), "abcd", 5).wait_for_bye(SOON).reason(), ByeReason::NameInvalid);
}

#[test]
fn a_frame_above_the_limit_ends_its_link_with_the_limit_and_every_valid_message_fits() {
    let world = World::new();
    let server = serve(&world, &["--frame-bytes-max", "67584"]);
    let ann = world.member("ann", &server);
    let longest = vec!["x".repeat(65_536)];
    ann.send_lines(&longest, &[]).expect_code(0);

    let mut raw = Raw::greet(server.address(), "raw", 1);
    raw.wait_for_welcome(SOON);
    let body = vec![b'x'; 67_584].into();
    let room = Some(RoomRef { by: Some(By::Room(1)) });
    let send = Body::Send(wire::Send { room, body, content_type: String::new() });
    raw.send(Kind::Op(wire::Op { sequence: 1, id: 1, body: Some(send), ..wire::Op::default() }));
    let bye = raw.wait_for_bye(SOON);
    assert_eq!(bye.reason(), ByeReason::ProtocolError);
    assert_eq!(bye.text, "this server takes frames of at most 67584 bytes");
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", longest)]);
}

#[test]
fn strangers_who_say_nothing_hold_up_neither_an_open_line_nor_a_newcomer_for_long() {
    const SLOTS: usize = 4;
    let world = World::new();
    let server = serve(&world, &["--handshakes-max", &SLOTS.to_string()]);
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);

    let mut strangers: Vec<Raw> = (0..2 * SLOTS).map(|_| Raw::connect(server.address())).collect();
    let come = Stopwatch::start();
    writeln!(input, "ann 1").expect("the send reads");
    send.wait_to_print(2, SOON);
    eprintln!("stored {:?} after {} strangers came", come.elapsed(), strangers.len());
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    eprintln!("a newcomer was in, had sent and was gone {:?} after they came", come.elapsed());
    for stranger in &mut strangers {
        let bye = stranger.wait_for_bye(SOON);
        assert_eq!(bye.reason(), ByeReason::Overloaded, "{bye:?}");
    }
    drop(input);
    send.wait(SOON).expect_code(0);
    let sent = [("ann", lines_of("ann", 0, 2)), ("bob", lines_of("bob", 0, 1))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn a_stranger_has_the_time_that_is_set() {
    let world = World::new();
    let server = serve(&world, &["--handshake-timeout", "1s"]);
    let mut stranger = Raw::connect(server.address());
    let come = Stopwatch::start();
    let bye = stranger.wait_for_bye(SOON);
    eprintln!("let go after {:?}", come.elapsed());
    assert_eq!((bye.reason(), bye.text.as_str()), (ByeReason::HandshakeTimeout, "the handshake did not end in time"));
    assert!(come.elapsed() > Duration::from_millis(900), "after {:?}", come.elapsed());
}

#[test]
fn operations_beyond_what_may_wait_come_later_and_all_come() {
    const CROWD: usize = 40;
    let world = World::new();
    let server = serve(&world, &["--submissions-max", "8"]);
    let mut crowd = Crowd::new(CROWD, server.address());
    crowd.send();
    let took = crowd.run_until_settled(3 * SOON);
    eprintln!("{CROWD} clients had theirs stored in {took:?}, though eight operations wait at a time");
    server.process().wait_to_say("others are held", SOON);
}

#[test]
fn reads_beyond_what_may_wait_come_later_and_all_come() {
    const READERS: usize = 6;
    let world = World::new();
    let mut server = serve(&world, &["--reads-max", "1", "--catchups-max", "1"]);
    let members =
        |kind: &str| -> Vec<_> { (0..READERS).map(|n| world.member(&format!("{kind}{n}"), &server)).collect() };
    let (known, new, ann) = (members("known"), members("new"), world.member("ann", &server));
    known.iter().for_each(|reader| drop(reader.read_from_start()));
    ann.send_lines(&lines_of("ann", 0, 2_000), &[]).expect_code(0);
    // What was recent is in memory no longer.
    server.stop();
    server.restart();
    let started = Stopwatch::start();
    let catch_up = known.iter().map(|reader| reader.start_tail(&[]));
    let pages = new.iter().map(|reader| reader.start_tail(&["--from-start"]));
    let tails: Vec<_> = catch_up.chain(pages).collect();
    for tail in tails {
        assert_eq!(tail.wait(3 * SOON).expect_code(0).out.len(), 2_000);
    }
    eprintln!("{} readers had all of it after {:?}", 2 * READERS, started.elapsed());
    server.process().wait_to_say("as many reads wait as may", SOON);
    assert_eq!(threads(server.process(), "reader"), 1, "one read at a time, each on a thread");
}

/// The threads of a process that go by this name.
fn threads(process: &Process, name: &str) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).expect("it runs");
    let names = tasks.map(|task| std::fs::read_to_string(task.expect("it can be listed").path().join("comm")));
    // One that ends meanwhile has no name any more.
    names.filter(|read| read.as_ref().is_ok_and(|read| read.trim_end() == name)).count()
}

// ---- descriptors

#[test]
fn a_server_with_few_descriptors_takes_as_many_connections_as_it_has_room_for_and_says_so() {
    let world = World::new();
    let listen = ["serve", "--listen", "127.0.0.1:0", "--data", "server"];
    let server = Process::start(&mut with_descriptors(120, &world.program().command(&listen)));
    let (_, line) = server.out.wait_for("listening tcp ", 0, SOON).expect("it listens");
    let address = line.trim_start_matches("listening tcp ");
    let said = server.wait_to_say("this process may have 120 files open", SOON);
    assert!(said.contains("not 18000; raise the limit"), "{said}");
    let (_, room) = said.rsplit_once("--connections-max to ").expect("it says how many");
    let room: usize = room.parse().expect("a number");
    eprintln!("room for {room} connections");
    assert!((1..120).contains(&room), "{said}");

    let ann = world.device("ann", "ann", address);
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);
    let strangers: Vec<Raw> = (1..room).map(|_| Raw::connect(address)).collect();
    let bye = Raw::connect(address).wait_for_bye(SOON);
    assert_eq!(bye.text, format!("this server has {room} connections, which is all that it takes"));
    writeln!(input, "ann 1").expect("the send reads");
    send.wait_to_print(2, SOON);
    drop((strangers, input));
    send.wait(SOON).expect_code(0);

    let ended = Process::start(&mut with_descriptors(40, &world.program().command(&listen[..3]))).wait(SOON);
    let line = ended.expect_code(1);
    assert!(line.only_error().contains("may have 40 files open, and a server needs"), "{:?}", line.err);
}

#[test]
fn a_server_that_runs_out_of_descriptors_waits_without_spinning_and_goes_on_when_there_are_some() {
    let world = World::new();
    let server = serve(&world, &[]);
    let id = server.process().id().to_string();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    writeln!(input, "ann 0").expect("the send reads");
    send.wait_to_print(1, SOON);

    // Somebody lowers the limit below what is open: only from the next descriptor on it is felt.
    command("prlimit", &["--pid", &id, "--nofile=10:20000"]);
    let newcomer = bob.start_send(&["--json", "bob 0"]);
    server.process().wait_to_say("the system gives no connection: newcomers wait", SOON);
    let (before, looked) = (cpu_time(server.process().id()), Stopwatch::start());
    pause(Duration::from_secs(2));
    let (busy, over) = (cpu_time(server.process().id()) - before, looked.elapsed());
    eprintln!("{busy:?} of CPU in {over:?} without a descriptor");
    assert!(busy < over / 5, "it spins: {busy:?} in {over:?}");
    writeln!(input, "ann 1").expect("the send reads");
    send.wait_to_print(2, SOON);
    let said = server.process().err.so_far().iter().filter(|line| line.contains("gives no connection")).count();
    assert_eq!(said, 1, "it is said once");

    command("prlimit", &["--pid", &id, "--nofile=20000:20000"]);
    newcomer.wait(SOON).expect_code(0);
    drop(input);
    send.wait(SOON).expect_code(0);
    let sent = [("ann", lines_of("ann", 0, 2)), ("bob", lines_of("bob", 0, 1))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

/// The same command in a process that may have so many descriptors and no more.
fn with_descriptors(count: u32, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited
}

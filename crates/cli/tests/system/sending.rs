//! `send`: what waits, what is reported, what goes out later.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use crate::rig::{ROOM, SOON, Stopwatch, World, assert_stored, lines_of};

/// More than what is looked at, read or queued at a time.
const MANY: usize = 12_000;
/// How many messages fit the outbox, beside the way into the room.
const OUTBOX: usize = 99_999;

#[test]
fn a_message_whose_time_was_up_goes_out_with_the_next_one() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    let started = Stopwatch::start();
    let late = ann.send_lines(&lines_of("ann", 0, 1), &["--timeout", "1s"]).expect_code(2);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "a time-out of 1 s took {took:?}");
    assert!(late.said("safe in the outbox"), "{:?}", late.err);
    assert_eq!(ann.status().number("outbox"), Some(2), "the way into the room, and the message");
    server.restart();
    ann.send_lines(&lines_of("ann", 1, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 2))]);
}

#[test]
fn messages_queued_without_a_server_go_out_with_the_next_one() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    let queued = ann.send_lines(&lines_of("ann", 0, 3), &["--queue", "--json"]).expect_code(0);
    assert_eq!(queued.out, [r#"{"sequence":2}"#, r#"{"sequence":3}"#, r#"{"sequence":4}"#]);
    server.restart();
    ann.send_lines(&lines_of("ann", 3, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 4))]);
}

#[test]
fn lines_that_are_no_messages_are_reported_by_number_and_the_rest_is_sent() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let too_long = "x".repeat(64 * 1024 + 1);
    let longest = "y".repeat(64 * 1024);
    let mut input = Vec::new();
    for line in [b"first".as_slice(), b"", b"broken \xff line", too_long.as_bytes(), longest.as_bytes(), b""] {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    // The last line has no end.
    input.extend_from_slice("last: ü".as_bytes());
    send.input().write_all(&input).expect("the send reads");
    let ended = send.wait(SOON).expect_code(1);
    assert!(ended.said("line 3 is not UTF-8"), "{:?}", ended.err);
    assert!(ended.said("line 4 is longer than 65536 bytes"), "{:?}", ended.err);
    assert_eq!((ended.err.len(), ended.out.len()), (2, 3), "{:?} {:?}", ended.err, ended.out);
    let sent = ["first", &longest, "last: ü"].map(str::to_owned).to_vec();
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", sent)]);
}

#[test]
fn a_last_line_long_after_all_others_are_stored_ends_the_command() {
    let world = World::new();
    let server = world.serve();
    let mut send = world.member("ann", &server).start_send(&["--json"]);
    let mut input = send.input();
    input.write_all(b"only\n").expect("the send reads");
    send.wait_to_print(1, SOON);
    drop(input);
    send.wait(SOON).expect_code(0);
}

#[test]
fn an_interrupted_send_ends_with_130_and_what_it_took_goes_out_later() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&[]);
    send.input().write_all(b"ann 0\n").expect("the send reads");
    send.wait_to_say("offline", SOON);
    crate::rig::wait_until("the message is in the outbox", SOON, || {
        (ann.status().number("outbox") == Some(2)).then_some(())
    });
    send.signal("INT");
    send.wait(SOON).expect_code(130);
    server.restart();
    ann.send_lines(&lines_of("ann", 1, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 2))]);
}

#[test]
fn a_time_out_leaves_every_line_of_a_long_input_in_the_outbox() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    let late = ann.send_lines(&lines_of("ann", 0, MANY), &["--timeout", "10ms"]).expect_code(2);
    assert!(late.said(&format!("time is up; {MANY} messages are safe in the outbox")), "{:?}", late.err);
    server.restart();
    ann.send_lines(&lines_of("ann", MANY, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, MANY + 1))]);
}

#[test]
fn a_time_out_says_after_which_line_an_input_went_on() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let mut send = world.member("ann", &server).start_send(&["--timeout", "500ms"]);
    let mut input = send.input();
    input.write_all(b"one\n\nthree\n").expect("the send reads");
    let ended = send.wait(SOON).expect_code(2);
    assert!(ended.said("2 messages are safe in the outbox"), "{:?}", ended.err);
    assert!(ended.said("the input was not over after line 3"), "{:?}", ended.err);
    drop(input);
}

#[test]
fn lines_that_the_outbox_has_no_room_for_are_said_to_be_unsafe() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, OUTBOX - 1), &["--queue"]).expect_code(0);
    for arguments in [&["--queue"][..], &["--timeout", "300ms"]] {
        let mut send = ann.start_send(arguments);
        send.input().write_all(b"a\nb\n").expect("the send reads");
        let ended = send.wait(SOON).expect_code(1);
        assert!(ended.said("nothing was queued"), "{:?}", ended.err);
    }
    let mut send = ann.start_send(&["--timeout", "500ms"]);
    let mut input = send.input();
    input.write_all(b"fits\n").expect("the send reads");
    crate::rig::wait_until("the outbox is full", SOON, || {
        (ann.status().number("outbox") == Some(OUTBOX as u64 + 1)).then_some(())
    });
    input.write_all(b"does not\n").ok();
    let ended = send.wait(SOON).expect_code(1);
    assert!(ended.said("from line 2 on nothing was queued"), "{:?}", ended.err);
    drop(input);
}

#[test]
fn an_interrupt_ends_a_busy_send_at_once() {
    let world = World::new();
    let server = world.serve();
    let mut send = world.member("ann", &server).start_send(&["--json"]);
    let mut input = send.input();
    let text: String = lines_of("ann", 0, 10_000).iter().map(|line| format!("{line}\n")).collect();
    // An input without end; the pipe breaks when the command ends.
    let feeder = std::thread::spawn(move || while input.write_all(text.as_bytes()).is_ok() {});
    send.wait_to_print(100, SOON);
    send.signal("INT");
    let interrupted = Stopwatch::start();
    send.wait(SOON).expect_code(130);
    assert!(interrupted.elapsed() < Duration::from_secs(2), "it took {:?}", interrupted.elapsed());
    feeder.join().expect("the feeder does not panic");
}

#[test]
fn all_is_sent_although_nobody_reads_the_results_any_more() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let mut command = ann.command("send", &["--room", ROOM, "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut send = command.spawn().expect("the command starts");
    let mut input = send.stdin.take().expect("it is piped");
    let lines = lines_of("ann", 0, MANY);
    input.write_all(format!("{}\n", lines[0]).as_bytes()).expect("the send reads");
    let mut first = String::new();
    let mut results = BufReader::new(send.stdout.take().expect("it is piped"));
    results.read_line(&mut first).expect("a result comes");
    assert!(first.starts_with(r#"{"sequence":2,"#), "{first}");
    drop(results);
    input.write_all(format!("{}\n", lines[1..].join("\n")).as_bytes()).expect("the send goes on reading");
    drop(input);
    assert_eq!(send.wait().expect("it ends").code(), Some(0));
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines)]);
}

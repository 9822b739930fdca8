//! `send`: what waits, what is reported, what goes out later.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{SOON, Stopwatch, World, assert_stored, lines_of};

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

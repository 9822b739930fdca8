//! A disk that fails: a sync that reports an error proves that nothing is known any more, so who meets it acknowledges
//! nothing and ends, and the next start goes on.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{
    Ended, Injection, Log, Printed, SOON, World, assert_stored, copy_directory, is_root, line_of, lines_of, wait_until,
};

/// What becomes of what was written and not synced: the system still has it, or it is gone, as after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsynced {
    Kept,
    Gone,
}

#[test]
fn a_server_whose_sync_fails_acknowledges_nothing_more_and_ends_and_a_restart_loses_nothing() {
    if !is_root() {
        return;
    }
    for unsynced in [Unsynced::Kept, Unsynced::Gone] {
        let world = World::new();
        let mut server = world.serve();
        let ann = world.member("ann", &server);
        let mut send = ann.start_send(&["--json"]);
        let mut input = send.input();
        let lines = lines_of("ann", 0, 150);
        let mut write = |lines: &[String]| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            input.write_all(text.as_bytes()).expect("the send reads");
        };
        write(&lines[..50]);
        send.wait_to_print(50, SOON);
        let synced = world.path("synced");
        copy_directory(server.data(), &synced);

        let strace = Injection::fail_syncs(server.process());
        write(&lines[50..100]);
        let ended = server.wait_to_end(1, SOON);
        drop(strace);
        let words = ended.err.last().expect("it says why");
        assert!(words.contains("a sync of the log failed") && words.contains("start again"), "{words}");
        assert_eq!(send.out.count(), 50, "what was not synced was not acknowledged");
        if unsynced == Unsynced::Gone {
            copy_directory(&synced, server.data());
        }

        server.restart();
        write(&lines[100..]);
        drop(input);
        let printed = Printed::of_lines(&send.wait(SOON).expect_code(0).out);
        assert_eq!(printed.len(), lines.len(), "each line is acknowledged once");
        let log = assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines)]);
        log.assert_printed("ann", &printed);
    }
}

#[test]
fn a_tail_whose_sync_fails_acknowledges_nothing_more_and_ends_and_the_next_one_goes_on() {
    if !is_root() {
        return;
    }
    for unsynced in [Unsynced::Kept, Unsynced::Gone] {
        let world = World::new();
        let server = world.serve();
        let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
        let tail = ann.start_tail(&["--follow"]);
        ann.wait_until_online(SOON);
        bob.send_lines(&lines_of("bob", 0, 10), &[]).expect_code(0);
        tail.wait_to_print(10, SOON);
        tail.wait_until_quiet(Duration::from_millis(200), SOON);
        let synced = world.path("synced");
        copy_directory(ann.profile(), &synced);

        let strace = Injection::fail_syncs(&tail);
        bob.send_lines(&lines_of("bob", 10, 10), &[]).expect_code(0);
        let ended = tail.wait(SOON).expect_code(1);
        drop(strace);
        assert_disk_blamed(&ended, &ann.profile().display().to_string());
        assert_eq!(ended.out.len(), 10, "what was not stored was not shown");
        let status = ann.status();
        assert_eq!((status.text("state"), status.text("cause")), (Some("offline"), Some("store_failed")));
        if unsynced == Unsynced::Gone {
            copy_directory(&synced, ann.profile());
        }

        let again = ann.start_tail(&[]).wait(SOON).expect_code(0);
        let lines = lines_of("bob", 0, 20);
        Log::of_lines(&[ended.out, again.out].concat()).assert_has("bob", &lines);
        assert_stored(&world.member("witness", &server), &[ann], &[("bob", lines)]);
    }
}

#[test]
fn a_send_whose_sync_fails_says_what_is_not_known_and_ends_and_the_next_one_goes_on() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    writeln!(input, "{}", line_of("ann", 0)).expect("the send reads");
    send.wait_to_print(1, SOON);
    let position = Printed::of_lines(&send.out.so_far())[0].position;
    wait_until("its own line is back", SOON, || (ann.status().number("position") >= Some(position)).then_some(()));

    let strace = Injection::fail_syncs(&send);
    writeln!(input, "{}", line_of("ann", 1)).expect("the send reads");
    let ended = send.wait(SOON).expect_code(1);
    drop(strace);
    assert_disk_blamed(&ended, "whether anything was queued from line 2 on is not known");
    assert_eq!(ended.out.len(), 1, "what was not stored is not said to be");

    ann.send_lines(&lines_of("ann", 2, 1), &[]).expect_code(0);
    let log = world.member("witness", &server).read_from_start();
    log.assert_ordered();
    eprintln!("stored: {:?}", log.texts());
    assert_eq!((log.texts().first(), log.texts().last()), (Some(&"ann 0"), Some(&"ann 2")));
    assert!(log.texts().len() <= 3, "{:?}", log.texts());
}

#[test]
fn a_write_that_fails_is_not_taken_for_a_full_disk_and_ends_who_made_it() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    bob.send_lines(&lines_of("bob", 0, 10), &[]).expect_code(0);
    tail.wait_to_print(10, SOON);

    let file = ann.profile().join("profile.sqlite3-wal");
    let strace = Injection::fail_writes(&tail, "EIO", &[&file]);
    bob.send_lines(&lines_of("bob", 10, 10), &[]).expect_code(0);
    let ended = tail.wait(SOON).expect_code(1);
    drop(strace);
    assert_disk_blamed(&ended, &ann.profile().display().to_string());

    let file = server.data().join("log.sqlite3-wal");
    let strace = Injection::fail_writes(server.process(), "EIO", &[&file]);
    let send = bob.start_send(&["line"]);
    let ended = server.wait_to_end(1, SOON);
    drop(strace);
    let words = ended.err.last().expect("it says why");
    assert!(words.contains("the log can't be written any more") && words.contains("start again"), "{words}");
    server.restart();
    send.wait(SOON).expect_code(0);
    let lines = [lines_of("bob", 0, 20), vec!["line".to_owned()]].concat();
    assert_stored(&world.member("witness", &server), &[ann, bob], &[("bob", lines)]);
}

#[track_caller]
fn assert_disk_blamed(ended: &Ended, part: &str) {
    let words = ended.err.last().expect("it says why");
    let says = |what: &str| words.contains(what);
    assert!(says("the disk of") && says("failed") && says("start again") && says(part), "{words}");
}

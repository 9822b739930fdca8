//! A disk is full, the server's in the middle of a pipelined outbox or a member's own, and freed again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::rig::{
    Feeder, Injection, Log, Process, SOON, Server, Stopwatch, Tmpfs, World, assert_stored, is_root, lines_of, pause,
};

#[test]
fn a_full_disk_holds_the_outbox_and_loses_nothing_once_it_is_freed() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let disk = Tmpfs::mount(&world.path("disk"), "48m");
    let mut server = Server::start(world.program(), &disk.path().join("data"), "127.0.0.1:0", &[]);
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    bob.read_from_start();
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, Duration::from_millis(1));
    send.wait_to_print(100, SOON);

    let filler = disk.fill();
    let line = send.wait_to_say("asks to wait", 2 * SOON);
    eprintln!("{line}");
    let stored = send.out.count();
    let read = bob.read_from_start().texts().len();
    assert!(read >= stored, "reading goes on: {read} of {stored}");
    pause(Duration::from_secs(1));
    assert!(!send.has_ended(), "a full disk is no outcome: {:#?}", send.err.so_far());
    assert_eq!(ann.status().text("state"), Some("online"), "a full disk is no drop");
    std::fs::remove_file(filler).expect("the disk can be freed");

    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    eprintln!("{} lines, {stored} of them stored before the disk was full", lines.len());
    assert_eq!(ann.status().drops(), [], "a full disk is no drop");
    // What was acknowledged is on the disk: another process finds it there.
    server.kill();
    server.restart();
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines)]);
    server.stop();
}

#[test]
fn on_a_full_disk_neither_a_server_nor_a_profile_begins_and_both_do_once_there_is_room() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let disk = Tmpfs::mount(&world.path("disk"), "4m");
    let filler = disk.fill();
    let data = disk.path().join("data").display().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let ended = Process::start(&mut world.program().command(&serve)).wait(SOON).expect_code(1);
    let line = ended.only_error();
    assert!(line.contains("no room left on the device of") && line.contains("free some and start again"), "{line}");
    let ann = world.device("ann", "disk/ann", "127.0.0.1:1");
    let ended = ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(1);
    let line = ended.only_error();
    assert!(line.contains("no space left on the disk of") && line.contains("free some"), "{line}");

    std::fs::remove_file(filler).expect("the disk can be freed");
    let server = Server::start(world.program(), &disk.path().join("data"), "127.0.0.1:0", &[]);
    let ann = world.device("ann", "disk/ann", server.address());
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 1))]);
}

#[test]
fn a_quota_that_is_used_up_is_waited_for_like_a_full_disk() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, Duration::from_millis(2));
    send.wait_to_print(50, SOON);

    let use_up = |of: &Process, directory: &Path, name: &str| {
        let files = [&format!("{name}-wal"), name, "probe"].map(|name| directory.join(name));
        Injection::fail_writes(of, "EDQUOT", &files.each_ref().map(PathBuf::as_path))
    };
    let quota = use_up(server.process(), server.data(), "log.sqlite3");
    send.wait_to_say("the server asks to wait: disk full", 2 * SOON);
    drop(quota);
    let mut lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);

    let bob = world.member("bob", &server);
    let tail = bob.start_tail(&["--follow"]);
    tail.wait_to_print(lines.len(), SOON);
    let quota = use_up(&tail, bob.profile(), "profile.sqlite3");
    lines.extend(lines_of("ann", lines.len(), 10));
    ann.send_lines(&lines[lines.len() - 10..], &[]).expect_code(0);
    tail.wait_to_say("storing delayed: no space left on the disk of", SOON);
    drop(quota);
    tail.wait_to_print(lines.len(), SOON);

    for member in [&ann, &bob] {
        assert_eq!(member.status().drops(), [], "a used-up quota is no drop");
    }
    assert_stored(&world.member("witness", &server), &[ann, bob], &[("ann", lines)]);
}

#[test]
fn a_tail_whose_disk_is_full_keeps_its_line_says_that_storing_waits_and_goes_on_once_there_is_room() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let disk = Tmpfs::mount(&world.path("disk"), "16m");
    let (ann, bob) = (world.device("ann", "disk/ann", server.address()), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    let follower = ann.start_tail(&["--follow", "--from-start"]);
    let mut lines = lines_of("bob", 0, 10);
    bob.send_lines(&lines, &[]).expect_code(0);
    [&tail, &follower].into_iter().for_each(|tail| tail.wait_to_print(10, SOON));

    let filler = disk.fill();
    let many: Vec<String> =
        lines_of("bob", 10, 500).iter().map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    let others = Stopwatch::start();
    bob.send_lines(&many, &[]).expect_code(0);
    eprintln!("stored for the others after {:?}", others.elapsed());
    lines.extend(many);
    for tail in [&tail, &follower] {
        let words = tail.wait_to_say("storing delayed: no space left on the disk of", SOON);
        assert!(words.contains("free some"), "{words}");
    }
    let shown = tail.out.count();
    assert!(shown < lines.len(), "the disk was not full");
    // Longer than a server waits for a sign of life where an answer is due.
    pause(Duration::from_secs(4));
    let status = ann.status();
    assert_eq!(status.text("state"), Some("online"), "a full disk is no drop");
    assert!(status.number("storing_for_ms") > Some(2_000), "{status:?}");
    assert!(status.text("storing_text").is_some_and(|text| text.contains("no space left")), "{status:?}");
    // What still fits is queued, and said to be; the rest is refused.
    let refused = ann.send_lines(&lines_of("ann", 0, 20_000), &["--queue", "--json"]).expect_code(1);
    let queued = refused.out.len();
    let words = refused.err.last().expect("it says why");
    assert!(words.contains("no space left on the disk of") && words.contains("free some"), "{words}");

    std::fs::remove_file(filler).expect("the disk can be freed");
    for tail in [&tail, &follower] {
        tail.wait_to_print(lines.len() + queued, SOON);
        tail.wait_to_say("what had arrived is stored", SOON);
        let said = tail.err.so_far();
        assert!(said.iter().all(|line| line.contains("stor")), "only that storing waits is said: {said:#?}");
    }
    assert_eq!(ann.status().drops(), [], "a full disk is no drop");
    [tail, follower].into_iter().for_each(|tail| Log::of_lines(&tail.kill().out).assert_has("bob", &lines));
    let sent = [("bob", lines), ("ann", lines_of("ann", 0, queued))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn a_send_on_a_full_disk_queues_nothing_by_halves_and_what_it_had_accepted_is_delivered_once() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let disk = Tmpfs::mount(&world.path("disk"), "8m");
    let ann = world.device("ann", "disk/ann", server.address());
    let long = |first, count| {
        lines_of("ann", first, count).iter().map(|line| format!("{line} {}", "x".repeat(1_000))).collect::<Vec<_>>()
    };
    let accepted = long(0, 100);
    ann.send_lines(&accepted, &["--queue"]).expect_code(0);

    // More than the disk holds, in one input: it takes a beginning of it and says which.
    let more = long(100, 20_000);
    let ended = ann.send_lines(&more, &["--queue", "--json"]).expect_code(1);
    let words = ended.err.last().expect("it says why");
    assert!(words.contains("no space left on the disk of") && words.contains("free some"), "{words}");
    let queued = ended.out.len();
    assert!(words.contains(&format!("from line {} on nothing was queued", queued + 1)), "{queued} queued: {words}");
    eprintln!("{queued} of {} lines were queued on a disk of 8 MB: {words}", more.len());

    let filler = disk.fill();
    let ended = ann.send_lines(&long(50_000, 2_000), &["--queue", "--json"]).expect_code(1);
    assert!(ended.said("free some"), "{:?}", ended.err);
    assert!(ended.out.is_empty(), "{} lines were queued on a full disk", ended.out.len());
    std::fs::remove_file(filler).expect("the disk can be freed");

    disk.resize("64m");
    server.restart();
    let last = lines_of("ann", 60_000, 1);
    ann.send_lines(&last, &[]).expect_code(0);
    let sent = [&accepted, &more[..queued], &last].concat();
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", sent)]);
}

#[test]
fn a_tail_that_has_no_room_to_note_what_it_printed_goes_on_says_so_once_and_notes_it_later() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    let files = ["live.sqlite3-wal", "live.sqlite3"].map(|name| ann.profile().join(name));
    let full = Injection::fail_writes(&tail, "ENOSPC", &files.each_ref().map(PathBuf::as_path));
    for number in 0..3 {
        bob.send_lines(&lines_of("bob", number, 1), &[]).expect_code(0);
        tail.wait_to_print(number + 1, SOON);
    }
    let words = tail.wait_to_say("what was printed can't be noted, the next run may print it again", SOON);
    assert!(words.contains("no space left"), "{words}");
    assert_eq!(tail.err.so_far().iter().filter(|line| line.contains("can't be noted")).count(), 1);

    drop(full);
    bob.send_lines(&lines_of("bob", 3, 1), &[]).expect_code(0);
    tail.wait_to_print(4, SOON);
    tail.wait_until_quiet(Duration::from_millis(200), SOON);
    Log::of_lines(&tail.kill().out).assert_has("bob", &lines_of("bob", 0, 4));
    let again = ann.start_tail(&[]).wait(SOON).expect_code(0);
    assert!(again.out.is_empty(), "all was noted: {:?}", again.out);
}

//! `tail` goes on where it was; `history` needs no server.

use crate::rig::{Log, SOON, World, lines_of};

#[test]
fn a_tail_goes_on_after_the_last_message_that_it_printed() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = || Log::of_lines(&bob.start_tail(&[]).wait(SOON).expect_code(0).out);
    ann.send_lines(&lines_of("ann", 0, 3), &[]).expect_code(0);
    assert_eq!(tail().texts(), ["ann 0", "ann 1", "ann 2"], "what was said before it came, too");
    assert_eq!(tail().texts(), [""; 0]);
    ann.send_lines(&lines_of("ann", 3, 2), &[]).expect_code(0);
    assert_eq!(tail().texts(), ["ann 3", "ann 4"]);
    assert_eq!(tail().texts(), [""; 0]);
    assert_eq!(bob.read_from_start().entries.len(), 5);
}

#[test]
fn history_shows_the_last_messages_without_a_server() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    ann.send_lines(&lines_of("ann", 0, 30), &[]).expect_code(0);
    let log = bob.read_from_start();
    server.stop();
    assert_eq!(bob.stored_history(), log);
    let last = bob.start("history", &["--room", crate::rig::ROOM, "--limit", "2"]).wait(SOON).expect_code(0);
    let ends: Vec<bool> = last.out.iter().zip(["ann 28", "ann 29"]).map(|(line, text)| line.ends_with(text)).collect();
    assert_eq!(ends, [true, true], "{:?}", last.out);
}

#[test]
fn a_tail_that_runs_out_of_time_or_is_interrupted_says_so_by_its_exit_code() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    ann.start_tail(&["--follow", "--timeout", "500ms"]).wait(SOON).expect_code(2);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    tail.signal("INT");
    tail.wait(SOON).expect_code(130);
}

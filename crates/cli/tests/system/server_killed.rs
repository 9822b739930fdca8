//! The server is killed at random moments while four people send and one reads.

use std::time::Duration;

use crate::rig::{Feeder, Log, Printed, ROOM, Random, SOON, Stopwatch, World, assert_stored, lines_of, pause};

const KILLS: usize = 20;
const SENDERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];
const PACE: Duration = Duration::from_millis(8);

#[test]
fn a_server_killed_twenty_times_loses_doubles_and_reorders_nothing() {
    let mut random = Random::new();
    let world = World::new();
    let mut server = world.serve();
    let members = SENDERS.map(|name| world.member(name, &server));
    let reader = world.member("eve", &server);
    let tail = reader.start_tail(&["--follow"]);
    let mut sends = Vec::new();
    for member in &members {
        let mut send = member.start_send(&["--json"]);
        let feeder = Feeder::start(send.input(), &member.name, 0, PACE);
        sends.push((send, feeder));
    }

    for _ in 0..KILLS {
        pause(random.between_ms(50, 700));
        server.kill();
        pause(random.between_ms(0, 150));
        server.restart();
    }

    let mut sent = Vec::new();
    let mut printed = Vec::new();
    let ending = Stopwatch::start();
    for ((send, feeder), name) in sends.into_iter().zip(SENDERS) {
        sent.push((name, lines_of(name, 0, feeder.stop())));
        printed.push(Printed::of_lines(&send.wait(SOON).expect_code(0).out));
    }
    let all: usize = sent.iter().map(|(_, lines)| lines.len()).sum();
    eprintln!("{KILLS} kills, {all} lines; the last was stored {:?} after the last kill", ending.elapsed());
    tail.wait_to_print(all, SOON);
    tail.wait_until_quiet(Duration::from_millis(200), SOON);

    let log = assert_stored(&world.member("witness", &server), &[&members[..], &[reader]].concat(), &sent);
    assert_eq!(Log::of_lines(&tail.kill().out), log, "what tail printed of {ROOM}, and the log");
    for ((name, lines), printed) in sent.iter().zip(&printed) {
        assert_eq!(printed.len(), lines.len(), "{name} printed each line once as stored");
        log.assert_printed(name, printed);
    }
}

//! The line is cut at random moments while four people send and one reads.

use std::time::Duration;

use crate::rig::{
    Direction, Feeder, Log, ROOM, Random, SOON, Stopwatch, TwoHosts, assert_stored, is_root, lines_of, pause,
};

const CUTS: usize = 20;
const SENDERS: [&str; 4] = ["ann", "bob", "cleo", "dan"];
const PACE: Duration = Duration::from_millis(10);
const DIRECTIONS: [Direction; 3] = [Direction::Both, Direction::ToServer, Direction::ToClient];

#[test]
fn a_line_cut_twenty_times_loses_doubles_and_reorders_nothing() {
    if !is_root() {
        return;
    }
    let mut random = Random::new();
    let hosts = TwoHosts::new(&[]);
    let member = |name| hosts.member(name);
    let members = SENDERS.map(member);
    let reader = member("eve");
    let tail = reader.start_tail(&["--follow"]);
    let mut sends = Vec::new();
    for member in &members {
        let mut send = member.start_send(&["--json"]);
        let feeder = Feeder::start(send.input(), &member.name, 0, PACE);
        sends.push((send, feeder));
    }

    for _ in 0..CUTS {
        pause(random.between_ms(50, 700));
        hosts.network.cut(DIRECTIONS[random.below(DIRECTIONS.len())]);
        // Every fourth outlasts the bound.
        let longest = if random.below(4) == 0 { 4_500 } else { 900 };
        pause(random.between_ms(50, longest));
        hosts.network.mend();
    }

    let mended = Stopwatch::start();
    let mut sent = Vec::new();
    for ((send, feeder), name) in sends.into_iter().zip(SENDERS) {
        sent.push((name, lines_of(name, 0, feeder.stop())));
        send.wait(SOON).expect_code(0);
    }
    let all: usize = sent.iter().map(|(_, lines)| lines.len()).sum();
    eprintln!("{CUTS} cuts, {all} lines; the last was stored {:?} after the last cut", mended.elapsed());
    tail.wait_to_print(all, SOON);

    let log = assert_stored(&member("witness"), &[&members[..], &[reader]].concat(), &sent);
    assert_eq!(Log::of_lines(&tail.kill().out), log, "what tail printed of {ROOM}, and the log");
}

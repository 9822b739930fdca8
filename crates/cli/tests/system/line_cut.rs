//! The line between two network namespaces is cut without a word, for random times and in either direction.

use std::time::Duration;

use crate::rig::{
    Direction, Feeder, Log, ROOM, Random, SOON, Stopwatch, TwoHosts, assert_stored, is_root, lines_of, pause,
    wait_until,
};

const PACE: Duration = Duration::from_millis(20);
/// A line that died silently is noticed in this time while an answer is due. A busy machine may be late.
const NOTICED: Duration = Duration::from_secs(3);
/// Directions, and bounds of the time in milliseconds. What is longer than the bound must be noticed.
const CUTS: [(Direction, u64, u64); 6] = [
    (Direction::Both, 500, 2_000),
    (Direction::Both, 4_500, 6_000),
    (Direction::ToServer, 500, 2_000),
    (Direction::ToClient, 4_500, 6_000),
    (Direction::ToServer, 4_500, 6_000),
    (Direction::Both, 500, 6_000),
];

#[test]
fn a_line_cut_silently_is_noticed_with_its_cause_and_nothing_is_lost_doubled_or_reordered() {
    if !is_root() {
        return;
    }
    let mut random = Random::new();
    let hosts = TwoHosts::new(&[]);
    let (ann, eve) = (hosts.member("ann"), hosts.member("eve"));
    let tail = eve.start_tail(&["--follow"]);
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, PACE);

    for (direction, from_ms, to_ms) in CUTS {
        // The line is up, and messages go through: an answer is due all the time.
        ann.wait_until_online(SOON);
        send.wait_to_print(send.out.count() + 10, SOON);
        let bound_ms = ann.status().number("bound_ms");
        let (time, said_before) = (random.between_ms(from_ms, to_ms), send.err.count());
        let cut = Stopwatch::start();
        hosts.network.cut(direction);
        if from_ms > 4_000 {
            let noticed = send.err.wait_for("offline: ", said_before, 3 * NOTICED);
            let (noticed, line) = noticed.unwrap_or_else(|| panic!("not noticed: {:#?}", send.err.so_far()));
            let after = cut.until(noticed);
            eprintln!("{direction:?}: noticed after {after:?}, the bound being {bound_ms:?} ms: {line}");
            assert_ne!(ann.status().text("state"), Some("online"), "the status is a level");
            assert!(is_silence(direction, &line), "the cause of {direction:?}: {line}");
        }
        pause(time.saturating_sub(cut.elapsed()));
        hosts.network.mend();
        let (mended, stored) = (Stopwatch::start(), send.out.count());
        send.wait_to_print(stored + 1, SOON);
        eprintln!("{direction:?} cut for {time:?}: stored again {:?} after it was mended", mended.elapsed());
    }

    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    tail.wait_to_print(lines.len(), SOON);
    let drops = ann.status().drops();
    let silent = drops.iter().filter(|(cause, _)| cause == "silent").count();
    assert!(silent >= 2, "the drops are told with their cause: {drops:?}");
    assert!(drops.iter().all(|(_, lasted_ms)| lasted_ms.is_some()), "each drop was over: {drops:?}");
    let log = assert_stored(&hosts.member("witness"), &[ann, eve], &[("ann", lines)]);
    assert_eq!(Log::of_lines(&tail.kill().out), log, "what tail printed of {ROOM}, and the log");
}

/// Where nothing gets to the server but its own words get through, the server may be the one who says so.
fn is_silence(direction: Direction, line: &str) -> bool {
    line.contains("nothing was received for")
        || direction == Direction::ToServer && line.contains("the other side heard nothing from here")
}

#[test]
fn an_idle_line_cut_silently_is_noticed_within_the_idle_bound() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let ann = hosts.member("ann");
    let idle_bound = Duration::from_secs(5);
    let tail = ann.start_tail(&["--follow", "--idle-bound", "5s"]);
    ann.wait_until_online(SOON);
    pause(Duration::from_secs(1));
    let cut = Stopwatch::start();
    hosts.network.cut(Direction::Both);
    let line = tail.wait_to_say("nothing was received for", 3 * idle_bound);
    eprintln!("idle: noticed after {:?}: {line}", cut.elapsed());
    assert!(cut.elapsed() < 2 * idle_bound, "noticed after {:?}", cut.elapsed());
    wait_until("the status tells the drop", SOON, || {
        ann.status().drops().iter().any(|(cause, _)| cause == "silent").then_some(())
    });
    hosts.network.mend();
    ann.wait_until_online(SOON);
}

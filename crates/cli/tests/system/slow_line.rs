//! A line that is slow is not dead, however much stands in its queues.

use std::time::Duration;

use crate::rig::{Direction, SOON, Stopwatch, TwoHosts, is_root};

/// 8,000 bytes a second, each way.
const RATE: &str = "64kbit";
const MESSAGE_BYTES: usize = 60_000;
/// A backlog each way, in bytes: what the gate has time for. With more, the same holds.
const BACKLOG_BYTES: usize = 180_000;
const BACKLOG_VARIABLE: &str = "STEADFAST_TEST_BACKLOG_BYTES";

#[test]
fn a_slow_line_with_a_long_backlog_each_way_is_never_given_up() {
    if !is_root() {
        return;
    }
    let given = std::env::var(BACKLOG_VARIABLE).ok().and_then(|bytes| bytes.parse().ok());
    let messages = given.unwrap_or(BACKLOG_BYTES) / MESSAGE_BYTES;
    // What the line needs for all of it, without any overhead.
    let needed = Duration::from_millis((messages * MESSAGE_BYTES / 8) as u64);
    let hosts = TwoHosts::new(&[]);
    let (bob, ann) = (hosts.member("bob"), hosts.neighbour("ann"));
    assert_eq!(bob.start_tail(&[]).wait(SOON).expect_code(0).out.len(), 0, "bob is a member before they come");
    let line = |number: usize| format!("{number}{}", "x".repeat(MESSAGE_BYTES - 8));
    let lines: Vec<String> = (0..messages).map(line).collect();
    ann.send_lines(&lines, &[]).expect_code(0);
    hosts.network.cut(Direction::Both);
    bob.send_lines(&lines, &["--queue"]).expect_code(0);
    hosts.network.mend();

    hosts.network.slow_down(RATE);
    let started = Stopwatch::start();
    let tail = bob.start_tail(&["--follow"]);
    // Bob's own come back to him, behind those of ann.
    ann.start_tail(&["--follow"]).wait_to_print(2 * messages, 4 * needed + SOON);
    let sent = started.elapsed();
    tail.wait_to_print(messages, 4 * needed + SOON);
    let read = started.elapsed();
    eprintln!("{messages} messages of {MESSAGE_BYTES} bytes each way over {RATE}: sent {sent:?}, read {read:?}");
    assert!(sent > needed && read > needed, "the line was not slow: {sent:?}, {read:?}");
    assert_eq!(bob.status().drops(), [], "the line was healthy");
    let ended = tail.kill();
    assert!(ended.err.is_empty(), "the line was healthy: {:#?}", ended.err);
}

//! A line that is slow is not dead, however much stands in its queue.

use std::time::Duration;

use crate::rig::{Network, SOON, Server, Stopwatch, World, is_root};

/// 8,000 bytes a second.
const RATE: &str = "64kbit";
const MESSAGES: usize = 5;
const MESSAGE_BYTES: usize = 60_000;
/// What the line needs for all of it, without any overhead.
const NEEDED: Duration = Duration::from_millis((MESSAGES * MESSAGE_BYTES / 8) as u64);

#[test]
fn a_slow_line_with_a_backlog_of_half_a_minute_is_never_given_up() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let network = Network::new();
    let program = world.program().inside(network.server());
    let listen = format!("{}:0", network.server_address());
    let server = Server::start(program, &world.path("server"), &listen, &["--signup", "open"]);
    let reader = world.member("bob", &server).inside(network.client());
    assert_eq!(reader.start_tail(&[]).wait(SOON).expect_code(0).out.len(), 0, "bob is a member before they come");
    let sender = world.member("ann", &server).inside(network.server());
    let lines: Vec<String> = (0..MESSAGES).map(|number| format!("{number}{}", "x".repeat(MESSAGE_BYTES))).collect();
    sender.send_lines(&lines, &[]).expect_code(0);

    network.slow_to_client(RATE);
    let started = Stopwatch::start();
    let ended = reader.start_tail(&[]).wait(3 * NEEDED).expect_code(0);
    let took = started.elapsed();
    eprintln!("{MESSAGES} messages of {MESSAGE_BYTES} bytes over {RATE}: {took:?}");
    assert!(took > NEEDED, "the line was not slow: {took:?}");
    assert_eq!(ended.out.len(), MESSAGES);
    assert!(ended.err.is_empty(), "the line was healthy: {:#?}", ended.err);
    assert_eq!(reader.status().drops(), [], "the line was healthy");
}

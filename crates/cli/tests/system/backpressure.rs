//! Somebody does not read, somebody's disk does not store, somebody sends more than a server takes: nobody else feels
//! it, and no memory grows with it.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{
    Injection, Log, Member, MemoryPeak, Process, SOON, Stopwatch, World, anonymous_bytes, is_root, lines_of, pause,
    wait_until,
};

/// What a server may grow by for readers that do not read.
const GROWTH_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// Messages that the readers who do not read are behind by.
const MANY: usize = 100_000;
/// Messages of the same rate with all reading, to compare with.
const SOME: usize = 20_000;

#[test]
fn readers_that_stop_cost_the_server_no_memory_and_the_others_no_message_and_then_have_all() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let [ann, bob, stopped, stuck] = ["ann", "bob", "stopped", "stuck"].map(|name| world.member(name, &server));
    let [reads, does_not_run, does_not_store] = [&bob, &stopped, &stuck].map(|member| {
        let tail = member.start_tail(&["--follow"]);
        member.wait_until_online(SOON);
        tail
    });

    // The rings and the caches of the store are full before anything is measured.
    let long: Vec<String> =
        lines_of("ann", 0, 10_000).iter().map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    send_all(&ann, &long);
    let mut printed = long.len();
    [&reads, &does_not_run, &does_not_store].into_iter().for_each(|tail| tail.wait_to_print(printed, 2 * SOON));
    let all_read = send_and_read(&ann, &lines_of("ann", printed, SOME), &reads, &mut printed);
    [&does_not_run, &does_not_store].into_iter().for_each(|tail| tail.wait_to_print(printed, 2 * SOON));
    let before = anonymous_bytes(server.process().id());

    does_not_run.signal("STOP");
    let stall = Injection::stall_next_sync(&does_not_store, 10 * SOON);
    let behind = printed;
    let peak = MemoryPeak::watch(server.process().id());
    let some_do_not = send_and_read(&ann, &lines_of("ann", printed, MANY), &reads, &mut printed);
    let grown = peak.stop().saturating_sub(before);
    eprintln!(
        "{SOME} messages stored and read in {all_read:?} with all reading, {MANY} in {some_do_not:?} with two not"
    );
    eprintln!("the server's memory grew by {} KiB at most, from {} KiB", grown / 1_024, before / 1_024);
    assert!(grown <= GROWTH_BYTES_MAX, "the server grew by {grown} bytes");
    assert!(does_not_store.out.count() < behind + 10_000, "its disk did not stall");
    let factor = some_do_not.as_secs_f64() / all_read.as_secs_f64() / (MANY / SOME) as f64;
    eprintln!("a message took {factor:.2} times as long");
    assert!(factor < 3.0, "the others were held up: {factor}");
    assert_eq!(bob.status().drops(), []);

    drop(stall);
    does_not_run.signal("CONT");
    let back = Stopwatch::start();
    [&does_not_run, &does_not_store].into_iter().for_each(|tail| tail.wait_to_print(printed, 3 * SOON));
    eprintln!("both had all {:?} later", back.elapsed());
    assert_eq!(stuck.status().drops(), [], "a disk that stalls is no drop");
    let logs = [reads, does_not_run, does_not_store].map(|tail| Log::of_lines(&tail.kill().out));
    let lines = [long, lines_of("ann", 10_000, SOME + MANY)].concat();
    logs[0].assert_ordered();
    logs[0].assert_has("ann", &lines);
    assert!(logs[1] == logs[0] && logs[2] == logs[0], "all have the same, in one order, once");
}

/// Lines beyond what an outbox takes.
const BEYOND: usize = 20_000;
/// What a sender may grow by from half of its outbox on.
const SENDER_GROWTH_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

#[test]
fn a_sender_to_a_server_that_stands_still_says_that_its_outbox_is_full_and_waits_and_then_all_is_there_once() {
    const OUTBOX_ROWS_MAX: usize = 100_000;
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    let mut send = ann.start_send(&["--json"]);
    let mut input = send.input();
    let lines = lines_of("ann", 0, 1 + OUTBOX_ROWS_MAX + BEYOND);
    writeln!(input, "{}", lines[0]).expect("the send reads");
    send.wait_to_print(1, SOON);

    server.process().signal("STOP");
    let rest: String = lines[1..].iter().map(|line| format!("{line}\n")).collect();
    let feeding = std::thread::spawn(move || input.write_all(rest.as_bytes()));
    let outbox = || ann.status().number("outbox").unwrap_or(0);
    wait_until("half of the outbox is used", SOON, || (outbox() >= 50_000).then_some(()));
    let before = anonymous_bytes(send.id());
    let peak = MemoryPeak::watch(send.id());
    let words = send.wait_to_say("messages wait in the outbox, which is full: waiting for the server", 3 * SOON);
    // What fits is queued, batch by batch; the last one waits as a whole.
    let queued = outbox();
    eprintln!("{words} ({queued} rows)");
    assert!(queued <= OUTBOX_ROWS_MAX as u64 && queued > OUTBOX_ROWS_MAX as u64 - 2_000, "{queued} rows");
    pause(Duration::from_secs(1));
    assert_eq!(outbox(), queued, "it waits");

    // It stood still, and now it is gone for a while.
    server.kill();
    send.wait_to_say("no server listens at that port", SOON);
    server.restart();
    let back = Stopwatch::start();
    let ended = send.wait(3 * SOON);
    let grown = peak.stop().saturating_sub(before);
    let ended = ended.expect_code(0);
    eprintln!("{} lines stored {:?} after the server was back", lines.len(), back.elapsed());
    eprintln!("the sender's memory grew by {} KiB at most, from {} KiB", grown / 1_024, before / 1_024);
    assert!(grown <= SENDER_GROWTH_BYTES_MAX, "the sender grew by {grown} bytes");
    feeding.join().expect("the feeder does not panic").expect("the send read all");
    assert_eq!(ended.out.len(), lines.len(), "each line is printed once as stored");
    let log = world.member("witness", &server).read_from_start();
    log.assert_ordered();
    log.assert_has("ann", &lines);
}

/// Sends these lines and waits until a reader has printed them. How long that took.
fn send_and_read(sender: &Member, lines: &[String], reader: &Process, printed: &mut usize) -> Duration {
    let started = Stopwatch::start();
    send_all(sender, lines);
    *printed += lines.len();
    reader.wait_to_print(*printed, 3 * SOON);
    started.elapsed()
}

fn send_all(sender: &Member, lines: &[String]) {
    let mut send = sender.start_send(&[]);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    send.input().write_all(text.as_bytes()).expect("the send reads");
    send.wait(3 * SOON).expect_code(0);
}

//! The server is told to stop, and started again, while three people send: none of them notices more than a pause.

use std::time::Duration;

use crate::rig::{Feeder, Log, Printed, SOON, Stopwatch, World, assert_stored, lines_of, pause};

const RESTARTS: usize = 3;
const SENDERS: [&str; 3] = ["ann", "bob", "cleo"];
const PACE: Duration = Duration::from_millis(2);
/// What the interface promises.
const STOP: Duration = Duration::from_secs(5);
/// A server that stops says 500 ms and up to 1,020 ms more, so that not all come back at once.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(1_520);

#[test]
fn a_server_restarted_three_times_under_load_refuses_loses_doubles_and_reorders_nothing() {
    let world = World::new();
    let mut server = world.serve();
    let members = SENDERS.map(|name| world.member(name, &server));
    let reader = world.member("eve", &server);
    let tail = reader.start_tail(&["--follow"]);
    let mut sends = Vec::new();
    for member in &members {
        let mut send = member.start_send(&["--json"]);
        let feeder = Feeder::start(send.input(), &member.name, 100, PACE);
        sends.push((send, feeder));
    }
    sends.iter().for_each(|(send, _)| send.wait_to_print(150, SOON));

    for _ in 0..RESTARTS {
        let said: Vec<usize> = sends.iter().map(|(send, _)| send.err.count()).collect();
        let stopping = Stopwatch::start();
        server.stop();
        let stopped_after = stopping.elapsed();
        assert!(stopped_after <= STOP, "it took {stopped_after:?} to stop");
        for ((send, _), said) in sends.iter().zip(said) {
            let told = send.err.wait_for("the server is shutting down", said, SOON);
            assert!(told.is_some(), "it was not told: {:#?}", send.err.so_far());
        }
        server.restart();
        let restarted = Stopwatch::start();
        let printed: Vec<usize> = sends.iter().map(|(send, _)| send.out.count()).collect();
        for ((send, _), printed) in sends.iter().zip(printed) {
            send.wait_to_print(printed + 50, SOON);
        }
        let back_after = restarted.elapsed();
        eprintln!("stopped in {stopped_after:?}; all three were sending again {back_after:?} after the restart");
        // Three times the bound: how busy this machine is, nobody knows.
        assert!(back_after < 3 * RETRY_AFTER_MAX, "they were back after {back_after:?}");
        pause(Duration::from_millis(300));
    }

    let mut sent = Vec::new();
    let mut printed = Vec::new();
    for ((send, feeder), name) in sends.into_iter().zip(SENDERS) {
        sent.push((name, lines_of(name, 0, feeder.stop())));
        let ended = send.wait(SOON).expect_code(0);
        assert!(!ended.said("refused"), "{:#?}", ended.err);
        printed.push(Printed::of_lines(&ended.out));
    }
    let all: usize = sent.iter().map(|(_, lines)| lines.len()).sum();
    eprintln!("{all} lines over {RESTARTS} restarts");
    tail.wait_to_print(all, SOON);
    for member in &members {
        let causes: Vec<String> = member.status().drops().into_iter().map(|(cause, _)| cause).collect();
        assert_eq!(causes, ["draining"; RESTARTS], "{}", member.name);
    }
    let log = assert_stored(&world.member("witness", &server), &[&members[..], &[reader]].concat(), &sent);
    assert_eq!(Log::of_lines(&tail.kill().out), log, "what tail printed, and the log");
    for ((name, lines), printed) in sent.iter().zip(&printed) {
        assert_eq!(printed.len(), lines.len(), "{name} printed each line once as stored");
        log.assert_printed(name, printed);
    }
    server.stop();
}

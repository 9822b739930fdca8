//! `why`: what the flight recorder kept, told by the command.

use std::time::Duration;

use crate::rig::{Direction, Process, SOON, TwoHosts, World, is_root, lines_of, wait_until};

#[test]
fn a_silent_drop_is_told_with_its_silence_its_pings_its_tries_and_what_was_caught_up_and_sent() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let (ann, bob) = (hosts.member("ann"), hosts.neighbour("bob"));
    let tail = ann.start_tail(&["--follow", "--active-bound", "1s"]);
    ann.wait_until_online(SOON);
    let none = ann.start("why", &[]).wait(SOON).expect_code(0);
    assert!(none.out[0].starts_with("no drop is on record; the last line came up "), "{:?}", none.out);

    // The server's own lines, bob's among them, are not touched.
    hosts.network.cut(Direction::ToClient);
    bob.send_lines(&lines_of("bob", 0, 37), &[]).expect_code(0);
    let sends = ["ann 0", "ann 1"].map(|text| ann.start_send(&["--queue", text]));
    sends.into_iter().for_each(|send| drop(send.wait(SOON).expect_code(0)));
    tail.wait_to_say("nothing was received for", 3 * Duration::from_secs(3));
    hosts.network.mend();
    tail.wait_to_print(39, SOON);

    let told =
        wait_until("the return has settled", SOON, || ann.why().pop().filter(|told| told["settled_after_ms"].is_u64()));
    let number = |field: &str| told[field].as_u64().unwrap_or_else(|| panic!("{field}: {told}"));
    assert_eq!((told["cause"].as_str(), number("caught_up"), number("sent")), (Some("silent"), 37, 2), "{told}");
    assert!(number("pings") >= 1 && number("silent_for_ms") >= 1_000 && told["suspected_at"].is_string(), "{told}");
    let words = ann.start("why", &[]).wait(SOON).expect_code(0).out;
    eprintln!("{words:#?}");
    for part in ["the line went silent ", "; noticed after ", "back after ", "37 messages caught up, 2 sent"] {
        assert!(words[0].contains(part), "{part:?} is missing: {words:?}");
    }
}

#[test]
fn a_program_that_was_killed_is_told_as_that_and_counts_as_no_drop() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    tail.kill();
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    let told = ann.why();
    assert_eq!(told.last().and_then(|told| told["cause"].as_str()), Some("process_ended"), "{told:?}");
    assert_eq!(told.len(), 1, "a command that ended in good order is no drop: {told:?}");
    assert_eq!(ann.status().drops(), []);
}

#[test]
fn how_the_links_of_a_server_ended_is_told_from_its_data_directory() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = bob.start_tail(&["--follow"]);
    bob.wait_until_online(SOON);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);
    tail.kill();
    let data = server.data().display().to_string();
    let flights = |flags: &[&str]| {
        let mut command = world.program().command(&[&["flights", "--data", &data], flags].concat());
        Process::start(&mut command).wait(SOON).expect_code(0).out
    };
    let told = wait_until("both links are written down", SOON, || Some(flights(&[])).filter(|told| told.len() == 2));
    eprintln!("{told:#?}");
    assert!(told[0].contains(": the client said goodbye after ") && told[0].contains("the other side was stopped"));
    assert!(told[1].contains(": the line broke off after ") && told[1].contains("account "));
    let last = &flights(&["--json", "--limit", "1"])[0];
    let last: serde_json::Value = serde_json::from_str(last).expect("a JSON object");
    assert_eq!(last["ended_by"], "line", "{last}");
    for moment in ["opened_at", "admitted_at", "last_in_at", "ended_at"] {
        let at = last[moment].as_str().unwrap_or_else(|| panic!("{moment}: {last}"));
        assert!(humantime::parse_rfc3339(at).is_ok() && at.ends_with('Z'), "{moment}: {last}");
    }
    assert!(last.as_object().is_some_and(|fields| !fields.keys().any(|name| name.ends_with("_at_ms"))), "{last}");
}

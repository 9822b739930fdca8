//! Several processes on one profile: one drives the line, the others go through it.

use std::time::Duration;

use crate::rig::{Log, Member, Process, SOON, Stopwatch, World, assert_stored, command, pause, wait_until};

fn say(member: &Member, text: &str) -> Process {
    member.start_send(&[text])
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn a_send_beside_a_running_tail_goes_out_through_it_and_does_not_disturb_it() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);

    let mut said = texts(&["one", "two", "three", "four"]);
    for text in &said {
        let started = Stopwatch::start();
        say(&ann, text).wait(SOON).expect_code(0);
        eprintln!("a send beside a tail took {:?}", started.elapsed());
    }
    let together = ["five", "six", "seven"].map(|text| (text, say(&ann, text)));
    for (text, send) in together {
        send.wait(SOON).expect_code(0);
        said.push(text.to_owned());
    }
    tail.wait_to_print(said.len(), SOON);
    let status = ann.status();
    assert_eq!(status.number("process"), Some(u64::from(tail.id())), "the tail drives");
    assert_eq!(status.text("state"), Some("online"));
    assert_eq!(status.drops(), [], "the tail's line was not touched");
    let printed = Log::of_lines(&tail.kill().out);
    printed.assert_ordered();
    let mut sorted = printed.texts();
    // Those that were sent together have no order among them.
    sorted[4..].sort_unstable();
    assert_eq!(sorted, ["one", "two", "three", "four", "five", "seven", "six"]);

    let started = Stopwatch::start();
    say(&ann, "eight").wait(SOON).expect_code(0);
    assert!(started.elapsed() < Duration::from_secs(5), "the killed driver's place is taken at once");
    let in_order: Vec<String> = printed.texts().into_iter().chain(["eight"]).map(str::to_owned).collect();
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", in_order)]);
}

#[test]
fn what_others_see_of_a_line_is_true_once_it_is_quiet_too() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let _tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    // While something is asked the active bound is in force; then, with no further word from the line, the idle one.
    let quiet = Stopwatch::start();
    wait_until("the idle bound is in force", SOON, || (ann.status().number("bound_ms") == Some(15_000)).then_some(()));
    eprintln!("the status told the idle bound after {:?}", quiet.elapsed());
    assert!(quiet.elapsed() < Duration::from_secs(5), "before the idle line's own ping");
}

#[test]
fn a_stopped_process_that_holds_the_profile_is_named_and_what_was_sent_beside_it_goes_out_once() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    say(&ann, "before").wait(SOON).expect_code(0);
    tail.wait_to_print(1, SOON);

    tail.signal("STOP");
    let send = ann.start_send(&["--timeout", "2s", "while it stands"]).wait(SOON).expect_code(2);
    let named = format!("process {} holds the profile and does not answer", tail.id());
    let told = send.said(&named);
    tail.signal("CONT");
    assert!(told, "not told that {named}: {:#?}", send.err);
    tail.wait_to_print(2, SOON);
    say(&ann, "after").wait(SOON).expect_code(0);
    tail.wait_to_print(3, SOON);
    let printed = Log::of_lines(&tail.kill().out);
    assert_eq!(printed.texts(), ["before", "while it stands", "after"]);
    let said = texts(&["before", "while it stands", "after"]);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", said)]);
}

#[test]
fn who_has_no_descriptors_left_to_drive_with_says_so_and_drives_when_there_are_some() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let first = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    say(&ann, "one").wait(SOON).expect_code(0);
    let mut second = ann.start_tail(&["--follow", "--from-start"]);
    second.wait_to_print(1, SOON);
    let id = second.id().to_string();
    let limit = |count: usize| command("prlimit", &["--pid", &id, &format!("--nofile={count}:1024")]);

    // Enough for the lock, not for the rest.
    limit(lowest_descriptor_free(&id) + 1);
    first.kill();
    let said = second.wait_to_say("offline: the system refused", SOON);
    // In the pause before the next try: not even for the lock.
    limit(3);
    assert!(said.contains("try 1 in"), "{said}");
    pause(Duration::from_millis(1_500));
    assert!(!second.has_ended(), "{:?}", second.err.so_far());
    limit(1_024);
    second.wait_to_say("online again", SOON);
    say(&ann, "two").wait(SOON).expect_code(0);
    second.wait_to_print(2, SOON);
    assert_eq!(Log::of_lines(&second.kill().out).texts(), ["one", "two"]);
}

/// The lowest number that a process at rest has free. What it opens for a moment is not open in all of the looks.
fn lowest_descriptor_free(id: &str) -> usize {
    let look = |_| {
        pause(Duration::from_millis(5));
        let listed = std::fs::read_dir(format!("/proc/{id}/fd")).expect("it runs");
        let open: Vec<String> =
            listed.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        (0..).find(|number: &usize| !open.contains(&number.to_string()))
    };
    (0..40).filter_map(look).min().expect("a number")
}

#[test]
fn a_send_that_waits_for_a_stopped_driver_takes_its_place_when_that_is_killed() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    tail.signal("STOP");
    let send = say(&ann, "patient");
    send.wait_to_say("holds the profile and does not answer", SOON);
    tail.kill();
    let killed = Stopwatch::start();
    send.wait(SOON).expect_code(0);
    eprintln!("the place of a killed driver was taken and the message stored in {:?}", killed.elapsed());
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", texts(&["patient"]))]);
}

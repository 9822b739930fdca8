//! The user's switches, changed while the line is used: reconnect, log in by itself, try now, stop, resume.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::rig::{Member, Process, ROOM, SOON, Stopwatch, World, assert_stored, lines_of, pause, wait_until};

#[test]
fn with_automatic_login_off_a_line_that_is_back_waits_for_the_users_answer() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = bob.start_tail(&["--follow", "--auto-login", "off"]);
    bob.wait_until_online(SOON);
    server.kill();
    tail.wait_to_say("offline: ", SOON);
    server.restart();
    tail.wait_to_say("the server is there again; log in? `steadfast line --as bob login` does", SOON);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    pause(Duration::from_millis(500));
    assert_eq!(tail.out.count(), 0, "nothing comes before the answer");
    let status = bob.status();
    assert_eq!((status.text("state"), status.flag("asks_login")), (Some("offline"), true));
    assert_ne!(status.text("cause"), Some("refused"), "the server is there again");

    let answered = Stopwatch::start();
    bob.order(&["login"]);
    tail.wait_to_print(1, SOON);
    eprintln!("the missed message was there {:?} after the answer", answered.elapsed());
    bob.order(&["auto-login", "on"]);
    server.kill();
    server.restart();
    ann.send_lines(&lines_of("ann", 1, 1), &[]).expect_code(0);
    tail.wait_to_print(2, SOON);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 2))]);
}

#[test]
fn only_a_key_that_is_pressed_after_the_question_logs_in_and_a_tail_in_the_background_waits_for_none() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let mut front = start_tail_at_a_terminal(&ann, "exec COMMAND");
    let mut back = start_tail_at_a_terminal(&bob, "set -m; COMMAND & trap 'kill $!; exit' HUP; wait");
    ann.wait_until_online(SOON);
    bob.wait_until_online(SOON);
    let mut keys = front.input();
    keys.write_all(b"\n\n").expect("Enter is pressed twice");
    server.kill();
    wait_to_show(&front, "offline: ");
    server.restart();
    wait_to_show(&front, "log in? the Enter key, or `steadfast line --as ann login` does");
    wait_to_show(&back, "log in? `steadfast line --as bob login` does");
    let mut keys_of_another_job = back.input();
    keys_of_another_job.write_all(b"\n").expect("Enter is pressed");
    pause(Duration::from_millis(500));
    assert!(ann.status().flag("asks_login"), "what was pressed before the question is no answer");
    assert!(bob.status().flag("asks_login"), "what is pressed for another job is no answer");

    keys.write_all(b"\n").expect("Enter is pressed");
    wait_to_show(&front, "online again");
    // One that its terminal had stopped would carry out nothing.
    bob.order(&["login"]);
    wait_to_show(&back, "online again");
    // The job of another group goes with its shell, which hears of the terminal's end.
    let job = bob.status().number("process").expect("the tail drives");
    drop(back);
    wait_until("the job has gone", SOON, || (!std::path::Path::new(&format!("/proc/{job}")).exists()).then_some(()));
}

/// `tail` at a terminal of its own, started by a shell with these words.
fn start_tail_at_a_terminal(member: &Member, words: &str) -> Process {
    let tail = member.command("tail", &["--room", ROOM, "--follow", "--auto-login", "off", "--timeout", "2m"]);
    let parts = std::iter::once(tail.get_program()).chain(tail.get_args());
    let quoted: Vec<String> = parts.map(|part| format!("'{}'", part.display())).collect();
    let mut command = Command::new("script");
    command.args(["-qfec", &words.replace("COMMAND", &quoted.join(" ")), "/dev/null"]).env_clear();
    command.envs(tail.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::start(&mut command)
}

/// Waits until its terminal shows this.
fn wait_to_show(process: &Process, part: &str) {
    let shown = process.out.wait_for(part, 0, SOON);
    assert!(shown.is_some(), "not shown: {part:?}: {:#?}", process.out.so_far());
}

#[test]
fn a_line_is_stopped_and_resumed_while_a_send_waits_and_the_send_is_none_the_worse() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    ann.order(&["stop"]);
    tail.wait_to_say("`steadfast line --as ann resume` brings the line back", SOON);
    let status = ann.status();
    assert_eq!((status.text("state"), status.text("cause")), (Some("stopped"), Some("stopped_by_user")));
    let send = ann.start_send(&["patient"]);
    pause(Duration::from_secs(1));
    let tried = ann.start("line", &["try"]).wait(SOON).expect_code(1);
    assert!(tried.only_error().contains("`steadfast line --as ann resume` brings it back"), "{:?}", tried.err);
    let asked = ann.start("line", &["login"]).wait(SOON).expect_code(1);
    assert!(asked.only_error().contains("nobody is asked"), "{:?}", asked.err);
    assert_eq!(ann.status().text("state"), Some("stopped"), "a stop holds until it is taken back");
    assert_eq!(tail.out.count(), 0);
    ann.order(&["resume"]);
    send.wait(SOON).expect_code(0);
    tail.wait_to_print(1, SOON);
    assert_eq!(ann.status().drops(), [], "what the user wanted is no drop");
}

#[test]
fn who_takes_the_line_over_leaves_it_as_the_user_did_stopped_or_asking() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    let flags = ["--follow", "--auto-login", "off"];
    let first = ann.start_tail(&flags);
    ann.wait_until_online(SOON);
    let second = ann.start_tail(&flags);
    ann.order(&["stop"]);
    second.wait_to_say("`steadfast line --as ann resume` brings the line back", SOON);
    first.kill();
    let taken = |process: &Process| ann.status().number("process") == Some(u64::from(process.id()));
    wait_until("the second drives", SOON, || taken(&second).then_some(()));
    pause(Duration::from_millis(500));
    assert_eq!(ann.status().text("state"), Some("stopped"));
    ann.order(&["resume"]);
    ann.wait_until_online(SOON);

    let third = ann.start_tail(&flags);
    server.kill();
    server.restart();
    third.wait_to_say("the server is there again; log in?", SOON);
    second.kill();
    wait_until("the third drives", SOON, || taken(&third).then_some(()));
    pause(Duration::from_millis(500));
    assert!(ann.status().flag("asks_login"), "it asks on");
    ann.order(&["login"]);
    ann.wait_until_online(SOON);
    // A switch that was changed while the line was used goes with it, too.
    let fourth = ann.start_tail(&["--follow"]);
    // It prints what the other one has stored: it has looked at that one's status, too.
    world.member("bob", &server).send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    fourth.wait_to_print(1, SOON);
    pause(Duration::from_millis(300));
    ann.order(&["reconnect", "off"]);
    wait_until("the switch is seen", SOON, || (!ann.status().flag("reconnect")).then_some(()));
    pause(Duration::from_millis(200));
    third.kill();
    wait_until("the fourth drives", SOON, || taken(&fourth).then_some(()));
    assert!(!ann.status().flag("reconnect"));
    ann.order(&["reconnect", "on"]);
    let third = fourth;
    // An order of a minute ago is nothing to who begins now.
    ann.order(&["stop"]);
    drop(third);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
}

#[test]
fn reconnecting_is_switched_off_and_on_and_the_status_shows_the_tries() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server).trying(&["--reconnect-schedule", "post2012"]);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    server.kill();
    let send = ann.start_send(&["--json", "ann 1"]);
    send.wait_to_say("try 2 of 6 in ", SOON);
    let status = ann.status();
    assert_eq!((status.number("tries_max"), status.text("cause")), (Some(6), Some("refused")));
    assert!(status.number("try").is_some_and(|number| number >= 2) && status.text("next_try_at").is_some());
    let ended = {
        ann.order(&["reconnect", "off"]);
        send.wait(SOON).expect_code(1)
    };
    assert!(ended.said("1 message is safe in the outbox"), "{:#?}", ended.err);

    server.restart();
    assert_eq!(ann.status().number("outbox"), Some(1));
    ann.send_lines(&lines_of("ann", 2, 1), &[]).expect_code(0);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 3))]);
}

#[test]
fn where_nobody_drives_the_line_there_is_nobody_to_be_told() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    let ended = ann.start("line", &["stop"]).wait(SOON).expect_code(1);
    assert!(ended.only_error().contains("no process of this profile is running"), "{:?}", ended.err);
    ann.start("line", &["reconnect"]).wait(SOON).expect_code(64);
    ann.start("line", &["stop", "on"]).wait(SOON).expect_code(64);
}

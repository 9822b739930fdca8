//! `steadfast audit` says that all is well where it is, and never where it is not.

use std::time::Duration;

use serde_json::Value;

use crate::rig::{Ended, Process, Random, SOON, Server, Stopwatch, World, copy_directory, pause, wait_until};

/// What a whole audit may take.
const AUDIT: Duration = Duration::from_secs(60);

/// An audit with its profiles in a directory of the world.
fn start_audit(world: &World, server: &str, arguments: &[&str]) -> Process {
    std::fs::create_dir_all(world.path("audits")).expect("a directory");
    let scratch = world.path("audits").display().to_string();
    let mut command = world.program().command(&["audit", "--json", "--server", server, "--scratch", &scratch]);
    Process::start(command.args(arguments))
}

/// Somebody who reads along in the room, so that it is known what goes on there.
fn read_along(world: &World, server: &Server, audit: &Process) -> Process {
    let said = audit.wait_to_say("auditing in the room ", SOON);
    let (_, room) = said.rsplit_once(' ').expect("it names the room");
    let tail = world.member("reader", server).start("tail", &["--room", room, "--from-start", "--follow"]);
    tail.wait_to_print(20, SOON);
    tail
}

fn wait_for_more(tail: &Process, more: usize) {
    tail.wait_to_print(tail.out.count() + more, SOON);
}

fn report(ended: &Ended) -> Value {
    let [line] = &ended.out[..] else { panic!("not one line: {:#?} {:#?}", ended.out, ended.err) };
    eprintln!("{line}\n{:#?}", ended.err);
    serde_json::from_str(line).expect("one JSON object")
}

fn number(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name} is a number: {report}"))
}

/// How many directories of profiles are left.
fn kept(world: &World) -> usize {
    std::fs::read_dir(world.path("audits")).expect("it is there").count()
}

#[test]
fn an_audit_of_a_server_that_is_killed_again_and_again_finds_that_all_is_well() {
    const KILLS: usize = 5;
    let mut random = Random::new();
    let world = World::new();
    let mut server = world.serve();
    let arguments = ["--clients", "3", "--messages", "300", "--cut-every", "400ms"];
    let audit = start_audit(&world, server.address(), &arguments);
    let tail = read_along(&world, &server, &audit);
    for _ in 0..KILLS {
        pause(random.between_ms(50, 500));
        server.kill();
        pause(random.between_ms(0, 150));
        server.restart();
    }
    let ended = audit.wait(AUDIT).expect_code(0);
    let report = report(&ended);
    assert_eq!(number(&report, "accepted"), 900);
    for name in ["lost", "doubled", "reordered", "phantom", "refused", "unsettled", "unproved", "rewinds"] {
        assert_eq!(number(&report, name), 0, "{name}");
    }
    // How often depends on the ways to cut that were drawn: a line that stalls takes seconds, and a kill cuts, too.
    assert!(number(&report, "cuts") > 0, "the lines were cut, too");
    let delay = |share: &str| report["delay_ms"][share].as_u64().expect("milliseconds");
    assert!(0 < delay("p50") && delay("p50") <= delay("p99") && delay("p99") <= delay("max"));
    assert!(ended.said("900 messages accepted; each is on the disk of each of the 3 clients exactly once"));
    assert_eq!(kept(&world), 0, "nothing is left at this machine");
    tail.wait_to_print(900, SOON);
}

#[test]
fn an_audit_of_a_server_that_is_put_back_from_a_copy_meanwhile_ends_with_1_and_says_what_is_lost() {
    let world = World::new();
    let mut server = world.serve();
    let arguments = ["--clients", "2", "--messages", "600", "--cut-every", "600ms"];
    let audit = start_audit(&world, server.address(), &arguments);
    let tail = read_along(&world, &server, &audit);
    server.stop();
    let copy = world.path("copy-of-server");
    copy_directory(server.data(), &copy);
    server.restart();
    wait_for_more(&tail, 40);
    server.stop();
    copy_directory(&copy, server.data());
    server.restart();
    let ended = audit.wait(AUDIT).expect_code(1);
    let report = report(&ended);
    // What was accepted and had reached nobody when the server went is lost, too: at least what somebody had read.
    assert!(number(&report, "lost") >= 30, "{report}");
    assert!(number(&report, "rewinds") >= 1, "{report}");
    assert_eq!(number(&report, "accepted"), 1_200, "what was not lost is there: {report}");
    assert_eq!(number(&report, "unsettled"), 0, "{report}");
    assert!(ended.said("the server went back to an earlier state while it was audited"), "{:?}", ended.err);
    assert!(ended.said("a promise broke") && ended.said("the profiles of the clients are kept in"), "{:?}", ended.err);
    assert!(!ended.said("exactly once"), "{:?}", ended.err);
    assert_eq!(kept(&world), 1, "the profiles can be looked at");
}

#[test]
fn an_audit_of_a_server_whose_data_is_gone_meanwhile_says_that_it_is_another_server() {
    let world = World::new();
    let mut server = world.serve();
    let arguments = ["--clients", "2", "--messages", "600", "--cut-every", "600ms"];
    let audit = start_audit(&world, server.address(), &arguments);
    drop(read_along(&world, &server, &audit));
    server.stop();
    std::fs::remove_dir_all(server.data()).expect("the data can be removed");
    server.restart();
    let ended = audit.wait(AUDIT).expect_code(1);
    let report = report(&ended);
    assert!(number(&report, "unsettled") > 0, "{report}");
    assert!(ended.said("another log") || ended.said("another server"), "{:?}", ended.err);
    assert!(!ended.said("exactly once"), "{:?}", ended.err);
}

#[test]
fn an_interrupted_audit_ends_with_130_and_a_verdict_over_what_was_accepted() {
    let world = World::new();
    let server = world.serve();
    let audit = start_audit(&world, server.address(), &["--messages", "100000", "--cut-every", "3s"]);
    let tail = read_along(&world, &server, &audit);
    wait_for_more(&tail, 200);
    let interrupted = Stopwatch::start();
    audit.signal("INT");
    let ended = audit.wait(AUDIT).expect_code(130);
    eprintln!("ended {:?} after the interrupt", interrupted.elapsed());
    let report = report(&ended);
    assert!((220..400_000).contains(&number(&report, "accepted")), "{report}");
    for name in ["lost", "doubled", "reordered", "phantom", "refused", "rewinds"] {
        assert_eq!(number(&report, name), 0, "{name}");
    }
}

#[test]
fn an_audit_whose_server_is_gone_for_good_ends_with_2_and_calls_nothing_lost_or_proved() {
    let world = World::new();
    let mut server = world.serve();
    let arguments = ["--clients", "2", "--messages", "200", "--cut-every", "300ms", "--patience", "3s"];
    let audit = start_audit(&world, server.address(), &arguments);
    drop(read_along(&world, &server, &audit));
    server.kill();
    let ended = audit.wait(AUDIT).expect_code(2);
    let report = report(&ended);
    assert!(number(&report, "unsettled") > 0, "{report}");
    for name in ["lost", "doubled", "reordered", "phantom"] {
        assert_eq!(number(&report, name), 0, "{name}");
    }
    assert!(ended.said("not settled, neither lost nor proved"), "{:?}", ended.err);
    assert!(ended.said("nothing went on for 3s: gave up"), "{:?}", ended.err);
    assert!(!ended.said("exactly once"), "{:?}", ended.err);
    assert_eq!(kept(&world), 1, "what is not settled can be looked at");
}

#[test]
fn an_audit_that_can_not_begin_says_why_and_what_to_do() {
    let world = World::new();
    let mut server = Server::start(world.program(), &world.path("server"), "127.0.0.1:0", &["--signup", "closed"]);
    let closed = start_audit(&world, server.address(), &[]).wait(SOON).expect_code(1);
    assert!(closed.only_error().contains("an audit makes accounts, so it needs a server with `--signup open`"));
    let odd = start_audit(&world, server.address(), &["--cut-every", "1ms"]).wait(SOON).expect_code(64);
    assert!(odd.only_error().contains("--cut-every can't be below 100ms"), "{:?}", odd.err);
    let wss = start_audit(&world, "wss://127.0.0.1:1", &[]).wait(SOON).expect_code(64);
    assert!(wss.only_error().contains("use HOST:PORT"), "{:?}", wss.err);
    server.stop();
    let gone = start_audit(&world, server.address(), &[]).wait(SOON).expect_code(1);
    assert!(gone.only_error().contains(server.address()), "{:?}", gone.err);
    assert!(gone.only_error().contains("start a server there first"), "{:?}", gone.err);
    wait_until("nothing is left at this machine", SOON, || (kept(&world) == 0).then_some(()));
}

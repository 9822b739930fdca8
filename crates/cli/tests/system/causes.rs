//! Every cause that a line can be lost for, or not be made for, produced by the real thing.

use std::time::Duration;

use crate::rig::{
    Answer, Direction, Impostor, Manner, Member, Process, Proxy, SOON, Stopwatch, TwoHosts, World, copy_directory,
    is_root, lines_of, pause, wait_until,
};

/// Pauses that don't depend on chance: a line that is back before anybody looked would say nothing.
const STEADY: [&str; 2] = ["--reconnect-tries", "1000"];
/// The kernel is the only one who notices: it has three seconds, the heartbeat half a minute.
const QUICK_KERNEL: [&str; 4] = ["--keepalive", "1s,1s,2", "--user-timeout", "3s"];
const KERNEL: Duration = Duration::from_secs(3);
const MINUTE: Duration = Duration::from_secs(60);

fn tail(member: &Member, flags: &[&str]) -> Process {
    member.start_tail(&[&["--follow"], &STEADY[..], flags].concat())
}

/// What went wrong, in plain words on standard error and by its name in the status.
#[track_caller]
fn assert_told(member: &Member, process: &Process, said_before: usize, words: &str, name: &str) {
    let line = process.err.wait_for(words, said_before, SOON);
    let (_, line) = line.unwrap_or_else(|| panic!("{name}: not {words:?} but {:#?}", process.err.so_far()));
    eprintln!("{name}: {line}");
    wait_until(&format!("the status says {name}"), SOON, || {
        let status = member.status();
        let told = status.text("cause") == Some(name) || status.drops().iter().any(|(cause, _)| cause == name);
        told.then_some(())
    });
}

/// The same of a line that was up; then it comes back.
#[track_caller]
fn assert_dropped(member: &Member, process: &Process, words: &str, name: &str, fault: impl FnOnce()) {
    member.wait_until_online(SOON);
    let times = || member.status().drops().iter().filter(|(cause, _)| cause == name).count();
    let (said, before) = (process.err.count(), times());
    fault();
    assert_told(member, process, said, words, name);
    wait_until(&format!("{name} is among the drops"), SOON, || (times() > before).then_some(()));
}

#[test]
fn a_line_that_can_not_be_made_is_told_with_its_cause() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let (network, here) = (&hosts.network, hosts.server.address());
    let port = |port: u16| format!("{}:{port}", network.server_address());
    let no_way = "there is no way to the server";
    let nothing = || {};
    let rejects = || network.answer_with(Answer::HostUnreachable);
    let isolates = || network.answer_with(Answer::HostIsolated);
    let drops = || network.cut(Direction::Both);
    let unplugged = || network.set_link(false);
    let tries: [(&str, &str, String, &dyn Fn()); 8] = [
        ("refused", "the machine is there, but no server listens at that port", port(1), &nothing),
        ("name_not_found", "the server's name could not be found", "nowhere.invalid:7400".to_owned(), &nothing),
        ("address_invalid", "the server's address is not valid", "nowhere:70000".to_owned(), &nothing),
        ("unreachable", no_way, "192.0.2.1:7400".to_owned(), &nothing),
        ("unreachable", no_way, here.to_owned(), &rejects),
        ("network_down", "this machine has no network", here.to_owned(), &isolates),
        ("connect_timed_out", "the server did not answer in time", here.to_owned(), &drops),
        ("unreachable", no_way, here.to_owned(), &unplugged),
    ];
    for (number, (name, words, address, fault)) in tries.into_iter().enumerate() {
        fault();
        let member = hosts.world.device("ann", &format!("profile{number}"), &address).inside(network.client());
        let process = tail(&member, &[]);
        assert_told(&member, &process, 0, &format!(": {words}"), name);
        assert_eq!(member.status().drops(), [], "{name}: there was no line to drop");
        drop(process);
        network.mend();
    }
    network.set_link(true);
    let found = tail(&hosts.member("bob"), &[]);
    hosts.member("bob").wait_until_online(SOON);
    assert!(found.err.so_far().is_empty(), "the fault is over: {:#?}", found.err.so_far());
}

#[test]
fn a_line_that_is_reset_aborted_or_closed_is_told_with_its_cause_on_both_sides() {
    if !is_root() {
        return;
    }
    let mut hosts = TwoHosts::new(&[]);
    let (ann, bob) = (hosts.member("ann"), hosts.neighbour("bob"));
    let process = tail(&ann, &[]);
    let server_says = |hosts: &TwoHosts, said: usize, cause: &str| {
        let lost = format!("cause=\"{cause}\"");
        let log = &hosts.server.process().err;
        assert!(log.wait_for(&lost, said, SOON).is_some(), "not {lost} but {:#?}", log.so_far());
    };
    let logged = |hosts: &TwoHosts| hosts.server.process().err.count();

    let reset = "the connection was reset by the other side or by a box between";
    assert_dropped(&ann, &process, reset, "reset", || {
        hosts.network.answer_with(Answer::Reset);
        bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    });
    hosts.network.mend();

    ann.wait_until_online(SOON);
    let before = logged(&hosts);
    let aborted = "this machine's system broke the connection off";
    assert_dropped(&ann, &process, aborted, "aborted", || hosts.network.abort(hosts.network.client()));
    server_says(&hosts, before, "reset");
    ann.wait_until_online(SOON);
    let before = logged(&hosts);
    assert_dropped(&ann, &process, reset, "reset", || hosts.network.abort(hosts.network.server()));
    server_says(&hosts, before, "aborted");

    ann.wait_until_online(SOON);
    let said = process.err.count();
    let closed = "the other side closed the connection";
    assert_dropped(&ann, &process, closed, "closed_by_peer", || hosts.server.kill());
    assert_told(&ann, &process, said, "no server listens at that port", "refused");
    hosts.server.restart();
    assert_dropped(&ann, &process, "the server is shutting down", "draining", || drop(hosts.server.stop()));
    hosts.server.restart();
    ann.wait_until_online(SOON);
}

#[test]
fn the_keepalive_that_was_asked_for_runs_on_both_sides() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&["--keepalive", "30s,1s,2", "--user-timeout", "33s"]);
    let (quick, usual) = (hosts.member("ann"), hosts.member("bob"));
    let running = [tail(&quick, &["--keepalive", "9s,1s,2", "--user-timeout", "12s"]), tail(&usual, &[])];
    quick.wait_until_online(SOON);
    usual.wait_until_online(SOON);
    let (asked, default) = ("keepalive 9s + 1s × 2, user timeout 12s, ", "keepalive 20s + 5s × 3, user timeout 34s, ");
    for (member, applied) in [(&quick, asked), (&usual, default)] {
        let status = member.status();
        let kernel = status.text("kernel").unwrap_or_else(|| panic!("{}: {status:?}", member.name));
        assert!(kernel.starts_with(applied), "{}: not {applied:?} but {kernel:?}", member.name);
    }
    let accepted = wait_until("the server's log has both", SOON, || {
        let mut log = hosts.server.process().err.so_far();
        log.retain(|line| line.contains("accepted peer="));
        (log.len() == 2).then_some(log)
    });
    let applied = |line: &String| line.contains("kernel=keepalive 30s + 1s × 2, user timeout 33s, ");
    assert!(accepted.iter().all(applied), "as the server was told: {accepted:#?}");
    let timers = |namespace: &str| {
        wait_until("all that was sent is acknowledged", SOON, || {
            let connections = hosts.network.connections(namespace);
            eprintln!("{connections:#?}");
            let mut seconds: Vec<f64> = connections.iter().filter_map(|line| keepalive_seconds(line)).collect();
            seconds.sort_unstable_by(f64::total_cmp);
            (seconds.len() == 2).then_some(seconds)
        })
    };
    let client = timers(hosts.network.client());
    assert!((1.0..=9.0).contains(&client[0]) && (10.0..=20.0).contains(&client[1]), "9 s and 20 s: {client:?}");
    let server = timers(hosts.network.server());
    assert!(server.iter().all(|seconds| (21.0..=30.0).contains(seconds)), "30 s: {server:?}");
    drop(running);
}

/// When the kernel probes the line that `ss` shows: `timer:(keepalive,8.520ms,0)`, or `timer:(keepalive,19sec,0)`.
fn keepalive_seconds(line: &str) -> Option<f64> {
    let (_, timer) = line.split_once("timer:(keepalive,")?;
    let (time, _) = timer.split_once(',')?;
    match time.strip_suffix("sec") {
        Some(seconds) => seconds.parse().ok(),
        // `ss` writes seconds and thousandths, and calls them ms.
        None => {
            let time = time.strip_suffix("ms")?;
            let number: f64 = time.parse().ok()?;
            Some(if time.contains('.') { number } else { number / 1_000.0 })
        }
    }
}

#[test]
fn a_dead_line_that_only_the_kernel_can_notice_is_given_up_by_the_kernels_of_both_sides() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&QUICK_KERNEL);
    let ann = hosts.member("ann");
    let process = tail(&ann, &[&["--idle-bound", "60s", "--active-bound", "30s"], &QUICK_KERNEL[..]].concat());
    let ends = [hosts.network.client(), hosts.network.server()];
    let gone = |end: &str| hosts.network.connections(end).is_empty();

    // Both programs run.
    ann.wait_until_idle(MINUTE, SOON);
    let logged = hosts.server.process().err.count();
    let cut = Stopwatch::start();
    let given_up = "the system gave the connection up";
    assert_dropped(&ann, &process, given_up, "timed_out", || hosts.network.cut(Direction::Both));
    eprintln!("told by the client {:?} after the cut", cut.elapsed());
    let log = hosts.server.process().err.wait_for("cause=\"timed_out\"", logged, 3 * KERNEL);
    let (at, _) = log.unwrap_or_else(|| panic!("the server's log: {:#?}", hosts.server.process().err.so_far()));
    eprintln!("logged by the server {:?} after the cut", cut.until(at));

    // Both are stopped.
    hosts.network.mend();
    ann.wait_until_idle(MINUTE, SOON);
    assert!(ends.iter().all(|end| !gone(end)), "the line is up");
    process.signal("STOP");
    hosts.server.process().signal("STOP");
    let cut = Stopwatch::start();
    hosts.network.cut(Direction::Both);
    for end in ends {
        wait_until("the kernel lets the connection go", 3 * KERNEL, || gone(end).then_some(()));
        eprintln!("gone from {end} {:?} after the cut", cut.elapsed());
    }
    for stopped in [&process, hosts.server.process()] {
        assert_eq!(stopped.state(), 'T', "it is still stopped");
        stopped.signal("CONT");
    }
    hosts.network.mend();
    ann.wait_until_online(SOON);
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
}

#[test]
fn a_line_that_dies_with_a_message_under_way_is_given_up_by_the_kernel_after_its_user_timeout() {
    // Keepalive is off while something is unacknowledged, and would take its 45 s; the heartbeat has half a minute.
    const FLAGS: [&str; 4] = ["--keepalive", "30s,5s,3", "--user-timeout", "3s"];
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let ann = hosts.member("ann");
    let process = tail(&ann, &[&["--idle-bound", "60s", "--active-bound", "30s"], &FLAGS[..]].concat());
    ann.wait_until_idle(MINUTE, SOON);
    let said = process.err.count();
    hosts.network.cut(Direction::Both);
    let sent = Stopwatch::start();
    ann.send_lines(&lines_of("ann", 0, 1), &["--queue"]).expect_code(0);
    let line = process.err.wait_for("the system gave the connection up", said, 3 * KERNEL);
    let (at, line) = line.unwrap_or_else(|| panic!("not given up: {:#?}", process.err.so_far()));
    eprintln!("told {:?} after the message was given to it: {line}", sent.until(at));
    assert!(sent.until(at) >= KERNEL, "the user timeout is three seconds: {:?}", sent.until(at));
    hosts.network.mend();
    process.wait_to_print(1, SOON);
    let drops = ann.status().drops();
    assert!(matches!(&drops[..], [(cause, Some(_))] if cause == "timed_out"), "{drops:?}");
    assert_eq!(hosts.neighbour("witness").read_from_start().texts(), lines_of("ann", 0, 1));
}

#[test]
fn what_a_box_on_the_line_loses_or_spoils_ends_the_line_with_its_cause_and_nothing_is_lost() {
    let world = World::new();
    let server = world.serve();
    let proxy = Proxy::before(server.address());
    let (ann, bob) = (world.device("ann", "ann", &proxy.address()), world.member("bob", &server));
    let process = tail(&ann, &[]);
    let mut sent = 0;
    let mut say = |who: &Member| {
        who.send_lines(&lines_of("said", sent, 1), &[]).expect_code(0);
        sent += 1;
    };

    let missing = "something that the other side sent did not arrive";
    assert_dropped(&ann, &process, missing, "hole", || {
        proxy.down().lose_next();
        say(&bob);
        say(&bob);
    });
    assert_dropped(&ann, &process, "the other side misses something", "peer_saw_hole", || {
        proxy.up().lose_next();
        say(&ann);
    });
    assert_dropped(&ann, &process, "the other side broke the protocol", "protocol_error", || {
        proxy.down().flip_next();
        say(&bob);
    });
    let blamed = "the other side says that this side broke the protocol";
    assert_dropped(&ann, &process, blamed, "peer_saw_protocol_error", || {
        proxy.up().flip_next();
        say(&ann);
    });
    process.wait_to_print(sent, SOON);
    assert_eq!(bob.read_from_start().texts(), lines_of("said", 0, sent));
    assert_eq!(ann.history().texts(), lines_of("said", 0, sent));
}

#[test]
fn a_server_that_says_nothing_or_nonsense_is_told_with_its_cause() {
    /// Longer than the frame that its first byte announces.
    const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    let dribbles = Manner::Dribbles(Duration::from_millis(400));
    let world = World::new();
    let cases = [
        ("silent", "nothing was received for 1.", Manner::Silent),
        ("protocol_error", "the other side broke the protocol", Manner::Says(HTTP)),
        ("handshake_timed_out", "the handshake took too long", dribbles),
    ];
    // All at once, since a handshake has ten seconds.
    let running = cases.map(|(name, words, manner)| {
        let impostor = Impostor::start(manner);
        let member = world.device("ann", name, &impostor.address());
        let (process, started) = (tail(&member, &["--active-bound", "1s"]), Stopwatch::start());
        (name, words, member, process, started, impostor)
    });
    for (name, words, member, process, started, _impostor) in &running {
        assert_told(member, process, 0, words, name);
        eprintln!("{name}: {:?} after the start", started.elapsed());
        assert!(process.err.wait_for("; try 2 of 1000 in", 0, SOON).is_some(), "it is tried on");
        assert_eq!(member.status().drops(), [], "{name}: there was no line to drop");
    }
}

#[test]
fn a_client_that_says_nonsense_is_sent_away_and_the_log_says_why() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let server = world.serve();
    let mut stream = std::net::TcpStream::connect(server.address()).expect("the server listens");
    stream.write_all(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100)).as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server closes in good order");
    // Bye, as PROTOCOL.md frames it: length, lane 0, field 20, and the reason in it.
    let reason = [0x08, 6];
    assert_eq!((answer[1], &answer[2..4], &answer[5..7]), (0, &[0xa2, 0x01][..], &reason[..]), "{answer:02x?}");
    let line = server.process().wait_to_say("connection ended", SOON);
    assert!(line.contains("cause=\"protocol_error\" ended_by=Server"), "{line}");
}

#[test]
fn a_stopped_client_that_was_let_go_meanwhile_says_that_it_was_asleep_and_is_back_at_once() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let process = tail(&ann, &["--idle-bound", "3s"]);
    ann.wait_until_online(SOON);
    let logged = server.process().err.count();
    process.signal("STOP");
    let stopped = Stopwatch::start();
    let let_go = server.process().err.wait_for("connection ended", logged, SOON);
    let (at, line) = let_go.unwrap_or_else(|| panic!("the server's log: {:#?}", server.process().err.so_far()));
    eprintln!("let go {:?} after the stop: {line}", stopped.until(at));
    assert!(line.contains("cause=\"silent\" ended_by=Server"), "{line}");
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    // The client's own deadlines are long past, too.
    pause(Duration::from_secs(4).saturating_sub(stopped.elapsed()));
    process.signal("CONT");
    let woken = Stopwatch::start();
    process.wait_to_print(1, SOON);
    eprintln!("back with what was missed {:?} after it went on", woken.elapsed());
    assert!(woken.elapsed() < Duration::from_secs(1), "back at once: {:?}", woken.elapsed());
    let causes: Vec<String> = ann.status().drops().into_iter().map(|(cause, _)| cause).collect();
    assert_eq!(causes, ["woke_from_sleep"]);
}

#[test]
fn of_two_copies_of_a_profile_the_newer_takes_over_and_the_other_stops_and_says_so() {
    let world = World::new();
    let server = world.serve();
    let (ann, copy) = (world.member("ann", &server), world.device("ann", "copy", server.address()));
    ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    copy_directory(ann.profile(), copy.profile());

    let first = tail(&ann, &[]);
    ann.wait_until_online(SOON);
    let second = tail(&copy, &[]);
    let ended = first.wait(SOON).expect_code(1);
    assert!(ended.said("another copy of this profile is connected"), "{:#?}", ended.err);
    let status = ann.status();
    assert_eq!((status.text("state"), status.text("cause")), (Some("offline"), Some("taken_over")));
    assert_eq!(status.drops()[0].0, "taken_over");
    copy.wait_until_online(SOON);
    assert_eq!(copy.status().drops(), [], "the newer one was not disturbed");
    drop(second);
}

#[test]
fn an_interrupted_client_says_goodbye_and_stays_away() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let process = tail(&ann, &[]);
    ann.wait_until_online(SOON);
    process.signal("INT");
    let ended = process.wait(SOON).expect_code(130);
    assert!(ended.err.is_empty(), "nothing went wrong: {:#?}", ended.err);
    let line = server.process().wait_to_say("connection ended", SOON);
    assert!(line.contains("ended_by=Client"), "{line}");
    let status = ann.status();
    assert_eq!((status.text("state"), status.text("cause")), (Some("offline"), None));
    assert_eq!(status.drops(), [], "it was no drop");
}

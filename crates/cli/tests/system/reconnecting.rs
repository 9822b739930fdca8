//! How a client comes back: one connection at a time, at growing or fixed pauses, and never stuck.

use std::time::Duration;

use steadfast::Client;

use crate::rig::{
    Direction, Feeder, Impostor, Manner, Proxy, SOON, Stopwatch, TwoHosts, World, assert_stored, is_root, lines_of,
    pause, wait_until,
};

#[test]
fn a_name_that_nobody_has_is_tried_on_with_growing_pauses_and_each_try_is_told() {
    let world = World::new();
    // Longer than a label may be (RFC 1035, section 2.3.4), so that no resolver is asked.
    let nowhere = format!("{}:7400", "x".repeat(64));
    let ann = world.device("ann", "ann", &nowhere);
    let mut command = world.program().command(&["tail", "--as", "ann", "--room", "lobby", "--follow"]);
    let profile = ann.profile().display().to_string();
    let process = crate::rig::Process::start(command.args(["--server", &nowhere, "--profile", &profile]));
    let tries = 5;
    process.err.wait_for(&format!("; try {} in", tries + 1), 0, 3 * SOON).expect("it is tried on");
    let said = process.err.so_far();
    eprintln!("{said:#?}");
    for line in &said {
        let told = line.strip_prefix("steadfast: offline: the server's name could not be found; try ");
        let (number, seconds) = told.and_then(|told| told.split_once(" in ")).expect(line);
        let number: i32 = number.parse().expect("the number of the try");
        let seconds: f64 = seconds.trim_end_matches(" s").parse().expect("seconds");
        // Full jitter below 500 ms · 2^(n−1) behind the n-th try.
        assert!(seconds <= 0.5 * 2_f64.powi(number - 2), "{line}");
    }
    assert_eq!(ann.status().text("cause"), Some("name_not_found"));
}

#[test]
fn the_schedule_of_2012_tells_the_try_of_six_and_begins_a_new_round_after_a_longer_pause() {
    let world = World::new();
    let profile = world.path("ann").display().to_string();
    let arguments = ["tail", "--as", "ann", "--room", "lobby", "--server", "127.0.0.1:1", "--profile", &profile];
    let mut command = world.program().command(&arguments);
    let process = crate::rig::Process::start(command.args(["--reconnect-schedule", "post2012"]));
    process.err.wait_for("; try 2 of 6 in", 6, SOON).expect("a second round begins");
    let said = process.err.so_far();
    eprintln!("{said:#?}");
    let pauses = [("2 of 6", 0.9), ("3 of 6", 0.9), ("4 of 6", 0.9), ("5 of 6", 0.9), ("6 of 6", 0.9), ("1 of 6", 4.9)];
    for (line, (number, least)) in said.iter().zip(pauses) {
        let words = format!("no server listens at that port; try {number} in ");
        let (_, seconds) = line.split_once(&words).unwrap_or_else(|| panic!("not {words:?} but {line}"));
        let seconds: f64 = seconds.trim_end_matches(" s").parse().expect("seconds");
        assert!((least - 0.3..=least + 0.2).contains(&seconds), "{line}");
    }
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_given_up_and_tried_on() {
    let world = World::new();
    let impostor = Impostor::start(Manner::Silent);
    let ann = world.device("ann", "ann", &impostor.address());
    let started = Stopwatch::start();
    let process = ann.start_tail(&["--follow"]);
    let given_up = process.wait_to_say("nothing was received for 3.", SOON);
    eprintln!("given up after {:?}: {given_up}", started.elapsed());
    let (_, again) = process.err.wait_for("nothing was received for", 1, SOON).expect("it is tried on");
    eprintln!("{:?} after the start: {again}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_two_connections_at_once_however_often_it_is_cut_and_a_try_is_asked_for() {
    const CUTS: usize = 40;
    let world = World::new();
    let server = world.serve();
    let proxy = Proxy::before(server.address());
    let builder = Client::builder("ann", &proxy.address()).profile(world.path("ann"));
    let client = builder.open().await.expect("a profile");
    let lobby = client.room("lobby");
    let mut status = client.status();
    let mut sent = Vec::new();
    for number in 0..CUTS {
        sent.extend(lobby.send_all([format!("ann {number}")]).await.expect("it is queued"));
        // Sometimes before the line is up, sometimes after.
        match number % 4 {
            0 => proxy.set_mute(true),
            1 => proxy.set_mute(false),
            _ => drop(status.until(steadfast::Status::is_online).await.expect("the client runs")),
        }
        for _ in 0..3 {
            client.try_now().await.expect("the client runs");
        }
        proxy.close_all();
        client.try_now().await.expect("the client runs");
    }
    proxy.set_mute(false);
    proxy.close_all();
    client.try_now().await.expect("the client runs");
    client.settled(&sent).await.expect("all is stored");
    client.close().await;
    eprintln!("{} connections for {CUTS} cuts", proxy.accepted());
    assert!(proxy.accepted() > CUTS / 2, "the line was cut often: {}", proxy.accepted());
    assert_eq!(proxy.overlapping(), 0, "one connection at a time");
    assert_stored(&world.member("witness", &server), &[], &[("ann", lines_of("ann", 0, CUTS))]);
}

#[test]
fn a_network_that_is_back_before_the_loss_is_noticed_blocks_nothing() {
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let ann = hosts.member("ann");
    let mut send = ann.start_send(&["--json"]);
    let feeder = Feeder::start(send.input(), "ann", 0, Duration::from_millis(20));
    send.wait_to_print(10, SOON);
    for cut_ms in [500, 1_000, 2_000] {
        hosts.network.cut(Direction::Both);
        pause(Duration::from_millis(cut_ms));
        hosts.network.mend();
        let (mended, stored) = (Stopwatch::start(), send.out.count());
        send.wait_to_print(stored + 10, SOON);
        eprintln!("cut for {cut_ms} ms: stored again {:?} after it was mended", mended.elapsed());
    }
    // The server's end forgets the connection while the line is cut: the client's end has yet to be told.
    hosts.network.cut(Direction::ToClient);
    hosts.network.abort(hosts.network.server());
    hosts.network.mend();
    let stored = send.out.count();
    send.wait_to_print(stored + 10, SOON);
    let lines = lines_of("ann", 0, feeder.stop());
    send.wait(SOON).expect_code(0);
    assert_stored(&hosts.member("witness"), &[ann], &[("ann", lines)]);
}

#[test]
fn a_line_that_is_closed_in_good_order_after_a_moment_is_made_again() {
    let world = World::new();
    let server = world.serve();
    let proxy = Proxy::before(server.address());
    let ann = world.device("ann", "ann", &proxy.address());
    let tail = ann.start_tail(&["--follow"]);
    for closed in 1..=3 {
        ann.wait_until_online(SOON);
        proxy.close_all();
        wait_until("a new connection is made", SOON, || (proxy.accepted() > closed).then_some(()));
    }
    ann.wait_until_online(SOON);
    let drops = ann.status().drops();
    assert!(drops.iter().all(|(cause, _)| cause == "closed_by_peer"), "{drops:?}");
    assert_eq!((drops.len(), proxy.overlapping()), (3, 0));
    // A freeze that ends before anybody notices it is no drop.
    proxy.freeze();
    ann.send_lines(&lines_of("ann", 0, 1), &["--queue"]).expect_code(0);
    pause(Duration::from_secs(1));
    proxy.thaw();
    tail.wait_to_print(1, SOON);
    assert_eq!(ann.status().drops().len(), 3);
}

//! A server that is told to stop tells its clients, and they come back.

use std::time::Duration;

use crate::rig::{SOON, Stopwatch, World, assert_stored, lines_of};

#[test]
fn a_server_told_to_stop_ends_in_five_seconds_and_its_clients_come_back() {
    let world = World::new();
    let mut server = world.serve();
    let members = ["ann", "bob", "cleo"].map(|name| world.member(name, &server));
    let tails = members.each_ref().map(|member| member.start_tail(&["--follow"]));
    members.iter().for_each(|member| member.wait_until_online(SOON));
    members[0].send_lines(&lines_of("ann", 0, 1), &[]).expect_code(0);
    tails.iter().for_each(|tail| tail.wait_to_print(1, SOON));

    let started = Stopwatch::start();
    server.stop();
    let took = started.elapsed();
    eprintln!("stopped in {took:?} with three clients");
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    tails.iter().for_each(|tail| drop(tail.wait_to_say("the server is shutting down", SOON)));

    server.restart();
    let restarted = Stopwatch::start();
    members[1].send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tails.iter().for_each(|tail| tail.wait_to_print(2, SOON));
    eprintln!("all were back {:?} after the restart", restarted.elapsed());
    for member in &members {
        let drops = member.status().drops();
        assert_eq!(drops[0].0, "draining", "{}: {drops:?}", member.name);
    }
    drop(tails);
    let sent = [("ann", lines_of("ann", 0, 1)), ("bob", lines_of("bob", 0, 1))];
    assert_stored(&world.member("witness", &server), &members, &sent);
}

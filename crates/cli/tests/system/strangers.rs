//! Whatever bytes a stranger sends, the server answers or closes, and serves the others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::rig::{Injection, Random, Raw, SOON, Server, Stopwatch, World, assert_stored, is_root, lines_of};

/// What a handshake has here; ten seconds by default.
const HANDSHAKE: Duration = Duration::from_secs(3);

#[test]
fn strangers_are_sent_away_and_the_others_served() {
    let mut random = Random::new();
    let world = World::new();
    let flags = ["--handshake-timeout", "3s"];
    let server = Server::start(world.program(), &world.path("server"), "127.0.0.1:0", &flags);
    let garbage: Vec<u8> = (0..2_000).map(|_| u8::try_from(random.below(256)).expect("below 256")).collect();
    let hello_that_stops = [200, 1, 0, 10];
    let oversized = [255, 255, 255, 255, 15, 0, 1, 2, 3];
    let strangers: [(&str, &[u8]); 6] = [
        ("garbage", &garbage),
        ("zeros", &[0; 4_096]),
        ("http", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
        ("half a Hello", &hello_that_stops),
        ("an oversized length", &oversized),
        ("nothing", &[]),
    ];
    let connected = Stopwatch::start();
    let lines =
        strangers.map(|(what, bytes)| (what, std::thread::spawn(closed_after(server.address(), bytes.to_vec()))));
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 5), &[]).expect_code(0);
    assert!(connected.elapsed() < HANDSHAKE, "strangers hold others up: {:?}", connected.elapsed());

    for (what, line) in lines {
        let (took, answer) = line.join().unwrap_or_else(|_| panic!("{what}: the server did not close the line"));
        eprintln!("{what}: {answer} bytes of answer, closed after {took:?}");
        assert!(took < HANDSHAKE + Duration::from_secs(5), "{what}: closed after {took:?}");
    }
    ann.send_lines(&lines_of("ann", 5, 5), &[]).expect_code(0);
    let panics = server.process().err.so_far().into_iter().filter(|line| line.contains("panicked"));
    assert_eq!(panics.collect::<Vec<_>>(), [""; 0]);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 10))]);
}

/// Sends the bytes and waits until the server closes: how long that took, and the bytes of its answer.
fn closed_after(address: &str, bytes: Vec<u8>) -> impl FnOnce() -> (Duration, usize) + use<> {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    move || {
        stream.set_read_timeout(Some(3 * HANDSHAKE)).expect("a time-out");
        let connected = Stopwatch::start();
        // A server that has closed already takes no more.
        stream.write_all(&bytes).ok();
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        (connected.elapsed(), answer.len())
    }
}

#[test]
fn new_devices_that_wait_for_a_stalled_disk_keep_no_known_device_out() {
    const STALL: Duration = Duration::from_secs(5);
    const SLOTS: u8 = 2;
    if !is_root() {
        return;
    }
    let world = World::new();
    let flags = ["--handshakes-max", &SLOTS.to_string()];
    let server = Server::start(world.program(), &world.path("server"), "127.0.0.1:0", &flags);
    Raw::greet(server.address(), "known", 1).wait_for_welcome(SOON);

    let strace = Injection::stall_next_sync(server.process(), STALL);
    let stalled = Stopwatch::start();
    let mut fresh: Vec<Raw> =
        (2..4 * SLOTS).map(|device| Raw::greet(server.address(), &format!("fresh{device}"), device)).collect();
    Raw::greet(server.address(), "known", 1).wait_for_welcome(SOON);
    let took = stalled.elapsed();
    eprintln!("a known device was in {took:?} after {} new ones had begun to wait for the disk", fresh.len());
    assert!(took < STALL - Duration::from_secs(1), "it waited for the disk: {took:?}");
    fresh[0].wait_for_welcome(SOON);
    let took = stalled.elapsed();
    assert!(took > STALL - Duration::from_secs(1), "the sync did not stall: {took:?}");
    drop(strace);
    fresh[1..].iter_mut().for_each(|raw| raw.wait_for_welcome(SOON));
}

#[test]
fn each_listener_serves_though_fewer_strangers_may_come_at_a_time_than_there_are_listeners() {
    let world = World::new();
    let flags = ["--handshakes-max", "1", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    let server = Server::start(world.program(), &world.path("server"), "127.0.0.1:0", &flags);
    server.process().wait_to_print(3, SOON);
    for (line, device) in server.process().out.so_far().iter().zip(1..) {
        let address = line.strip_prefix("listening tcp ").expect("it says where it listens");
        Raw::greet(address, "ann", device).wait_for_welcome(SOON);
    }
}

//! Nobody reads what a command says on standard error.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::rig::{Process, ROOM, SOON, Stopwatch, World, lines_of, pause, wait_until};

#[test]
fn a_log_that_nobody_reads_costs_lines_of_the_log_and_no_line_to_a_client() {
    /// Their log lines are more than the pipe and the server's memory hold.
    const STRANGERS: usize = 4_000;
    const IDLE_BOUND: Duration = Duration::from_secs(3);
    let world = World::new();
    let data = world.path("server").display().to_string();
    let flags = ["serve", "--listen", "127.0.0.1:0", "--data", &data, "--log-format", "json"];
    let (log, says) = std::io::pipe().expect("a pipe");
    let server = Process::start_saying_to(&mut world.program().command(&flags), says);
    server.wait_to_print(1, SOON);
    let address = server.out.so_far()[0].trim_start_matches("listening tcp ").to_owned();
    let (ann, bob) = (world.device("ann", "ann", &address), world.device("bob", "bob", &address));
    let tail = ann.start_tail(&["--follow", "--idle-bound", "3s", "--active-bound", "1s"]);
    ann.wait_until_online(SOON);

    let come = Stopwatch::start();
    let to: SocketAddr = address.parse().expect("it says where it listens");
    for _ in 0..STRANGERS {
        TcpStream::connect_timeout(&to, Duration::from_secs(5)).expect("the server takes connections");
    }
    eprintln!("{STRANGERS} strangers came and went in {:?}", come.elapsed());
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);
    // An idle line that is not answered for its bound is lost.
    pause(IDLE_BOUND + Duration::from_secs(1));
    let status = ann.status();
    assert_eq!((status.text("state"), status.drops()), (Some("online"), vec![]), "{status:?}");
    eprintln!("the last round trip took {:?} ms", status.number("round_trip_ms"));

    let mut lines = BufReader::new(log).lines().map(|line| line.expect("the pipe can be read"));
    let mut read = 0;
    let lost = lines.find_map(|line| {
        let logged: Value = serde_json::from_str(&line).expect("each line is whole");
        read += 1;
        logged["fields"]["message"].as_str()?.contains("log lines were lost").then(|| logged["fields"]["lost"].as_u64())
    });
    let lost = lost.flatten().expect("it says how many were lost");
    eprintln!("{read} lines were kept and {lost} lost");
    assert!(lost > 0 && read + lost as usize > 2 * STRANGERS, "{read} lines were kept and {lost} lost");
    server.signal("TERM");
    let last: Vec<String> = lines.collect();
    assert!(last.iter().any(|line| line.contains("stopping: telling the clients")), "{last:#?}");
    assert!(last.iter().any(|line| line.contains("\"draining\"")), "the last lines leave, too: {last:#?}");
    server.wait(SOON).expect_code(0);
}

#[test]
fn a_client_whose_words_nobody_reads_comes_back_all_the_same() {
    const PIPE_BYTES: usize = 64 * 1024;
    let world = World::new();
    let mut server = world.serve();
    let one_worker = vec![("TOKIO_WORKER_THREADS".to_owned(), "1".to_owned())];
    let ann = world.member("ann", &server).with_environment(one_worker);
    let (unread, mut full) = std::io::pipe().expect("a pipe");
    full.write_all(&[b'\n'; PIPE_BYTES]).expect("it takes as much");
    let tail = Process::start_saying_to(&mut ann.command("tail", &["--room", ROOM, "--json", "--follow"]), full);
    ann.wait_until_online(SOON);

    server.kill();
    // It has words for the loss.
    wait_until("the loss is noticed", SOON, || (ann.status().text("state") != Some("online")).then_some(()));
    server.restart();
    world.member("bob", &server).send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    tail.wait_to_print(1, SOON);
    assert_eq!(ann.status().text("state"), Some("online"));

    let mut lines = BufReader::new(unread).lines().map(|line| line.expect("the pipe can be read"));
    assert!(lines.any(|line| line.starts_with("steadfast: offline: ")), "it said so once it could");
}

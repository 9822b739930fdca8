//! `tail` goes on where it was; `history` needs no server.

use std::io::{PipeReader, PipeWriter, Write as _};
use std::process::{Child, Stdio};

use crate::rig::{Lines, Log, Member, Printed, ROOM, SOON, Stopwatch, World, command, lines_of, wait_until};

#[test]
fn a_tail_goes_on_after_the_last_message_that_it_printed() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = || Log::of_lines(&bob.start_tail(&[]).wait(SOON).expect_code(0).out);
    ann.send_lines(&lines_of("ann", 0, 3), &[]).expect_code(0);
    assert_eq!(tail().texts(), ["ann 0", "ann 1", "ann 2"], "what was said before it came, too");
    assert_eq!(tail().texts(), [""; 0]);
    ann.send_lines(&lines_of("ann", 3, 2), &[]).expect_code(0);
    assert_eq!(tail().texts(), ["ann 3", "ann 4"]);
    assert_eq!(tail().texts(), [""; 0]);
    assert_eq!(bob.read_from_start().entries.len(), 5);
}

#[test]
fn history_shows_the_last_messages_without_a_server() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    ann.send_lines(&lines_of("ann", 0, 30), &[]).expect_code(0);
    let log = bob.read_from_start();
    server.stop();
    assert_eq!(bob.stored_history(), log);
    let last = bob.start("history", &["--room", ROOM, "--limit", "2"]).wait(SOON).expect_code(0);
    let ends: Vec<bool> = last.out.iter().zip(["ann 28", "ann 29"]).map(|(line, text)| line.ends_with(text)).collect();
    assert_eq!(ends, [true, true], "{:?}", last.out);
}

#[test]
fn a_tail_that_runs_out_of_time_or_is_interrupted_says_so_by_its_exit_code() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    ann.start_tail(&["--follow", "--timeout", "500ms"]).wait(SOON).expect_code(2);
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    tail.signal("INT");
    tail.wait(SOON).expect_code(130);
}

#[test]
fn a_tail_whose_reader_has_paused_hears_an_interrupt_and_its_time_limit() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let lines = lines_of("ann", 0, 3);
    ann.send_lines(&lines, &[]).expect_code(0);
    let (out_reader, out) = full_pipe();
    let (err_reader, err) = full_pipe();

    let mut tail = start_tail(&bob, &[], &out, &err);
    wait_until("it waits for whoever reads its results", SOON, || prints_in_vain(tail.id()).then_some(()));
    bob.wait_until_online(SOON);
    let interrupted = Stopwatch::start();
    command("kill", &["-INT", &tail.id().to_string()]);
    assert_eq!(exit_code(&mut tail), Some(130));
    eprintln!("ended {:?} after the interrupt", interrupted.elapsed());

    let started = Stopwatch::start();
    let mut tail = start_tail(&bob, &["--timeout", "1s"], &out, &err);
    assert_eq!(exit_code(&mut tail), Some(2));
    eprintln!("ended after {:?} with 1 s to spend", started.elapsed());
    drop(err_reader);
    let mut tail = start_tail(&bob, &["--timeout", "500ms"], &out, &err);
    assert_eq!(exit_code(&mut tail), Some(2), "though nobody is there to be told");
    drop(out_reader);
    assert_eq!(bob.start_tail(&[]).wait(SOON).expect_code(0).out.len(), lines.len(), "nothing counts as printed");
}

#[test]
fn a_tail_whose_reader_pauses_over_a_drop_prints_every_line_once_when_it_is_read_again() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let say = |first| {
        let sent = ann.send_lines(&lines_of("ann", first, 3), &["--json"]).expect_code(0);
        Printed::of_lines(&sent.out)[2].position
    };
    say(0);
    let ((reader, out), (_says, err)) = (full_pipe(), std::io::pipe().expect("a pipe"));
    let mut tail = start_tail(&bob, &["--json"], &out, &err);
    wait_until("it waits for its reader", SOON, || prints_in_vain(tail.id()).then_some(()));
    bob.wait_until_online(SOON);
    let last = say(3);
    let is_stored = || bob.status().number("position").filter(|&place| place >= last);
    wait_until("its place moves though its reader does not", SOON, is_stored);
    server.kill();
    wait_until("it knows of the loss", SOON, || bob.status().drops().first().map(|_| ()));
    server.restart();
    say(6);
    bob.wait_until_online(SOON);
    say(9);
    assert!(prints_in_vain(tail.id()), "nothing was read meanwhile");

    let read = Lines::read(reader);
    assert!(read.wait_for_count(PIPE_BYTES + 12, SOON), "{} lines", read.count() - PIPE_BYTES);
    command("kill", &["-INT", &tail.id().to_string()]);
    assert_eq!(exit_code(&mut tail), Some(130));
    let printed: Vec<String> = read.so_far().into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(Log::of_lines(&printed).texts(), lines_of("ann", 0, 12));
    assert_eq!(bob.start_tail(&[]).wait(SOON).expect_code(0).out, [""; 0], "nor is anything printed again later");
}

/// What a pipe holds: pipe(7).
const PIPE_BYTES: usize = 65_536;

/// A pipe that takes nothing more until somebody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[b'\n'; PIPE_BYTES]).expect("so much fits");
    (reader, writer)
}

/// `tail --follow` of a terminal that is paused.
fn start_tail(member: &Member, arguments: &[&str], out: &PipeWriter, err: &PipeWriter) -> Child {
    let mut command = member.command("tail", &["--room", ROOM, "--follow"]);
    let theirs = |pipe: &PipeWriter| pipe.try_clone().expect("a descriptor");
    command.args(arguments).stdin(Stdio::null()).stdout(theirs(out)).stderr(theirs(err));
    command.spawn().expect("the command starts")
}

/// Whether one of its threads is in a system call on standard output: number, arguments … (proc_pid_syscall(5)).
fn prints_in_vain(id: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
    threads.map_while(Result::ok).any(|thread| {
        let call = std::fs::read_to_string(thread.path().join("syscall"));
        call.is_ok_and(|call| call.split(' ').nth(1) == Some("0x1"))
    })
}

fn exit_code(child: &mut Child) -> Option<i32> {
    wait_until("it ends", SOON, || child.try_wait().expect("it can be asked")).code()
}

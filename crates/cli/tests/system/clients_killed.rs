//! Clients are killed at random moments while they send, and started again with the same profile, input and key.

use std::time::Duration;

use crate::rig::{Feeder, Log, Member, Printed, Process, Random, SOON, World, assert_stored, lines_of, pause};

const KILLS: usize = 20;
const SENDERS: [&str; 3] = ["ann", "bob", "cleo"];
const PACE: Duration = Duration::from_millis(8);
/// Lines that are in the input, and that no killed run was given.
const REST: usize = 30;
const KEYED: [&str; 3] = ["--json", "--key", "the-same-input"];

#[test]
fn clients_killed_twenty_times_and_started_again_lose_double_and_reorder_nothing() {
    let mut random = Random::new();
    let world = World::new();
    let server = world.serve();
    let tail = world.member("eve", &server).start_tail(&["--follow"]);
    let mut sendings = SENDERS.map(|name| Sending::start(world.member(name, &server)));

    for _ in 0..KILLS {
        pause(random.between_ms(50, 600));
        let sending = &mut sendings[random.below(SENDERS.len())];
        sending.kill();
        sending.go_on();
    }

    sendings.iter_mut().for_each(Sending::kill);
    let log = world.member("early-witness", &server).read_from_start();
    log.assert_ordered();
    for sending in &sendings {
        log.assert_is_prefix(&sending.member.name, &lines_of(&sending.member.name, 0, sending.given));
        sending.assert_printed(&log);
    }

    let mut sent = Vec::new();
    for sending in &mut sendings {
        let lines = lines_of(&sending.member.name, 0, sending.given + REST);
        let ended = sending.member.send_lines(&lines, &KEYED).expect_code(0);
        sending.printed.push(Printed::of_lines(&ended.out));
        let again = sending.member.send_lines(&lines, &KEYED).expect_code(0);
        assert_eq!(again.out, ended.out, "the same input with the same key has the same outcomes");
        sent.push((sending.member.name.clone(), lines));
    }
    let sent: Vec<_> = sent.iter().map(|(name, lines)| (name.as_str(), lines.clone())).collect();
    let all: usize = sent.iter().map(|(_, lines)| lines.len()).sum();
    eprintln!("{KILLS} kills, {all} lines");
    tail.wait_to_print(all, SOON);
    let members = sendings.each_ref().map(|sending| sending.member.clone());
    let log = assert_stored(&world.member("witness", &server), &members, &sent);
    sendings.iter().for_each(|sending| sending.assert_printed(&log));
    assert_eq!(Log::of_lines(&tail.kill().out), log, "what tail printed, and the log");
}

/// A `send` that is killed again and again.
struct Sending {
    member: Member,
    running: Option<(Process, Feeder)>,
    /// Lines of the input that some run was given.
    given: usize,
    /// What each run printed.
    printed: Vec<Vec<Printed>>,
}

impl Sending {
    fn start(member: Member) -> Self {
        let mut sending = Self { member, running: None, given: 0, printed: Vec::new() };
        sending.go_on();
        sending
    }

    /// The same profile and key, and the input from its start.
    fn go_on(&mut self) {
        let mut send = self.member.start_send(&KEYED);
        let feeder = Feeder::start(send.input(), &self.member.name, self.given, PACE);
        self.running = Some((send, feeder));
    }

    fn kill(&mut self) {
        let (send, feeder) = self.running.take().expect("it runs");
        self.printed.push(Printed::of_lines(&send.kill().out));
        self.given = self.given.max(feeder.stop());
    }

    fn assert_printed(&self, log: &Log) {
        self.printed.iter().for_each(|printed| log.assert_printed(&self.member.name, printed));
    }
}

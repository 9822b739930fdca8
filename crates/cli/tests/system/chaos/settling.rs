//! After the fire: everybody comes back, says what is left, and ends; then the oracle sees it all.

use std::path::Path;
use std::time::Duration;

use super::cast::{ACCOUNTS, Actor, ROOMS, Role};
use super::oracle::{Evidence, History, judge};
use super::report::Report;
use super::{DEVICES, Fire};
use crate::rig::{Entry, Log, Member, Stopwatch, copy_directory, pause};

/// For what is there in a moment once nothing is wrong.
const SETTLES: Duration = Duration::from_secs(90);
/// For reading so many lines of a log.
const LINES_A_SECOND: u64 = 200;
const POLL: Duration = Duration::from_millis(200);

impl Fire {
    /// See the module's documentation.
    pub(super) fn settle(mut self) -> Report {
        let mut endless = self.everybody_is_online();
        endless.extend(self.senders_end());
        endless.extend(self.outboxes_are_empty());
        let tails = self.cast.actors.iter().filter(|actor| actor.role == Role::Tail);
        let lines = tails.filter_map(|actor| Some(actor.last_printed()?.room_sequence)).max();
        let reading = SETTLES + Duration::from_secs(lines.unwrap_or_default() / LINES_A_SECOND);
        let mut evidence = Evidence::default();
        let witness = self.cast.witness();
        for room in ROOMS {
            let asked = ["--room", room, "--json", "--from-start"];
            let log = read(&witness, "tail", &asked, reading, &mut endless);
            evidence.logs.insert(room.to_owned(), log);
        }
        endless.extend(self.tails_show_all_and_end(&evidence));
        for (room, host, device) in self.reads() {
            let member = self.cast.member(host, device);
            let entries =
                read(&member, "history", &["--room", room, "--json", "--limit", "10000000"], reading, &mut endless);
            let who = format!("{} {device} history", ACCOUNTS[host]);
            evidence.histories.push(History { who, room: room.to_owned(), entries });
        }
        endless.extend(self.server_ends());
        self.judge(evidence, endless)
    }

    /// The rooms that each device reads.
    fn reads(&self) -> Vec<(&'static str, usize, usize)> {
        let tails = self.cast.actors.iter().filter(|actor| actor.role == Role::Tail);
        tails.map(|actor| (actor.room(), actor.host, actor.device())).collect()
    }

    fn judge(mut self, mut evidence: Evidence, endless: Vec<String>) -> Report {
        let seen = self.watch.seen();
        drop(self.watch);
        let mut surprises = Vec::new();
        for mut actor in std::mem::take(&mut self.cast.actors) {
            surprises.append(&mut actor.surprises);
            match actor.role {
                Role::Serve => {}
                Role::Send => evidence.streams.push(actor.into_stream()),
                Role::Tail => evidence.tails.push(actor.into_tail()),
            }
        }
        let (length, verdict) = (self.length, judge(&evidence));
        let report = Report { length, kinds: self.kinds, verdict, seen, endless, surprises };
        if !report.is_good() {
            // The disks go with the cast.
            copy_directory(&self.cast.directory(), &Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos"));
        }
        report
    }

    fn everybody_is_online(&mut self) -> Vec<String> {
        self.wait_for_devices("does not come online", |status| status["state"] == "online")
    }

    fn server_ends(&mut self) -> Option<String> {
        if let Some(process) = self.cast.server_process() {
            process.signal("TERM");
        }
        (!self.cast.actors[0].finish(SETTLES)).then(|| "the server does not end".to_owned())
    }

    fn outboxes_are_empty(&mut self) -> Vec<String> {
        self.wait_for_devices("has an outbox that does not empty", |status| status["outbox"] == 0)
    }

    /// Those devices of which this is not so in time.
    fn wait_for_devices(&mut self, complaint: &str, is_so: impl Fn(&serde_json::Value) -> bool) -> Vec<String> {
        let mut left: Vec<(usize, usize)> =
            (0..ACCOUNTS.len()).flat_map(|host| DEVICES.map(|device| (host, device))).collect();
        let started = Stopwatch::start();
        while !left.is_empty() && started.elapsed() < SETTLES {
            self.go_on();
            self.cast.supervise();
            left.retain(|&(host, device)| {
                let ended = self.cast.member(host, device).start("status", &["--json"]).wait(SETTLES);
                let status = ended.out.first().and_then(|line| serde_json::from_str(line).ok());
                !status.is_some_and(|status| is_so(&status))
            });
            pause(POLL);
        }
        left.into_iter().map(|(host, device)| format!("{} {device} {complaint}", ACCOUNTS[host])).collect()
    }

    fn senders_end(&mut self) -> Vec<String> {
        let mut senders: Vec<&mut Actor> =
            self.cast.actors.iter_mut().filter(|actor| actor.role == Role::Send).collect();
        for actor in &mut senders {
            actor.held = true;
            actor.close_input();
        }
        let late = senders.into_iter().filter_map(|actor| (!actor.finish(SETTLES)).then(|| actor.name()));
        late.map(|name| format!("{name} does not end")).collect()
    }

    fn tails_show_all_and_end(&mut self, evidence: &Evidence) -> Vec<String> {
        let started = Stopwatch::start();
        let mut endless = Vec::new();
        let tails = || self.cast.actors.iter().filter(|actor| actor.role == Role::Tail);
        for tail in tails() {
            let last = evidence.logs[tail.room()].last().map(|entry| entry.position);
            while tail.last_printed().map(|entry| entry.position) != last {
                self.go_on();
                if started.elapsed() > SETTLES {
                    endless.push(format!("{} does not come to the end", tail.name()));
                    break;
                }
                pause(POLL);
            }
        }
        // What is printed twice is printed at once.
        pause(POLL);
        tails().filter_map(|tail| tail.process()).for_each(|process| process.signal("INT"));
        for tail in self.cast.actors.iter_mut().filter(|actor| actor.role == Role::Tail) {
            if !tail.finish(SETTLES) {
                endless.push(format!("{} does not end", tail.name()));
            }
        }
        endless
    }
}

/// What a command that ends by itself prints.
fn read(who: &Member, command: &str, asked: &[&str], bound: Duration, endless: &mut Vec<String>) -> Vec<Entry> {
    let mut process = who.start(command, asked);
    let started = Stopwatch::start();
    while !process.has_ended() {
        if started.elapsed() > bound {
            endless.push(format!("{} of {} does not end: {:#?}", command, who.name, process.err.so_far()));
            return Vec::new();
        }
        pause(POLL / 10);
    }
    Log::of_lines(&process.wait(bound).expect_code(0).out).entries
}

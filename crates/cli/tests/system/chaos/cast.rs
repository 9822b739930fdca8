//! Who takes part: a server, and on each host two devices of an account that send and read. What ends is started again,
//! and all that each run printed is kept.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::oracle::{End, SendRun, Stream, Tail, TailRun};
use super::star::Star;
use crate::rig::{Entry, Feeder, Log, Member, Printed, Process, Program, Stopwatch, Tmpfs, World};

pub(super) const ACCOUNTS: [&str; 4] = ["ann", "bob", "cleo", "dan"];
pub(super) const ROOMS: [&str; 3] = ["lobby", "harbour", "attic"];
/// What each account's devices do: the device, the room, whether it sends there, and whether it reads there.
const PARTS: [(usize, usize, bool, bool); 4] =
    [(1, 0, true, true), (1, 1, true, false), (2, 1, false, true), (2, 2, true, true)];
/// Half of them notice sooner than by default, so that short faults are noticed, too.
const QUICK: [&str; 4] = ["--active-bound", "1s", "--idle-bound", "5s"];
/// Between two lines of a `send`, and how many come at once when it starts.
const PACE: Duration = Duration::from_millis(120);
const AT_ONCE: usize = 20;
/// What ended by itself is started again after this long.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The most that a disk here ever holds.
const DISK: &str = "3g";
/// How a program says that a disk is full, which is a reason to end.
const FULL: [&str; 3] = ["no space left", "no room left", "disk full"];
/// How `tail` says that it may print lines again.
const UNMARKED: &str = "what was printed can't be noted";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Serve,
    Send,
    Tail,
}

/// A program that is there all the time, but for moments.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) role: Role,
    /// For the server it says nothing.
    pub(super) host: usize,
    device: usize,
    room: &'static str,
    what: What,
    running: Option<(Process, Option<Feeder>)>,
    /// A fault keeps it down.
    pub(super) held: bool,
    ended: Option<Stopwatch>,
    sends: Vec<SendRun>,
    tails: Vec<TailRun>,
    /// The last run that ended because a disk was full.
    pub(super) full_run: Option<usize>,
    /// Where all that it says is kept.
    log: PathBuf,
    /// Ends and words that no fault explains.
    pub(super) surprises: Vec<String>,
    runs: usize,
}

#[derive(Debug)]
enum What {
    Server { program: Program, arguments: Vec<String> },
    Member(Member),
}

/// All of them. What is dropped first stands first.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) actors: Vec<Actor>,
    pub(super) star: Star,
    pub(super) server_disk: Tmpfs,
    pub(super) disks: Vec<Tmpfs>,
    world: World,
}

impl Cast {
    pub(super) fn new() -> Self {
        let (world, star) = (World::new(), Star::new(ACCOUNTS.len()));
        let server_disk = Tmpfs::mount(&world.path("server"), DISK);
        let disks = ACCOUNTS.map(|name| Tmpfs::mount(&world.path(name), DISK)).into();
        let mut cast = Self { actors: Vec::new(), star, server_disk, disks, world };
        let logs = cast.world.path("logs");
        std::fs::create_dir_all(&logs).expect("a directory");
        cast.actors.push(Actor::new(Role::Serve, 0, 0, "", cast.server(), &logs));
        for host in 0..ACCOUNTS.len() {
            for (device, room, sends, reads) in PARTS {
                let room = ROOMS[(host + room) % ROOMS.len()];
                let roles = [(sends, Role::Send), (reads, Role::Tail)];
                for (_, role) in roles.into_iter().filter(|&(has, _)| has) {
                    let what = What::Member(cast.member(host, device));
                    cast.actors.push(Actor::new(role, host, device, room, what, &logs));
                }
            }
        }
        cast
    }

    fn server(&self) -> What {
        let data = self.server_disk.path().join("data").display().to_string();
        let listen = self.star.server_address();
        let arguments = ["serve", "--listen", &listen, "--data", &data, "--signup", "open"].map(str::to_owned).into();
        What::Server { program: self.world.program().inside(self.star.server().name()), arguments }
    }

    /// A device of the account of this host.
    pub(super) fn member(&self, host: usize, device: usize) -> Member {
        let name = ACCOUNTS[host];
        let member = self.world.device(name, &format!("{name}/{device}"), &self.star.server_address());
        member.inside(self.star.host(host).name())
    }

    /// Somebody new, on the server's host.
    pub(super) fn witness(&self) -> Member {
        self.world.device("witness", "witness", &self.star.server_address()).inside(self.star.server().name())
    }

    /// Everything that was stored and said.
    pub(super) fn directory(&self) -> PathBuf {
        self.world.path("")
    }

    pub(super) fn free(disk: &Tmpfs, filler: &std::path::Path) {
        std::fs::remove_file(filler).expect("the disk can be freed");
        disk.resize(DISK);
    }

    /// Starts what is not running and may run.
    pub(super) fn supervise(&mut self) {
        for actor in &mut self.actors {
            actor.supervise();
        }
    }

    pub(super) fn server_process(&self) -> Option<&Process> {
        self.actors[0].process()
    }

    /// One of these on this host; there is at least one.
    pub(super) fn pick(&self, role: Role, host: usize, choice: usize) -> usize {
        let of: Vec<usize> = (0..self.actors.len())
            .filter(|&at| self.actors[at].role == role && (role == Role::Serve || self.actors[at].host == host))
            .collect();
        of[choice % of.len()]
    }
}

impl Actor {
    fn new(role: Role, host: usize, device: usize, room: &'static str, what: What, logs: &Path) -> Self {
        let log = logs.join(format!("{role:?}-{host}-{device}-{room}").to_lowercase());
        Self {
            log,
            full_run: None,
            role,
            host,
            device,
            room,
            what,
            running: None,
            held: false,
            ended: None,
            sends: Vec::new(),
            tails: Vec::new(),
            surprises: Vec::new(),
            runs: 0,
        }
    }

    /// As `ann 1 send lobby`.
    pub(super) fn name(&self) -> String {
        match self.role {
            Role::Serve => "the server".to_owned(),
            Role::Send => format!("{} send {}", self.device_name(), self.room),
            Role::Tail => format!("{} tail {}", self.device_name(), self.room),
        }
    }

    fn device_name(&self) -> String {
        format!("{} {}", ACCOUNTS[self.host], self.device)
    }

    pub(super) fn device(&self) -> usize {
        self.device
    }

    pub(super) fn room(&self) -> &'static str {
        self.room
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.running.as_ref().map(|(process, _)| process)
    }

    /// Changes with each run.
    pub(super) fn run(&self) -> usize {
        self.runs
    }

    /// What the process that runs said, from the `skipped`th line on, if it is still the run that was meant.
    pub(super) fn said(&self, run: usize, skipped: usize, parts: &[&str]) -> bool {
        let skipped = if run == self.runs { skipped } else { 0 };
        let said =
            |process: &Process| parts.iter().any(|part| process.err.wait_for(part, skipped, Duration::ZERO).is_some());
        self.process().is_some_and(said)
    }

    fn supervise(&mut self) {
        if let Some((process, _)) = &mut self.running
            && process.has_ended()
        {
            self.finish(Duration::from_secs(10));
            self.ended = Some(Stopwatch::start());
        }
        let due = self.ended.is_none_or(|ended| ended.elapsed() >= AGAIN_AFTER);
        if self.running.is_none() && !self.held && due {
            self.start();
        }
    }

    pub(super) fn start(&mut self) {
        let mut process = match &self.what {
            What::Server { program, arguments } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                Process::start(&mut program.command(&arguments))
            }
            What::Member(member) => {
                let bounds = if self.host.is_multiple_of(2) { &QUICK[..] } else { &[] };
                let (subcommand, follow) = match self.role {
                    Role::Serve | Role::Send => ("send", &[][..]),
                    Role::Tail => ("tail", &["--follow"][..]),
                };
                member.start(subcommand, &[&["--room", self.room, "--json"], follow, bounds].concat())
            }
        };
        let feeder = (self.role == Role::Send).then(|| {
            let stream = format!("{} {}", self.stream(), self.sends.len());
            Feeder::start(process.input(), &stream, AT_ONCE, PACE)
        });
        self.runs += 1;
        self.running = Some((process, feeder));
    }

    /// What the lines of its runs begin with.
    fn stream(&self) -> String {
        format!("{} {}", ACCOUNTS[self.host], self.room)
    }

    /// `kill -9`. Whether there was something to kill.
    pub(super) fn kill(&mut self) -> bool {
        let Some((mut process, feeder)) = self.running.take() else { return false };
        let lives = !process.has_ended();
        let ended = process.kill();
        self.keep(if ended.code.is_none() { End::Killed } else { End::Failed }, &ended, feeder);
        lives
    }

    /// No more input: it sends what it has and ends.
    pub(super) fn close_input(&mut self) {
        if let Some((_, feeder)) = &mut self.running
            && let Some(feeder) = feeder
        {
            feeder.close();
        }
    }

    /// Waits for its end; kills it if that does not come in time, which is said. Whether it came.
    pub(super) fn finish(&mut self, bound: Duration) -> bool {
        let Some((mut process, feeder)) = self.running.take() else { return true };
        let asked = Stopwatch::start();
        while !process.has_ended() && asked.elapsed() < bound {
            crate::rig::pause(Duration::from_millis(10));
        }
        if !process.has_ended() {
            self.surprises.push(format!("{} does not end: {:#?}", self.name(), process.err.so_far()));
            let ended = process.kill();
            self.keep(End::Killed, &ended, feeder);
            return false;
        }
        let ended = process.wait(bound);
        let end = match (self.role, ended.code) {
            (Role::Serve | Role::Send, Some(0)) | (Role::Tail, Some(130)) => End::Done,
            // It was asked to end before it could hear that: it had not begun.
            (Role::Serve, None) if ended.err.is_empty() => End::Killed,
            (Role::Serve | Role::Send | Role::Tail, _) => End::Failed,
        };
        let full = ended.err.iter().any(|line| FULL.iter().any(|words| line.contains(words)));
        if full {
            self.full_run = Some(self.runs);
        }
        if end == End::Failed && !full {
            let last = &ended.err[ended.err.len().saturating_sub(8)..];
            self.surprises.push(format!("{} ended with {:?}: {last:#?}", self.name(), ended.code));
        }
        self.keep(end, &ended, feeder);
        true
    }

    fn keep(&mut self, end: End, ended: &crate::rig::Ended, feeder: Option<Feeder>) {
        self.note(&ended.err);
        let panicked = ended.err.iter().find(|line| line.contains("panicked"));
        if let Some(line) = panicked {
            self.surprises.push(format!("{}: {line}", self.name()));
        }
        // What a killed process was about to write is no line.
        let whole = match ended.out.split_last() {
            Some((last, before)) if end == End::Killed && !last.ends_with('}') => before,
            _ => &ended.out[..],
        };
        match self.role {
            Role::Serve => {}
            Role::Send => {
                let given = feeder.map_or(0, Feeder::stop);
                self.sends.push(SendRun { end, given, printed: Printed::of_lines(whole) });
            }
            Role::Tail => {
                let unmarked = ended.err.iter().any(|line| line.contains(UNMARKED));
                self.tails.push(TailRun { end, unmarked, printed: Log::of_lines(whole).entries });
            }
        }
    }

    fn note(&self, said: &[String]) {
        let mut log = std::fs::File::options().create(true).append(true).open(&self.log).expect("the log opens");
        let text: String = said.iter().map(|line| format!("{line}\n")).collect();
        log.write_all(format!("-- run {}\n{text}", self.runs).as_bytes()).expect("the log is written");
    }

    /// The last entry that the run in progress has printed.
    pub(super) fn last_printed(&self) -> Option<Entry> {
        let lines = self.process()?.out.so_far();
        let running = Log::of_lines(lines.last().map(std::slice::from_ref)?).entries.pop();
        running.or_else(|| self.tails.iter().rev().find_map(|run| run.printed.last()).cloned())
    }

    /// What a `send` was given and told.
    pub(super) fn into_stream(self) -> Stream {
        Stream { name: self.stream(), device: self.device_name(), runs: self.sends }
    }

    /// What a `tail` showed.
    pub(super) fn into_tail(self) -> Tail {
        Tail { who: self.name(), room: self.room.to_owned(), runs: self.tails }
    }
}

//! The world: its clock, its machines, its lines, and what is due when. It decides nothing; it carries.

pub mod acts;
pub mod bites;
pub mod copies;
pub mod device;
pub mod faults;
pub mod line;
pub mod machine;
pub mod observed;
pub mod process;
mod reading;
mod sequencer;
pub mod server;
pub mod tap;
mod versions;

use std::collections::BTreeMap;

use steadfast_proto::ids::RoomId;
use steadfast_proto::session::Load;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::History;

use crate::plan::{Machine as Whose, Plan, WeatherPlan};
use crate::random::Random;
use crate::scratch;
use crate::vfs;
use bites::Bites;
use copies::Copies;
use device::Device;
use line::{Line, Piece};
use machine::Machine;
use observed::Observed;
use server::Server;

/// What a moment may hold before the world counts as standing still.
const STEPS_AT_ONE_MOMENT_MAX: usize = 20_000;

/// What happens later.
#[derive(Debug)]
pub(crate) enum Task {
    Opened { device: usize, attempt: u64 },
    Load { device: usize, process: u64, load: Load },
    Apply { device: usize, process: u64 },
    Applied { device: usize, process: u64 },
    StartDevice { device: usize },
    StartServer,
    Admit { line: u64 },
    Store { run: u64 },
    Publish { run: u64 },
    Chunks { line: u64, rooms: Vec<RoomId>, after: u64 },
    Page { line: u64, asked: History },
    Tick { run: u64 },
    NetworkBack { device: usize },
    RoomOnDisk { whose: Whose },
    EndYoung { line: u64 },
}

impl Task {
    /// Whose process does it, and can't while it stands still.
    fn runs_on(&self) -> Option<Whose> {
        match *self {
            Task::Opened { device, .. }
            | Task::Load { device, .. }
            | Task::Apply { device, .. }
            | Task::Applied { device, .. }
            | Task::StartDevice { device }
            | Task::NetworkBack { device } => Some(Whose::Device(device)),
            Task::StartServer
            | Task::Admit { .. }
            | Task::Store { .. }
            | Task::Publish { .. }
            | Task::Chunks { .. }
            | Task::Page { .. }
            | Task::Tick { .. } => Some(Whose::Server),
            Task::RoomOnDisk { .. } | Task::EndYoung { .. } => None,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct World {
    /// The moment, by a clock that nobody in the world sees.
    pub now: Instant,
    /// How lines and disks are.
    pub weather: WeatherPlan,
    /// All devices, copies included.
    pub devices: Vec<Device>,
    /// The server.
    pub server: Server,
    /// The lines that either side holds.
    pub lines: BTreeMap<u64, Line>,
    /// How often each kind of fault was tried, and bit.
    pub bites: Bites,
    /// What was seen since this was taken last.
    pub observed: Vec<Observed>,
    /// Rows that one load of an outbox gives, at most.
    pub load_rows_max: usize,
    copies: Copies,
    /// The private rooms, by number: the last one made under it.
    private: BTreeMap<usize, RoomId>,
    random: Random,
    tasks: BTreeMap<(Instant, u64), Task>,
    /// What fell due at machines that slept.
    missed: Vec<(Whose, Task)>,
    numbers: u64,
    /// Taken at this moment.
    steps: usize,
    trace: u64,
    directory: tempfile::TempDir,
}

impl World {
    /// A world in which everything is started.
    pub fn new(plan: &Plan) -> Self {
        vfs::install();
        vfs::seed(plan.seed);
        let mut random = Random::new(plan.seed);
        let now = Instant::from_nanos(1_000_000_000_000);
        let directory = scratch::directory();
        let machine = Machine::new(&directory.path().join("server"), random.number(), now);
        let mut world = Self {
            now,
            weather: plan.weather.clone(),
            devices: Vec::new(),
            server: Server::new(machine, &mut random),
            lines: BTreeMap::new(),
            bites: Bites::default(),
            observed: Vec::new(),
            load_rows_max: 1_024,
            copies: Copies::default(),
            private: BTreeMap::new(),
            random,
            tasks: BTreeMap::new(),
            missed: Vec::new(),
            numbers: 0,
            steps: 0,
            trace: 0,
            directory,
        };
        world.start_server();
        for device in &plan.devices {
            world.add_device(device);
        }
        world
    }

    /// A number that differs between two worlds that did not go the same way.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The path of what belongs to this world.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A machine by its name in a plan.
    pub fn machine(&mut self, whose: Whose) -> Option<&mut Machine> {
        match whose {
            Whose::Server => Some(&mut self.server.machine),
            Whose::Device(device) => self.devices.get_mut(device).map(|device| &mut device.machine),
        }
    }

    /// The program of a device is started then, unless it runs by that time.
    pub fn start_device_later(&mut self, after: Duration, device: usize) {
        self.later(after, Task::StartDevice { device });
    }

    /// The server is started then, unless it runs by that time.
    pub fn start_server_later(&mut self, after: Duration) {
        self.later(after, Task::StartServer);
    }

    /// Runs for so long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Runs until the condition holds, for the duration at most; says whether it does.
    pub fn run_until(&mut self, duration: Duration, mut done: impl FnMut(&mut World) -> bool) -> bool {
        let end = self.now + duration;
        while !done(self) {
            if !self.run_step(end) {
                return done(self);
            }
        }
        true
    }

    /// What happens next, if that is before `end`; else it is `end` by then, and that is all.
    pub fn run_step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next_moment().filter(|&at| at <= end) else {
            self.now = end;
            return false;
        };
        self.steps = if at > self.now { 0 } else { self.steps + 1 };
        assert!(self.steps < STEPS_AT_ONE_MOMENT_MAX, "the world spins at {:?}", self.now);
        self.now = self.now.max(at);
        self.step();
        true
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn later(&mut self, after: Duration, task: Task) {
        let number = self.number();
        self.tasks.insert((self.now + after, number), task);
    }

    pub(crate) fn see(&mut self, observed: Observed) {
        self.note(observed.weight());
        self.observed.push(observed);
    }

    /// Goes into what tells two worlds apart (FNV-1a, 64 bits).
    pub(crate) fn note(&mut self, what: u64) {
        for word in [self.now.as_nanos(), what] {
            self.trace = (self.trace ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn push(&mut self, line: u64, up: bool, bytes: &[u8]) {
        self.note(bytes.len() as u64 ^ u64::from(crc(bytes)) << 20 ^ line << 1 ^ u64::from(up));
        let now = self.now;
        let Some(there) = self.lines.get_mut(&line) else { return };
        let device = there.device;
        for said in there.taps[usize::from(up)].read(bytes) {
            self.see(Observed::OnWire { device, line, said });
        }
        let Some(there) = self.lines.get_mut(&line) else { return };
        let latency = self.devices[there.device].latency(now, self.weather.latency);
        let (most, usual) = (self.weather.piece_bytes_max, self.weather.latency.1);
        let whose = Whose::Device(there.device);
        let mut met = Vec::new();
        let newer = there.rewrite(up, bytes);
        let mut bytes = newer.as_deref().unwrap_or(bytes);
        while !bytes.is_empty() {
            let pipe = if up { &there.up } else { &there.down };
            let longest = pipe.segment_bytes_max().min(bytes.len());
            let size = if most == usize::MAX { longest } else { there.random.between(1, longest.min(most)) };
            let (piece, rest) = bytes.split_at(size);
            let takes = there.random.duration(latency.0, latency.1);
            let pipe = if up { &mut there.up } else { &mut there.down };
            met.extend(pipe.push(now, takes, piece, &mut there.random));
            met.extend((takes > usual).then_some("jitter"));
            bytes = rest;
        }
        met.into_iter().for_each(|kind| self.bites.meet(kind, whose));
    }

    pub(crate) fn end_pipe(&mut self, line: u64, up: bool, reset: bool) {
        let now = self.now;
        let Some(there) = self.lines.get_mut(&line) else { return };
        let latency = self.devices[there.device].latency(now, self.weather.latency);
        let at = now + there.random.duration(latency.0, latency.1);
        if up {
            there.up.end(at, reset);
        } else {
            there.down.end(at, reset);
        }
        there.dead_since.get_or_insert(now);
    }

    fn next_moment(&mut self) -> Option<Instant> {
        let mut next = self.tasks.keys().next().map(|&(at, _)| at);
        let mut consider = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        };
        let server_sleeps = self.server.machine.asleep_until();
        consider(server_sleeps);
        for line in self.lines.values() {
            if server_sleeps.is_none() {
                consider(line.up.next_arrival());
            }
            if self.devices[line.device].machine.asleep_until().is_none() {
                consider(line.down.next_arrival());
            }
        }
        for device in &mut self.devices {
            match device.machine.asleep_until() {
                Some(until) => consider(Some(until)),
                None => consider(device.next_deadline(self.now)),
            }
        }
        if server_sleeps.is_none() {
            consider(self.server.next_deadline(self.now));
        }
        next
    }

    fn step(&mut self) {
        self.wake_machines();
        if let Some((&key, _)) = self.tasks.first_key_value()
            && key.0 <= self.now
            && let Some(task) = self.tasks.remove(&key)
        {
            return self.run(task);
        }
        let lines: Vec<u64> = self.lines.keys().copied().collect();
        for line in lines {
            if self.server.machine.asleep_until().is_none() {
                self.arrive(line, true);
            }
            let device = self.lines.get(&line).map(|line| line.device);
            if device.is_some_and(|device| self.devices[device].machine.asleep_until().is_none()) {
                self.arrive(line, false);
            }
        }
        for device in 0..self.devices.len() {
            if self.devices[device].next_deadline(self.now).is_some_and(|at| at <= self.now) {
                self.device_timer(device);
            }
        }
        if self.server.next_deadline(self.now).is_some_and(|at| at <= self.now) {
            self.server_timers();
        }
    }

    /// What a process looks at first when its machine wakes is chance.
    fn wake_machines(&mut self) {
        if self.server.machine.wake(self.now) {
            self.make_up(Whose::Server);
            if self.random.percent(50) {
                self.server_timers();
            }
        }
        for device in 0..self.devices.len() {
            if self.devices[device].machine.wake(self.now) {
                self.make_up(Whose::Device(device));
                if self.random.percent(50) {
                    self.device_timer(device);
                }
            }
        }
    }

    fn make_up(&mut self, whose: Whose) {
        let (made_up, missed) = std::mem::take(&mut self.missed).into_iter().partition(|&(of, _)| of == whose);
        self.missed = missed;
        let made_up: Vec<(Whose, Task)> = made_up;
        made_up.into_iter().for_each(|(_, task)| self.later(Duration::ZERO, task));
    }

    fn arrive(&mut self, line: u64, up: bool) {
        while let Some(there) = self.lines.get_mut(&line) {
            let pipe = if up { &mut there.up } else { &mut there.down };
            let device = there.device;
            let Some((piece, held)) = pipe.take(self.now) else { return };
            if held {
                self.bites.meet("stall", Whose::Device(device));
            }
            match (up, piece) {
                (true, Piece::Bytes(bytes)) => self.server_bytes(line, &bytes),
                (true, Piece::End { .. }) => self.server_lost(line),
                (false, Piece::Bytes(bytes)) => self.device_bytes(device, line, &bytes),
                (false, Piece::End { reset }) => self.device_ended(device, line, reset),
            }
            // What was taken makes room for more.
            if up {
                self.drive_device(device);
            } else {
                self.drive_conn(line);
            }
            self.forget_line(line);
        }
    }

    /// A line that nobody holds any more is gone.
    fn forget_line(&mut self, line: u64) {
        let Some(there) = self.lines.get(&line) else { return };
        let held = self.devices[there.device].line == Some(line) || self.server.holds(line);
        if !held {
            self.lines.remove(&line);
        }
    }

    fn run(&mut self, task: Task) {
        if let Some(whose) = task.runs_on()
            && self.machine(whose).is_some_and(|machine| machine.asleep_until().is_some())
        {
            return self.missed.push((whose, task));
        }
        match task {
            Task::Opened { device, attempt } => self.device_opened(device, attempt),
            Task::Load { device, process, load } => self.device_loads(device, process, load),
            Task::Apply { device, process } => self.device_applies(device, process),
            Task::Applied { device, process } => self.device_applied(device, process),
            Task::StartDevice { device } => self.start_device(device),
            Task::StartServer => self.start_server(),
            Task::Admit { line } => self.server_admit(line),
            Task::Store { run } => self.server_stores(run),
            Task::Publish { run } => self.server_publishes(run),
            Task::Chunks { line, rooms, after } => self.server_chunks(line, &rooms, after),
            Task::Page { line, asked } => self.server_page(line, &asked),
            Task::Tick { run } => self.server_tick(run),
            Task::NetworkBack { device } => self.network_back(device),
            Task::EndYoung { line } => self.end_young(line),
            Task::RoomOnDisk { whose } => {
                if let Some(machine) = self.machine(whose) {
                    machine.disk().set_full(false);
                }
            }
        }
    }
}

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

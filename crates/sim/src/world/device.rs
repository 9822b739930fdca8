//! A device: what of it outlives its processes, and its line.

use std::collections::BTreeSet;

use steadfast_proto::ids::{AccountId, DeviceId};
use steadfast_proto::session::{Cause, State};
use steadfast_proto::time::{Duration, Instant};
use steadfast_store::profile::Fresh;

use super::line::{Line, Pipe};
use super::machine::Machine;
use super::process::Process;
use super::versions::Newer;
use super::{Task, World};
use crate::plan::{DevicePlan, Machine as Whose, VersionPlan};
use crate::random::Random;

/// How long a try to connect takes that nothing answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub struct Device {
    /// Its account's name.
    pub name: String,
    /// Its account's number in the plan.
    pub account: usize,
    /// What it runs on.
    pub machine: Machine,
    /// Which version of the protocol it speaks.
    pub version: VersionPlan,
    /// The process that drives the line.
    pub process: Option<Process>,
    /// Nothing of what arrives is stored for now.
    pub stalled: bool,
    /// Its line.
    pub line: Option<u64>,
    /// The try to connect that is under way.
    pub(super) attempt: Option<u64>,
    /// What it was first made with.
    pub(super) fresh: Fresh,
    /// When each of its processes began to connect, each time.
    pub tries: Vec<Vec<Instant>>,
    /// When bytes of the server came last, or it woke.
    pub heard: Instant,
    /// When the server told it last that another one has its place.
    pub(super) ousted_at: Option<Instant>,
    /// Chance of what this device does.
    pub(super) random: Random,
    /// Public rooms that it entered, by number.
    pub(super) entered: BTreeSet<usize>,
    no_network_until: Option<Instant>,
    slow: Option<(u64, Instant)>,
    jitter: Option<(Duration, Instant)>,
    /// How old its lines become, until when.
    flapping: Option<(Duration, Instant)>,
}

/// Names of accounts, by number.
pub const NAMES: [&str; 6] = ["ann", "bob", "cid", "dan", "eve", "fay"];

impl World {
    /// A device of the plan, whose process runs.
    pub fn add_device(&mut self, plan: &DevicePlan) {
        self.add_named(NAMES[plan.account % NAMES.len()], plan);
    }

    /// The same, of an account of that name.
    pub fn add_named(&mut self, name: &str, plan: &DevicePlan) -> usize {
        let mut random = Random::new(self.random.number());
        let directory = self.directory().join(format!("device{}", self.devices.len()));
        let machine = Machine::new(&directory, random.number(), self.now);
        let fresh =
            Fresh { device_id: DeviceId(random.bytes()), secret: random.bytes(), account: AccountId(random.number()) };
        let device = self.put_device(name, plan, machine, (fresh, random));
        self.start_device(device);
        device
    }

    /// One that nobody has started yet.
    pub(super) fn put_device(
        &mut self,
        name: &str,
        plan: &DevicePlan,
        machine: Machine,
        (fresh, random): (Fresh, Random),
    ) -> usize {
        self.devices.push(Device {
            name: name.to_owned(),
            account: plan.account,
            machine,
            version: plan.version,
            process: None,
            stalled: false,
            line: None,
            attempt: None,
            fresh,
            tries: Vec::new(),
            heard: self.now,
            ousted_at: None,
            random,
            entered: BTreeSet::new(),
            no_network_until: None,
            slow: None,
            jitter: None,
            flapping: None,
        });
        self.devices.len() - 1
    }

    pub(crate) fn device_opened(&mut self, device: usize, attempt: u64) {
        let now = self.now;
        let there = &mut self.devices[device];
        if there.attempt != Some(attempt) {
            return;
        }
        there.attempt = None;
        let has_network = there.has_network(now);
        let (rate, disturbed_until) =
            (there.bytes_per_second(now, self.weather.bytes_per_second), there.disturbed_until());
        let clock = there.machine.clock(now);
        let Some(process) = &mut there.process else { return };
        if !has_network {
            self.bites.meet("no network", Whose::Device(device));
            process.session.handle_open_failed(clock, Cause::ConnectTimedOut);
        } else if self.server.is_up() {
            let line = attempt;
            if rate != self.weather.bytes_per_second {
                self.bites.meet("slow line", Whose::Device(device));
            }
            let pipe = || Pipe::new(self.weather.socket_bytes, rate, now);
            let random = Random::new(there.random.number());
            let (up, down) = (pipe(), pipe());
            let taps = Default::default();
            let ends = [there.version, self.weather.server_version];
            let newer = ends.map(|version| (version == VersionPlan::Newer).then(Newer::default));
            let made = Line { device, up, down, disturbed_until, dead_since: None, random, heard: now, taps, newer };
            self.lines.insert(line, made);
            there.line = Some(line);
            there.heard = now;
            let dies_after = there.flapping.filter(|&(_, until)| now < until).map(|(after, _)| after);
            process.session.handle_opened(clock);
            if let Some(after) = dies_after {
                self.later(after, Task::EndYoung { line });
            }
            self.server_accept(line);
        } else {
            process.session.handle_open_failed(clock, Cause::Refused);
        }
        self.drive_device(device);
    }

    pub(crate) fn connect_device(&mut self, device: usize) {
        let attempt = self.number();
        let (now, weather) = (self.now, self.weather.latency);
        let there = &mut self.devices[device];
        there.attempt = Some(attempt);
        if let Some(tries) = there.tries.last_mut() {
            tries.push(now);
        }
        let (from, to) = there.latency(now, weather);
        let after = if there.has_network(now) {
            there.random.duration(from, to) + there.random.duration(from, to)
        } else {
            CONNECT_TIMEOUT
        };
        self.later(after, Task::Opened { device, attempt });
    }

    /// The machine's network is there again.
    pub(crate) fn network_back(&mut self, device: usize) {
        let (now, there) = (self.now, &mut self.devices[device]);
        if there.no_network_until.is_some_and(|until| until > now) {
            return;
        }
        there.no_network_until = None;
        self.tell_of_network(device);
    }

    /// The system says that addresses or routes changed.
    pub(crate) fn tell_of_network(&mut self, device: usize) {
        let clock = self.devices[device].machine.clock(self.now);
        if let Some(process) = &mut self.devices[device].process {
            process.session.handle_network_changed(clock);
        }
        self.drive_device(device);
    }
}

impl Device {
    /// Whether its status says that it is online.
    pub fn is_online(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.session.status().state == State::Online)
    }

    pub(super) fn has_network(&self, now: Instant) -> bool {
        self.no_network_until.is_none_or(|until| until <= now)
    }

    pub(super) fn lose_network(&mut self, until: Instant) {
        self.no_network_until = Some(self.no_network_until.map_or(until, |before| before.max(until)));
    }

    pub(super) fn set_slow(&mut self, bytes_per_second: u64, until: Instant) {
        self.slow = Some((bytes_per_second, until));
    }

    pub(super) fn set_jitter(&mut self, latency_max: Duration, until: Instant) {
        self.jitter = Some((latency_max, until));
    }

    pub(super) fn set_flapping(&mut self, after: Duration, until: Instant) {
        self.flapping = Some((after, until));
    }

    /// All is well with its network.
    pub(super) fn mend_network(&mut self) {
        (self.no_network_until, self.slow, self.jitter, self.flapping) = (None, None, None, None);
    }

    pub(super) fn latency(&self, now: Instant, usual: (Duration, Duration)) -> (Duration, Duration) {
        match self.jitter {
            Some((most, until)) if now < until => (usual.0, most.max(usual.1)),
            Some(_) | None => usual,
        }
    }

    fn bytes_per_second(&self, now: Instant, usual: Option<u64>) -> Option<u64> {
        match self.slow {
            Some((rate, until)) if now < until => Some(rate),
            Some(_) | None => usual,
        }
    }

    /// Until when something about its network is not as it should be. That a line is new is nothing of the kind.
    fn disturbed_until(&self) -> Instant {
        let network = [self.jitter.map(|(_, until)| until), self.slow.map(|(_, until)| until), self.no_network_until];
        network.into_iter().flatten().fold(Instant::from_nanos(0), Instant::max)
    }

    /// When a timer of its process fires next.
    pub(crate) fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        if self.machine.asleep_until().is_some() {
            return None;
        }
        let due = self.process.as_ref()?.next_deadline()?;
        Some(self.machine.fires(self.machine.when(due), now).0)
    }
}

//! A plan, drawn from a seed.
//!
//! Each seed switches some kinds of fault on and the others off, so that what needs several of one kind, or one kind
//! without another, comes about, too (Groce et al. 2012, "Swarm testing").

use steadfast_proto::time::Duration;

use super::{Act, DevicePlan, Fault, Machine, Plan, Step, VersionPlan, Ways, WeatherPlan, What};
use crate::random::Random;

/// How long a run goes wrong, about.
const LASTS: Duration = Duration::from_secs(420);
const ACTS: usize = 130;
const FAULTS: usize = 150;
const ROOMS: usize = 4;
/// The last of them are private.
const PRIVATE_FROM: usize = 3;

/// One seed in so many has each of what is rare.
const RARE: usize = 4;
/// More than the server lists for one connection.
const ROOMS_MANY: usize = 40;

/// The kinds of fault that a seed may switch on, each with how often it is drawn beside the others.
const KINDS: [(Kind, usize); 28] = [
    (Kind::Silence, 10),
    (Kind::Reset, 8),
    (Kind::HalfOpen, 4),
    (Kind::Stall, 6),
    (Kind::Slow, 3),
    (Kind::Jitter, 4),
    (Kind::FlipBit, 5),
    (Kind::Hole, 5),
    (Kind::NatForgets, 5),
    (Kind::AddressChange, 4),
    (Kind::NoNetwork, 4),
    (Kind::Kill, 8),
    (Kind::KillInCall, 5),
    (Kind::PowerLoss, 6),
    (Kind::PowerLossInCall, 6),
    (Kind::DiskFull, 4),
    (Kind::DiskSlow, 4),
    (Kind::SyncFails, 3),
    (Kind::WritesFail, 3),
    (Kind::ReadsFail, 3),
    (Kind::Sleep, 5),
    (Kind::LateTimers, 3),
    (Kind::WallClock, 3),
    (Kind::Drift, 3),
    (Kind::HandOver, 4),
    (Kind::Drain, 3),
    (Kind::ServerRestored, 1),
    (Kind::Profile, 1),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Silence,
    Reset,
    HalfOpen,
    Stall,
    Slow,
    Jitter,
    FlipBit,
    Hole,
    NatForgets,
    AddressChange,
    NoNetwork,
    Kill,
    KillInCall,
    PowerLoss,
    PowerLossInCall,
    DiskFull,
    DiskSlow,
    SyncFails,
    WritesFail,
    ReadsFail,
    Sleep,
    LateTimers,
    WallClock,
    Drift,
    HandOver,
    Drain,
    ServerRestored,
    Profile,
}

/// The plan of a seed.
pub fn draw(seed: u64) -> Plan {
    let mut random = Random::new(seed ^ 0x5eed);
    let accounts = random.between(2, 3);
    let devices: Vec<DevicePlan> = (0..random.between(accounts, 4))
        .map(|device| DevicePlan { account: device % accounts, version: version(&mut random) })
        .collect();
    let weather = weather(&mut random);
    let mut drawing = Drawing { devices: devices.len(), accounts, random };
    let mut steps = Vec::new();
    for device in 0..devices.len() {
        let at = drawing.random.ms(0, 2_000);
        steps.push(Step { at, what: What::Act { device, act: Act::Enter { room: 0 } } });
    }
    for _ in 0..ACTS {
        let (at, device, act) = (drawing.moment(), drawing.device(), drawing.act());
        steps.push(Step { at, what: What::Act { device, act } });
    }
    let kinds = drawing.kinds();
    for _ in 0..FAULTS {
        let (at, kind) = (drawing.moment(), drawing.one_of(&kinds));
        steps.push(Step { at, what: What::Fail(drawing.fault(kind)) });
    }
    steps.extend(rare(seed, devices.len()));
    steps.sort_by_key(|step| step.at);
    Plan { seed, devices, weather, steps }
}

/// What only some seeds have: what chance alone hardly ever brings together. By a chance of its own, so that the other
/// seeds stay as they are.
fn rare(seed: u64, devices: usize) -> Vec<Step> {
    let mut random = Random::new(seed ^ 0x4a4e);
    let mut steps = Vec::new();
    if random.below(RARE) == 0 {
        many_rooms(&mut random, devices, &mut steps);
    }
    if random.below(RARE) == 0 {
        lines_that_die_young(&mut random, devices, &mut steps);
    }
    if random.below(RARE) == 0 {
        naps(&mut random, devices, &mut steps);
    }
    if random.below(RARE) == 0 {
        full_at_the_end(&mut random, devices, &mut steps);
    }
    steps
}

fn many_rooms(random: &mut Random, devices: usize, steps: &mut Vec<Step>) {
    for _ in 0..random.between(4, 10) {
        let (at, device) = (random.duration(Duration::from_secs(1), LASTS), random.below(devices));
        steps.push(Step { at, what: What::Act { device, act: Act::SendEverywhere { rooms: ROOMS_MANY } } });
    }
}

fn lines_that_die_young(random: &mut Random, devices: usize, steps: &mut Vec<Step>) {
    for _ in 0..random.between(1, 3) {
        let (at, device) = (random.duration(Duration::from_secs(1), LASTS), random.below(devices));
        let (after, lasts) = (random.ms(200, 1_000), random.ms(20_000, 120_000));
        steps.push(Step { at, what: What::Fail(Fault::Flap { device, after, lasts }) });
    }
}

/// Short sleeps while an answer is due and a ping under way: the line lives, and a deadline is over on waking.
fn naps(random: &mut Random, devices: usize, steps: &mut Vec<Step>) {
    for _ in 0..random.between(4, 10) {
        let (at, device) = (random.duration(Duration::from_secs(10), LASTS), random.below(devices));
        let (sync, whose) = (Duration::from_secs(6), Machine::Device(device));
        let slow = Fault::DiskSlow { whose: Machine::Server, sync, lasts: Duration::from_secs(2) };
        steps.push(Step { at, what: What::Fail(slow) });
        steps.push(said_in_first_room(random, at, device));
        let nap = Fault::Sleep { whose, lasts: random.ms(3_600, 7_000) };
        steps.push(Step { at: at + random.ms(1_200, 3_000), what: What::Fail(nap) });
    }
}

/// What the disk has no room for is the last that is said.
fn full_at_the_end(random: &mut Random, devices: usize, steps: &mut Vec<Step>) {
    let lasts = random.ms(1_000, 5_000);
    steps.push(Step { at: LASTS, what: What::Fail(Fault::DiskFull { whose: Machine::Server, lasts }) });
    let device = random.below(devices);
    steps.push(said_in_first_room(random, LASTS, device));
}

fn said_in_first_room(random: &mut Random, at: Duration, device: usize) -> Step {
    let act = Act::Send { room: 0, count: 1, bytes: 10 };
    Step { at: at + random.ms(10, 500), what: What::Act { device, act } }
}

fn version(random: &mut Random) -> VersionPlan {
    match random.below(10) {
        0 => VersionPlan::Older,
        1 => VersionPlan::Newer,
        _ => VersionPlan::Ours,
    }
}

fn weather(random: &mut Random) -> WeatherPlan {
    let ms = Duration::from_millis;
    WeatherPlan {
        latency: (ms(1), ms([2, 30, 350][random.below(3)])),
        bytes_per_second: None,
        socket_bytes: [4 * 1024, 64 * 1024][random.below(2)],
        piece_bytes_max: [60, 1_000, 10_000, usize::MAX][random.below(4)],
        device_sync_max: ms([1, 20, 400][random.below(3)]),
        server_sync_max: ms([1, 20, 400][random.below(3)]),
        window_bytes: [16 * 1024, 64 * 1024, 256 * 1024][random.below(3)],
        ring_bytes_max: [0, 1_000, 20_000, 1024 * 1024][random.below(4)],
        server_version: version(random),
    }
}

struct Drawing {
    devices: usize,
    accounts: usize,
    random: Random,
}

impl Drawing {
    fn moment(&mut self) -> Duration {
        self.random.duration(Duration::from_secs(1), LASTS)
    }

    fn device(&mut self) -> usize {
        self.random.below(self.devices)
    }

    fn room(&mut self) -> usize {
        self.random.below(ROOMS)
    }

    fn act(&mut self) -> Act {
        let room = self.room();
        let (private, account) = (PRIVATE_FROM, self.random.below(self.accounts));
        match self.random.below(100) {
            0..=7 => Act::Enter { room: self.random.below(PRIVATE_FROM) },
            8..=10 => Act::Leave { room },
            11..=15 => Act::Direct { account },
            16..=18 => Act::CreatePrivate { room: private },
            19..=24 => Act::Add { room: private, account },
            25..=28 => Act::Remove { room: private, account },
            29..=32 => Act::History { room },
            33..=34 => Act::SendTooMuch { room },
            35..=37 => Act::Type { room },
            38..=39 => Act::Stop,
            40..=43 => Act::Resume,
            44..=45 => Act::TryNow,
            46..=50 => Act::SendFromSecondProcess { room },
            _ => {
                let count = self.random.between(1, 8);
                let bytes = [10, 300, 3_000, 30_000][self.random.below(4)];
                Act::Send { room, count, bytes }
            }
        }
    }

    /// Those that this seed switches on, each as often as it weighs.
    fn kinds(&mut self) -> Vec<Kind> {
        loop {
            let mut kinds = Vec::new();
            for (kind, weight) in KINDS {
                let odds = if weight > 1 { 60 } else { 20 };
                if self.random.percent(odds) {
                    kinds.extend(std::iter::repeat_n(kind, weight));
                }
            }
            if kinds.len() > 10 {
                return kinds;
            }
        }
    }

    fn one_of(&mut self, kinds: &[Kind]) -> Kind {
        kinds[self.random.below(kinds.len())]
    }

    fn ways(&mut self) -> Ways {
        [Ways::Both, Ways::Both, Ways::Up, Ways::Down][self.random.below(4)]
    }

    fn whose(&mut self) -> Machine {
        if self.random.percent(35) { Machine::Server } else { Machine::Device(self.device()) }
    }

    fn fault(&mut self, kind: Kind) -> Fault {
        let (device, whose, ways) = (self.device(), self.whose(), self.ways());
        let up = self.random.percent(50);
        let lasts = self.random.ms(200, 8_000);
        let back = self.random.ms(0, 4_000);
        let age = self.random.ms(5_000, 150_000);
        match kind {
            Kind::Silence => Fault::Silence { device, ways },
            Kind::Reset => Fault::Reset { device },
            Kind::HalfOpen => Fault::HalfOpen { device },
            Kind::Stall => Fault::Stall { device, ways, lasts },
            Kind::Slow => {
                Fault::Slow { device, bytes_per_second: self.random.between(4_000, 64_000) as u64, lasts: lasts * 4 }
            }
            Kind::Jitter => Fault::Jitter { device, latency_max: self.random.ms(50, 2_000), lasts: lasts * 2 },
            Kind::FlipBit => Fault::FlipBit { device, up },
            Kind::Hole => Fault::Hole { device, up, bytes: self.random.between(1, 200) },
            Kind::NatForgets => Fault::NatForgets { device, quiet: self.random.ms(500, 5_000) },
            Kind::AddressChange => Fault::AddressChange { device },
            Kind::NoNetwork => Fault::NoNetwork { device, lasts: lasts * 3 },
            Kind::Kill => Fault::Kill { whose, back, in_calls: None },
            Kind::KillInCall => Fault::Kill { whose, back, in_calls: Some(self.random.below(40) as u32) },
            Kind::PowerLoss => Fault::PowerLoss { whose, back, in_calls: None },
            Kind::PowerLossInCall => Fault::PowerLoss { whose, back, in_calls: Some(self.random.below(40) as u32) },
            Kind::DiskFull => Fault::DiskFull { whose, lasts },
            Kind::DiskSlow => Fault::DiskSlow { whose, sync: self.random.ms(100, 10_000), lasts },
            Kind::SyncFails => Fault::SyncFails { whose },
            Kind::WritesFail => Fault::WritesFail { whose, count: self.random.between(1, 3) as u32 },
            Kind::ReadsFail => Fault::ReadsFail { whose, count: self.random.between(1, 3) as u32 },
            Kind::Sleep => Fault::Sleep { whose, lasts: lasts * 5 },
            Kind::LateTimers => Fault::LateTimers { whose, by: self.random.ms(50, 3_000), lasts },
            Kind::WallClock => Fault::WallClock { whose, by_ms: self.wall_step() },
            Kind::Drift => Fault::Drift { whose, ppm: self.random.below(1_001) as i32 - 500 },
            Kind::HandOver => Fault::HandOver { device },
            Kind::Drain => Fault::Drain { back },
            Kind::ServerRestored => Fault::ServerRestored { age },
            Kind::Profile if up => Fault::ProfileRestored { device, age },
            Kind::Profile => Fault::ProfileCopied { device },
        }
    }

    /// Seconds, or years.
    fn wall_step(&mut self) -> i64 {
        let most = [5_000, 3_600_000, 100_000_000_000][self.random.below(3)];
        self.random.between(0, 2 * most) as i64 - most as i64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_seed_gives_one_plan_and_its_steps_are_in_order() {
        for seed in 0..50 {
            let plan = draw(seed);
            assert_eq!(plan, draw(seed));
            assert!(plan.steps.is_sorted_by_key(|step| step.at));
            assert_ne!(plan.steps, draw(seed + 1).steps);
        }
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let mut drawn = BTreeSet::new();
        for seed in 0..200 {
            for step in draw(seed).steps {
                if let What::Fail(fault) = step.what {
                    let name = format!("{fault:?}");
                    let in_call = name.contains("in_calls: Some");
                    drawn.insert((name.split(' ').next().unwrap_or_default().to_owned(), in_call));
                }
            }
        }
        // Restored and copied profiles are one kind here, and lines that die young are drawn apart.
        assert_eq!(drawn.len(), KINDS.len() + 2, "{drawn:?}");
    }
}

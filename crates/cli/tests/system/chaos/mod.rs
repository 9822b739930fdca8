//! The real thing under fire: a server and the devices of four people, each on a host of its own, with faults of every
//! kind at once; then everything that the programs printed and stored is held against each other. `cargo xtask chaos`
//! runs it. The faults and their moments follow from the seed; what they meet does not, since time is real here.

mod cast;
mod faults;
mod oracle;
mod report;
mod schedule;
mod settling;
mod signals;
mod star;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use cast::{ACCOUNTS, Cast, Role};
use faults::Fault;
use schedule::{Kind, Planned};
use signals::Signals;
use watch::{Line, Watch};

use crate::rig::{SOON, Stopwatch, is_root, pause};

/// How long the faults go on.
const MINUTES: &str = "STEADFAST_TEST_CHAOS_MINUTES";
const SEED: &str = "STEADFAST_TEST_SEED";
const DEVICES: [usize; 2] = [1, 2];
/// Between two looks at what is due and at who has ended.
const TICK: Duration = Duration::from_millis(20);

#[test]
#[ignore = "runs for minutes: `cargo xtask chaos --minutes M`"]
fn real_programs_under_fire_keep_every_promise() {
    if !is_root() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (minutes, seed) = (number(MINUTES).unwrap_or(1), number(SEED).unwrap_or(1));
    let signals = Signals::catch();
    let length = Duration::from_secs(60 * minutes);
    let mut fire = Fire::start(length, signals);
    println!("seed {seed}, {minutes} min");
    fire.burn(&schedule::draw(seed, ACCOUNTS.len(), length));
    let report = fire.settle();
    report.lines().iter().for_each(|line| println!("{line}"));
    assert!(report.is_good(), "a promise broke; what was stored and said is kept beside the build");
}

/// A run.
struct Fire {
    // What is dropped first stands first.
    watch: Watch,
    cast: Cast,
    clock: Stopwatch,
    length: Duration,
    active: Vec<Fault>,
    kinds: BTreeMap<Kind, (usize, usize)>,
    signals: Signals,
}

impl Fire {
    /// Returns when everybody is there and has said or seen something.
    fn start(length: Duration, signals: Signals) -> Self {
        let clock = Stopwatch::start();
        let mut cast = Cast::new();
        let devices = (0..ACCOUNTS.len()).flat_map(|host| DEVICES.map(|device| (host, device)));
        let devices =
            devices.map(|(host, device)| (host, format!("{} {device}", ACCOUNTS[host]), cast.member(host, device)));
        let watch = Watch::start(clock, ACCOUNTS.len(), devices.collect());
        cast.supervise();
        for actor in cast.actors.iter().filter(|actor| actor.role != Role::Serve) {
            actor.process().expect("it was started").wait_to_print(1, 3 * SOON);
        }
        Self { watch, cast, clock, length, active: Vec::new(), kinds: BTreeMap::new(), signals }
    }

    fn burn(&mut self, plan: &[Planned]) {
        let started = Stopwatch::start();
        let mut coming = plan.iter().copied().enumerate().peekable();
        while started.elapsed() < self.length {
            self.go_on();
            self.end_where(|planned| planned.ends() <= started.elapsed());
            while let Some((number, planned)) = coming.next_if(|(_, planned)| planned.at <= started.elapsed()) {
                let Planned { kind, host, at, lasts, .. } = planned;
                println!("{at:>9.1?}  {} ({}) for {lasts:.1?}", kind.name(), ACCOUNTS[host]);
                // A target is free for the next fault once the last one is undone.
                self.end_where(|past| past.kind.target(past.host) == kind.target(host));
                self.active.push(Fault::begin(planned, number, &mut self.cast));
                self.tell_watch(planned);
            }
            self.cast.supervise();
            pause(TICK);
        }
        self.end_where(|_| true);
    }

    /// Unless somebody wants it to end: then all that it made goes with it.
    fn go_on(&self) {
        assert!(!self.signals.asked_to_stop(), "asked to stop: what was made is taken away");
    }

    fn end_where(&mut self, which: impl Fn(&Planned) -> bool) {
        while let Some(at) = self.active.iter().position(|fault| which(&fault.planned)) {
            let fault = self.active.remove(at);
            let planned = fault.planned;
            let bit = fault.end(&mut self.cast);
            let (tried, bitten) = self.kinds.entry(planned.kind).or_default();
            *tried += 1;
            *bitten += usize::from(bit);
            self.tell_watch(planned);
        }
    }

    /// What follows for the lines of each host from the faults that are there, after this one began or ended.
    fn tell_watch(&self, changed: Planned) {
        for host in (0..ACCOUNTS.len()).filter(|&host| concerns(changed, host)) {
            let here = self.active.iter().map(|fault| fault.planned).filter(|planned| concerns(*planned, host));
            let kinds: Vec<Kind> = here.map(|planned| planned.kind).collect();
            let processes = [Kind::KillSend, Kind::StopSend, Kind::KillTail, Kind::StopTail];
            let now = self.clock.elapsed();
            let line = if kinds.iter().any(|kind| processes.contains(kind)) {
                Line::Disturbed
            } else if kinds.iter().any(|kind| matches!(kind, Kind::Cut | Kind::CutToClient)) {
                // Neither the server nor the rest of the line matters to who hears nothing at all.
                match self.watch.line(host) {
                    silent @ Line::Silent(_) => silent,
                    Line::Disturbed | Line::Calm(_) => Line::Silent(now),
                }
            } else if kinds.is_empty() {
                Line::Calm(now)
            } else {
                Line::Disturbed
            };
            self.watch.set(host, line);
        }
    }
}

/// Whether a fault concerns the lines of this host.
fn concerns(planned: Planned, host: usize) -> bool {
    let server = [Kind::KillServer, Kind::StopServer, Kind::EndServer, Kind::FullServer];
    server.contains(&planned.kind) || planned.host == host
}

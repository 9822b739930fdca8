//! A machine: a disk, a clock, and whether it is awake.

use std::path::{Path, PathBuf};

use steadfast_proto::time::{Duration, Instant};

use crate::random::Random;
use crate::vfs::{Death, Disk, ProcessId};

/// The wall clock when the world began, Unix milliseconds.
const WALL_START_MS: u64 = 1_700_000_000_000;
/// So late a timer may be without being taken for one that was slept through.
const LATE: Duration = Duration::from_millis(500);
const MILLION: i128 = 1_000_000;

/// See the module's documentation.
pub struct Machine {
    directory: PathBuf,
    disk: Disk,
    /// The last process' number.
    processes: u64,
    /// When the clock was set right last: by the world's clock, and by its own.
    set_at: (Instant, Instant),
    drift_ppm: i32,
    wall_ahead_ms: i64,
    asleep_until: Option<Instant>,
    woke_at: Option<Instant>,
    /// It woke just behind the deadline that is judged now.
    pub(super) overslept_barely: bool,
    /// Its timers fire up to so late, until then.
    late: Option<(Duration, Instant)>,
    /// No timer fires before.
    timers_from: Option<Instant>,
    /// Every sync takes so long, until then.
    slow: Option<(Duration, Instant)>,
    /// Syncs that were slow for that.
    pub(super) slow_syncs: u64,
    /// Something was wrong with it until then.
    pub disturbed_until: Instant,
    /// Chance of this machine alone.
    pub random: Random,
}

impl Machine {
    /// A machine whose disk is in this directory, which is made.
    pub fn new(directory: &Path, seed: u64, now: Instant) -> Self {
        let disk = Disk::new(directory, seed ^ 0xd15c).expect("a directory for a simulated disk");
        let mut random = Random::new(seed);
        // Machines do not start together.
        let own = Instant::from_nanos(1 + random.number() % 1_000_000_000_000_000);
        Self {
            directory: disk.directory().to_owned(),
            disk,
            processes: 0,
            set_at: (now, own),
            drift_ppm: 0,
            wall_ahead_ms: 0,
            asleep_until: None,
            woke_at: None,
            overslept_barely: false,
            late: None,
            timers_from: None,
            slow: None,
            slow_syncs: 0,
            disturbed_until: now,
            random,
        }
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A number for a new process.
    pub fn new_process(&mut self) -> u64 {
        self.processes += 1;
        self.processes
    }

    /// Runs something as one of its processes. `Err`: the machine or the process died in the midst of it.
    pub fn run<T>(&self, process: u64, run: impl FnOnce() -> T) -> Result<T, Death> {
        let before = self.disk.bites().deaths_in_a_call;
        let value = self.disk.as_process(ProcessId(process), run);
        match self.disk.died() {
            Some(died) if self.disk.bites().deaths_in_a_call > before => Err(died.death),
            Some(_) | None => Ok(value),
        }
    }

    /// A process is killed.
    pub fn kill(&self, process: u64) {
        self.disk.kill(ProcessId(process));
    }

    // ---- clocks

    /// What its boot clock shows.
    pub fn clock(&self, now: Instant) -> Instant {
        let (world, own) = self.set_at;
        let passed = i128::from(now.as_nanos()) - i128::from(world.as_nanos());
        own + nanos(passed * (MILLION + i128::from(self.drift_ppm)) / MILLION)
    }

    /// When its boot clock will show this.
    pub fn when(&self, own: Instant) -> Instant {
        let (world_set, own_set) = self.set_at;
        let to_pass = i128::from(own.as_nanos()) - i128::from(own_set.as_nanos());
        let rate = MILLION + i128::from(self.drift_ppm);
        // Rounded up, so that the clock shows it by then.
        world_set + nanos((to_pass * MILLION + rate - 1) / rate)
    }

    /// The clock goes so much faster than the world's from now on.
    pub fn set_drift(&mut self, now: Instant, ppm: i32) {
        self.set_at = (now, self.clock(now));
        self.drift_ppm = ppm;
    }

    /// Unix milliseconds, as it believes.
    pub fn wall_ms(&self, now: Instant) -> u64 {
        let ms = WALL_START_MS + now.as_nanos() / 1_000_000;
        ms.saturating_add_signed(self.wall_ahead_ms)
    }

    /// The wall clock is set.
    pub fn set_wall(&mut self, by_ms: i64) {
        self.wall_ahead_ms += by_ms;
    }

    // ---- sleep and late timers

    /// It stands still until then.
    pub fn sleep(&mut self, until: Instant) {
        self.asleep_until = Some(self.asleep_until.map_or(until, |asleep| asleep.max(until)));
    }

    /// It has slept enough, and is awake at the next step.
    pub fn rouse(&mut self, now: Instant) {
        self.asleep_until = self.asleep_until.map(|until| until.min(now));
    }

    /// Until when it sleeps.
    pub fn asleep_until(&self) -> Option<Instant> {
        self.asleep_until
    }

    /// It is awake again, if it is time.
    pub fn wake(&mut self, now: Instant) -> bool {
        let wakes = self.asleep_until.is_some_and(|until| until <= now);
        if wakes {
            (self.asleep_until, self.woke_at) = (None, Some(now));
        }
        wakes
    }

    /// Whether it woke at this moment, and so soon after the deadline that this might be a timer that is late.
    pub(super) fn oversleeps_barely(&self, now: Instant, due: Instant) -> bool {
        self.woke_at == Some(now) && self.clock(now).since(due) <= LATE
    }

    /// Timers fire late from now on.
    pub fn set_late(&mut self, by: Duration, until: Instant) {
        self.late = Some((by, until));
    }

    /// When a timer fires whose deadline is due at this moment of the world. Gives also whether that is late.
    pub fn fires(&mut self, due: Instant, now: Instant) -> (Instant, bool) {
        let Some((by, until)) = self.late else { return (due, false) };
        if now >= until {
            (self.late, self.timers_from) = (None, None);
            return (due, false);
        }
        let from = *self.timers_from.get_or_insert_with(|| now + self.random.ms(0, millis(by)));
        (due.max(from), from > due)
    }

    /// The timers were looked at.
    pub fn fired(&mut self) {
        self.timers_from = None;
    }

    // ---- the disk's time

    /// Syncs take so long for a while.
    pub fn set_slow(&mut self, sync: Duration, until: Instant) {
        self.slow = Some((sync, until));
    }

    /// How long the next sync takes, at most `usual` when the disk is well.
    pub fn sync_takes(&mut self, now: Instant, usual: Duration) -> Duration {
        match self.slow {
            Some((sync, until)) if now < until => {
                self.slow_syncs += 1;
                sync
            }
            Some(_) | None => self.random.ms(0, millis(usual)) + Duration::from_micros(1),
        }
    }

    /// Something is wrong with it until then.
    pub fn disturb(&mut self, until: Instant) {
        self.disturbed_until = self.disturbed_until.max(until);
    }

    /// All is well again.
    pub fn mend(&mut self, now: Instant) {
        self.set_drift(now, 0);
        self.disk.set_full(false);
        self.disk.fail_writes(0);
        self.disk.fail_syncs(0);
        self.disk.fail_reads(0);
        self.disk.die_in(u64::MAX, Death::Kill);
        (self.late, self.timers_from, self.slow) = (None, None, None);
        self.rouse(now);
    }
}

fn nanos(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("directory", &self.directory).finish_non_exhaustive()
    }
}

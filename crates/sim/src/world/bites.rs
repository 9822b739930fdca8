//! What went wrong and what of it mattered: a fault that met nothing proves nothing.
//!
//! A fault that was injected bites once at most. What acts at once says so at once; what lies in wait (a full disk, a
//! late timer) is settled by whether anything met it before the next one of its kind, or before the end.

use std::collections::BTreeMap;

use crate::plan::{Fault, Machine};
use crate::vfs;

/// How often each kind of fault was injected, and how often it bit; and what came of that.
#[derive(Clone, Debug)]
pub struct Bites {
    kinds: BTreeMap<&'static str, (u64, u64)>,
    effects: BTreeMap<&'static str, u64>,
    waiting: Vec<Waiting>,
    met: BTreeMap<(&'static str, Machine), u64>,
}

/// A fault that lies in wait.
#[derive(Clone, Debug)]
struct Waiting {
    kind: &'static str,
    whose: Machine,
    /// How often something had met its like before.
    before: u64,
}

/// Every kind, so that one that is never drawn is noticed, too.
const KINDS: [&str; 31] = [
    "address change",
    "bit flipped",
    "clock drift",
    "disk full",
    "drain",
    "forgetful NAT",
    "half-open",
    "hand-over",
    "hole on the line",
    "jitter",
    "kill",
    "kill in a call",
    "late timers",
    "lines that die young",
    "no network",
    "power loss",
    "power loss in a call",
    "profile copied",
    "profile restored",
    "reads fail",
    "reset",
    "server restored",
    "silent cut",
    "sleep",
    "slow disk",
    "slow line",
    "stall",
    "syncs fail",
    "wall clock set",
    "writes fail",
    "one-way cut",
];

const TORN_WRITES: &str = "writes torn by a loss of power";
const UNSYNCED: &str = "losses of power that took what was not synced";
pub(super) const OLDER: &str = "links with an older version";
pub(super) const NEWER: &str = "links with a newer version";
const EFFECTS: [&str; 4] = [TORN_WRITES, UNSYNCED, OLDER, NEWER];

impl Default for Bites {
    fn default() -> Self {
        Self {
            kinds: KINDS.map(|kind| (kind, (0, 0))).into(),
            effects: EFFECTS.map(|effect| (effect, 0)).into(),
            waiting: Vec::new(),
            met: BTreeMap::new(),
        }
    }
}

impl Bites {
    /// Kind, injected, bitten.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.kinds.iter().map(|(&kind, &(injected, bitten))| (kind, injected, bitten))
    }

    /// What faults did, or what a world had, that every long run has to see; and how often.
    pub fn effects(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.effects.iter().map(|(&effect, &times)| (effect, times))
    }

    /// All faults that bit.
    pub fn bitten(&self) -> u64 {
        self.kinds.values().map(|&(_, bitten)| bitten).sum()
    }

    pub(super) fn injected(&mut self, kind: &'static str) {
        self.kinds.entry(kind).or_default().0 += 1;
    }

    pub(super) fn bit(&mut self, kind: &'static str) {
        self.kinds.entry(kind).or_default().1 += 1;
    }

    pub(super) fn saw(&mut self, effect: &'static str) {
        *self.effects.entry(effect).or_default() += 1;
    }

    /// One lies in wait. `met`: how often something met its like so far.
    pub(super) fn wait(&mut self, kind: &'static str, whose: Machine, met: u64) {
        let older = self.waiting.iter().position(|waiting| waiting.kind == kind && waiting.whose == whose);
        if let Some(older) = older.map(|index| self.waiting.swap_remove(index)) {
            self.settle(&older, met);
        }
        self.waiting.push(Waiting { kind, whose, before: met });
    }

    /// Something met one of this kind.
    pub(super) fn meet(&mut self, kind: &'static str, whose: Machine) {
        *self.met.entry((kind, whose)).or_default() += 1;
    }

    pub(super) fn times_met(&self, kind: &'static str, whose: Machine) -> u64 {
        self.met.get(&(kind, whose)).copied().unwrap_or(0)
    }

    fn settle(&mut self, waiting: &Waiting, met: u64) {
        if met > waiting.before {
            self.bit(waiting.kind);
        }
    }

    /// At the end: all that still waits is settled.
    pub(super) fn settle_all(&mut self, met: impl Fn(&Bites, &'static str, Machine) -> u64) {
        for waiting in std::mem::take(&mut self.waiting) {
            let met = met(self, waiting.kind, waiting.whose);
            self.settle(&waiting, met);
        }
    }

    /// What a disk counted.
    pub(super) fn add_disk(&mut self, disk: &vfs::Bites) {
        *self.effects.entry(TORN_WRITES).or_default() += disk.torn_writes;
        *self.effects.entry(UNSYNCED).or_default() += disk.power_cuts_that_took_something;
    }
}

impl Fault {
    /// What kind it is, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Silence { ways: crate::plan::Ways::Both, .. } => "silent cut",
            Fault::Silence { .. } => "one-way cut",
            Fault::Reset { .. } => "reset",
            Fault::HalfOpen { .. } => "half-open",
            Fault::Stall { .. } => "stall",
            Fault::Slow { .. } => "slow line",
            Fault::Jitter { .. } => "jitter",
            Fault::FlipBit { .. } => "bit flipped",
            Fault::Hole { .. } => "hole on the line",
            Fault::NatForgets { .. } => "forgetful NAT",
            Fault::AddressChange { .. } => "address change",
            Fault::Flap { .. } => "lines that die young",
            Fault::NoNetwork { .. } => "no network",
            Fault::Kill { in_calls: None, .. } => "kill",
            Fault::Kill { in_calls: Some(_), .. } => "kill in a call",
            Fault::PowerLoss { in_calls: None, .. } => "power loss",
            Fault::PowerLoss { in_calls: Some(_), .. } => "power loss in a call",
            Fault::DiskFull { .. } => "disk full",
            Fault::DiskSlow { .. } => "slow disk",
            Fault::SyncFails { .. } => "syncs fail",
            Fault::WritesFail { .. } => "writes fail",
            Fault::ReadsFail { .. } => "reads fail",
            Fault::Sleep { .. } => "sleep",
            Fault::LateTimers { .. } => "late timers",
            Fault::WallClock { .. } => "wall clock set",
            Fault::Drift { .. } => "clock drift",
            Fault::HandOver { .. } => "hand-over",
            Fault::ProfileRestored { .. } => "profile restored",
            Fault::ProfileCopied { .. } => "profile copied",
            Fault::ServerRestored { .. } => "server restored",
            Fault::Drain { .. } => "drain",
        }
    }

    /// Whose disk, timers or lines it lies in wait at, if it does not act at once.
    pub(super) fn waits_at(&self) -> Option<Machine> {
        match *self {
            Fault::Slow { device, .. }
            | Fault::Jitter { device, .. }
            | Fault::FlipBit { device, .. }
            | Fault::Hole { device, .. }
            | Fault::Stall { device, .. }
            | Fault::Flap { device, .. }
            | Fault::NoNetwork { device, .. } => Some(Machine::Device(device)),
            Fault::Kill { whose, in_calls: Some(_), .. }
            | Fault::PowerLoss { whose, in_calls: Some(_), .. }
            | Fault::DiskFull { whose, .. }
            | Fault::DiskSlow { whose, .. }
            | Fault::SyncFails { whose }
            | Fault::WritesFail { whose, .. }
            | Fault::ReadsFail { whose, .. }
            | Fault::LateTimers { whose, .. } => Some(whose),
            Fault::Silence { .. }
            | Fault::Reset { .. }
            | Fault::HalfOpen { .. }
            | Fault::NatForgets { .. }
            | Fault::AddressChange { .. }
            | Fault::Kill { in_calls: None, .. }
            | Fault::PowerLoss { in_calls: None, .. }
            | Fault::Sleep { .. }
            | Fault::WallClock { .. }
            | Fault::Drift { .. }
            | Fault::HandOver { .. }
            | Fault::ProfileRestored { .. }
            | Fault::ProfileCopied { .. }
            | Fault::ServerRestored { .. }
            | Fault::Drain { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_lies_in_wait_bites_once_and_only_if_it_was_met() {
        let mut bites = Bites::default();
        let whose = Machine::Server;
        for met in [0, 0, 1] {
            bites.injected("disk full");
            bites.wait("disk full", whose, met);
        }
        bites.settle_all(|_, _, _| 5);
        assert_eq!(bites.kinds().find(|(kind, _, _)| *kind == "disk full"), Some(("disk full", 3, 2)));
        assert_eq!(bites.bitten(), 2);
    }
}

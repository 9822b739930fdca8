//! What is done to whom, when and for how long: drawn from a seed, and the same for the same seed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::rig::Random;

/// Between the beginnings of two faults, in milliseconds.
const APART_MS: (u64, u64) = (900, 1_900);
/// Most faults are over soon, some only after every bound has passed.
const SHORT_MS: (u64, u64) = (200, 8_000);
const LONG_MS: (u64, u64) = (17_000, 22_000);
/// One fault in so many is a long one, of those that a line has to notice by itself.
const LONG_EVERY: usize = 3;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing gets through, either way.
    Cut,
    /// Nothing reaches the server from this host.
    CutToServer,
    /// Nothing reaches this host.
    CutToClient,
    /// Some packets are lost, either way.
    Loss,
    /// The server's host answers this host's segments with a reset.
    Reset,
    /// This host's system throws its connections away.
    AbortClient,
    /// The server's system throws this host's connections away.
    AbortServer,
    /// The host has another address from now on.
    AddressChange,
    /// The line carries little, each way.
    SlowLine,
    KillServer,
    StopServer,
    /// SIGTERM: it ends in good order.
    EndServer,
    /// The server's disk is full.
    FullServer,
    KillSend,
    StopSend,
    KillTail,
    StopTail,
    /// The disk with the profiles of this host is full.
    FullClient,
}

/// All of them.
pub(super) const KINDS: [Kind; 18] = [
    Kind::Cut,
    Kind::CutToServer,
    Kind::CutToClient,
    Kind::Loss,
    Kind::Reset,
    Kind::AbortClient,
    Kind::AbortServer,
    Kind::AddressChange,
    Kind::SlowLine,
    Kind::KillServer,
    Kind::StopServer,
    Kind::EndServer,
    Kind::FullServer,
    Kind::KillSend,
    Kind::StopSend,
    Kind::KillTail,
    Kind::StopTail,
    Kind::FullClient,
];

/// What can be hit by one fault at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The packets between this host and the server.
    Packets(usize),
    Sockets(usize),
    Address(usize),
    Rate(usize),
    Server,
    ServerDisk,
    Sender(usize),
    Tails(usize),
    Disk(usize),
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) kind: Kind,
    /// The host that it concerns; for faults of the server it says nothing.
    pub(super) host: usize,
    /// How strong it is, or which of several it hits: any number.
    pub(super) choice: usize,
    /// From the beginning of the run.
    pub(super) at: Duration,
    /// Nothing, where it is over as soon as it is done.
    pub(super) lasts: Duration,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Cut => "cut",
            Kind::CutToServer => "cut to the server",
            Kind::CutToClient => "cut to the client",
            Kind::Loss => "random loss",
            Kind::Reset => "reset by a box",
            Kind::AbortClient => "client's socket killed",
            Kind::AbortServer => "server's socket killed",
            Kind::AddressChange => "address change",
            Kind::SlowLine => "slow line",
            Kind::KillServer => "server SIGKILL",
            Kind::StopServer => "server SIGSTOP",
            Kind::EndServer => "server SIGTERM",
            Kind::FullServer => "server's disk full",
            Kind::KillSend => "send SIGKILL",
            Kind::StopSend => "send SIGSTOP",
            Kind::KillTail => "tail SIGKILL",
            Kind::StopTail => "tail SIGSTOP",
            Kind::FullClient => "client's disk full",
        }
    }

    pub(super) fn target(self, host: usize) -> Target {
        match self {
            Kind::Cut | Kind::CutToServer | Kind::CutToClient | Kind::Loss | Kind::Reset => Target::Packets(host),
            Kind::AbortClient | Kind::AbortServer => Target::Sockets(host),
            Kind::AddressChange => Target::Address(host),
            Kind::SlowLine => Target::Rate(host),
            Kind::KillServer | Kind::StopServer | Kind::EndServer => Target::Server,
            Kind::FullServer => Target::ServerDisk,
            Kind::KillSend | Kind::StopSend => Target::Sender(host),
            Kind::KillTail | Kind::StopTail => Target::Tails(host),
            Kind::FullClient => Target::Disk(host),
        }
    }

    /// How long it lasts, at least and at most.
    fn lasts_ms(self, random: &mut Random) -> Option<(u64, u64)> {
        match self {
            Kind::AbortClient | Kind::AbortServer | Kind::AddressChange => None,
            Kind::Cut | Kind::CutToServer | Kind::CutToClient if random.below(LONG_EVERY) == 0 => Some(LONG_MS),
            Kind::Cut | Kind::CutToServer | Kind::CutToClient | Kind::Loss | Kind::SlowLine => Some(SHORT_MS),
            Kind::StopServer | Kind::StopSend | Kind::StopTail => Some(SHORT_MS),
            // What waits for a next packet, or a next page of a file, needs a moment to be hit at all.
            Kind::Reset | Kind::FullServer | Kind::FullClient => Some((2_000, SHORT_MS.1)),
            Kind::KillServer | Kind::EndServer | Kind::KillSend | Kind::KillTail => Some((200, 4_000)),
        }
    }
}

impl Planned {
    pub(super) fn ends(&self) -> Duration {
        self.at + self.lasts
    }
}

/// Faults for this long, in the order in which they begin. No two of one target are there at once; each kind comes once
/// before any comes twice, unless its targets are taken.
pub(super) fn draw(seed: u64, hosts: usize, length: Duration) -> Vec<Planned> {
    let mut random = Random::of(seed);
    let mut plan: Vec<Planned> = Vec::new();
    let mut bag: VecDeque<Kind> = VecDeque::new();
    let mut at = random.between_ms(APART_MS.0, APART_MS.1);
    while at < length {
        if bag.len() < KINDS.len() / 2 {
            bag.extend(shuffled(&mut random));
        }
        let busy: Vec<Target> =
            plan.iter().filter(|past| past.ends() >= at).map(|past| past.kind.target(past.host)).collect();
        let first = random.below(hosts);
        let free = bag.iter().enumerate().find_map(|(place, kind)| {
            let mut tried = (0..hosts).map(|more| (first + more) % hosts);
            tried.find(|&host| !busy.contains(&kind.target(host))).map(|host| (place, host))
        });
        if let Some((place, host)) = free {
            let kind = bag.remove(place).expect("it was found there");
            let lasts = kind.lasts_ms(&mut random).map(|(from, to)| random.between_ms(from, to));
            let lasts = lasts.unwrap_or_default().min(length - at);
            plan.push(Planned { kind, host, choice: random.below(1_000), at, lasts });
        }
        at += random.between_ms(APART_MS.0, APART_MS.1);
    }
    plan
}

fn shuffled(random: &mut Random) -> [Kind; KINDS.len()] {
    let mut kinds = KINDS;
    for last in (1..kinds.len()).rev() {
        kinds.swap(last, random.below(last + 1));
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: usize = 4;
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_schedule_is_the_same_for_the_same_seed_and_another_for_another() {
        assert_eq!(draw(7, HOSTS, HOUR), draw(7, HOSTS, HOUR));
        assert_ne!(draw(7, HOSTS, HOUR), draw(8, HOSTS, HOUR));
    }

    #[test]
    fn a_minute_has_every_kind_of_fault_and_ends_with_the_last() {
        for seed in 0..200 {
            let minute = Duration::from_secs(60);
            let plan = draw(seed, HOSTS, minute);
            for kind in KINDS {
                assert!(plan.iter().any(|planned| planned.kind == kind), "seed {seed}: no {}", kind.name());
            }
            assert!(plan.iter().all(|planned| planned.ends() <= minute), "seed {seed}");
            assert!(plan.is_sorted_by_key(|planned| planned.at), "seed {seed}");
        }
    }

    #[test]
    fn no_target_is_hit_by_two_faults_at_once_and_different_targets_are() {
        let plan = draw(3, HOSTS, HOUR);
        let mut together = 0;
        for (place, planned) in plan.iter().enumerate() {
            for later in plan[place + 1..].iter().take_while(|later| later.at <= planned.ends()) {
                together += 1;
                let same = planned.kind.target(planned.host) == later.kind.target(later.host);
                assert!(!same, "at once: {planned:?} {later:?}");
            }
        }
        assert!(together > plan.len(), "{together} of {}", plan.len());
    }
}

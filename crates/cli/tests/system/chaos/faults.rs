//! Each fault: how it is done, how it is undone, and how it is told whether it bit.

use std::path::PathBuf;

use super::cast::{Actor, Cast, Role};
use super::schedule::{Kind, Planned};
use crate::rig::{Namespace, Tmpfs};

/// Bits a second that a slow line carries, as `tc` spells them.
const RATES: [&str; 3] = ["32kbit", "64kbit", "128kbit"];
const LOSS_PERCENT_MAX: usize = 30;
/// How a `send` says that the server's disk is full, and how a program says it of its own.
const HELD: [&str; 1] = ["asks to wait: disk full"];
const FULL: [&str; 2] = ["no space left", "no room left"];

/// A fault that is there.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) planned: Planned,
    undo: Undo,
}

#[derive(Debug)]
enum Undo {
    /// It is over already, and bit or did not.
    Over(bool),
    /// Rules in a table of their own.
    Rules { table: String },
    /// Both ends of the line are shaped.
    Rate,
    /// A process was killed, and may be started again.
    Dead { actor: usize, killed: bool },
    /// A process was stopped in this run.
    Stopped { actor: usize, run: usize, seen: bool },
    /// A disk is full; what each program had said before.
    Full { filler: PathBuf, said: Vec<(usize, usize, usize)> },
}

impl Fault {
    pub(super) fn begin(planned: Planned, number: usize, cast: &mut Cast) -> Self {
        let (host, choice) = (planned.host, planned.choice);
        let undo = match planned.kind {
            Kind::Cut | Kind::CutToServer | Kind::CutToClient => drop_packets(planned, number, cast, "drop"),
            Kind::Loss => {
                let percent = 1 + choice % LOSS_PERCENT_MAX;
                drop_packets(planned, number, cast, &format!("numgen random mod 100 < {percent} counter drop"))
            }
            Kind::Reset => drop_packets(planned, number, cast, "meta l4proto tcp counter reject with tcp reset"),
            Kind::AbortClient => Undo::Over(cast.star.abort(host, false) > 0),
            Kind::AbortServer => Undo::Over(cast.star.abort(host, true) > 0),
            Kind::AddressChange => {
                let connections = cast.star.connections(host);
                cast.star.change_address(host);
                Undo::Over(connections > 0)
            }
            Kind::SlowLine => {
                for (namespace, link) in cast.star.links(host) {
                    namespace.slow_down(link, RATES[choice % RATES.len()]);
                }
                Undo::Rate
            }
            Kind::KillServer => kill(cast, Role::Serve, planned),
            Kind::KillSend => kill(cast, Role::Send, planned),
            Kind::KillTail => kill(cast, Role::Tail, planned),
            Kind::EndServer => end_server(cast),
            Kind::StopServer => stop(cast, Role::Serve, planned),
            Kind::StopSend => stop(cast, Role::Send, planned),
            Kind::StopTail => stop(cast, Role::Tail, planned),
            Kind::FullServer => {
                let said = said_by(cast, |role, _| role == Role::Send);
                Undo::Full { filler: cast.server_disk.fill_up(), said }
            }
            Kind::FullClient => {
                let said = said_by(cast, |role, of| role != Role::Serve && of == host);
                Undo::Full { filler: cast.disks[host].fill_up(), said }
            }
        };
        Self { planned, undo }
    }

    /// Undoes it. Whether it bit.
    pub(super) fn end(self, cast: &mut Cast) -> bool {
        let host = self.planned.host;
        match self.undo {
            Undo::Over(bit) => bit,
            Undo::Rules { table } => {
                let ends = places(self.planned.kind, cast, host);
                ends.into_iter().map(|(namespace, _)| take_rules_away(namespace, &table)).sum::<u64>() > 0
            }
            Undo::Rate => {
                let ends = cast.star.links(host);
                ends.into_iter().map(|(namespace, link)| give_rate_back(namespace, link)).sum::<u64>() > 0
            }
            Undo::Dead { actor, killed } => {
                cast.actors[actor].held = false;
                if cast.actors[actor].process().is_none() {
                    cast.actors[actor].start();
                }
                killed
            }
            Undo::Stopped { actor, run, seen } => {
                let actor = &cast.actors[actor];
                if let Some(process) = actor.process().filter(|_| actor.run() == run) {
                    process.signal("CONT");
                }
                seen
            }
            Undo::Full { filler, said } => {
                let of_server = self.planned.kind == Kind::FullServer;
                let (disk, words): (&Tmpfs, &[&str]) =
                    if of_server { (&cast.server_disk, &HELD) } else { (&cast.disks[host], &FULL) };
                let told = |&(at, run, skipped): &(usize, usize, usize)| {
                    let actor: &Actor = &cast.actors[at];
                    actor.said(run, skipped, words) || actor.full_run >= Some(run)
                };
                let bit = said.iter().any(told);
                Cast::free(disk, &filler);
                bit
            }
        }
    }
}

/// Where packets are dropped, and on which link they arrive there.
fn places(kind: Kind, cast: &Cast, host: usize) -> Vec<(&Namespace, &str)> {
    let [server, client] = cast.star.links(host);
    match kind {
        Kind::CutToServer | Kind::Reset => vec![server],
        Kind::CutToClient => vec![client],
        kind => {
            debug_assert!(matches!(kind, Kind::Cut | Kind::Loss), "{kind:?} drops no packets");
            vec![server, client]
        }
    }
}

/// What arrives is dropped, where it arrives: neither end hears of it.
fn drop_packets(planned: Planned, number: usize, cast: &Cast, what: &str) -> Undo {
    let table = format!("fault{number}");
    let counted = if what.contains("counter") { what.to_owned() } else { format!("counter {what}") };
    for (namespace, link) in places(planned.kind, cast, planned.host) {
        namespace.nft(&format!(
            "add table ip {table}; add chain ip {table} arriving {{ type filter hook input priority 0; }}; \
             add rule ip {table} arriving iifname {link} {counted}"
        ));
    }
    Undo::Rules { table }
}

/// How many packets they met.
fn take_rules_away(namespace: &Namespace, table: &str) -> u64 {
    let rules = namespace.run("nft", &["list", "table", "ip", table]);
    namespace.nft(&format!("delete table ip {table}"));
    number_after(&rules, "packets ")
}

/// How often it had to hold a packet back.
fn give_rate_back(namespace: &Namespace, link: &str) -> u64 {
    let told = namespace.run("tc", &["-s", "qdisc", "show", "dev", link, "root"]);
    namespace.run("tc", &["qdisc", "delete", "dev", link, "root"]);
    number_after(&told, "overlimits ")
}

fn number_after(text: &str, word: &str) -> u64 {
    let after = text.split_once(word).and_then(|(_, rest)| rest.split_whitespace().next());
    after.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number after {word:?}: {text}"))
}

fn kill(cast: &mut Cast, role: Role, planned: Planned) -> Undo {
    let actor = cast.pick(role, planned.host, planned.choice);
    cast.actors[actor].held = true;
    let killed = cast.actors[actor].kill();
    Undo::Dead { actor, killed }
}

fn end_server(cast: &mut Cast) -> Undo {
    let actor = cast.pick(Role::Serve, 0, 0);
    let server = &mut cast.actors[actor];
    server.held = true;
    let runs = server.process().is_some();
    if let Some(process) = server.process() {
        process.signal("TERM");
    }
    Undo::Dead { actor, killed: runs }
}

fn stop(cast: &Cast, role: Role, planned: Planned) -> Undo {
    let at = cast.pick(role, planned.host, planned.choice);
    let actor = &cast.actors[at];
    let seen = actor.process().is_some_and(|process| {
        process.signal("STOP");
        // It may have ended by itself a moment before.
        let stopped = || Some(process.state()).filter(|state| matches!(state, 'T' | 'Z'));
        crate::rig::wait_until("it is stopped", crate::rig::SOON, stopped) == 'T'
    });
    Undo::Stopped { actor: at, run: actor.run(), seen }
}

/// What each of these had said: its place, its run, and the number of lines.
fn said_by(cast: &Cast, which: impl Fn(Role, usize) -> bool) -> Vec<(usize, usize, usize)> {
    let of = cast.actors.iter().enumerate().filter(|(_, actor)| which(actor.role, actor.host));
    of.map(|(at, actor)| (at, actor.run(), actor.process().map_or(0, |process| process.err.count()))).collect()
}

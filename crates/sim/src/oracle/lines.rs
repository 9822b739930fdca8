//! Does a status tell the truth, and is a line given up for a reason?

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::session::{Cause, State};
use steadfast_proto::time::{Duration, Instant};

use super::broken::{Broken, Promise, broken};
use crate::histogram::Histogram;
use crate::world::World;
use crate::world::observed::Observed;

/// What a timer may be late without having slept, and what two clocks may differ in a bound.
const SLACK: Duration = Duration::from_millis(650);
/// A device may try so often in this time, whatever happens: the backoff has no cap below, but it grows.
const TRIES_MAX: usize = 40;
const TRIES_WITHIN: Duration = Duration::from_secs(60);

/// What is known of the lines.
#[derive(Debug, Default)]
pub struct Lines {
    devices: BTreeMap<usize, Seen>,
    /// Those whose profile was put back or copied: what the server says may contradict it.
    put_back: BTreeSet<usize>,
    server_up_since: Option<Instant>,
    /// The lines that the server holds.
    held: BTreeMap<u64, Held>,
    /// From the moment when a line carried nothing any more until its device knew.
    pub noticed: Histogram,
    /// The same, until the server let it go.
    pub let_go: Histogram,
    /// From the moment when a line could be made until the device was online and had all that it missed.
    pub returned: Histogram,
}

#[derive(Debug, Default)]
struct Seen {
    /// The line that died while the status still says that it is up, and since when.
    dying: Option<(u64, Instant)>,
    /// Since when the bound in force is what it is.
    bound: Option<(Duration, Instant)>,
    lost_at: Option<Instant>,
}

/// What the server says of a line.
#[derive(Debug)]
struct Held {
    dying_since: Option<Instant>,
    /// Since when the bound in force is what it is.
    bound: (Duration, Instant),
}

impl Lines {
    /// What was observed.
    pub fn handle(&mut self, now: Instant, observed: &Observed) -> Result<(), Broken> {
        match observed {
            Observed::ServerStarted => self.server_up_since = Some(now),
            Observed::Lost { device, cause, disturbed, .. } => {
                self.devices.entry(*device).or_default().lost_at.get_or_insert(now);
                let silence = matches!(
                    cause,
                    Cause::Silent { .. }
                        | Cause::WokeFromSleep
                        | Cause::Hole
                        | Cause::ProtocolError(_)
                        | Cause::HandshakeTimedOut
                );
                let contradicted = matches!(cause, Cause::ProtocolError(_)) && self.put_back.contains(device);
                if silence && !disturbed && !contradicted {
                    let text = format!("device {device} gave up a line that nothing was wrong with: {cause:?}");
                    return broken(Promise::FalseAlarm, text);
                }
            }
            Observed::LetGo { device, disturbed: false } => {
                let text = format!("the server gave up device {device}'s line, which nothing was wrong with");
                return broken(Promise::FalseAlarm, text);
            }
            Observed::Online { device } => {
                let seen = self.devices.entry(*device).or_default();
                if let (Some(lost), Some(up)) = (seen.lost_at.take(), self.server_up_since) {
                    self.returned.add(now.since(lost.max(up)));
                }
            }
            Observed::ProfileRestored { device } => {
                self.put_back.insert(*device);
            }
            Observed::LetGo { .. }
            | Observed::Accepted { .. }
            | Observed::Tried { .. }
            | Observed::Applied { .. }
            | Observed::AppliedPerhaps { .. }
            | Observed::OnWire { .. }
            | Observed::DeviceStarted { .. }
            | Observed::ServerRestored
            | Observed::Contradiction { .. } => {}
        }
        Ok(())
    }

    /// Looks at every status.
    pub fn look(&mut self, world: &World) -> Result<(), Broken> {
        for number in 0..world.devices.len() {
            self.look_at(world, number)?;
        }
        self.look_at_server(world)
    }

    /// The server holds no line for longer than the bound that it goes by there after it died.
    fn look_at_server(&mut self, world: &World) -> Result<(), Broken> {
        let now = world.now;
        if world.server.machine.asleep_until().is_some() {
            return Ok(());
        }
        let (is_up, let_go) = (world.server.is_up(), &mut self.let_go);
        self.held.retain(|&line, held| {
            let holds = world.server.holds(line);
            if let Some(since) = held.dying_since.filter(|_| !holds && is_up) {
                let_go.add(now.since(since));
            }
            holds
        });
        for (&number, line) in &world.lines {
            let Some(bound) = world.server.bound_of(number) else { continue };
            let held = self.held.entry(number).or_insert(Held { dying_since: None, bound: (bound, now) });
            held.dying_since = line.dead_since;
            if held.bound.0.abs_diff(bound) > SLACK {
                held.bound = (bound, now);
            }
            let Some(dead_since) = line.dead_since else { continue };
            let from = [line.heard, held.bound.1, world.server.machine.disturbed_until];
            let silent = now.since(from.into_iter().fold(dead_since, Instant::max));
            if silent > bound + SLACK {
                let device = line.device;
                let text = format!(
                    "the server holds device {device}'s line {silent:?} after it died, with a bound of {bound:?}"
                );
                return broken(Promise::Silent, text);
            }
        }
        Ok(())
    }

    fn look_at(&mut self, world: &World, number: usize) -> Result<(), Broken> {
        let (now, device) = (world.now, &world.devices[number]);
        let seen = self.devices.entry(number).or_default();
        let Some(process) = &device.process else {
            *seen = Seen { lost_at: seen.lost_at, ..Seen::default() };
            return Ok(());
        };
        let status = process.session.status();
        if status.state != State::Online || device.machine.asleep_until().is_some() {
            if let Some((_, since)) = seen.dying.take()
                && status.state != State::Online
            {
                self.noticed.add(now.since(since));
            }
            seen.bound = None;
            return Ok(());
        }
        let line = device.line.and_then(|line| Some((line, world.lines.get(&line)?.dead_since?)));
        seen.dying = line;
        let bound = status.bound.unwrap_or_default();
        if seen.bound.is_none_or(|(before, _)| before.abs_diff(bound) > SLACK) {
            seen.bound = Some((bound, now));
        }
        let (Some((_, dead_since)), Some((_, bound_since))) = (line, seen.bound) else { return Ok(()) };
        let disturbed = device.machine.disturbed_until;
        let silent_since = dead_since.max(device.heard).max(bound_since).max(disturbed);
        let silent = now.since(silent_since);
        if silent > bound + SLACK {
            let text = format!("device {number} says online {silent:?} after its line died, with a bound of {bound:?}");
            return broken(Promise::Silent, text);
        }
        Ok(())
    }

    /// Whether a process tried more often than it may. At the end.
    pub fn check_tries(world: &World) -> Result<(), Broken> {
        for (number, device) in world.devices.iter().enumerate() {
            let crowded = device.tries.iter().flat_map(|tries| tries.windows(TRIES_MAX)).find(|tries| {
                tries.last().zip(tries.first()).is_some_and(|(last, first)| last.since(*first) < TRIES_WITHIN)
            });
            if crowded.is_some() {
                let text = format!("device {number} tried {TRIES_MAX} times within {TRIES_WITHIN:?}");
                return broken(Promise::Herd, text);
            }
        }
        Ok(())
    }
}

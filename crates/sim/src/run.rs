//! One run: a plan acted out, looked at after every event, brought to rest, and judged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use steadfast_proto::session::Request;
use steadfast_proto::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::oracle::{Broken, Oracle, Promise};
use crate::plan::{Fault, Plan, What};
use crate::world::World;
use crate::world::bites::Bites;
use crate::world::observed::Observed;

/// How long a world may take to come to rest once nothing goes wrong any more.
const REST: Duration = Duration::from_secs(300);
/// Whoever wants to see all that is seen of a world.
pub type Watch<'w> = &'w mut dyn FnMut(Duration, &Observed);

/// How often everybody's disk is copied, in runs that put a copy back.
const COPIES_EVERY: Duration = Duration::from_secs(20);

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The promise that broke, if one did, and when.
    pub broken: Option<(Duration, Broken)>,
    /// Operations that were accepted.
    pub accepted: u64,
    /// Faults by kind.
    pub bites: Bites,
    /// From a line's death to its being known.
    pub noticed: Histogram,
    /// From a line's death to the server's letting it go.
    pub let_go: Histogram,
    /// From when a line could be made to being online with all that was missed.
    pub returned: Histogram,
    /// Differs between runs that did not go the same way.
    pub trace: u64,
    /// How long it lasted in the world.
    pub lasted: Duration,
}

/// Runs a plan.
pub fn run(plan: &Plan) -> Outcome {
    run_watched(plan, &mut |_, _| {})
}

/// Runs a plan, and shows everything that is seen of its world, each with its time.
pub fn run_watched(plan: &Plan, watch: Watch<'_>) -> Outcome {
    let mut world = World::new(plan);
    let mut oracle = Oracle::default();
    let started = world.now;
    let mut looking = Looking { oracle: &mut oracle, watch, started };
    // A world that a panic left halfway is read, and not run on.
    let acted = catch_unwind(AssertUnwindSafe(|| act_out(plan, &mut world, &mut looking)));
    let broken = acted.unwrap_or_else(|panic| Err(Broken { promise: Promise::Panic, text: words_of(&*panic) })).err();
    let broken = broken.map(|broken| (world.now.since(started), broken));
    Outcome {
        broken,
        accepted: oracle.accepted(),
        bites: world.settled_bites(),
        noticed: oracle.lines.noticed.clone(),
        let_go: oracle.lines.let_go.clone(),
        returned: oracle.lines.returned.clone(),
        trace: world.trace(),
        lasted: world.now.since(started),
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// A world that came to rest, and what judged it.
#[cfg(test)]
pub(crate) fn rested(plan: &Plan) -> (World, Oracle) {
    let (mut world, mut oracle) = (World::new(plan), Oracle::default());
    let mut looking = Looking { oracle: &mut oracle, watch: &mut |_, _| {}, started: world.now };
    act_out(plan, &mut world, &mut looking).expect("nothing breaks");
    (world, oracle)
}

fn act_out(plan: &Plan, world: &mut World, oracle: &mut Looking<'_>) -> Result<(), Broken> {
    let started = oracle.started;
    let copies = plan
        .steps
        .iter()
        .any(|step| matches!(&step.what, What::Fail(Fault::ServerRestored { .. } | Fault::ProfileRestored { .. })));
    let mut next_copy = started;
    for step in &plan.steps {
        let at = started + step.at;
        while copies && next_copy <= at {
            run_for(world, oracle, next_copy.since(world.now))?;
            world.take_copies();
            next_copy = next_copy + COPIES_EVERY;
        }
        run_for(world, oracle, at.since(world.now))?;
        match &step.what {
            What::Act { device, act } => world.act(*device, act),
            What::Fail(fault) => world.fail(fault),
        }
        oracle.look(world)?;
    }
    run_for(world, oracle, Duration::from_secs(5))?;
    come_to_rest(world, oracle)?;
    // Lines that nobody holds are let go by then.
    run_for(world, oracle, Duration::from_secs(20))?;
    oracle.look(world)?;
    oracle.oracle.judge(world)
}

/// The oracle, and whoever looks with it.
struct Looking<'l> {
    oracle: &'l mut Oracle,
    watch: Watch<'l>,
    started: Instant,
}

impl Looking<'_> {
    fn look(&mut self, world: &mut World) -> Result<(), Broken> {
        for observed in &world.observed {
            (self.watch)(world.now.since(self.started), observed);
        }
        self.oracle.look(world)
    }
}

fn run_for(world: &mut World, oracle: &mut Looking<'_>, duration: Duration) -> Result<(), Broken> {
    run_until(world, oracle, duration, |_| false).map(|_| ())
}

fn run_until(
    world: &mut World,
    oracle: &mut Looking<'_>,
    duration: Duration,
    mut done: impl FnMut(&mut World) -> bool,
) -> Result<bool, Broken> {
    let mut broken = None;
    let held = world.run_until(duration, |world| {
        broken = oracle.look(world).err();
        broken.is_some() || done(world)
    });
    match broken {
        Some(broken) => Err(broken),
        None => Ok(held),
    }
}

/// Until every outbox is empty and every device has said that it has everything.
fn come_to_rest(world: &mut World, oracle: &mut Looking<'_>) -> Result<(), Broken> {
    world.calm();
    // Of copies of one profile one drives at a time: each has its turn to find out who it is.
    for round in 0..2 {
        for device in 0..world.devices.len() {
            if world.is_ousted(device) {
                for other in (0..world.devices.len()).filter(|&other| other != device) {
                    world.end_device(other);
                }
                world.end_device(device);
                run_for(world, oracle, Duration::from_millis(50))?;
                world.start_device(device);
                wait_for(world, oracle, &[device], round)?;
                for other in 0..world.devices.len() {
                    world.start_device(other);
                }
            }
        }
        let all: Vec<usize> = (0..world.devices.len()).filter(|&device| !world.is_ousted(device)).collect();
        wait_for(world, oracle, &all, round)?;
    }
    Ok(())
}

fn wait_for(world: &mut World, oracle: &mut Looking<'_>, devices: &[usize], round: usize) -> Result<(), Broken> {
    let emptied = run_until(world, oracle, REST, |world| {
        devices.iter().all(|&device| {
            world.devices[device].is_online() && outbox_is_empty(world, device) || world.is_ousted(device)
        })
    })?;
    if !emptied {
        return never_ends(world, devices, "outboxes do not empty", round);
    }
    let asked: Vec<(usize, u32)> =
        devices.iter().filter_map(|&device| Some((device, world.ask(device, Request::Sync)?))).collect();
    let answered = run_until(world, oracle, REST, |world| {
        asked.iter().all(|&(device, number)| {
            world.is_ousted(device)
                || world.devices[device].process.as_ref().is_none_or(|process| process.answered.contains_key(&number))
        })
    })?;
    if answered { Ok(()) } else { never_ends(world, devices, "a Sync is not answered", round) }
}

fn outbox_is_empty(world: &World, device: usize) -> bool {
    let process = world.devices[device].process.as_ref();
    process.is_some_and(|process| process.profile.outbox_size().is_ok_and(|(rows, _)| rows == 0))
}

fn never_ends(world: &World, devices: &[usize], what: &str, round: usize) -> Result<(), Broken> {
    let of = |&device: &usize| {
        let process = world.devices[device].process.as_ref();
        let status = process.map(|process| (process.session.status(), process.profile.outbox_size()));
        format!("device {device}: {status:?}")
    };
    let text = format!("{what} in round {round}: {}", devices.iter().map(of).collect::<Vec<_>>().join("; "));
    Err(Broken { promise: Promise::NeverEnds, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_broken_promise_and_ends_only_its_own_run() {
        let plan = Plan { steps: Vec::new(), ..draw(1) };
        let what = What::Act { device: 0, act: Act::Enter { room: 0 } };
        let plan = Plan { steps: vec![Step { at: Duration::from_secs(1), what }], ..plan };
        let outcome = run_watched(&plan, &mut |_, _| panic!("that was not meant to be"));
        let (_, broken) = outcome.broken.expect("it panicked");
        assert_eq!((broken.promise, broken.text.as_str()), (Promise::Panic, "that was not meant to be"));
        assert_eq!(run(&plan).broken, None);
    }
    use crate::plan::{Act, DevicePlan, Step, VersionPlan, draw};

    #[test]
    fn what_is_never_done_is_found() {
        let device = DevicePlan { account: 0, version: VersionPlan::Ours };
        let what = What::Act { device: 0, act: Act::Enter { room: 0 } };
        let steps = vec![Step { at: Duration::from_secs(1), what }];
        let (mut world, mut oracle) = rested(&Plan { devices: vec![device], steps, ..draw(1) });
        world.kill_server(false);
        world.act(0, &Act::Enter { room: 1 });
        let mut looking = Looking { oracle: &mut oracle, watch: &mut |_, _| {}, started: world.now };
        let broken = wait_for(&mut world, &mut looking, &[0], 0).expect_err("nobody starts the server again");
        assert_eq!(broken.promise, Promise::NeverEnds, "{broken}");
    }
}

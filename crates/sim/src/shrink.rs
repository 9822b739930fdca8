//! A failing plan, made as short as it can be while it goes on failing in the same way.

use steadfast_proto::time::Duration;

use crate::oracle::Promise;
use crate::plan::{Plan, Step};
use crate::run::{Outcome, run};

/// What came of making a plan shorter.
#[derive(Debug)]
pub struct Shrunk {
    /// The shortest that was found.
    pub plan: Plan,
    /// How it ends.
    pub outcome: Outcome,
    /// How often a plan was run for it.
    pub runs: usize,
}

/// Makes a plan shorter that breaks this promise, with at most so many runs. `None`: it does not break it.
pub fn shrink(plan: &Plan, promise: Promise, runs_max: usize) -> Option<Shrunk> {
    let outcome = breaks(plan, promise)?;
    let mut shrinking = Shrinking { best: Shrunk { plan: plan.clone(), outcome, runs: 1 }, promise, runs_max };
    shrinking.cut_off();
    let mut size = shrinking.best.plan.steps.len().div_ceil(2);
    while size > 0 {
        // Down to single steps, and once more while single ones still go.
        let shorter = shrinking.without_pieces(size);
        size = if shorter && size == 1 { 1 } else { size / 2 };
    }
    Some(shrinking.best)
}

fn breaks(plan: &Plan, promise: Promise) -> Option<Outcome> {
    let outcome = run(plan);
    let same = outcome.broken.as_ref().is_some_and(|(_, broken)| broken.promise == promise);
    same.then_some(outcome)
}

struct Shrinking {
    best: Shrunk,
    promise: Promise,
    runs_max: usize,
}

impl Shrinking {
    /// Takes the steps, if the plan breaks with them as before.
    fn try_steps(&mut self, steps: Vec<Step>) -> bool {
        if self.best.runs >= self.runs_max {
            return false;
        }
        self.best.runs += 1;
        let plan = Plan { steps, ..self.best.plan.clone() };
        let Some(outcome) = breaks(&plan, self.promise) else { return false };
        (self.best.plan, self.best.outcome) = (plan, outcome);
        true
    }

    /// What comes after the break can't have caused it.
    fn cut_off(&mut self) {
        let at = self.best.outcome.broken.as_ref().map_or(Duration::MAX, |&(at, _)| at);
        let before = self.best.plan.steps.iter().filter(|step| step.at <= at).cloned().collect();
        self.try_steps(before);
    }

    /// Leaves out pieces of so many steps, one after the other. Gives whether any could go.
    fn without_pieces(&mut self, size: usize) -> bool {
        let (mut any, mut from) = (false, 0);
        while from < self.best.plan.steps.len() && self.best.runs < self.runs_max {
            let mut steps = self.best.plan.steps.clone();
            let to = steps.len().min(from + size);
            steps.drain(from..to);
            if self.try_steps(steps) {
                any = true;
            } else {
                from += size;
            }
        }
        any
    }
}

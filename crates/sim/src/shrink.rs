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
    shrinking.without_devices();
    shrinking.simplify();
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
        self.try_plan(Plan { steps, ..self.best.plan.clone() })
    }

    fn try_plan(&mut self, plan: Plan) -> bool {
        if self.best.runs >= self.runs_max {
            return false;
        }
        self.best.runs += 1;
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

    /// Leaves out the last devices, as far as the others break it alone.
    fn without_devices(&mut self) {
        while self.best.plan.devices.len() > 1 {
            let mut plan = self.best.plan.clone();
            plan.devices.pop();
            let devices = plan.devices.len();
            plan.steps.retain(|step| step.what.device().is_none_or(|device| device < devices));
            if !self.try_plan(plan) {
                return;
            }
        }
    }

    /// What is left lasts as short as it can, and says as little.
    fn simplify(&mut self) {
        for index in 0..self.best.plan.steps.len() {
            let mut steps = self.best.plan.steps.clone();
            while steps[index].what.simplify() && self.try_steps(steps.clone()) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Act, Fault, Machine, What, draw};

    #[test]
    fn what_does_not_break_can_not_be_made_short() {
        let plan = Plan { steps: Vec::new(), ..draw(3) };
        assert!(shrink(&plan, Promise::Lost, 10).is_none());
    }

    #[test]
    fn a_step_is_simplified_until_nothing_is_left_to_simplify() {
        let mut what = What::Act { device: 0, act: Act::Send { room: 0, count: 8, bytes: 3_000 } };
        while what.simplify() {}
        assert_eq!(what, What::Act { device: 0, act: Act::Send { room: 0, count: 1, bytes: 10 } });
        let whose = Machine::Server;
        let mut what = What::Fail(Fault::Sleep { whose, lasts: Duration::from_secs(30) });
        let mut times = 0;
        while what.simplify() {
            times += 1;
        }
        assert!(times > 3 && times < 20, "{times}");
    }
}

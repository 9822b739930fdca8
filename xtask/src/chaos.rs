//! Runs the real programs under fire: a test of the target `system` that only runs when it is asked for.

use crate::process::{Failure, Stream, Workspace};
use crate::sim::First;
use crate::suite;

/// The test.
const TEST: &str = "chaos::real_programs_under_fire_keep_every_promise";
/// How its last line begins.
const SUMMARY: &str = "seeds=1 ";
/// What the gate has time for.
const GATE_MINUTES: u64 = 1;

/// The tool: so many minutes of faults. The faults and their moments follow from the seed, what they meet does not.
pub(crate) fn run(workspace: &Workspace, minutes: u64, first: First) -> Result<(), Failure> {
    if !suite::root(workspace)? {
        let remedy = "network namespaces, packet filters and small disks need it: run this as root".to_owned();
        return Err(Failure::Missing { program: "root's right".to_owned(), remedy });
    }
    let (lines, burnt) = burn(workspace, minutes, first.seed(workspace));
    // Behind what the test's own harness says.
    lines.iter().rfind(|line| line.starts_with(SUMMARY)).into_iter().for_each(|line| println!("{line}"));
    burnt
}

/// The stage. Without root a person looks at the result, who is told that it did not run; a gate that others rely on is
/// red.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    if !suite::root(workspace)? {
        if suite::is_gate() {
            return Err(Failure::Findings(vec!["chaos did not run: it needs root".to_owned()]));
        }
        notes.push("chaos stepped aside, for it needs root".to_owned());
        return Ok(());
    }
    let (lines, burnt) = burn(workspace, GATE_MINUTES, First::OfTree.seed(workspace));
    notes.extend(lines.iter().rfind(|line| line.starts_with(SUMMARY)).cloned());
    burnt
}

fn burn(workspace: &Workspace, minutes: u64, seed: u64) -> (Vec<String>, Result<(), Failure>) {
    let again = format!("cargo xtask chaos --minutes {minutes} --seed {seed}");
    println!("    seed {seed}; `{again}` draws the same faults");
    let mut test = workspace.cargo(&["test", "--locked", "--package", "steadfast-cli", "--test", "system", "--"]);
    test.args(["--ignored", "--exact", TEST, "--nocapture"]);
    test.env("STEADFAST_TEST_CHAOS_MINUTES", minutes.to_string()).env("STEADFAST_TEST_SEED", seed.to_string());
    let (lines, ran) = workspace.follow(&mut test, Stream::Output);
    // A filter that fits no test is no failure to the harness.
    let told = lines.iter().any(|line| line.starts_with(SUMMARY));
    let silent = || Err(Failure::Findings(vec![format!("no test {TEST} came to a result")]));
    let ran = if told { ran } else { ran.and_then(|()| silent()) };
    (lines, ran)
}

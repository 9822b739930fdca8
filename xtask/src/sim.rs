//! Runs the simulated world, with seeds that are the same for the same sources: nobody is surprised by a gate that is
//! red for a change that has nothing to do with it, and what it found can be had again.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::process::{Failure, Workspace};

/// What the gate runs: about a minute's worth on a small machine.
const GATE_SEEDS: u64 = 400;
/// Where the seeds begin if the sources are under no version control.
const SEED_WITHOUT_TREE: u64 = 1;

/// Which seed is the first.
#[derive(Clone, Copy)]
pub(crate) enum First {
    /// This one.
    Given(u64),
    /// One that the committed sources give.
    OfTree,
    /// Any.
    Random,
}

/// The gate's runs.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let seed = seed_of_tree(workspace);
    notes.push(format!("sim: seeds {GATE_SEEDS} from {seed}"));
    run_from(workspace, GATE_SEEDS, seed)
}

/// Runs so many seeds.
pub(crate) fn run(workspace: &Workspace, seeds: u64, first: First) -> Result<(), Failure> {
    run_from(workspace, seeds, first.seed(workspace))
}

impl First {
    pub(crate) fn seed(self, workspace: &Workspace) -> u64 {
        match self {
            First::Given(seed) => seed,
            First::OfTree => seed_of_tree(workspace),
            // Seeded by the system for each process.
            First::Random => RandomState::new().build_hasher().finish() >> 1,
        }
    }
}

fn run_from(workspace: &Workspace, seeds: u64, seed: u64) -> Result<(), Failure> {
    let commit = workspace.capture(workspace.command("git").args(["rev-parse", "HEAD"]));
    let commit = commit.map_or_else(|_| "without a commit".to_owned(), |commit| commit.trim().to_owned());
    let mut build = workspace.cargo(&["build", "--locked", "--profile", "sim", "--package", "steadfast-sim"]);
    workspace.run(&mut build, "")?;
    println!("    seeds {seed} to {}, {commit}", seed.wrapping_add(seeds.saturating_sub(1)));
    let mut program = workspace.command(workspace.target_directory()?.join("sim/steadfast-sim"));
    program.args(["--seeds", &seeds.to_string(), "--seed", &seed.to_string()]);
    workspace.run(&mut program, "`cargo xtask sim --seeds 1 --seed S` runs one of them again")
}

/// The first bits of the tree's name.
fn seed_of_tree(workspace: &Workspace) -> u64 {
    let tree = workspace.capture(workspace.command("git").args(["rev-parse", "HEAD^{tree}"]));
    let seed = tree.ok().and_then(|tree| u64::from_str_radix(tree.trim().get(..15)?, 16).ok());
    seed.unwrap_or_else(|| {
        println!("    the sources are under no version control: the seeds are fixed");
        SEED_WITHOUT_TREE
    })
}

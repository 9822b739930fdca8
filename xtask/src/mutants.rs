//! Does the simulator notice when the product is broken? Faults are put into a copy of the sources, one at a time, and
//! the simulator has to find each within so many seeds.
//!
//! A mutant that survives says that a promise is not checked, or that the world never gets to where it matters.

mod list;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{Failure, Workspace};
use list::MUTANTS;

/// Where the copy is and what is built of it, in the target directory.
const COPY: &str = "mutants/tree";
const BUILT: &str = "mutants/target";
/// Where the seeds begin: the same for all, so that a result can be had again.
const FIRST_SEED: u64 = 1;

/// One fault: a text that stands once in a file, and what stands there instead.
struct Mutant {
    /// What is wrong with it.
    name: &'static str,
    file: &'static str,
    search: &'static str,
    replace: &'static str,
    /// Within how many seeds it has to be caught.
    seeds_max: u32,
}

impl Mutant {
    /// The file's text with the fault in it.
    fn applied_to(&self, text: &str) -> Result<String, String> {
        let found = text.matches(self.search).count();
        if found != 1 {
            return Err(format!("{}: the anchor stands {found} times in {}, not once", self.name, self.file));
        }
        Ok(text.replacen(self.search, self.replace, 1))
    }
}

/// That every mutation can still be made: what the gate checks, since the sources change and the list must follow.
pub(crate) fn anchors(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    let findings: Vec<String> = MUTANTS.iter().filter_map(|mutant| fault_of(workspace.root(), mutant).err()).collect();
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

fn fault_of(root: &Path, mutant: &Mutant) -> Result<String, String> {
    let read = std::fs::read_to_string(root.join(mutant.file));
    let text = read.map_err(|error| format!("{}: {}: {error}", mutant.name, mutant.file))?;
    mutant.applied_to(&text)
}

/// Builds and runs each mutant whose name holds `only`, and says which were caught. The last line is the sum. `seeds`
/// is how many each gets, instead of what its entry says.
pub(crate) fn run(workspace: &Workspace, only: &str, seeds: Option<u32>) -> Result<(), Failure> {
    let chosen: Vec<&Mutant> = MUTANTS.iter().filter(|mutant| mutant.name.contains(only)).collect();
    if chosen.is_empty() {
        return Err(Failure::Findings(vec![format!("no mutant's name holds `{only}`")]));
    }
    let target = workspace.target_directory()?;
    let copy = Copy { tree: target.join(COPY), built: target.join(BUILT) };
    copy.refresh(workspace)?;
    println!("    the sources as they are");
    let mut survivors = Vec::new();
    if let Found::Broken { told } = copy.simulate(workspace, SOUND_SEEDS)? {
        survivors.push(format!("the sources as they are break: {told}"));
    }
    let mut caught = 0;
    for mutant in &chosen {
        println!("    {}", mutant.name);
        let seeds = seeds.unwrap_or(mutant.seeds_max);
        match copy.try_mutant(workspace, mutant, seeds)? {
            Found::Broken { told } => {
                println!("      caught: {told}");
                caught += 1;
            }
            Found::Nothing => survivors.push(format!("{}: not noticed in {seeds} seeds", mutant.name)),
            Found::NotBuilt => survivors.push(format!("{}: it does not build", mutant.name)),
        }
    }
    for survivor in &survivors {
        println!("    {survivor}");
    }
    println!("{} mutants, {caught} caught", chosen.len());
    if survivors.is_empty() { Ok(()) } else { Err(Failure::Findings(survivors)) }
}

/// How many seeds the sources without a fault have to pass, so that a catch means something.
const SOUND_SEEDS: u32 = 50;

/// What a run of the simulator said.
enum Found {
    /// A promise broke; where, and which.
    Broken {
        told: String,
    },
    Nothing,
    NotBuilt,
}

/// A copy of the sources that are under version control, so that a fault never stands in the sources themselves.
struct Copy {
    tree: PathBuf,
    built: PathBuf,
}

impl Copy {
    /// Brings the copy up to date. What has not changed keeps its time, and is not built again.
    fn refresh(&self, workspace: &Workspace) -> Result<(), Failure> {
        let listed = workspace.capture(
            workspace.command("git").args(["ls-files", "-z", "--cached", "--others"]).arg("--exclude-standard"),
        )?;
        for name in listed.split('\0').filter(|name| is_source(name)) {
            let from = workspace.root().join(name);
            // Listed, and deleted since.
            if from.is_file() {
                self.put(name, &read(&from)?)?;
            }
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let to = self.tree.join(name);
        let failed = |error| Failure::Io { doing: format!("copying {name}"), error };
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if let Some(directory) = to.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        std::fs::write(&to, bytes).map_err(failed)
    }

    fn try_mutant(&self, workspace: &Workspace, mutant: &Mutant, seeds: u32) -> Result<Found, Failure> {
        let whole = read(&workspace.root().join(mutant.file))?;
        let faulty = fault_of(workspace.root(), mutant).map_err(|finding| Failure::Findings(vec![finding]))?;
        self.put(mutant.file, faulty.as_bytes())?;
        let found = self.simulate(workspace, seeds);
        self.put(mutant.file, &whole)?;
        found
    }

    fn simulate(&self, workspace: &Workspace, seeds: u32) -> Result<Found, Failure> {
        let mut build =
            workspace.cargo(&["build", "--quiet", "--locked", "--profile", "sim", "--package", "steadfast-sim"]);
        build.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.built).env("RUSTFLAGS", "-Awarnings");
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |error| Failure::Io { doing, error }
        };
        if !build.status().map_err(failed("building a mutant"))?.success() {
            return Ok(Found::NotBuilt);
        }
        let mut run = workspace.command(self.built.join("sim/steadfast-sim"));
        run.args(["--seeds", &seeds.to_string(), "--seed", &FIRST_SEED.to_string(), "--first-failure"]);
        let ran = run.stderr(Stdio::null()).output().map_err(failed("running a mutant"))?;
        if ran.status.success() {
            return Ok(Found::Nothing);
        }
        let said = String::from_utf8_lossy(&ran.stdout);
        let told = said.lines().find(|line| line.starts_with("broken: ")).unwrap_or("it ended with an error");
        Ok(Found::Broken { told: told.trim_start_matches("broken: ").to_owned() })
    }
}

fn is_source(name: &str) -> bool {
    let builds = ["crates/", "proto/", "xtask/", ".cargo/"].iter().any(|part| name.starts_with(part));
    builds || ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "clippy.toml"].contains(&name)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Io { doing: format!("reading {}", path.display()), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mutation is a few lines at most.
    const LINES_MAX: usize = 5;

    #[test]
    fn every_mutation_is_small_changes_something_and_has_a_name_of_its_own() {
        for mutant in &MUTANTS {
            for text in [mutant.search, mutant.replace] {
                assert!(text.lines().count() <= LINES_MAX, "{} is longer than {LINES_MAX} lines", mutant.name);
            }
            assert_ne!(mutant.search, mutant.replace, "{} changes nothing", mutant.name);
            assert!(mutant.seeds_max > 0, "{} has no seed", mutant.name);
        }
        let names: std::collections::BTreeSet<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), MUTANTS.len(), "two mutants have one name");
        assert!(MUTANTS.len() >= 15, "{} mutants are too few", MUTANTS.len());
    }

    #[test]
    fn an_anchor_that_is_gone_or_stands_twice_is_found() {
        let mutant = Mutant { name: "one", file: "a.rs", search: "b", replace: "c", seeds_max: 1 };
        assert_eq!(mutant.applied_to("abd"), Ok("acd".to_owned()));
        assert!(mutant.applied_to("ad").is_err_and(|told| told.contains("0 times")));
        assert!(mutant.applied_to("abbd").is_err_and(|told| told.contains("2 times")));
    }
}

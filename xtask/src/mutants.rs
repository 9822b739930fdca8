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
/// What the build makes, and where its like without a fault is kept.
const PROGRAM: &str = "sim/steadfast-sim";
const SOUND: &str = "sound";
/// Where the seeds begin: the same for all, so that a result can be had again.
const FIRST_SEED: u64 = 1;
/// How the simulator tells which seed broke a promise.
const BROKEN: &str = "broken: seed ";

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
    let sound = copy.build_sound(workspace)?;
    let (mut survivors, mut caught) = (Vec::new(), 0);
    for mutant in &chosen {
        println!("    {}", mutant.name);
        let seeds = seeds.unwrap_or(mutant.seeds_max);
        match copy.try_mutant(workspace, mutant, &sound, seeds)? {
            Found::Broken { seed, told } => {
                println!("      caught by seed {seed} of {seeds}: {told}");
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

/// What a run of the simulator said.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A promise broke; at which seed, and which.
    Broken {
        seed: u64,
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

    /// The simulator of the sources without a fault, which is put aside.
    fn build_sound(&self, workspace: &Workspace) -> Result<PathBuf, Failure> {
        if !self.build(workspace)? {
            return Err(Failure::Findings(vec!["the sources as they are do not build".to_owned()]));
        }
        let sound = self.built.join(SOUND);
        let copied = std::fs::copy(self.built.join(PROGRAM), &sound);
        copied.map_err(|error| Failure::Io { doing: "putting the sound simulator aside".to_owned(), error })?;
        Ok(sound)
    }

    fn try_mutant(&self, workspace: &Workspace, mutant: &Mutant, sound: &Path, seeds: u32) -> Result<Found, Failure> {
        let whole = read(&workspace.root().join(mutant.file))?;
        let faulty = fault_of(workspace.root(), mutant).map_err(|finding| Failure::Findings(vec![finding]))?;
        self.put(mutant.file, faulty.as_bytes())?;
        let built = self.build(workspace);
        self.put(mutant.file, &whole)?;
        if !built? {
            return Ok(Found::NotBuilt);
        }
        let faulty = self.built.join(PROGRAM);
        let (mut seed, end) = (FIRST_SEED, FIRST_SEED + u64::from(seeds));
        // What the sources without the fault break, too, says nothing of the fault.
        while seed < end {
            match simulate(workspace, &faulty, seed, end - seed)? {
                Found::Broken { seed: broken, .. } if simulate(workspace, sound, broken, 1)? != Found::Nothing => {
                    println!("      seed {broken} breaks without it, too");
                    seed = broken + 1;
                }
                found => return Ok(found),
            }
        }
        Ok(Found::Nothing)
    }

    fn build(&self, workspace: &Workspace) -> Result<bool, Failure> {
        let mut build =
            workspace.cargo(&["build", "--quiet", "--locked", "--profile", "sim", "--package", "steadfast-sim"]);
        build.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.built).env("RUSTFLAGS", "-Awarnings");
        // Each differs from the one before in a line or two.
        build.env("CARGO_INCREMENTAL", "1");
        let status = build.status();
        Ok(status.map_err(|error| Failure::Io { doing: "building a mutant".to_owned(), error })?.success())
    }
}

/// Runs so many seeds, up to the first that breaks a promise. Those that are kept are left out: the numbers are to hold
/// for any seeds. A kind of fault that never bit is no broken promise, so what counts is what was said.
fn simulate(workspace: &Workspace, program: &Path, seed: u64, seeds: u64) -> Result<Found, Failure> {
    let mut run = workspace.command(program);
    run.args(["--seeds", &seeds.to_string(), "--seed", &seed.to_string(), "--first-failure", "--without-kept"]);
    let ran = run.stderr(Stdio::null()).output();
    let ran = ran.map_err(|error| Failure::Io { doing: "running a mutant".to_owned(), error })?;
    Ok(found_in(&String::from_utf8_lossy(&ran.stdout)))
}

fn found_in(said: &str) -> Found {
    let broken = said.lines().find_map(|line| {
        let (seed, told) = line.strip_prefix(BROKEN)?.split_once(' ')?;
        Some(Found::Broken { seed: seed.parse().ok()?, told: told.to_owned() })
    });
    broken.unwrap_or(Found::Nothing)
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
            assert!((20..=200).contains(&mutant.seeds_max), "{} has {} seeds", mutant.name, mutant.seeds_max);
        }
        let names: std::collections::BTreeSet<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), MUTANTS.len(), "two mutants have one name");
        assert!(MUTANTS.len() >= 15, "{} mutants are too few", MUTANTS.len());
    }

    #[test]
    fn only_a_promise_that_broke_is_a_catch() {
        let said = "broken: seed 7 at 0:31.002: lost: it is gone\nseeds=8 faults=90";
        let told = "at 0:31.002: lost: it is gone".to_owned();
        assert_eq!(found_in(said), Found::Broken { seed: 7, told });
        for said in ["", "never seen: drain\nseeds=200", "broken: a process that ran seeds ended before it was done"] {
            assert_eq!(found_in(said), Found::Nothing, "{said}");
        }
    }

    #[test]
    fn an_anchor_that_is_gone_or_stands_twice_is_found() {
        let mutant = Mutant { name: "one", file: "a.rs", search: "b", replace: "c", seeds_max: 1 };
        assert_eq!(mutant.applied_to("abd"), Ok("acd".to_owned()));
        assert!(mutant.applied_to("ad").is_err_and(|told| told.contains("0 times")));
        assert!(mutant.applied_to("abbd").is_err_and(|told| told.contains("2 times")));
    }
}

//! The library as a stranger meets it: programs in a workspace of their own (`outside/`) that build against it, run
//! against a real server, and do not bring along what the library promises to do without.

use std::process::{Command, Stdio};

use crate::process::{Failure, Workspace};
use crate::served::Served;

/// The manifest of that workspace.
pub(crate) const MANIFEST: &str = "outside/Cargo.toml";
/// Who uses the library's default features.
const DURABLE: &str = "durable";
/// Who uses it without them.
const MEMORY: &str = "memory";
/// The manifest that states the library's features.
const LIBRARY: &str = "crates/client/Cargo.toml";

/// What the library never brings along.
const NEVER: [(&str, &str); 8] = [
    ("axum", "a client serves no HTTP"),
    ("hyper", "a client serves no HTTP"),
    ("tokio-tungstenite", "a client on plain TCP speaks no WebSocket"),
    ("async-nats", "clients talk to servers, not to what is behind them"),
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("ring", "rustls panics with two providers in the tree: aws-lc-rs is the one"),
];

/// What it does not bring along without its default features.
const WITHOUT_DURABLE: [(&str, &str); 2] = [
    ("rusqlite", "without the profile on a disk there is no SQLite"),
    ("libsqlite3-sys", "without the profile on a disk there is no SQLite"),
];

/// A cargo command on the outer workspace that shares the target directory, so that what comes from the registry is
/// built once.
pub(crate) fn cargo(workspace: &Workspace, task: &str, arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = workspace.cargo(&[task, "--locked", "--manifest-path", MANIFEST, "--target-dir"]);
    command.arg(workspace.target_directory()?).args(arguments);
    Ok(command)
}

/// Whether the lock file of the outer workspace may be brought up to what the library depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It has to be right.
    Checked,
    /// It is made right.
    Updated,
}

/// Looks after the lock file of the outer workspace.
pub(crate) fn lock(workspace: &Workspace, lock: Lock) -> Result<(), Failure> {
    let mut metadata = workspace.cargo(&["metadata", "--format-version", "1", "--manifest-path", MANIFEST]);
    if lock == Lock::Checked {
        metadata.arg("--locked");
    }
    let hint =
        "the library has other dependencies than outside/Cargo.lock: `cargo xtask api --write` updates that, too";
    workspace.run(metadata.stdout(Stdio::null()), hint)
}

/// The stage.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    lock(workspace, Lock::Checked)?;
    let mut format = workspace.cargo(&["fmt", "--all", "--check", "--manifest-path", MANIFEST]);
    workspace.run(&mut format, "`cargo fmt --all --manifest-path outside/Cargo.toml` formats the code")?;
    dependencies(workspace)?;
    feature_sets(workspace, notes)?;
    let lints = ["--workspace", "--all-targets", "--", "-D", "warnings"];
    workspace.run(&mut cargo(workspace, "clippy", &lints)?, "")?;
    workspace.run(&mut cargo(workspace, "test", &["--package", "surface", "--quiet"])?, "")?;
    real_run(workspace, notes)
}

/// What the two programs stand on.
fn dependencies(workspace: &Workspace) -> Result<(), Failure> {
    let mut findings = Vec::new();
    for program in [DURABLE, MEMORY] {
        let mut tree = workspace.cargo(&["tree", "--locked", "--manifest-path", MANIFEST, "--package", program]);
        tree.args(["--edges", "normal,build", "--target", "all", "--prefix", "none", "--format", "{p}"]);
        let tree = workspace.capture(&mut tree)?;
        findings.extend(unwanted(program, &tree, &NEVER));
        if program == MEMORY {
            findings.extend(unwanted(program, &tree, &WITHOUT_DURABLE));
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// The crates of a `cargo tree` that should not be there.
fn unwanted(program: &str, tree: &str, banned: &[(&str, &str)]) -> Vec<String> {
    let has = |name: &str| tree.lines().any(|line| line.split_whitespace().next() == Some(name));
    let found = banned.iter().filter(|(name, _)| has(name));
    found.map(|(name, why)| format!("outside/{program} gets {name} with the library: {why}")).collect()
}

/// Every feature alone, none, and all: each builds without a warning.
fn feature_sets(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let path = workspace.root().join(LIBRARY);
    let manifest =
        std::fs::read_to_string(&path).map_err(|error| Failure::Io { doing: format!("reading {LIBRARY}"), error })?;
    let features = features(&manifest);
    let mut sets = vec![String::new()];
    let of_library = |name: &String| format!("steadfast/{name}");
    sets.extend(features.iter().map(of_library));
    if features.len() > 1 {
        sets.push(features.iter().map(of_library).collect::<Vec<_>>().join(","));
    }
    for set in &sets {
        let mut check = workspace.cargo(&["clippy", "--locked", "--no-default-features", "--features", set]);
        // The store's features follow the library's.
        check.args(["--package", "steadfast", "--package", "steadfast-store", "--", "-D", "warnings"]);
        workspace.run(&mut check, "")?;
    }
    notes.push(format!("the library builds with {} sets of its features ({})", sets.len(), features.join(", ")));
    Ok(())
}

/// The features that a manifest states, without `default`.
fn features(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let stated = section.take_while(|line| !line.starts_with('[')).filter_map(|line| {
        let (name, _) = line.split_once('=')?;
        Some(name.trim().trim_matches('"').to_owned())
    });
    stated.filter(|name| !name.starts_with('#') && name != "default").collect()
}

/// Runs both programs against a server.
fn real_run(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let directory = workspace.target_directory()?.join("outside-run");
    let served = Served::start(workspace, &directory)?;
    for program in [DURABLE, MEMORY] {
        // Each alone: built together, one would get the other's features.
        let mut run = cargo(workspace, "run", &["--quiet", "--package", program, "--", &served.address])?;
        workspace.run(run.arg(directory.join(program)), "")?;
    }
    notes.push("two programs from outside sent and received over a real server".to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_should_not_be_there_is_found_by_its_whole_name() {
        let banned = [("ring", "one provider")];
        assert_eq!(unwanted("memory", "steadfast v0.1.0 (/a)\nstring v1.0.0\nring-buffer v1.0.0", &banned).len(), 0);
        let found = unwanted("memory", "steadfast v0.1.0 (/a)\nring v0.17.0", &banned);
        assert_eq!(found, ["outside/memory gets ring with the library: one provider"]);
    }

    #[test]
    fn the_features_are_those_of_their_section() {
        let manifest = "[package]\nname = \"a\"\n[features]\ndefault = [\"b\"]\n# c = d\nb = []\n[lints]\ne = 1\n";
        assert_eq!(features(manifest), ["b"]);
        assert_eq!(features("[package]\n"), Vec::<String>::new());
    }
}

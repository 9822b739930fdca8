//! The public surface of the client library, kept in `docs/api`: a change of it is a change of a file that a reviewer
//! sees.

use crate::outside::{self, Lock};
use crate::process::{Failure, Workspace};

/// Where the surface is kept.
const KEPT: &str = "docs/api/steadfast.txt";
/// How to accept what is found.
const ACCEPT: &str = "`cargo xtask api --write` takes it over";
/// Rustdoc, allowed to write JSON.
const RUSTDOC: &str = "xtask/rustdoc-json.sh";
/// The library, then the crates that it exports items of.
const CRATES: [&str; 4] = ["steadfast", "steadfast_proto", "steadfast_store", "steadfast_net"];

/// The stage: the surface is what the file says.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let surface = surface(workspace, Lock::Checked)?;
    let kept = match std::fs::read_to_string(workspace.root().join(KEPT)) {
        Ok(kept) => kept,
        Err(error) => return Err(Failure::Io { doing: format!("reading {KEPT} ({ACCEPT})"), error }),
    };
    let mut findings = beyond_reach(&surface);
    findings.extend(differences(&kept, &surface));
    notes.push(format!("the library's public surface has {} lines", surface.lines().count()));
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// Writes the file anew, and brings the outer lock file up to what the library depends on.
pub(crate) fn write(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let surface = surface(workspace, Lock::Updated)?;
    let failed = |error| Failure::Io { doing: format!("writing {KEPT}"), error };
    let path = workspace.root().join(KEPT);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(&path, &surface).map_err(failed)?;
    notes.push(format!("{KEPT}: {} lines", surface.lines().count()));
    Ok(())
}

/// What `outside/surface` makes of rustdoc's JSON. That format is not stable yet, and the compiler writes it only where
/// it is allowed to.
fn surface(workspace: &Workspace, lock: Lock) -> Result<String, Failure> {
    outside::lock(workspace, lock)?;
    // Of the whole workspace: the same features of the same dependencies as in every other stage, built once.
    let mut json = workspace.cargo(&["doc", "--workspace", "--lib", "--no-deps", "--locked"]);
    json.env("RUSTDOC", workspace.root().join(RUSTDOC));
    json.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    workspace.run(&mut json, "")?;
    let documents = workspace.target_directory()?.join("doc");
    let mut print = outside::cargo(workspace, "run", &["--quiet", "--package", "surface", "--"])?;
    print.args(CRATES.map(|name| documents.join(name).with_extension("json")));
    workspace.capture(&mut print)
}

/// The types that signatures name and nobody outside could.
fn beyond_reach(surface: &str) -> Vec<String> {
    let paths = surface.lines().filter_map(|line| line.strip_prefix("beyond reach: "));
    paths
        .map(|path| format!("the surface names {path}, which the library does not export: export or hide it"))
        .collect()
}

/// What is gone and what is new, a line each.
fn differences(kept: &str, surface: &str) -> Vec<String> {
    let missing_in = |other: &str, line: &&str| !other.lines().any(|found| found == *line);
    let gone = kept.lines().filter(|line| missing_in(surface, line)).map(|line| format!("gone: {line}"));
    let new = surface.lines().filter(|line| missing_in(kept, line)).map(|line| format!("new:  {line}"));
    let mut found: Vec<String> = gone.chain(new).collect();
    if found.is_empty() && kept != surface {
        found.push(format!("{KEPT} has the same lines in another order"));
    }
    if !found.is_empty() {
        found.push(format!("where this is meant, {ACCEPT}; what is gone breaks programs: CHANGELOG.md says so"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_that_differs_is_told_by_what_is_gone_and_what_is_new() {
        assert_eq!(differences("a\nb\n", "a\nb\n"), Vec::<String>::new());
        let found = differences("pub fn a()\npub fn b()\n", "pub fn b()\npub fn c()\n");
        assert_eq!(found[..2], ["gone: pub fn a()", "new:  pub fn c()"]);
        assert!(found[2].contains("--write"));
    }

    #[test]
    fn a_type_that_nobody_outside_could_name_is_a_finding() {
        assert_eq!(beyond_reach("pub fn a(b::C)\npub struct d\n"), Vec::<String>::new());
        assert_eq!(beyond_reach("pub fn a(b::C)\nbeyond reach: b::C\n").len(), 1);
    }

    #[test]
    fn another_order_is_a_difference() {
        assert!(differences("a\nb\n", "b\na\n")[0].contains("another order"));
    }
}

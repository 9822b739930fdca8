//! The oldest compiler that the project promises to build with is stated in one place, repeated where people read, and
//! the one that the gate ran.

use crate::process::{Failure, Workspace};

/// Where it is stated for cargo.
const MANIFEST: &str = "Cargo.toml";
/// Who repeats it, and where that has to be in words.
const DOCUMENTS: [&str; 2] = ["README.md", "CONTRIBUTING.md"];
/// The workspace that has its own manifests.
const OUTSIDE: &str = "outside/*/Cargo.toml";
/// The lint that finds calls which an older standard library lacks.
const LINT: &str = "incompatible_msrv = \"warn\"";

/// The stage.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let manifest = read(workspace, MANIFEST)?;
    let Some(stated) = stated(&manifest) else {
        return Err(Failure::Findings(vec![format!("{MANIFEST} states no `rust-version`")]));
    };
    let mut findings = Vec::new();
    for document in DOCUMENTS {
        let wanted = format!("Rust {stated}");
        if !read(workspace, document)?.contains(&wanted) {
            findings.push(format!("{document} does not say `{wanted}`, as {MANIFEST} does"));
        }
    }
    for manifest in crate::tidy::tracked_files(workspace, OUTSIDE)? {
        if self::stated(&manifest.text) != Some(stated) {
            findings.push(format!("{} does not state `rust-version = \"{stated}\"`", manifest.path));
        }
    }
    let mut version = workspace.command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let version = workspace.capture(version.arg("--version"))?;
    match judge(stated, &version, manifest.contains(LINT)) {
        Ok(note) => notes.push(note),
        Err(finding) => findings.push(finding),
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// What the compiler in use proves about the stated one, or why it proves nothing.
fn judge(stated: &str, version: &str, lint: bool) -> Result<String, String> {
    let used = version.split_whitespace().nth(1).unwrap_or_default();
    let of = |text: &str| {
        let mut parts = text.split('.').map_while(|part| part.parse::<u32>().ok());
        Some((parts.next()?, parts.next()?))
    };
    match (of(stated), of(used)) {
        (Some(stated_number), Some(used_number)) if used_number < stated_number => {
            Err(format!("the compiler is {used}, older than the stated {stated}: cargo refuses it"))
        }
        (Some(stated_number), Some(used_number)) if used_number == stated_number => {
            Ok(format!("the compiler in use, {used}, is the stated oldest: all was built with it"))
        }
        (Some(_), Some(_)) if lint => Ok(format!(
            "the compiler in use, {used}, is newer than the stated {stated}: clippy looked for calls that {stated} \
             lacks, and nothing was built with it"
        )),
        (Some(_), Some(_)) => Err(format!(
            "the compiler in use, {used}, is newer than the stated {stated}, and {MANIFEST} does not ask for the lint \
             `{LINT}`"
        )),
        (stated, used) => Err(format!("versions that can't be read: {stated:?} stated, {used:?} in use")),
    }
}

/// The `rust-version` of a manifest.
fn stated(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""))?;
    line.strip_suffix('"')
}

fn read(workspace: &Workspace, path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(workspace.root().join(path))
        .map_err(|error| Failure::Io { doing: format!("reading {path}"), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_version_is_the_compiler_or_older_with_the_lint_on() {
        assert!(
            judge("1.95", "rustc 1.95.0 (59807616e 2026-04-14)\n", false).unwrap().contains("is the stated oldest")
        );
        assert!(judge("1.95", "rustc 1.100.2 (abc)", true).unwrap().contains("newer"));
        assert!(judge("1.95", "rustc 1.97.0-nightly (abc)", false).unwrap_err().contains("incompatible_msrv"));
        assert!(judge("1.95", "rustc 1.94.1 (abc)", true).unwrap_err().contains("older"));
        assert!(judge("1.95", "", true).unwrap_err().contains("can't be read"));
    }

    #[test]
    fn a_manifest_states_it_in_a_line_of_its_own() {
        assert_eq!(stated("[package]\nname = \"a\"\nrust-version = \"1.95\"\n"), Some("1.95"));
        assert_eq!(stated("rust-version.workspace = true\n"), None);
    }
}

//! Runs the tests, shows their counts, and refuses a run in which a test stepped aside although nothing stood in its
//! way.

use std::path::Path;

use crate::process::{Failure, Stream, Workspace};

/// What a test prints when it needs root and has not got it.
const SKIP_MARK: &str = "skipped: needs root";

/// Where nextest's `ci` profile leaves its report; its store is under the root, wherever cargo's target directory is.
const REPORT: &str = "target/nextest/ci/junit.xml";

/// Programs that the system tests call, with the Debian packages that have them.
const SYSTEM_PROGRAMS: [(&str, &str); 2] = [("tmux", "tmux"), ("script", "bsdutils")];
/// Those that only tests with root call.
const ROOT_PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("strace", "strace"),
    ("faketime", "faketime"),
];

/// The groups of `.config/nextest.toml`, one after another: what needs the machine, what waits for bounds to pass, and
/// what only computes are in nobody's way.
const GROUPS: [&str; 3] = ["group(=others)", "group(=waiting)", "group(=system)"];

/// Every test of the workspace, documentation tests included.
pub(crate) fn all(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let skips = prepare(workspace)?;
    let nextest = run_groups(workspace, &GROUPS, skips, notes);
    let mut documentation = workspace.cargo(&["test", "--doc", "--workspace", "--locked"]);
    let (lines, doctests) = workspace.follow(&mut documentation, Stream::Output);
    notes.extend(lines.into_iter().filter(|line| line.starts_with("test result:")));
    nextest.and(doctests)
}

/// The tests that run whole processes: the target `system` of the command's package.
pub(crate) fn system(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let skips = prepare(workspace)?;
    run_groups(workspace, &GROUPS[1..], skips, notes)
}

/// Whether a test may step aside.
#[derive(Clone, Copy)]
enum Skips {
    /// A person without root looks at the result: those that stepped aside are listed.
    Listed,
    /// Root, or a gate that others rely on: each is a failure.
    Refused,
}

/// Checks that the tests can run here at all.
fn prepare(workspace: &Workspace) -> Result<Skips, Failure> {
    workspace
        .require_cargo("nextest", "`cargo install --locked cargo-nextest`, or `bash .ci/run`, which installs it")?;
    require_programs(&SYSTEM_PROGRAMS)?;
    if !root(workspace)? && !is_gate() {
        return Ok(Skips::Listed);
    }
    require_programs(&ROOT_PROGRAMS)?;
    Ok(Skips::Refused)
}

/// All of them run, whatever becomes of the first.
fn run_groups(workspace: &Workspace, groups: &[&str], skips: Skips, notes: &mut Vec<String>) -> Result<(), Failure> {
    let mut all = Ok(());
    for group in groups {
        all = all.and(run_nextest(workspace, &["--workspace", "-E", group], skips, notes));
    }
    all
}

fn run_nextest(workspace: &Workspace, which: &[&str], skips: Skips, notes: &mut Vec<String>) -> Result<(), Failure> {
    let report = workspace.root().join(REPORT);
    forget(&report)?;
    let mut command = workspace.cargo(&["nextest", "run", "--locked", "--no-fail-fast", "--profile", "ci"]);
    let (lines, ran) = workspace.follow(command.args(which), Stream::Error);
    notes.extend(summary(&lines).iter().cloned());
    ran?;
    all_ran(&lines)?;
    let text = std::fs::read_to_string(&report)
        .map_err(|error| Failure::Io { doing: format!("reading the test report {REPORT}"), error })?;
    let skipped = stepped_aside(&text);
    if skipped.is_empty() {
        return Ok(());
    }
    match skips {
        Skips::Listed => {
            notes.push(format!("{} tests stepped aside, for they need root: {}", skipped.len(), skipped.join(", ")));
            Ok(())
        }
        Skips::Refused => {
            let finding = |test: &String| format!("{test} did not run: `{SKIP_MARK}`");
            Err(Failure::Findings(skipped.iter().map(finding).collect()))
        }
    }
}

/// That as many tests ran as were begun with: a runner that loses some is no proof of anything.
fn all_ran(lines: &[String]) -> Result<(), Failure> {
    let count = |line: &String, before: &str, behind: &str| {
        let (_, rest) = line.split_once(before)?;
        let (number, _) = rest.split_once(behind)?;
        number.split_whitespace().next_back()?.parse::<usize>().ok()
    };
    let begun = lines.iter().find_map(|line| count(line, "Starting ", " test"));
    let run = lines.iter().rev().find_map(|line| count(line, "Summary [", " test"));
    match (begun, run) {
        (Some(begun), Some(run)) if begun == run => Ok(()),
        (begun, run) => Err(Failure::Findings(vec![format!(
            "nextest said that it begins with {begun:?} tests and that it ran {run:?}"
        )])),
    }
}

/// Whether others rely on the result.
pub(crate) fn is_gate() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether this is root, with the programs that only root's tests call.
pub(crate) fn root(workspace: &Workspace) -> Result<bool, Failure> {
    let user = workspace.capture(workspace.command("id").arg("-u"))?;
    if user.trim() != "0" {
        return Ok(false);
    }
    require_programs(&ROOT_PROGRAMS).map(|()| true)
}

fn require_programs(programs: &[(&str, &str)]) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    match programs.iter().find(|(program, _)| !places.iter().any(|place| place.join(program).is_file())) {
        None => Ok(()),
        Some((program, package)) => Err(Failure::Missing {
            program: (*program).to_owned(),
            remedy: format!("`apt-get install {package}`, or `bash .ci/run`, which installs it"),
        }),
    }
}

/// Removes the report of an earlier run, so that it can't be taken for this one's.
fn forget(report: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(report) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::Io { doing: format!("removing the old test report {REPORT}"), error }),
    }
}

/// Nextest's closing lines: from its last summary on, the names of failed tests included.
fn summary(lines: &[String]) -> &[String] {
    let start = lines.iter().rposition(|line| line.trim_start().starts_with("Summary ["));
    start.map_or(&[], |start| &lines[start..])
}

/// The tests in a JUnit report whose output has the mark.
fn stepped_aside(report: &str) -> Vec<String> {
    report
        .split("<testcase ")
        .skip(1)
        .filter(|case| case.contains(SKIP_MARK))
        .map(|case| {
            let name = case.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"'));
            name.map_or("a test", |(name, _)| name).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(output: &str) -> String {
        format!(
            r#"<testsuites><testsuite name="cli::system">
                <testcase name="a_cut_is_noticed" classname="cli::system" time="0.1">
                    <system-out>fine</system-out>
                </testcase>
                <testcase name="a_full_disk_loses_nothing" classname="cli::system">
                    <system-err>{output}</system-err>
                </testcase>
            </testsuite></testsuites>"#
        )
    }

    #[test]
    fn a_test_that_stepped_aside_is_found_by_name() {
        assert_eq!(stepped_aside(&report(SKIP_MARK)), ["a_full_disk_loses_nothing"]);
    }

    #[test]
    fn a_run_in_which_no_test_stepped_aside_has_no_findings() {
        assert!(stepped_aside(&report("3 rules installed")).is_empty());
    }

    #[test]
    fn a_run_that_lost_tests_is_no_green_one() {
        let lines = |run: &str| {
            let summary = format!("     Summary [ 151.300s] {run} tests run: {run} passed, 2 skipped");
            [
                "    Starting 452 tests across 20 binaries (2 tests skipped)".to_owned(),
                "        PASS a".to_owned(),
                summary,
            ]
        };
        assert!(all_ran(&lines("452")).is_ok());
        assert!(all_ran(&lines("367")).is_err());
        assert!(all_ran(&lines("452")[..2]).is_err());
    }

    #[test]
    fn the_summary_is_the_last_one_with_all_that_follows() {
        let lines: Vec<String> =
            ["     Summary [ 1.0s] 1 test run", "noise", "     Summary [ 2.0s] 2 tests run", "        FAIL a"]
                .map(str::to_owned)
                .to_vec();
        assert_eq!(summary(&lines), &lines[2..]);
        assert!(summary(&lines[1..2]).is_empty());
    }
}

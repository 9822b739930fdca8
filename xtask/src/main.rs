//! The workshop: the checks that say whether a change may go in. `cargo xtask help` lists them.

mod api;
mod chaos;
mod gate;
mod msrv;
mod mutants;
mod named_tests;
mod outside;
mod pictures;
mod process;
mod purity;
mod rust_source;
mod served;
mod sim;
mod stages;
mod suite;
mod tidy;
mod tools;
mod use_paths;

use std::process::ExitCode;

use process::{Failure, Workspace};
use stages::{E2E, PICTURES, STAGES, Stage, WRITE_API};
use tools::TOOLS;

/// The command line was not understood (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// What `ci` leaves out.
const ALONE: [Stage; 2] = [E2E, PICTURES];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = arguments.split_first() else { return usage("name a task") };
    if let Some(tool) = TOOLS.iter().find(|tool| tool.name == task) {
        return match tools::run(tool, rest) {
            Ok(code) => code,
            Err(complaint) => usage(&complaint),
        };
    }
    match (task.as_str(), rest) {
        ("api", [flag]) if flag == "--write" => run(task, std::slice::from_ref(&WRITE_API)),
        (_, [extra, ..]) => usage(&format!("`{extra}` is one argument too many")),
        ("help" | "--help" | "-h", []) => {
            print!("{}", help());
            ExitCode::SUCCESS
        }
        ("ci", []) => run("ci", &STAGES),
        (_, []) => match STAGES.iter().chain(&ALONE).find(|stage| stage.name == task) {
            Some(stage) => run(task, std::slice::from_ref(stage)),
            None => usage(&format!("there is no task `{task}`")),
        },
    }
}

fn run(task: &str, stages: &[Stage]) -> ExitCode {
    let green = Workspace::locate().map(|workspace| gate::run(task, stages, &workspace));
    match green {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => outside_workspace(&failure),
    }
}

fn outside_workspace(failure: &Failure) -> ExitCode {
    eprintln!("xtask: {failure}");
    ExitCode::FAILURE
}

fn usage(complaint: &str) -> ExitCode {
    eprintln!("xtask: {complaint}\n\n{}", help());
    ExitCode::from(EXIT_USAGE)
}

fn help() -> String {
    let mut text = String::from(
        "usage: cargo xtask TASK\n\n  ci        every stage below until one is red, without the last two\n",
    );
    for stage in STAGES.iter().chain(&ALONE) {
        text += &format!("  {:<9} {}\n", stage.name, stage.about);
    }
    text += "\n";
    for tool in &TOOLS {
        text += &format!("  {} {}\n            {}\n", tool.name, tool.arguments, tool.about);
    }
    text + "  help      this text\n\nexit codes: 0 green, 1 red, 64 usage\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_task() {
        let text = help();
        let names = STAGES.iter().chain(&ALONE).map(|stage| stage.name).chain(TOOLS.iter().map(|tool| tool.name));
        for name in names {
            assert!(text.contains(&format!("\n  {name} ")), "{name} is missing");
        }
    }
}

//! The workshop: the checks that say whether a change may go in. `cargo xtask help` lists them.

mod api;
mod gate;
mod msrv;
mod named_tests;
mod outside;
mod pictures;
mod process;
mod purity;
mod rust_source;
mod served;
mod stages;
mod suite;
mod tidy;
mod use_paths;

use std::process::ExitCode;

use process::{Failure, Workspace};
use stages::{E2E, PICTURES, STAGES, Stage, WRITE_API};

/// The command line was not understood (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// What `ci` leaves out.
const ALONE: [Stage; 2] = [E2E, PICTURES];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = match arguments.as_slice() {
        [task] => task.as_str(),
        [task, flag] if task == WRITE_API.name && flag == "--write" => {
            return run(task, std::slice::from_ref(&WRITE_API));
        }
        [] => return usage("name a task"),
        [_, extra, ..] => return usage(&format!("`{extra}` is one argument too many")),
    };
    match task {
        "help" | "--help" | "-h" => {
            print!("{}", help());
            ExitCode::SUCCESS
        }
        "ci" => run("ci", &STAGES),
        _ => match STAGES.iter().chain(&ALONE).find(|stage| stage.name == task) {
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
    text + "  help      this text\n\nexit codes: 0 green, 1 red, 64 usage\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_stage() {
        let text = help();
        for stage in STAGES.iter().chain(&ALONE) {
            assert!(text.contains(&format!("\n  {} ", stage.name)), "{} is missing", stage.name);
        }
    }
}

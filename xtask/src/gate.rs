//! Runs stages in order until one is red, times each, and closes with what a reader of the log wants: test counts,
//! a table, a verdict.

use std::time::{Duration, Instant};

use crate::process::{Failure, Workspace};
use crate::stages::Stage;

/// How one stage went.
enum Verdict {
    Green(Duration),
    Red(Duration),
    NotRun,
}

/// Runs `stages` and says whether all were green.
pub(crate) fn run(task: &str, stages: &[Stage], workspace: &Workspace) -> bool {
    let mut verdicts = Vec::with_capacity(stages.len());
    let mut notes = Vec::new();
    let mut red: Option<(&str, Failure)> = None;
    for stage in stages {
        if red.is_some() {
            verdicts.push(Verdict::NotRun);
            continue;
        }
        println!("==> {}: {}", stage.name, stage.about);
        let started = now();
        match (stage.run)(workspace, &mut notes) {
            Ok(()) => verdicts.push(Verdict::Green(started.elapsed())),
            Err(failure) => {
                verdicts.push(Verdict::Red(started.elapsed()));
                red = Some((stage.name, failure));
            }
        }
    }
    if !notes.is_empty() {
        println!("\n{}", notes.join("\n"));
    }
    if let Some((stage, failure)) = &red {
        println!("\n{stage}: {failure}");
    }
    println!("\n{}", table(stages, &verdicts));
    match red {
        None => println!("{task}: green"),
        Some((stage, _)) => println!("{task}: red in stage {stage}"),
    }
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Green(_)))
}

fn table(stages: &[Stage], verdicts: &[Verdict]) -> String {
    let rows = stages.iter().zip(verdicts).map(|(stage, verdict)| match verdict {
        Verdict::Green(took) => row(stage.name, &seconds(*took), "green"),
        Verdict::Red(took) => row(stage.name, &seconds(*took), "red"),
        Verdict::NotRun => row(stage.name, "-", "not run"),
    });
    std::iter::once(row("stage", "time", "result")).chain(rows).collect::<Vec<_>>().join("\n")
}

fn row(stage: &str, time: &str, result: &str) -> String {
    format!("{stage:<8} {time:>9}  {result}")
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "a stage's time is shown to a person and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &'static str) -> Stage {
        Stage { name, about: "", run: |_, _| Ok(()) }
    }

    #[test]
    fn the_table_has_a_row_for_every_stage_also_those_that_did_not_run() {
        let stages = [stage("fmt"), stage("clippy"), stage("tests")];
        let verdicts =
            [Verdict::Green(Duration::from_millis(1240)), Verdict::Red(Duration::from_secs(90)), Verdict::NotRun];
        let expected = "stage         time  result\n\
                        fmt          1.2 s  green\n\
                        clippy      90.0 s  red\n\
                        tests            -  not run";
        assert_eq!(table(&stages, &verdicts), expected);
    }
}

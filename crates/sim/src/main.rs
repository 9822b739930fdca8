//! Runs plans of many seeds, in as many processes as the machine has cores, and says what broke.

mod children;
mod options;

use std::io::Write;
use std::process::ExitCode;

use options::Options;
use steadfast_sim::oracle::Broken;
use steadfast_sim::plan::draw;
use steadfast_sim::report::Report;
use steadfast_sim::run::{run, run_watched};
use steadfast_sim::scratch;
use steadfast_sim::shrink::shrink;
use steadfast_sim::story;

/// The command line was not understood (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// How often a failing plan is run again to make it shorter.
const SHRINK_RUNS_MAX: usize = 400;
/// Seeds that once failed, and what they found: they are always run.
const KEPT: &str = include_str!("../seeds.txt");

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("steadfast-sim: {complaint}\n{}", options::USAGE);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if options.watch {
        return watch(options.seed);
    }
    if !options.is_child {
        scratch::sweep();
    }
    let done = if options.is_child { run_here(&options) } else { children::run(&options) };
    done.unwrap_or_else(|error| {
        eprintln!("steadfast-sim: {error}");
        ExitCode::FAILURE
    })
}

/// Shows what is seen of a seed's world, and its plan.
fn watch(seed: u64) -> ExitCode {
    let plan = draw(seed);
    println!("{}", story::tell(&plan));
    let outcome = run_watched(&plan, &mut |at, observed| println!("{} {observed:?}", story::clock(at)));
    match outcome.broken {
        None => ExitCode::SUCCESS,
        Some((at, broken)) => {
            println!("{} {broken}", story::clock(at));
            ExitCode::FAILURE
        }
    }
}

/// Runs its share of the seeds: every `jobs`-th. What a parent adds up goes to standard output.
fn run_here(options: &Options) -> std::io::Result<ExitCode> {
    // A panic is told with its seed and its story.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = std::io::stdout().lock();
    let mut all_good = true;
    for seed in seeds(options) {
        let outcome = run(&draw(seed));
        let mut report = Report::default();
        report.add(&outcome);
        write!(out, "{}", report.lines())?;
        writeln!(out, "ran {seed} {:016x}", outcome.trace)?;
        if let Some((at, broken)) = &outcome.broken {
            all_good = false;
            writeln!(out, "broken: seed {seed} at {}: {broken}", story::clock(*at))?;
            if options.first_failure {
                break;
            }
            writeln!(out, "{}", tell(seed, broken, outcome.trace))?;
        }
        out.flush()?;
    }
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a failing seed can be had again, and its story, made short.
fn tell(seed: u64, broken: &Broken, trace: u64) -> String {
    let again = run(&draw(seed)).trace;
    let identical = if again == trace { "identically" } else { "DIFFERENTLY, which is a fault of the simulator" };
    let mut text =
        format!("  run again, it goes {identical}; to see it again: cargo xtask sim --seeds 1 --seed {seed}\n");
    if let Some(shrunk) = shrink(&draw(seed), broken.promise, SHRINK_RUNS_MAX) {
        let steps = shrunk.plan.steps.len();
        text +=
            &format!("  made short in {} runs, {steps} steps are left:\n{}", shrunk.runs, story::tell(&shrunk.plan));
        let mut seen = story::Last::default();
        run_watched(&shrunk.plan, &mut |at, observed| seen.saw(at, observed));
        text += &seen.tell();
        if let Some((at, broken)) = shrunk.outcome.broken {
            text += &format!("  {} {broken}", story::clock(at));
        }
    }
    text
}

/// The seeds of one child, or all of them.
fn seeds(options: &Options) -> impl Iterator<Item = u64> {
    let kept = KEPT.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let kept: Vec<u64> = if options.kept { kept.collect() } else { Vec::new() };
    let drawn = (0..options.seeds).map(|number| options.seed.wrapping_add(number));
    let all = kept.into_iter().chain(drawn).collect::<Vec<_>>();
    let (share, jobs) = (options.share as usize, options.jobs as usize);
    all.into_iter().skip(share).step_by(jobs.max(1))
}

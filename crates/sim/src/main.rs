//! Runs plans of many seeds, in as many processes as the machine has cores, and says what broke.

mod options;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};

use options::Options;
use steadfast_sim::oracle::Broken;
use steadfast_sim::plan::draw;
use steadfast_sim::report::Report;
use steadfast_sim::run::{run, run_watched};
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
    let done = if options.is_child { run_here(&options) } else { run_children(&options) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("steadfast-sim: {error}");
            ExitCode::FAILURE
        }
    }
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
fn run_here(options: &Options) -> std::io::Result<bool> {
    let mut report = Report::default();
    let mut out = std::io::stdout().lock();
    for seed in seeds(options) {
        let outcome = run(&draw(seed));
        report.add(&outcome);
        writeln!(out, "ran {seed} {:016x}", outcome.trace)?;
        if let Some((at, broken)) = &outcome.broken {
            writeln!(out, "broken: seed {seed} at {}: {broken}", story::clock(*at))?;
            if options.first_failure {
                break;
            }
            writeln!(out, "{}", tell(seed, broken, outcome.trace))?;
        }
        out.flush()?;
    }
    write!(out, "{}", report.lines())?;
    Ok(report.is_good())
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

fn run_children(options: &Options) -> std::io::Result<bool> {
    let program = std::env::current_exe()?;
    let children: std::io::Result<Vec<Child>> = (0..options.jobs)
        .map(|share| {
            let mut command = Command::new(&program);
            command.args(options.for_child(share)).stdout(Stdio::piped()).spawn()
        })
        .collect();
    let (lines, heard) = std::sync::mpsc::sync_channel(1_024);
    let mut readers = Vec::new();
    let mut children = children?;
    for child in &mut children {
        let out = BufReader::new(child.stdout.take().expect("it was piped above"));
        let lines = lines.clone();
        readers.push(std::thread::spawn(move || {
            // The receiver lives until all senders are gone.
            out.lines().map_while(Result::ok).for_each(|line| lines.send(line).unwrap_or_default());
        }));
    }
    drop(lines);
    let mut report = Report::default();
    let (mut ran, mut stopped) = (0_u64, false);
    for line in heard {
        if line.starts_with("ran ") {
            ran += 1;
            if ran.is_multiple_of(100) {
                eprintln!("{ran} seeds");
            }
        } else if !report.merge(&line) {
            println!("{line}");
            if options.first_failure {
                stopped = true;
                // The one that said it is enough. One that has ended meanwhile can't be killed.
                children.iter_mut().for_each(|child| child.kill().unwrap_or_default());
            }
        }
    }
    let mut all_ended = true;
    for (mut child, reader) in children.into_iter().zip(readers) {
        // A child that found something says so by its status, and by what it said.
        let status = child.wait()?;
        all_ended &= options.first_failure || status.code().is_some_and(|code| code <= 1);
        all_ended &= reader.join().is_ok();
    }
    if !all_ended {
        println!("broken: a run ended in a panic, which its standard error tells");
    }
    println!("{}", report.table());
    Ok(report.is_good() && all_ended && !stopped)
}

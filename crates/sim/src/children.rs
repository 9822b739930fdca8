//! The process that others run seeds for: it adds up what they say, and ends them when it is told to stop.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::JoinHandle;

use steadfast_sim::report::Report;
use tokio::sync::mpsc;

use crate::options::Options;

/// Ended by Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;
/// The signal of Ctrl-C, as POSIX numbers it.
const SIGINT: i32 = 2;
/// Lines of children that wait to be added up.
const LINES_MAX: usize = 1_024;
/// How often it is said how far it is.
const PROGRESS_EVERY: u64 = 100;

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    AllRan,
    AtTheFirstFailure,
    Interrupted,
}

/// Runs all seeds in children.
pub(crate) fn run(options: &Options) -> std::io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut children = start(options)?;
    let (lines, mut heard) = mpsc::channel(LINES_MAX);
    let readers: Vec<JoinHandle<()>> = children.iter_mut().map(|child| read(child, &lines)).collect();
    drop(lines);
    let mut report = Report::default();
    let mut ended = runtime.block_on(add_up(options, &mut heard, &mut report))?;
    // Who is in the way of sending a line finds nobody there, and ends.
    drop(heard);
    let mut is_whole = true;
    for (mut child, reader) in children.into_iter().zip(readers) {
        if ended != Ended::AllRan {
            // One that has ended meanwhile can't be killed, and need not be.
            child.kill().unwrap_or_default();
        }
        let status = child.wait()?;
        // A terminal's Ctrl-C goes to the children, too.
        if status.signal() == Some(SIGINT) {
            ended = Ended::Interrupted;
        }
        // A child that found something says so by its status, and by what it said.
        is_whole &= status.code().is_some_and(|code| code <= 1) || ended != Ended::AllRan;
        is_whole &= reader.join().is_ok();
    }
    if !is_whole {
        println!("broken: a process that ran seeds ended before it was done, which its standard error tells");
    }
    println!("{}", report.table());
    Ok(match ended {
        Ended::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
        Ended::AllRan if is_whole && report.is_good() => ExitCode::SUCCESS,
        Ended::AllRan | Ended::AtTheFirstFailure => ExitCode::FAILURE,
    })
}

fn start(options: &Options) -> std::io::Result<Vec<Child>> {
    let program = std::env::current_exe()?;
    let start_one = |share| Command::new(&program).args(options.for_child(share)).stdout(Stdio::piped()).spawn();
    (0..options.jobs).map(start_one).collect()
}

fn read(child: &mut Child, lines: &mpsc::Sender<String>) -> JoinHandle<()> {
    let out = BufReader::new(child.stdout.take().expect("it was piped above"));
    let lines = lines.clone();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    })
}

async fn add_up(options: &Options, heard: &mut mpsc::Receiver<String>, report: &mut Report) -> std::io::Result<Ended> {
    let mut ran = 0_u64;
    let mut ctrl_c = pin!(tokio::signal::ctrl_c());
    loop {
        let line = tokio::select! {
            biased;
            interrupted = &mut ctrl_c => return interrupted.map(|()| Ended::Interrupted),
            line = heard.recv() => line,
        };
        let Some(line) = line else { return Ok(Ended::AllRan) };
        if line.starts_with("ran ") {
            ran += 1;
            if ran.is_multiple_of(PROGRESS_EVERY) {
                eprintln!("{ran} seeds");
            }
        } else if !report.merge(&line) {
            println!("{line}");
            if options.first_failure {
                return Ok(Ended::AtTheFirstFailure);
            }
        }
    }
}

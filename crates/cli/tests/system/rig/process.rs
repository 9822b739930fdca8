//! A process that the test started, and that ends with the test at the latest.

use std::io::PipeWriter;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::clock::{Stopwatch, wait_until};
use super::lines::Lines;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
    what: String,
}

/// How a process ended, and all that it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
    what: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let (err, says) = std::io::pipe().expect("a pipe");
        let mut process = Self::start_saying_to(command, says);
        process.err = Lines::read(err);
        process
    }

    /// What it says on standard error goes into this pipe: nobody reads it, unless the caller does.
    pub(crate) fn start_saying_to(command: &mut Command, says: PipeWriter) -> Self {
        let what = format!("{command:?}");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(says).spawn();
        // The command keeps the pipe open as long as it is there.
        command.stderr(Stdio::null());
        let mut child = spawned.unwrap_or_else(|error| panic!("{what}: {error}"));
        let out = Lines::read(child.stdout.take().expect("it is piped"));
        Self { child, out, err: Lines::read(std::io::empty()), what }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its state by the kernel's letter: `S` sleeps, `R` runs, `T` is stopped (proc_pid_stat(5)).
    pub(crate) fn state(&self) -> char {
        let path = format!("/proc/{}/stat", self.id());
        let stat = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // The name in brackets may hold anything.
        let after_name = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        after_name.unwrap_or_else(|| panic!("{path}: {stat}"))
    }

    /// Its standard input, to be written and closed by the caller.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("the input is taken once")
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().expect("it can be killed");
        self.wait(Duration::from_secs(10))
    }

    /// `kill -NAME`.
    pub(crate) fn signal(&self, name: &str) {
        super::command("kill", &[&format!("-{name}"), &self.id().to_string()]);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }

    /// Waits until it ends by itself. An input that nobody took is closed.
    pub(crate) fn wait(mut self, bound: Duration) -> Ended {
        drop(self.child.stdin.take());
        let started = Stopwatch::start();
        let status = loop {
            match self.child.try_wait().expect("it can be asked") {
                Some(status) => break status,
                None if started.elapsed() > bound => {
                    let (out, err) = (self.out.so_far(), self.err.so_far());
                    panic!("{} did not end in {bound:?}\nout: {out:#?}\nerr: {err:#?}", self.what);
                }
                None => super::pause(Duration::from_millis(5)),
            }
        };
        let what = std::mem::take(&mut self.what);
        Ended { code: status.code(), out: self.out.all(), err: self.err.all(), what }
    }

    /// Waits until it says this on standard error.
    pub(crate) fn wait_to_say(&self, part: &str, bound: Duration) -> String {
        match self.err.wait_for(part, 0, bound) {
            Some((_, line)) => line,
            None => panic!("{} did not say {part:?} in {bound:?}: {:#?}", self.what, self.err.so_far()),
        }
    }

    /// Waits until it has printed so many lines.
    pub(crate) fn wait_to_print(&self, lines: usize, bound: Duration) {
        if !self.out.wait_for_count(lines, bound) {
            let (out, err) = (self.out.so_far(), self.err.so_far());
            let last = &out[out.len().saturating_sub(5)..];
            panic!("{} printed {} of {lines} lines in {bound:?}: {last:#?} {err:#?}", self.what, out.len());
        }
    }

    /// Waits until everything that it is going to print by now is likely to be there: no line for a while.
    pub(crate) fn wait_until_quiet(&self, quiet: Duration, bound: Duration) {
        let (mut seen, mut since) = (self.out.count(), Stopwatch::start());
        wait_until("the process goes quiet", bound, || {
            let count = self.out.count();
            if count != seen {
                (seen, since) = (count, Stopwatch::start());
            }
            (since.elapsed() >= quiet).then_some(())
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself. A stopped one is killed all the same.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\nout: {:#?}\nerr: {:#?}", self.what, self.out, self.err);
        self
    }

    /// The one line of standard error of a command that failed.
    #[track_caller]
    pub(crate) fn only_error(&self) -> &str {
        match &self.err[..] {
            [line] => line,
            lines => panic!("{}: not one line on standard error but {lines:#?}", self.what),
        }
    }

    /// Whether a line of standard error has this in it.
    pub(crate) fn said(&self, part: &str) -> bool {
        self.err.iter().any(|line| line.contains(part))
    }
}

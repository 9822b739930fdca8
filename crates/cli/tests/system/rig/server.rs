//! A `steadfast serve` that can be killed and started again on the same data and port.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SOON;
use super::process::{Ended, Process};
use super::world::Program;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    data: PathBuf,
    address: String,
    flags: Vec<String>,
    process: Option<Process>,
}

impl Server {
    /// Returns when it takes connections.
    pub(crate) fn start(program: Program, data: &Path, listen: &str, flags: &[&str]) -> Self {
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let mut server = Self { program, data: data.to_owned(), address: listen.to_owned(), flags, process: None };
        server.restart();
        server
    }

    /// Starts it again, on the port that it had.
    pub(crate) fn restart(&mut self) {
        let data = self.data.display().to_string();
        let mut command = self.program.command(&["serve", "--listen", &self.address, "--data", &data]);
        let process = Process::start(command.args(&self.flags));
        let Some((_, line)) = process.out.wait_for("listening tcp ", 0, SOON) else {
            panic!("the server does not listen: {:#?}", process.err.so_far());
        };
        line.trim_start_matches("listening tcp ").clone_into(&mut self.address);
        self.process = Some(process);
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }

    /// `kill -9`, unless it has ended by itself, which is a failure.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        assert!(!process.has_ended(), "the server ended by itself: {:#?}", process.err.so_far());
        process.kill();
    }

    /// Waits until it has ended by itself, with this exit code.
    pub(crate) fn wait_to_end(&mut self, code: i32, bound: Duration) -> Ended {
        self.process.take().expect("the server runs").wait(bound).expect_code(code)
    }

    /// SIGTERM, and waits until it has ended in good order.
    pub(crate) fn stop(&mut self) -> Ended {
        let process = self.process.take().expect("the server runs");
        process.signal("TERM");
        process.wait(3 * Duration::from_secs(5)).expect_code(0)
    }
}

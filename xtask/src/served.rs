//! A `steadfast serve` for a stage that needs one: on a port of its own, on data that is new, gone with the stage.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::process::{Failure, Workspace};

/// What it prints when it takes connections.
const LISTENING: &str = "listening tcp ";

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    /// Where it listens: `HOST:PORT`.
    pub(crate) address: String,
}

impl Served {
    /// Builds the command where that is needed and starts it with its data in this directory, which is emptied. Returns
    /// when it takes connections.
    pub(crate) fn start(workspace: &Workspace, directory: &Path) -> Result<Self, Failure> {
        workspace.run(&mut workspace.cargo(&["build", "--workspace", "--locked"]), "")?;
        let failed = |error| Failure::Io { doing: "starting a server".to_owned(), error };
        match std::fs::remove_dir_all(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut command = workspace.command(workspace.target_directory()?.join("debug/steadfast"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"]).arg(directory.join("server"));
        let mut process = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let output = process.stdout.take();
        let mut served = Self { process, address: String::new() };
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        match line.trim_end().strip_prefix(LISTENING) {
            Some(address) => address.clone_into(&mut served.address),
            None => return Err(Failure::Findings(vec![format!("`steadfast serve` began with {line:?}")])),
        }
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; what it kept is in a directory of the stage.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

//! A `steadfast serve` for a stage that needs one: on a port of its own, on data that is new, gone with the stage.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::{Failure, Workspace};

/// What it prints when it takes connections.
const LISTENING: &str = "listening tcp ";

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    command: Command,
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
        let program = workspace.target_directory()?.join("debug/steadfast");
        let mut command = workspace.command(program);
        command.args(["serve", "--log", "warn", "--data"]).arg(directory.join("server"));
        let (process, address) = listening(&mut command, "127.0.0.1:0")?;
        Ok(Self { process, command, address })
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself; what it kept is in a directory of the stage.
        self.process.kill().ok();
        self.process.wait().ok();
    }

    /// Starts it again after that, on the same port and data.
    pub(crate) fn start_again(&mut self) -> Result<(), Failure> {
        (self.process, _) = listening(&mut self.command, &self.address)?;
        Ok(())
    }
}

fn listening(command: &mut Command, address: &str) -> Result<(Child, String), Failure> {
    let failed = |error| Failure::Io { doing: "starting a server".to_owned(), error };
    // A setting of the environment, so that the command can be used again with another one.
    let mut process = command.env("STEADFAST_LISTEN", address).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut line = String::new();
    if let Some(output) = process.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(failed)?;
    }
    match line.trim_end().strip_prefix(LISTENING) {
        Some(address) => Ok((process, address.to_owned())),
        None => {
            // It says on standard error why.
            process.kill().ok();
            process.wait().ok();
            Err(Failure::Findings(vec![format!("`steadfast serve` began with {line:?}")]))
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

//! A directory of its own, with what belongs to one test in it.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::member::Member;
use super::server::Server;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct World {
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::with_prefix("steadfast-system-").expect("a directory") }
    }

    /// One whose disk is the machine's memory, where that is a directory: for much data in a test that is about neither
    /// disks nor syncs.
    pub(crate) fn in_memory() -> Self {
        match TempDir::with_prefix_in("steadfast-system-", "/dev/shm") {
            Ok(directory) => Self { directory },
            Err(_) => Self::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A server on loopback, in the directory `server`.
    pub(crate) fn serve(&self) -> Server {
        Server::start(self.program(), &self.path("server"), "127.0.0.1:0", &[])
    }

    /// Somebody with a profile, who talks to the server.
    pub(crate) fn member(&self, name: &str, server: &Server) -> Member {
        self.device(name, name, server.address())
    }

    /// A profile of this name in the directory `profile`.
    pub(crate) fn device(&self, name: &str, profile: &str, address: &str) -> Member {
        Member::new(name, self.path(profile), address, self.program())
    }

    /// How the program is started here: with none of the settings of whoever runs the tests.
    pub(crate) fn program(&self) -> Program {
        Program { home: self.directory.path().to_owned(), prefix: Vec::new(), environment: Vec::new() }
    }
}

/// How the program is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    home: PathBuf,
    prefix: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Program {
    /// In a network namespace.
    pub(crate) fn inside(mut self, namespace: &str) -> Self {
        self.prefix = ["ip", "netns", "exec", namespace].map(str::to_owned).to_vec();
        self
    }

    /// Behind every other process: for what needs the machine for long and no answer in time.
    pub(crate) fn behind_others(mut self) -> Self {
        self.prefix = ["nice", "-n", "19"].map(str::to_owned).to_vec();
        self
    }

    /// With these variables, too.
    pub(crate) fn with_environment(mut self, variables: Vec<(String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Without root's right to pass over what files and directories permit.
    pub(crate) fn without_override(mut self) -> Self {
        self.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"].map(str::to_owned).to_vec();
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_steadfast");
        let mut command = match &self.prefix[..] {
            [] => Command::new(binary),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(binary);
                command
            }
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.home);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.home).args(arguments);
        command
    }
}

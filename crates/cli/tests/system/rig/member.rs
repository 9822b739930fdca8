//! Somebody with a profile: the commands that she can call.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::log::Log;
use super::process::{Ended, Process};
use super::world::Program;
use super::{ROOM, SOON};

/// Pauses between two tries stay short: most tests are about what happens then, not about waiting for it.
const TRIES: &[&str] = &["--reconnect-pause", "200ms", "--reconnect-wait", "1s"];

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    profile: PathBuf,
    address: String,
    program: Program,
    tries: &'static [&'static str],
}

/// What `status --json` says.
#[derive(Debug)]
pub(crate) struct Status(serde_json::Value);

impl Member {
    pub(crate) fn new(name: &str, profile: PathBuf, address: &str, program: Program) -> Self {
        Self { name: name.to_owned(), profile, address: address.to_owned(), program, tries: TRIES }
    }

    pub(crate) fn inside(mut self, namespace: &str) -> Self {
        self.program = self.program.inside(namespace);
        self
    }

    /// With these flags for its tries, or none.
    pub(crate) fn trying(mut self, tries: &'static [&'static str]) -> Self {
        self.tries = tries;
        self
    }

    /// With these variables for her commands.
    pub(crate) fn with_environment(mut self, variables: Vec<(String, String)>) -> Self {
        self.program = self.program.with_environment(variables);
        self
    }

    pub(crate) fn behind_others(mut self) -> Self {
        self.program = self.program.behind_others();
        self
    }

    pub(crate) fn without_override(mut self) -> Self {
        self.program = self.program.without_override();
        self
    }

    pub(crate) fn profile(&self) -> &Path {
        &self.profile
    }

    /// `steadfast SUBCOMMAND --as … --server … --profile … ARGUMENTS`
    pub(crate) fn command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let profile = self.profile.display().to_string();
        let who = [subcommand, "--as", &self.name, "--server", &self.address, "--profile", &profile];
        let mut command = self.program.command(&who);
        command.args(self.tries).args(arguments);
        command
    }

    pub(crate) fn start(&self, subcommand: &str, arguments: &[&str]) -> Process {
        Process::start(&mut self.command(subcommand, arguments))
    }

    /// `send` of what comes on standard input.
    pub(crate) fn start_send(&self, arguments: &[&str]) -> Process {
        self.start("send", &[&["--room", ROOM][..], arguments].concat())
    }

    /// `send` of these lines, to its end.
    pub(crate) fn send_lines(&self, lines: &[String], arguments: &[&str]) -> Ended {
        use std::io::Write as _;
        let mut process = self.start_send(arguments);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        // One that ends early says why by its exit code.
        process.input().write_all(text.as_bytes()).ok();
        process.wait(SOON)
    }

    pub(crate) fn start_tail(&self, arguments: &[&str]) -> Process {
        self.start("tail", &[&["--room", ROOM, "--json"][..], arguments].concat())
    }

    /// What `tail` prints of all that there is.
    pub(crate) fn read_from_start(&self) -> Log {
        let ended = self.start_tail(&["--from-start"]).wait(SOON).expect_code(0);
        Log::of_lines(&ended.out)
    }

    /// What this device has stored, after it has fetched everything; then without the network.
    pub(crate) fn history(&self) -> Log {
        self.start_tail(&["--from-start"]).wait(SOON).expect_code(0);
        self.stored_history()
    }

    /// What this device has stored.
    pub(crate) fn stored_history(&self) -> Log {
        let history = self.start("history", &["--room", ROOM, "--limit", "1000000", "--json"]);
        Log::of_lines(&history.wait(SOON).expect_code(0).out)
    }

    pub(crate) fn status(&self) -> Status {
        let ended = self.start("status", &["--json"]).wait(SOON).expect_code(0);
        Status(serde_json::from_str(&ended.out.concat()).expect("status prints one JSON object"))
    }

    /// `line ACTION …`, which has to work.
    pub(crate) fn order(&self, action: &[&str]) {
        self.start("line", action).wait(SOON).expect_code(0);
    }

    /// What `why --json` tells.
    pub(crate) fn why(&self) -> Vec<serde_json::Value> {
        let ended = self.start("why", &["--json"]).wait(SOON).expect_code(0);
        ended.out.iter().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }

    /// Waits until the line of the process that drives is up.
    pub(crate) fn wait_until_online(&self, bound: Duration) {
        super::wait_until("the line is up", bound, || {
            let profile = self.profile.join("profile.sqlite3");
            (profile.exists() && self.status().text("state") == Some("online")).then_some(())
        });
    }

    /// Waits until the line is up and nothing is asked on it: the status names this idle bound as the one in force,
    /// and does so again after a moment, since a line that just came up may have its questions before it.
    pub(crate) fn wait_until_idle(&self, idle_bound: Duration, bound: Duration) {
        self.wait_until_online(bound);
        let idle = || {
            let status = self.status();
            let in_force = status.number("bound_ms").map(Duration::from_millis);
            (status.text("state") == Some("online") && in_force == Some(idle_bound)).then_some(())
        };
        super::wait_until("nothing is asked", bound, idle);
        super::pause(Duration::from_secs(1));
        super::wait_until("nothing more is asked", bound, idle);
    }
}

impl Status {
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.0[field].as_str()
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.0[field].as_bool().unwrap_or_else(|| panic!("{field} is a flag"))
    }

    /// The causes of the drops, and how long each lasted.
    pub(crate) fn drops(&self) -> Vec<(String, Option<u64>)> {
        let drops = self.0["drops"].as_array().expect("drops are a list");
        let read = |drop: &serde_json::Value| {
            (drop["cause"].as_str().expect("a drop has a cause").to_owned(), drop["lasted_ms"].as_u64())
        };
        drops.iter().map(read).collect()
    }
}

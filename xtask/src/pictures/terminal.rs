//! Windows of tmux, each with a program in it, on a server of our own that ends with the value.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::{Failure, Workspace};

/// How long a window may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// See the module's documentation.
pub(crate) struct Terminal<'w> {
    workspace: &'w Workspace,
    server: Child,
    socket: PathBuf,
    size: (usize, usize),
}

impl<'w> Terminal<'w> {
    /// Windows of so many columns and rows.
    pub(crate) fn start(workspace: &'w Workspace, directory: &Path, size: (usize, usize)) -> Result<Self, Failure> {
        let socket = directory.join("tmux");
        let mut command = tmux(workspace, &socket);
        command.args(["-u", "-D", "-f", "/dev/null"]).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::Missing { program: "tmux".to_owned(), remedy: "`apt-get install tmux`".to_owned() }
            }
            _ => Failure::Io { doing: "starting tmux".to_owned(), error },
        })?;
        let terminal = Self { workspace, server, socket, size };
        let answers = || {
            let asked = tmux(workspace, &terminal.socket).args(["-N", "set", "-s", "escape-time", "0"]).output();
            Ok(asked.is_ok_and(|asked| asked.status.success()).then_some(()))
        };
        wait(answers, "tmux does not start")?;
        Ok(terminal)
    }

    /// Opens a window of this name with a program in it, which gets these settings and no others.
    pub(crate) fn open(
        &self,
        name: &str,
        program: &Path,
        settings: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<(), Failure> {
        let (columns, rows) = (self.size.0.to_string(), self.size.1.to_string());
        let mut command = tmux(self.workspace, &self.socket);
        command.args(["new-session", "-d", "-s", name, "-x", &columns, "-y", &rows, "--", "env", "-i"]);
        command.args(["TERM=tmux-256color", "LANG=C.UTF-8"]);
        command.args(settings.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(program).args(arguments);
        self.workspace.capture(&mut command).map(drop)
    }

    /// Types a line and sends it off.
    pub(crate) fn enter(&self, window: &str, line: &str) -> Result<(), Failure> {
        self.type_text(window, line)?;
        self.press(window, "Enter")
    }

    pub(crate) fn type_text(&self, window: &str, text: &str) -> Result<(), Failure> {
        self.ask(&["send-keys", "-t", window, "-l", "--", text]).map(drop)
    }

    /// A key by the name that tmux has for it.
    pub(crate) fn press(&self, window: &str, key: &str) -> Result<(), Failure> {
        self.ask(&["send-keys", "-t", window, "--", key]).map(drop)
    }

    /// Waits until the window shows this.
    pub(crate) fn wait_to_show(&self, window: &str, part: &str) -> Result<(), Failure> {
        let mut shown = String::new();
        let seen = wait(
            || {
                shown = self.ask(&["capture-pane", "-t", window, "-p"])?;
                Ok(shown.contains(part).then_some(()))
            },
            "",
        );
        seen.map_err(|_| Failure::Findings(vec![format!("{window} does not show {part:?} but:\n{shown}")]))
    }

    /// What the window shows, with its styles.
    pub(crate) fn styled(&self, window: &str) -> Result<String, Failure> {
        self.ask(&["capture-pane", "-t", window, "-p", "-e", "-N"])
    }

    /// Column and row of the cursor, if it shows.
    pub(crate) fn cursor(&self, window: &str) -> Result<Option<(usize, usize)>, Failure> {
        let told = self.ask(&["display-message", "-t", window, "-p", "#{cursor_flag} #{cursor_x} #{cursor_y}"])?;
        let numbers: Vec<usize> = told.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        Ok(match numbers[..] {
            [1, column, row] => Some((column, row)),
            _ => None,
        })
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.workspace.capture(tmux(self.workspace, &self.socket).args(arguments))
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // Asked to go, it hangs up on what runs in it. Should it not answer, killing it closes the windows as well.
        tmux(self.workspace, &self.socket).arg("kill-server").output().ok();
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn tmux(workspace: &Workspace, socket: &Path) -> Command {
    let mut command = workspace.command("tmux");
    command.env_remove("TMUX").env("LANG", "C.UTF-8").arg("-S").arg(socket);
    command
}

#[expect(clippy::disallowed_methods, reason = "what a window shows is announced by nobody")]
fn wait(mut look: impl FnMut() -> Result<Option<()>, Failure>, what: &str) -> Result<(), Failure> {
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        if look()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Err(Failure::Findings(vec![what.to_owned()]))
}

//! A program in a terminal, as a person has it before her: what she types, and what she sees. The terminal is one of
//! tmux, with a server of its own that ends with the value, a panic included.
//!
//! The program is started by a shell, which is left with the terminal when it has ended: what that one sees then is
//! what a person would be left with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{SOON, wait_until};

/// Prints the number of the process before the program takes its place; says how it ended, and whether the terminal
/// still reads line by line and echoes, as it did; then it shows what is typed.
const SHELL: &str = r#"
sh -c 'echo $$ >"$0"; exec "$@"' "$0" "$@"
echo "ended with $?"
stty -a | grep -ow -e '-\{0,1\}icanon' -e '-\{0,1\}echo' | tr '\n' ' '
exec cat
"#;
/// The window's size unless the test has its own: columns and rows.
pub(crate) const SIZE: (u16, u16) = (80, 24);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Screen {
    server: Child,
    socket: PathBuf,
    number_file: PathBuf,
    what: String,
}

/// What tmux knows of a terminal besides what stands on it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// A full-screen program is on.
    pub(crate) alternate: bool,
    pub(crate) cursor_shown: bool,
    /// Clicks go to the program.
    pub(crate) mouse: bool,
    pub(crate) title: String,
}

impl Screen {
    /// Starts the program in a window of 80 columns and 24 rows. What tmux needs lies in `directory`.
    pub(crate) fn start(directory: &Path, command: &Command) -> Self {
        Self::start_sized(directory, command, SIZE)
    }

    pub(crate) fn start_sized(directory: &Path, command: &Command, (columns, rows): (u16, u16)) -> Self {
        std::fs::create_dir_all(directory).expect("a directory for tmux");
        let socket = directory.join("tmux");
        // One that a server of before has left: whoever waits for this one's must not take that for it.
        std::fs::remove_file(&socket).ok();
        let mut server = tmux(&socket);
        // In the foreground: it is a child like any other, and ends with the test if that is killed.
        server.args(["-u", "-D", "-f", "/dev/null"]);
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = server.expect("tmux is installed");
        let screen = Self { server, number_file: directory.join("process"), what: format!("{command:?}"), socket };
        wait_until("tmux takes orders", SOON, || {
            let order = tmux(&screen.socket).args(["-N", "set", "-s", "escape-time", "0"]).output();
            order.expect("tmux is installed").status.success().then_some(())
        });
        let size = [columns.to_string(), rows.to_string()];
        let mut session = tmux(&screen.socket);
        session.args(["-N", "new-session", "-d", "-x", &size[0], "-y", &size[1], "--", "env", "-i"]);
        session.args(["TERM=tmux-256color", "LANG=C.UTF-8"]);
        for (name, value) in command.get_envs() {
            session.arg([name, OsStr::new("="), value.unwrap_or_default()].join(OsStr::new("")));
        }
        session.args(["sh", "-c", SHELL]).arg(&screen.number_file);
        session.arg(command.get_program()).args(command.get_args());
        screen.order(session);
        screen
    }

    /// Types these characters, as keys.
    pub(crate) fn type_text(&self, text: &str) {
        // tmux takes a semicolon at the end of an argument for the end of its own command.
        let text = text.strip_suffix(';').map_or_else(|| text.to_owned(), |rest| format!("{rest}\\;"));
        self.tell(&["send-keys", "-l", "--", &text]);
    }

    /// Presses keys by the names that tmux has for them: `Enter`, `C-r`, `PageUp`, `M-Up`, `F1`.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tell(&[&["send-keys", "--"], keys].concat());
    }

    /// Types a line and sends it off.
    pub(crate) fn enter(&self, line: &str) {
        self.type_text(line);
        self.press(&["Enter"]);
    }

    /// Pastes, in brackets where the program wants them; a line's end comes as a terminal sends it, as CR.
    pub(crate) fn paste(&self, text: &str) {
        self.tell(&["set-buffer", "--", text]);
        self.tell(&["paste-buffer", "-p", "-d"]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tell(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What stands on the screen, line by line, without the blanks at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.ask(&["capture-pane", "-p"]).lines().map(str::to_owned).collect()
    }

    /// The same with the escape sequences of its colours and attributes.
    pub(crate) fn styled(&self) -> String {
        self.ask(&["capture-pane", "-p", "-e"])
    }

    /// Waits until a line of the screen has this in it, and gives the screen.
    #[track_caller]
    pub(crate) fn wait_to_show(&self, part: &str, bound: Duration) -> Vec<String> {
        self.wait_until_screen(&format!("the screen shows {part:?}"), bound, |lines| {
            lines.iter().any(|line| line.contains(part))
        })
    }

    /// Waits until no line of the screen has this in it.
    #[track_caller]
    pub(crate) fn wait_to_hide(&self, part: &str, bound: Duration) -> Vec<String> {
        self.wait_until_screen(&format!("the screen shows {part:?} no more"), bound, |lines| {
            !lines.iter().any(|line| line.contains(part))
        })
    }

    /// Waits until the screen is as wanted, and gives it; shows it where it never is.
    #[track_caller]
    pub(crate) fn wait_until_screen(
        &self,
        what: &str,
        bound: Duration,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let started = super::Stopwatch::start();
        loop {
            let lines = self.lines();
            if wanted(&lines) {
                return lines;
            }
            let shown = lines.join("\n");
            assert!(started.elapsed() < bound, "{}: waited {bound:?} in vain: {what}\n{shown}", self.what);
            super::pause(Duration::from_millis(20));
        }
    }

    pub(crate) fn terminal(&self) -> Terminal {
        let told = self.ask(&["display-message", "-p", "#{alternate_on}#{cursor_flag}#{mouse_any_flag}#{pane_title}"]);
        let told = told.trim_end_matches('\n');
        let flag = |at: usize| told.as_bytes().get(at) == Some(&b'1');
        Terminal { alternate: flag(0), cursor_shown: flag(1), mouse: flag(2), title: told[3..].to_owned() }
    }

    /// Whether the terminal has been told to ring.
    pub(crate) fn has_rung(&self) -> bool {
        self.ask(&["display-message", "-p", "#{window_bell_flag}"]).trim() == "1"
    }

    /// The process of the program.
    pub(crate) fn process(&self) -> u32 {
        wait_until("the program has started", SOON, || {
            std::fs::read_to_string(&self.number_file).ok()?.trim().parse().ok()
        })
    }

    /// `kill -NAME`.
    pub(crate) fn signal(&self, name: &str) {
        super::command("kill", &[&format!("-{name}"), &self.process().to_string()]);
    }

    /// The terminal takes nothing in until the value is dropped.
    pub(crate) fn hold(&self) -> HeldScreen<'_> {
        super::command("kill", &["-STOP", &self.server.id().to_string()]);
        HeldScreen(self)
    }

    /// Waits until the program has ended, with this exit code as a shell tells it, and has left the terminal as it
    /// was: the full screen is gone, the cursor shows, what is typed is read line by line and echoed.
    #[track_caller]
    pub(crate) fn wait_to_end(&self, code: u8, bound: Duration) -> Vec<String> {
        let lines = self.wait_to_show("ended with ", bound);
        let said = lines.iter().find(|line| line.contains("ended with ")).expect("it is there");
        assert_eq!(said.trim(), format!("ended with {code}"), "{}\n{}", self.what, lines.join("\n"));
        self.wait_to_show("icanon echo", SOON);
        self.enter("typed at the end");
        self.wait_until_screen("what is typed is echoed, and read when the line ends", SOON, |lines| {
            lines.iter().filter(|line| line.contains("typed at the end")).count() == 2
        });
        let terminal = self.terminal();
        assert!(!terminal.alternate && terminal.cursor_shown && !terminal.mouse, "left behind: {terminal:?}");
        lines
    }

    fn tell(&self, arguments: &[&str]) {
        self.ask(arguments);
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let mut command = tmux(&self.socket);
        // It starts no server: that would be one that nobody ends.
        command.arg("-N").args(arguments);
        self.order(command)
    }

    fn order(&self, mut command: Command) -> String {
        let done = command.output().expect("tmux is installed");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command:?}: {said}");
        String::from_utf8(done.stdout).expect("tmux speaks UTF-8")
    }
}

/// A terminal that takes nothing in, until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldScreen<'s>(&'s Screen);

impl Drop for HeldScreen<'_> {
    fn drop(&mut self) {
        super::command("kill", &["-CONT", &self.0.server.id().to_string()]);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Asked to go, it hangs up on what runs in it. Should it not answer, killing it closes the terminal as well.
        tmux(&self.socket).arg("kill-server").output().ok();
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn tmux(socket: &Path) -> Command {
    let mut command = Command::new("tmux");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
    command.arg("-S").arg(socket);
    command
}

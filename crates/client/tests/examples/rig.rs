//! A real server, the examples as real processes, and somebody who talks with them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use steadfast::Client;
use steadfast_net::clock::{BootClock, BootTimer};

/// What takes a moment has taken far too long after this: three times what a loaded machine needs.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A directory with everything of one test, and the server's place in it.
pub(crate) struct World {
    directory: tempfile::TempDir,
    address: String,
    server: Option<Process>,
}

/// A process of the test, killed with it at the latest.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    printed: Arc<Printed>,
    reader: Option<JoinHandle<()>>,
    what: String,
}

#[derive(Default)]
struct Printed {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl World {
    /// With a server that takes connections.
    pub(crate) fn with_server() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut world = Self { directory, address: "127.0.0.1:0".to_owned(), server: None };
        world.start_server();
        world
    }

    /// Starts the server, again on its data and its port.
    pub(crate) fn start_server(&mut self) {
        let mut command = Command::new(built("steadfast"));
        command.args(["serve", "--log", "error", "--listen", &self.address, "--data"]).arg(self.path("server"));
        let server = Process::start(&mut command);
        let line = server.wait_for("listening tcp ");
        line.trim_start_matches("listening tcp ").clone_into(&mut self.address);
        self.server = Some(server);
    }

    /// `kill -9`.
    pub(crate) fn kill_server(&mut self) {
        self.server.take().expect("the server runs").kill();
    }

    /// Copies the data of a server that does not run, or puts the copy back.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.path(from), self.path(to));
        if to.exists() {
            std::fs::remove_dir_all(&to).expect("what was there can be removed");
        }
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("`cp` runs");
        assert!(status.success(), "`cp` ended with {status}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Looks until it is so.
    #[expect(clippy::disallowed_methods, reason = "nobody announces what another process has committed")]
    pub(crate) fn wait_until(&self, what: &str, mut so: impl FnMut() -> bool) {
        const POLL: Duration = Duration::from_millis(10);
        let mut left = SOON;
        while !so() {
            assert!(left > POLL, "waited {SOON:?} in vain: {what}");
            std::thread::sleep(POLL);
            left -= POLL;
        }
    }

    /// Starts an example, with the server's address before its other arguments. Its profiles are in this world.
    pub(crate) fn example(&self, name: &str, arguments: &[&str]) -> Process {
        let mut command = Command::new(built(&format!("examples/{name}")));
        command.arg(&self.address).args(arguments).env("XDG_DATA_HOME", self.path("profiles"));
        Process::start(&mut command)
    }

    /// The `steadfast` command, as an account of this world.
    pub(crate) fn steadfast(&self, account: &str, arguments: &[&str]) -> Process {
        let mut command = Command::new(built("steadfast"));
        command.args(arguments).args(["--as", account, "--server", &self.address]);
        command.env("XDG_DATA_HOME", self.path("profiles")).env("XDG_CONFIG_HOME", self.path("no-config"));
        Process::start(&mut command)
    }

    /// Says these lines in a room, and returns when all are on the server's disk.
    pub(crate) fn say(&self, account: &str, room: &str, lines: &[String]) {
        let mut send = self.steadfast(account, &["send", "--room", room]);
        lines.iter().for_each(|line| send.type_line(line));
        send.wait_to_end();
    }

    /// Says a line to an account alone, and returns when it is on the server's disk.
    pub(crate) fn whisper(&self, account: &str, to: &str, line: &str) {
        let builder = Client::builder(account, &self.address).profile(self.path(account));
        let whispered = async {
            let client = builder.open().await.expect("its profile opens");
            let sent = client.direct(to).send(line).await.expect("it is queued");
            let mut timer = BootTimer::new().expect("a timer");
            let stored = timer.within(BootClock::now() + SOON, sent.stored()).await;
            stored.expect("it is stored soon").expect("it is stored");
            client.close().await;
        };
        tokio::runtime::Runtime::new().expect("a runtime").block_on(whispered);
    }

    /// Somebody who hears all that is said in a room, over any kill of the server.
    pub(crate) fn listener(&self, room: &str) -> Listener {
        self.listener_as("listener", room)
    }

    /// As [`listener`](Self::listener), by another account: one that was not told yet what a server has forgotten.
    pub(crate) fn listener_as(&self, account: &str, room: &str) -> Listener {
        let arguments = ["tail", "--room", room, "--from-start", "--follow", "--json", "--reconnect-pause", "500ms"];
        Listener(self.steadfast(account, &arguments))
    }
}

/// See [`World::listener`].
pub(crate) struct Listener(Process);

impl Listener {
    /// All that was said so far, once there is so much of it: `author: text` each.
    pub(crate) fn heard(&self, count: usize) -> Vec<String> {
        self.0.wait_for_count(count);
        self.0.so_far().iter().map(|line| said(line)).collect()
    }
}

/// `author: text` of a line of `tail --json`. Its names and texts have no quotes in these tests.
fn said(line: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    match (field("from"), field("text")) {
        (Some(from), Some(text)) => format!("{from}: {text}"),
        (_, _) => panic!("no message: {line}"),
    }
}

/// A program that cargo built beside this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let directory = test.parent().and_then(Path::parent).expect("the test is in `deps`");
    let program = directory.join(name);
    assert!(
        program.is_file(),
        "{} is not there: `cargo build --workspace --examples --bins` builds it",
        program.display()
    );
    program
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{what}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let input = child.stdin.take();
        let printed = Arc::<Printed>::default();
        let theirs = Arc::clone(&printed);
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                theirs.lines.lock().expect("no reader panicked").push(line);
                theirs.more.notify_all();
            }
        });
        Self { child, input, printed, reader: Some(reader), what }
    }

    /// A line on its standard input.
    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").expect("it reads its input");
    }

    /// Waits until a line has this in it, and returns that line.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        self.wait_for_after(part, 0)
    }

    /// As `wait_for`, of the lines behind the first ones.
    pub(crate) fn wait_for_after(&self, part: &str, skipped: usize) -> String {
        let found = |lines: &[String]| lines.iter().skip(skipped).find(|line| line.contains(part)).cloned();
        self.wait(&format!("a line with {part:?}"), found)
    }

    pub(crate) fn wait_for_count(&self, count: usize) {
        self.wait(&format!("{count} lines"), |lines| (lines.len() >= count).then_some(()));
    }

    fn wait<T>(&self, what: &str, found: impl Fn(&[String]) -> Option<T>) -> T {
        let lines = self.printed.lines.lock().expect("no reader panicked");
        let missing = |lines: &mut Vec<String>| found(lines).is_none();
        let (lines, _) = self.printed.more.wait_timeout_while(lines, SOON, missing).expect("no reader panicked");
        found(&lines).unwrap_or_else(|| panic!("{}: no {what} in {SOON:?} but {lines:#?}", self.what))
    }

    /// What it printed so far; all of it once it has ended.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.printed.lines.lock().expect("no reader panicked").clone()
    }

    /// `kill -9`, and what it printed until then is read to its end.
    pub(crate) fn kill(&mut self) {
        assert!(self.child.try_wait().expect("it can be asked").is_none(), "{} had ended by itself", self.what);
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
        self.join();
    }

    /// Closes its input, waits until it has ended, and well.
    pub(crate) fn wait_to_end(&mut self) {
        self.input = None;
        self.join();
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "{} ended with {status}: {:#?}", self.what, self.so_far());
    }

    /// The end of what it prints, which it keeps open as long as it runs.
    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

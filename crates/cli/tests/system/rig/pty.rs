//! A program in a bare terminal (that of `script`), for when what counts is how long the answer to a key takes: the
//! bytes that the program paints are taken as they come, with the moment at which each came.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Stopwatch;

/// A frame comes in one go: it has ended when nothing came for so long.
const PAUSE: Duration = Duration::from_millis(8);
/// All frames have come when nothing came for so long.
const QUIET: Duration = Duration::from_millis(60);

/// See the module's documentation. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Pty {
    script: Child,
    input: ChildStdin,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    painted: Mutex<Painted>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Painted {
    bytes: Vec<u8>,
    /// When each part of them came.
    parts: Vec<Stopwatch>,
}

impl Pty {
    /// Starts the program in a terminal of this size. `file` is for the script that does it.
    pub(crate) fn start(file: &Path, command: &Command, (columns, rows): (u16, u16)) -> Self {
        let mut words = vec!["exec env -i TERM=xterm-256color LANG=C.UTF-8".to_owned()];
        let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        words.extend(variables.map(|(name, value)| quoted(&format!("{}={}", name.display(), value.display()))));
        words.push(quoted(&command.get_program().display().to_string()));
        words.extend(command.get_args().map(|argument| quoted(&argument.display().to_string())));
        let text = format!("stty columns {columns} rows {rows}\n{}\n", words.join(" "));
        std::fs::write(file, text).expect("the script can be written");
        let mut script = Command::new("script");
        script.args(["-q", "-f", "-e", "-c", &format!("sh {}", quoted(&file.display().to_string())), "/dev/null"]);
        let script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut script = script.expect("`script` is installed");
        let input = script.stdin.take().expect("it is piped");
        let mut output = script.stdout.take().expect("it is piped");
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                let mut painted = theirs.painted.lock().expect("no reader panicked");
                painted.bytes.extend_from_slice(&chunk[..count]);
                painted.parts.push(Stopwatch::start());
                theirs.more.notify_all();
            }
        });
        Self { script, input, shared, reader: Some(reader) }
    }

    /// Waits until this was painted in one piece.
    #[track_caller]
    pub(crate) fn wait_to_paint(&self, text: &str, bound: Duration) {
        let painted = self.shared.painted.lock().expect("no reader panicked");
        let missing = |painted: &mut Painted| !contains(&painted.bytes, text.as_bytes());
        let (painted, timed_out) =
            self.shared.more.wait_timeout_while(painted, bound, missing).expect("no reader panicked");
        let shown = String::from_utf8_lossy(&painted.bytes).escape_debug().to_string();
        assert!(!timed_out.timed_out(), "{text:?} was not painted in {bound:?}: {shown}");
    }

    /// Lets everything be painted that is on its way.
    pub(crate) fn wait_until_quiet(&self, bound: Duration) {
        super::wait_until("nothing more is painted", bound, || {
            let painted = self.shared.painted.lock().expect("no reader panicked");
            painted.parts.last().is_none_or(|last| last.elapsed() > 5 * QUIET).then_some(())
        });
    }

    /// Presses a key, by the bytes that it sends, and gives the time until the last byte of the frame that was painted
    /// for it. What is painted a while later is another frame: a clock, news of the line.
    #[track_caller]
    pub(crate) fn press(&mut self, key: &str, bound: Duration) -> Duration {
        *self.shared.painted.lock().expect("no reader panicked") = Painted::default();
        let pressed = Stopwatch::start();
        self.input.write_all(key.as_bytes()).expect("it reads");
        self.input.flush().expect("it reads");
        super::wait_until("the key is answered", bound, || {
            let painted = self.shared.painted.lock().expect("no reader panicked");
            painted.parts.last().filter(|last| last.elapsed() > QUIET)?;
            let goes_on = |pair: &&[Stopwatch]| pair[0].until(pair[1]) < PAUSE;
            let end = painted.parts.windows(2).take_while(goes_on).count();
            Some(pressed.until(painted.parts[end]))
        })
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // The terminal goes with `script`, and whoever runs in it is hung up on.
        self.script.kill().ok();
        self.script.wait().ok();
        if let Some(reader) = self.reader.take() {
            // It has nothing to say but that it read to the end.
            reader.join().ok();
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

//! Running other programs from the root of the workspace, and what can go wrong with that.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the programs run, and with which cargo.
pub(crate) struct Workspace {
    root: PathBuf,
    cargo: OsString,
}

/// Why a stage is red.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A program that a stage needs is not on this machine.
    Missing {
        /// The program.
        program: String,
        /// What to do about it.
        remedy: String,
    },
    /// A program ran and said no.
    Refused {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What to do about it, where that is known.
        hint: &'static str,
    },
    /// A check of ours found something; a line each.
    Findings(Vec<String>),
    /// The system did not let us.
    Io {
        /// What was tried.
        doing: String,
        /// What came back.
        error: std::io::Error,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, remedy } => write!(f, "{program} is missing: {remedy}"),
            Self::Refused { command, status, hint } => {
                write!(f, "`{command}` failed ({status})")?;
                if hint.is_empty() { Ok(()) } else { write!(f, "; {hint}") }
            }
            Self::Findings(lines) => {
                write!(f, "{} found", lines.len())?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
        }
    }
}

/// Which stream of a child is read while it is passed on.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Workspace {
    /// Finds the workspace around the current directory.
    pub(crate) fn locate() -> Result<Self, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut here = Self { root: PathBuf::from("."), cargo };
        let manifest =
            here.capture(&mut here.cargo(&["locate-project", "--workspace", "--message-format", "plain"]))?;
        here.root = Path::new(manifest.trim_end()).parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
        Ok(here)
    }

    /// The directory of the workspace's manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_directory(&self) -> Result<PathBuf, Failure> {
        let metadata = self.capture(&mut self.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        target_directory(&metadata).map(PathBuf::from).ok_or_else(|| {
            Failure::Findings(vec!["`cargo metadata` names no target directory that could be a path here".to_owned()])
        })
    }

    /// A cargo command, run from the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(arguments);
        command
    }

    /// Any other command, run from the root and without standard input.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; its output goes where ours goes.
    pub(crate) fn run(&self, command: &mut Command, hint: &'static str) -> Result<(), Failure> {
        println!("    {}", command_line(command));
        let status = command.status().map_err(|error| could_not_run(command, error))?;
        verdict(command, status, hint)
    }

    /// Runs a command to its end and returns its standard output.
    pub(crate) fn capture(&self, command: &mut Command) -> Result<String, Failure> {
        let output = command.stderr(Stdio::inherit()).output().map_err(|error| could_not_run(command, error))?;
        verdict(command, output.status, "")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command to its end, passes its output on as it comes, and returns the lines of one stream beside the
    /// verdict.
    pub(crate) fn follow(&self, command: &mut Command, stream: Stream) -> (Vec<String>, Result<(), Failure>) {
        println!("    {}", command_line(command));
        let piped = match stream {
            Stream::Output => command.stdout(Stdio::piped()).spawn(),
            Stream::Error => command.stderr(Stdio::piped()).spawn(),
        };
        let mut child = match piped {
            Ok(child) => child,
            Err(error) => return (Vec::new(), Err(could_not_run(command, error))),
        };
        let lines = match stream {
            Stream::Output => child.stdout.take().map(|pipe| pass_on(pipe, std::io::stdout())),
            Stream::Error => child.stderr.take().map(|pipe| pass_on(pipe, std::io::stderr())),
        };
        let ended = child.wait().map_err(|error| could_not_run(command, error));
        let lines = lines.expect("the stream was piped above").map_err(|error| could_not_run(command, error));
        match lines {
            Ok(lines) => (lines, ended.and_then(|status| verdict(command, status, ""))),
            Err(failure) => (Vec::new(), Err(failure)),
        }
    }

    /// Checks that a cargo subcommand exists before a stage leans on it.
    pub(crate) fn require_cargo(&self, subcommand: &str, remedy: &str) -> Result<(), Failure> {
        let mut probe = self.cargo(&[subcommand, "--version"]);
        let found = probe.stdout(Stdio::null()).stderr(Stdio::null()).status();
        match found {
            Ok(status) if status.success() => Ok(()),
            Ok(_) | Err(_) => {
                Err(Failure::Missing { program: format!("cargo {subcommand}"), remedy: remedy.to_owned() })
            }
        }
    }
}

/// The target directory in what `cargo metadata` prints.
fn target_directory(metadata: &str) -> Option<&str> {
    let (_, rest) = metadata.split_once("\"target_directory\":\"")?;
    let (path, _) = rest.split_once('"')?;
    // A quote or a backslash in it would be escaped.
    (!path.contains('\\')).then_some(path)
}

fn pass_on(from: impl Read, mut to: impl Write) -> std::io::Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    to.flush()?;
    Ok(lines)
}

fn verdict(command: &Command, status: std::process::ExitStatus, hint: &'static str) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::Refused { command: command_line(command), status: status.to_string(), hint })
}

fn could_not_run(command: &Command, error: std::io::Error) -> Failure {
    Failure::Io { doing: format!("running `{}`", command_line(command)), error }
}

/// The command as a person would type it: the program by its name alone.
fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(std::ffi::OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_passed_on_unchanged_and_returned_without_their_ends() {
        let mut seen = Vec::new();
        let lines = pass_on(&b"one\r\ntwo \xff\nthree"[..], &mut seen).unwrap();
        assert_eq!(seen, b"one\r\ntwo \xff\nthree");
        assert_eq!(lines, ["one", "two \u{fffd}", "three"]);
    }

    #[test]
    fn the_target_directory_is_found_in_the_metadata() {
        let metadata = r#"{"workspace_root":"/a","target_directory":"/a b/target","build_directory":"/c"}"#;
        assert_eq!(target_directory(metadata), Some("/a b/target"));
        assert_eq!(target_directory(r#"{"target_directory":"/a\"b"}"#), None);
    }

    #[test]
    fn a_refusal_names_the_command_without_its_directory_and_says_what_to_do() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["fmt", "--check"]);
        let hint = "run `cargo fmt --all`";
        let failure = Failure::Refused { command: command_line(&command), status: "exit status: 1".to_owned(), hint };
        assert_eq!(failure.to_string(), "`cargo fmt --check` failed (exit status: 1); run `cargo fmt --all`");
    }
}

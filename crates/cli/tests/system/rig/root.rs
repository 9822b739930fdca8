//! What only root may do.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this is root; says so if not. The words are known to the gate, which counts tests that step aside.
pub(crate) fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output().expect("`id` is everywhere");
    let root = user.stdout.trim_ascii() == b"0";
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

/// Runs a command that has to work.
#[track_caller]
pub(crate) fn command(program: &str, arguments: &[&str]) {
    output(program, arguments);
}

/// What a command that has to work prints.
#[track_caller]
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it prints text")
}

/// A small disk of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Tmpfs(PathBuf);

impl Tmpfs {
    pub(crate) fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).expect("a directory to mount on");
        command("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &at.display().to_string()]);
        Self(at.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Another size, with what is on it.
    pub(crate) fn resize(&self, size: &str) {
        command("mount", &["-o", &format!("remount,size={size}"), &self.0.display().to_string()]);
    }

    /// Shrinks it to what is on it, and takes what little room is left, whoever is writing meanwhile.
    pub(crate) fn fill_up(&self) -> PathBuf {
        const LEFT: u64 = 256 * 1024;
        let at = self.0.display().to_string();
        super::wait_until("the disk shrinks to what is on it", super::SOON, || {
            let used = output("df", &["-B1", "--output=used", &at]);
            let used: u64 = used.lines().last().and_then(|line| line.trim().parse().ok()).expect("df tells bytes");
            // It is refused where more was written in between.
            let size = format!("remount,size={}", used + LEFT);
            let shrunk = Command::new("mount").args(["-o", &size, &at]).output().expect("`mount` is everywhere");
            shrunk.status.success().then_some(())
        });
        self.fill()
    }

    /// From now on it takes no writes. Nobody may have a file on it open for writing.
    pub(crate) fn make_read_only(&self) {
        command("mount", &["-o", "remount,ro", &self.0.display().to_string()]);
    }

    /// Takes all the room that is left with a file; removing it frees the room.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let done = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", path.display())).output();
        let said = done.expect("`dd` is everywhere").stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("No space left"), "the disk is not full: {said}");
        path
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process of a failed test may still be there for a moment.
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

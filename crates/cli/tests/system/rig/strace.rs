//! A disk that misbehaves: system calls of a running process are delayed, or fail, until the value is dropped.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::Process;
use super::{SOON, Stopwatch, pause};

const SYNCS: &str = "fsync,fdatasync";
/// How long it may take to go when it is asked to.
const GOES: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Injection(Process);

impl Injection {
    /// The first sync of each thread takes this much longer.
    pub(crate) fn stall_next_sync(of: &Process, delay: Duration) -> Self {
        Self::attach(of.id(), SYNCS, &format!("delay_enter={}:when=1", delay.as_micros()), &[])
    }

    /// Each sync takes this much longer.
    pub(crate) fn slow_syncs(of: u32, delay: Duration) -> Self {
        Self::attach(of, SYNCS, &format!("delay_enter={}", delay.as_micros()), &[])
    }

    /// Each sync fails, as on a device that is broken.
    pub(crate) fn fail_syncs(of: &Process) -> Self {
        Self::attach(of.id(), SYNCS, "error=EIO", &[])
    }

    /// Each write to one of these files fails with this error.
    pub(crate) fn fail_writes(of: &Process, error: &str, files: &[&Path]) -> Self {
        Self::attach(of.id(), "write,pwrite64", &format!("error={error}"), files)
    }

    /// Waiting for sockets and timers fails with an error that cannot be: what is built on it panics.
    pub(crate) fn fail_polls(of: u32) -> Self {
        Self::attach(of, "epoll_wait,epoll_pwait", "error=EINVAL", &[])
    }

    fn attach(process: u32, calls: &str, fault: &str, files: &[&Path]) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{fault}"), "-o", "/dev/null"]);
        for file in files {
            command.arg("-P").arg(file);
        }
        let strace = Process::start(command.arg("-p").arg(process.to_string()));
        strace.wait_to_say("attached", SOON);
        Self(strace)
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Asked to go, it lets each call that it has its hands on end as was said; killed, it may leave one that the
        // kernel does not know. Only a call that it delays for long keeps it from going.
        self.0.signal("INT");
        let asked = Stopwatch::start();
        while !self.0.has_ended() && asked.elapsed() < GOES {
            pause(Duration::from_millis(5));
        }
    }
}

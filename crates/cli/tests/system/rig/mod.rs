//! What the tests are built from: a world with a directory, a server, members, and what they can be asked.

mod clock;
mod cost;
mod crowd;
mod feeder;
mod flood;
mod impostor;
mod lines;
mod log;
mod member;
mod memory;
mod namespace;
mod network;
mod process;
mod proxy;
mod pty;
mod random;
mod raw;
mod root;
mod screen;
mod server;
mod strace;
mod two_hosts;
mod wall_clock;
mod world;

pub(crate) use clock::{Stopwatch, pause, wait_until};
pub(crate) use cost::{Cost, cpu_time};
pub(crate) use crowd::Crowd;
pub(crate) use feeder::Feeder;
pub(crate) use flood::{Attack, Counted, Flood, KNOWN, hello};
pub(crate) use impostor::{Impostor, Manner};
pub(crate) use lines::Lines;
pub(crate) use log::{Entry, Log, Printed, assert_stored};
pub(crate) use member::Member;
pub(crate) use memory::{MemoryPeak, anonymous_bytes};
pub(crate) use namespace::Namespace;
pub(crate) use network::{Answer, Direction, Network};
pub(crate) use process::{Ended, Process};
pub(crate) use proxy::Proxy;
pub(crate) use pty::Pty;
pub(crate) use random::Random;
pub(crate) use raw::Raw;
pub(crate) use root::{Tmpfs, command, is_root};
pub(crate) use screen::Screen;
pub(crate) use server::Server;
pub(crate) use strace::Injection;
pub(crate) use two_hosts::TwoHosts;
pub(crate) use wall_clock::WallClock;
pub(crate) use world::{Program, World};

use std::time::Duration;

/// What takes a moment on a free machine may take this long on a busy one.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// The room that the tests talk in.
pub(crate) const ROOM: &str = "lobby";

/// `count` lines of one sender, beginning with number `first`, which say who and which.
pub(crate) fn lines_of(name: &str, first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| line_of(name, number)).collect()
}

/// A line that says who and which.
pub(crate) fn line_of(name: &str, number: usize) -> String {
    format!("{name} {number}")
}

/// Copies a directory with what is in it, or puts such a copy back in place of what is there.
pub(crate) fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).expect("the old directory can be removed");
    }
    command("cp", &["-a", &from.display().to_string(), &to.display().to_string()]);
}

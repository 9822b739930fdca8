//! Looks at what the status of each device says while its line is cut, and after all faults of it are over: how long
//! until it says that the line is down, and until it says that it is up again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::rig::{Member, Stopwatch, pause};

/// A machine that does much else may be so much slower than the bound.
const MARGIN: u32 = 3;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(150);

/// What the line of a host is like, from which moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Something is wrong with it, of which nothing in particular follows.
    Disturbed,
    /// No byte reaches the host.
    Silent(Duration),
    /// Nothing is wrong.
    Calm(Duration),
}

/// A look at a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// When it was begun: the status is at least as young.
    pub(super) at: Duration,
    pub(super) online: bool,
    /// A process drives the line.
    pub(super) driven: bool,
    pub(super) bound: Option<Duration>,
}

/// What the looks at all devices came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) noticed: Vec<Duration>,
    pub(super) recovered: Vec<Duration>,
    /// A status went on saying that a dead line is up.
    pub(super) silent: Vec<String>,
    pub(super) looks: usize,
}

/// One device.
#[derive(Debug, Default)]
pub(super) struct Device {
    line: Option<Line>,
    /// It was online when this line was first looked at.
    was_online: Option<bool>,
    bound: Duration,
    done: bool,
}

impl Device {
    /// Whether there is more to learn.
    pub(super) fn looks_on(&self, line: Line) -> bool {
        line != Line::Disturbed && !(self.done && self.line == Some(line))
    }

    /// Takes a look, during which the line was like this.
    pub(super) fn take(&mut self, who: &str, line: Line, look: Look, seen: &mut Seen) {
        if self.line != Some(line) {
            *self = Self { line: Some(line), ..Self::default() };
        }
        if self.done || !look.driven {
            return;
        }
        let was_online = *self.was_online.get_or_insert(look.online);
        self.bound = self.bound.max(look.bound.unwrap_or_default());
        match line {
            Line::Disturbed => {}
            Line::Silent(since) if look.online => {
                let lasts = look.at.saturating_sub(since);
                if !self.bound.is_zero() && lasts > MARGIN * self.bound {
                    let bound = self.bound;
                    seen.silent.push(format!("{who} says online {lasts:?} after the cut; its bound is {bound:?}"));
                    self.done = true;
                }
            }
            Line::Silent(since) => {
                if was_online {
                    seen.noticed.push(look.at.saturating_sub(since));
                }
                self.done = true;
            }
            Line::Calm(since) if look.online => {
                if !was_online {
                    seen.recovered.push(look.at.saturating_sub(since));
                }
                self.done = true;
            }
            Line::Calm(_) => {}
        }
    }
}

/// The thread that looks, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    clock: Stopwatch,
    lines: Mutex<Vec<Line>>,
    seen: Mutex<Seen>,
    stopped: AtomicBool,
}

impl Watch {
    /// Of these devices, each on its host.
    pub(super) fn start(clock: Stopwatch, hosts: usize, devices: Vec<(usize, String, Member)>) -> Self {
        let lines = Mutex::new(vec![Line::Disturbed; hosts]);
        let shared = Arc::new(Shared { clock, lines, seen: Mutex::default(), stopped: AtomicBool::new(false) });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || theirs.look_on(&devices));
        Self { shared, thread: Some(thread) }
    }

    pub(super) fn set(&self, host: usize, line: Line) {
        self.shared.lines.lock().expect("nobody panicked")[host] = line;
    }

    pub(super) fn line(&self, host: usize) -> Line {
        self.shared.lines.lock().expect("nobody panicked")[host]
    }

    pub(super) fn seen(&self) -> Seen {
        self.shared.seen.lock().expect("nobody panicked").clone()
    }
}

impl Shared {
    fn look_on(&self, devices: &[(usize, String, Member)]) {
        let mut kept: BTreeMap<&str, Device> = BTreeMap::new();
        while !self.stopped.load(Ordering::Relaxed) {
            for (host, who, member) in devices {
                let line = || self.lines.lock().expect("nobody panicked")[*host];
                let before = line();
                let device = kept.entry(who).or_default();
                if !device.looks_on(before) {
                    continue;
                }
                let Some(look) = self.look(member) else { continue };
                if line() == before {
                    let mut seen = self.seen.lock().expect("nobody panicked");
                    seen.looks += 1;
                    device.take(who, before, look, &mut seen);
                }
            }
            pause(LOOK);
        }
    }

    /// A full disk may keep a status from being read.
    fn look(&self, member: &Member) -> Option<Look> {
        let at = self.clock.elapsed();
        let ended = member.start("status", &["--json"]).wait(crate::rig::SOON);
        let status: serde_json::Value = serde_json::from_str(ended.out.first()?).ok()?;
        let bound = status["bound_ms"].as_u64().map(Duration::from_millis);
        Some(Look { at, online: status["state"] == "online", driven: status["process"].is_u64(), bound })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It is told by what it has not seen.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn look(at: u32, online: bool) -> Look {
        Look { at: at * SECOND, online, driven: true, bound: online.then_some(3 * SECOND) }
    }

    fn seen(looks: &[(Line, Look)]) -> Seen {
        let (mut device, mut seen) = (Device::default(), Seen::default());
        looks.iter().for_each(|&(line, look)| device.take("ann 1", line, look, &mut seen));
        seen
    }

    #[test]
    fn a_status_that_says_online_beyond_three_bounds_after_a_cut_is_found_once() {
        let cut = Line::Silent(10 * SECOND);
        assert!(seen(&[(cut, look(11, true)), (cut, look(19, true))]).silent.is_empty());
        let long = seen(&[(cut, look(11, true)), (cut, look(20, true)), (cut, look(21, true)), (cut, look(22, true))]);
        assert_eq!(long.silent, ["ann 1 says online 10s after the cut; its bound is 3s"]);
    }

    #[test]
    fn the_time_to_notice_counts_from_the_cut_and_only_if_the_line_was_up() {
        let cut = Line::Silent(10 * SECOND);
        assert_eq!(
            seen(&[(cut, look(11, true)), (cut, look(13, false)), (cut, look(14, false))]).noticed,
            [3 * SECOND]
        );
        assert!(seen(&[(cut, look(11, false)), (cut, look(13, false))]).noticed.is_empty());
    }

    #[test]
    fn the_time_to_recover_counts_from_the_end_of_all_faults_and_only_if_the_line_was_down() {
        let calm = Line::Calm(20 * SECOND);
        assert_eq!(
            seen(&[(calm, look(20, false)), (calm, look(22, true)), (calm, look(23, true))]).recovered,
            [2 * SECOND]
        );
        assert!(seen(&[(calm, look(20, true)), (calm, look(22, false)), (calm, look(23, true))]).recovered.is_empty());
    }

    #[test]
    fn another_cut_is_another_measurement_and_a_device_without_a_process_is_none() {
        let (first, second) = (Line::Silent(10 * SECOND), Line::Silent(30 * SECOND));
        let both =
            [(first, look(11, true)), (first, look(12, false)), (second, look(30, true)), (second, look(34, false))];
        assert_eq!(seen(&both).noticed, [2 * SECOND, 4 * SECOND]);
        let undriven = Look { driven: false, ..look(60, true) };
        assert!(seen(&[(first, undriven), (first, undriven)]).silent.is_empty());
    }
}

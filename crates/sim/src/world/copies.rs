//! Copies of what is on disks, and putting them back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use steadfast_proto::session::Cause;
use steadfast_proto::time::{Duration, Instant};

use super::machine::Machine;
use super::observed::Observed;
use super::{Task, World};
use crate::plan::DevicePlan;
use crate::random::Random;

/// Copies of one machine that are kept.
const COPIES_MAX: usize = 8;
/// Devices of a world, copies included.
const DEVICES_MAX: usize = 8;
/// How long who was sent away by a copy counts as that: it may try again.
const OUSTED_FOR: Duration = Duration::from_secs(60);
/// How long it takes to put one back.
const TAKES: Duration = Duration::from_millis(700);

/// Copies by whose they are: `None` is the server.
#[derive(Debug, Default)]
pub(super) struct Copies {
    kept: BTreeMap<Option<usize>, Vec<(Instant, PathBuf)>>,
    /// Some profile is on two machines.
    of_profiles: bool,
}

impl World {
    /// Copies everybody's disk, as it is at this moment.
    pub fn take_copies(&mut self) {
        self.take_copy(None);
        for device in 0..self.devices.len() {
            self.take_copy(Some(device));
        }
    }

    fn take_copy(&mut self, whose: Option<usize>) {
        let number = self.number();
        let to = self.directory().join(format!("copy{number}"));
        let from = match whose {
            None => self.server.machine.directory(),
            Some(device) => self.devices[device].machine.directory(),
        };
        copy_files(from, &to);
        let copies = self.copies.kept.entry(whose).or_default();
        copies.push((self.now, to));
        if copies.len() > COPIES_MAX {
            let (_, oldest) = copies.remove(0);
            std::fs::remove_dir_all(oldest).expect("a copy of this world's can be removed");
        }
    }

    /// The last copy that is so old, or the oldest.
    fn copy_of(&self, whose: Option<usize>, age: Duration) -> Option<PathBuf> {
        let copies = self.copies.kept.get(&whose)?;
        let old = copies.iter().rev().find(|(at, _)| self.now.since(*at) >= age).or_else(|| copies.first());
        old.map(|(_, path)| path.clone())
    }

    /// Another copy of its profile has, or just had, its place at the server.
    pub fn is_ousted(&self, device: usize) -> bool {
        let there = &self.devices[device];
        let lately = there.ousted_at.is_some_and(|at| self.now.since(at) < OUSTED_FOR);
        // Who was taken over stays away until somebody starts it again.
        let taken_over =
            there.process.as_ref().is_some_and(|process| process.session.status().cause == Some(Cause::TakenOver));
        self.copies.of_profiles && (lately || taken_over)
    }

    pub(super) fn restore_server(&mut self, age: Duration) -> bool {
        let Some(copy) = self.copy_of(None, age) else { return false };
        self.kill_server(false);
        put_back(&copy, &self.server.machine);
        self.see(Observed::ServerRestored);
        self.later(TAKES, Task::StartServer);
        true
    }

    pub(super) fn restore_profile(&mut self, device: usize, age: Duration) -> bool {
        let Some(copy) = self.copy_of(Some(device), age).filter(|_| device < self.devices.len()) else { return false };
        self.kill_device(device, false);
        put_back(&copy, &self.devices[device].machine);
        self.see(Observed::ProfileRestored { device });
        self.later(TAKES, Task::StartDevice { device });
        true
    }

    /// The profile as it is now is started on another machine, too.
    pub(super) fn copy_profile(&mut self, device: usize) -> bool {
        if device >= self.devices.len() || self.devices.len() >= DEVICES_MAX {
            return false;
        }
        self.copies.of_profiles = true;
        let mut random = Random::new(self.random.number());
        let directory = self.directory().join(format!("device{}", self.devices.len()));
        copy_files(self.devices[device].machine.directory(), &directory);
        let machine = Machine::new(&directory, random.number(), self.now);
        let there = &self.devices[device];
        let plan = DevicePlan { account: there.account, version: there.version };
        let (name, fresh, entered) = (there.name.clone(), there.fresh.clone(), there.entered.clone());
        let copy = self.devices.len();
        self.see(Observed::ProfileRestored { device: copy });
        self.see(Observed::ProfileRestored { device });
        self.put_device(&name, &plan, machine, (fresh, random));
        self.devices[copy].entered = entered;
        self.start_device(copy);
        true
    }
}

/// What a backup would copy: not the locks of whoever runs there.
pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory of this world");
    for file in std::fs::read_dir(from).expect("a directory of this world") {
        let file = file.expect("it can be listed").path();
        let Some(name) = file.file_name().filter(|name| name.to_string_lossy().contains("sqlite3")) else { continue };
        std::fs::copy(&file, to.join(name)).expect("a file of this world");
    }
}

/// Puts a copy in the place of what a machine has. None of its processes may run.
pub fn put_back(copy: &Path, machine: &Machine) {
    for file in std::fs::read_dir(machine.directory()).expect("a directory of this world") {
        let file = file.expect("it can be listed").path();
        if file.to_string_lossy().contains("sqlite3") {
            std::fs::remove_file(&file).expect("a file of this world");
        }
    }
    copy_files(copy, machine.directory());
    machine.disk().settle().expect("files of this world");
}

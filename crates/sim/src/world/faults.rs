//! What goes wrong, and whether it changed anything.

use steadfast_proto::time::Duration;

use super::bites::Bites;
use super::line::Spoil;
use super::{Task, World};
use crate::plan::{Fault, Machine as Whose, Ways};
use crate::vfs::{self, Death};

/// How long after something was done to a line a silence may still come of it.
const AFTERMATH: Duration = Duration::from_secs(20);
/// Latency up to here is a healthy line's.
const LATENCY_MAX: Duration = Duration::from_millis(350);

impl World {
    /// Does it.
    pub fn fail(&mut self, fault: &Fault) {
        self.note(0xfa17);
        self.bites.injected(fault.kind());
        if let Some(whose) = fault.waits_at() {
            let met = self.times_met(fault.kind(), whose);
            self.bites.wait(fault.kind(), whose, met);
        }
        if self.act_out(fault) {
            match fault.waits_at() {
                Some(whose) => self.bites.meet(fault.kind(), whose),
                None => self.bites.bit(fault.kind()),
            }
        }
    }

    /// Whether it changed something at once.
    fn act_out(&mut self, fault: &Fault) -> bool {
        match *fault {
            Fault::Silence { device, ways } => self.cut_of(device, ways, false),
            Fault::Reset { device } => self.cut_of(device, Ways::Both, true),
            Fault::HalfOpen { device } => self.half_open(device),
            Fault::Stall { device, ways, lasts } => self.stall(device, ways, lasts),
            Fault::Slow { device, bytes_per_second, lasts } => self.slow_line(device, bytes_per_second, lasts),
            Fault::Jitter { device, latency_max, lasts } => self.jitter(device, latency_max, lasts),
            Fault::FlipBit { device, up } => self.spoil(device, up, Spoil::Flip),
            Fault::Hole { device, up, bytes } => self.spoil(device, up, Spoil::Drop(bytes)),
            Fault::NatForgets { device, quiet } => self.nat_forgets(device, quiet),
            Fault::AddressChange { device } => self.change_address(device),
            Fault::Flap { device, after, lasts } => self.flap(device, after, lasts),
            Fault::NoNetwork { device, lasts } => self.no_network(device, lasts),
            Fault::Kill { whose, back, in_calls: None } => self.crash(whose, false, back),
            Fault::PowerLoss { whose, back, in_calls: None } => self.crash(whose, true, back),
            Fault::Kill { whose, in_calls: Some(calls), .. } => self.arm(whose, calls, Death::Kill),
            Fault::PowerLoss { whose, in_calls: Some(calls), .. } => self.arm(whose, calls, Death::Power),
            Fault::DiskFull { whose, lasts } => self.fill_disk(whose, lasts),
            Fault::DiskSlow { whose, sync, lasts } => self.slow_disk(whose, sync, lasts),
            Fault::SyncFails { whose } => self.break_disk(whose, |disk| disk.fail_syncs(1)),
            Fault::WritesFail { whose, count } => self.break_disk(whose, |disk| disk.fail_writes(count.into())),
            Fault::ReadsFail { whose, count } => self.break_disk(whose, |disk| disk.fail_reads(count.into())),
            Fault::Sleep { whose, lasts } => self.put_to_sleep(whose, lasts),
            Fault::LateTimers { whose, by, lasts } => self.late_timers(whose, by, lasts),
            Fault::WallClock { whose, by_ms } => self.set_wall(whose, by_ms),
            Fault::Drift { whose, ppm } => self.drift(whose, ppm),
            Fault::HandOver { device } => self.hand_over(device),
            Fault::ProfileRestored { device, age } => self.restore_profile(device, age),
            Fault::ProfileCopied { device } => self.copy_profile(device),
            Fault::ServerRestored { age } => self.restore_server(age),
            Fault::Drain { back } => self.drain(back),
        }
    }

    /// How often something met faults of a kind: disks and clocks count for themselves.
    fn times_met(&self, kind: &'static str, whose: Whose) -> u64 {
        let machine = match whose {
            Whose::Server => Some(&self.server.machine),
            Whose::Device(device) => self.devices.get(device).map(|device| &device.machine),
        };
        let Some(machine) = machine else { return 0 };
        let disk = machine.disk().bites();
        match kind {
            "disk full" => disk.refused_full,
            "writes fail" => disk.failed_writes,
            "syncs fail" => disk.failed_syncs,
            "reads fail" => disk.failed_reads,
            "slow disk" => machine.slow_syncs,
            _ => self.bites.times_met(kind, whose),
        }
    }

    /// What went wrong and what of it mattered, now that all is over.
    pub fn settled_bites(&self) -> Bites {
        let mut bites = self.bites.clone();
        bites.settle_all(|bites, kind, whose| match kind {
            "disk full" | "writes fail" | "syncs fail" | "reads fail" | "slow disk" => self.times_met(kind, whose),
            _ => bites.times_met(kind, whose),
        });
        bites.add_disk(&self.server.machine.disk().bites());
        self.devices.iter().for_each(|device| bites.add_disk(&device.machine.disk().bites()));
        bites
    }

    /// Whether anything was done to a line, or to what is at its ends, so lately that it may have died of it.
    pub(super) fn was_disturbed(&self, line: u64) -> bool {
        let Some(device) = self.lines.get(&line).map(|line| line.device) else { return true };
        self.may_be_silent(line, Whose::Server) || self.may_be_silent(line, Whose::Device(device))
    }

    /// Whether anything was done to a line, or to what is at its other end, so lately that nothing may come to this
    /// one. That it slept itself, or that its timers were late, is none of the line's doing, unless it woke so soon
    /// after a deadline that it can't tell.
    pub(crate) fn may_be_silent(&self, line: u64, to: Whose) -> bool {
        let Some(line) = self.lines.get(&line) else { return true };
        let (own, other) = match to {
            Whose::Server => (&self.server.machine, &self.devices[line.device].machine),
            Whose::Device(device) => (&self.devices[device].machine, &self.server.machine),
        };
        line.dead_since.is_some()
            || own.overslept_barely
            || self.now <= line.disturbed_until.max(other.disturbed_until) + AFTERMATH
    }

    // ---- lines

    /// A line carries nothing any more, and nobody is told.
    pub(super) fn silence(&mut self, line: u64) {
        self.cut(line, Ways::Both, false);
    }

    /// Cuts a line; an end that is cut loudly is told. Whether it lived.
    pub fn cut(&mut self, line: u64, ways: Ways, loud: bool) -> bool {
        let now = self.now;
        let Some(there) = self.lines.get_mut(&line) else { return false };
        let mut any = false;
        if ways != Ways::Down {
            any |= there.up.cut(now, loud, &mut there.random);
        }
        if ways != Ways::Up {
            any |= there.down.cut(now, loud, &mut there.random);
        }
        if any {
            there.dead_since.get_or_insert(now);
        }
        any
    }

    fn cut_of(&mut self, device: usize, ways: Ways, loud: bool) -> bool {
        self.line_of(device).is_some_and(|line| self.cut(line, ways, loud))
    }

    fn line_of(&self, device: usize) -> Option<u64> {
        self.devices.get(device)?.line
    }

    fn half_open(&mut self, device: usize) -> bool {
        let Some(line) = self.line_of(device) else { return false };
        let cut = self.cut(line, Ways::Both, false);
        self.server_lost(line);
        cut
    }

    /// What is done to it is over by then.
    fn disturb_line(&mut self, device: usize, lasts: Duration) -> Option<u64> {
        let until = self.now + lasts;
        let line = self.line_of(device)?;
        let there = self.lines.get_mut(&line)?;
        there.disturbed_until = there.disturbed_until.max(until);
        Some(line)
    }

    fn stall(&mut self, device: usize, ways: Ways, lasts: Duration) -> bool {
        let until = self.now + lasts;
        let Some(line) = self.disturb_line(device, lasts) else { return false };
        let Some(there) = self.lines.get_mut(&line) else { return false };
        if ways != Ways::Down {
            there.up.stall(until);
        }
        if ways != Ways::Up {
            there.down.stall(until);
        }
        // Once something arrives that was held, which is counted then.
        false
    }

    fn slow_line(&mut self, device: usize, bytes_per_second: u64, lasts: Duration) -> bool {
        let until = self.now + lasts;
        let Some(there) = self.devices.get_mut(device) else { return false };
        there.set_slow(bytes_per_second, until);
        // It is the next line that is slow, and counted then.
        false
    }

    fn jitter(&mut self, device: usize, latency_max: Duration, lasts: Duration) -> bool {
        let until = self.now + lasts;
        let Some(there) = self.devices.get_mut(device) else { return false };
        there.set_jitter(latency_max, until);
        if latency_max > LATENCY_MAX {
            self.disturb_line(device, lasts);
        }
        false
    }

    fn spoil(&mut self, device: usize, up: bool, spoil: Spoil) -> bool {
        // Until it has bitten, which is counted then.
        let Some(line) = self.disturb_line(device, Duration::from_secs(3_600)) else { return false };
        if let Some(there) = self.lines.get_mut(&line) {
            if up { there.up.spoil(spoil) } else { there.down.spoil(spoil) }
        }
        false
    }

    fn nat_forgets(&mut self, device: usize, quiet: Duration) -> bool {
        let Some(line) = self.line_of(device) else { return false };
        let now = self.now;
        let is_quiet = |line: &super::Line| line.up.quiet_for(now) >= quiet && line.down.quiet_for(now) >= quiet;
        self.lines.get(&line).is_some_and(is_quiet) && self.cut(line, Ways::Both, false)
    }

    fn change_address(&mut self, device: usize) -> bool {
        let cut = self.cut_of(device, Ways::Both, false);
        if device < self.devices.len() {
            self.tell_of_network(device);
        }
        cut
    }

    fn flap(&mut self, device: usize, after: Duration, lasts: Duration) -> bool {
        let until = self.now + lasts;
        if let Some(there) = self.devices.get_mut(device) {
            there.set_flapping(after, until);
        }
        self.cut_of(device, Ways::Both, true);
        // It is the next lines that die young, which is counted then.
        false
    }

    /// A line of a device whose lines die young.
    pub(super) fn end_young(&mut self, line: u64) {
        let device = self.lines.get(&line).map(|line| line.device);
        if let Some(device) = device.filter(|_| self.cut(line, Ways::Both, true)) {
            self.bites.meet("lines that die young", Whose::Device(device));
        }
    }

    fn no_network(&mut self, device: usize, lasts: Duration) -> bool {
        let until = self.now + lasts;
        let Some(there) = self.devices.get_mut(device) else { return false };
        there.lose_network(until);
        self.later(lasts, Task::NetworkBack { device });
        self.cut_of(device, Ways::Both, false)
    }

    // ---- processes

    /// A machine, or a process of it, died in the midst of a call.
    pub(super) fn note_death(&mut self, whose: Whose, death: Death) {
        let kind = match death {
            Death::Kill => "kill in a call",
            Death::Power => "power loss in a call",
        };
        self.bites.meet(kind, whose);
    }

    fn runs(&self, whose: Whose) -> bool {
        match whose {
            Whose::Server => self.server.is_up(),
            Whose::Device(device) => self.devices.get(device).is_some_and(|device| device.process.is_some()),
        }
    }

    fn crash(&mut self, whose: Whose, power: bool, back: Duration) -> bool {
        let ran = self.runs(whose);
        match whose {
            Whose::Server => {
                self.kill_server(power);
                self.later(back, Task::StartServer);
            }
            Whose::Device(device) if device < self.devices.len() => {
                self.kill_device(device, power);
                self.later(back, Task::StartDevice { device });
            }
            Whose::Device(_) => {}
        }
        ran
    }

    /// It bites when it happens, and is counted then.
    fn arm(&mut self, whose: Whose, calls: u32, death: Death) -> bool {
        if let Some(machine) = self.machine(whose) {
            machine.disk().die_in(calls.into(), death);
        }
        false
    }

    fn hand_over(&mut self, device: usize) -> bool {
        let ran = self.runs(Whose::Device(device));
        if ran {
            self.end_device(device);
            self.start_device(device);
        }
        ran
    }

    fn drain(&mut self, back: Duration) -> bool {
        let ran = self.server.is_up();
        if ran {
            self.drain_server(back);
        }
        ran
    }

    fn put_to_sleep(&mut self, whose: Whose, lasts: Duration) -> bool {
        let (ran, until) = (self.runs(whose), self.now + lasts);
        if let Some(machine) = self.machine(whose) {
            machine.sleep(until);
            machine.disturb(until);
        }
        ran
    }

    // ---- disks and clocks; those of a disk are counted by the disk

    fn fill_disk(&mut self, whose: Whose, lasts: Duration) -> bool {
        if let Some(machine) = self.machine(whose) {
            machine.disk().set_full(true);
            self.later(lasts, Task::RoomOnDisk { whose });
        }
        false
    }

    fn slow_disk(&mut self, whose: Whose, sync: Duration, lasts: Duration) -> bool {
        let until = self.now + lasts;
        if let Some(machine) = self.machine(whose) {
            machine.set_slow(sync, until);
        }
        false
    }

    fn break_disk(&mut self, whose: Whose, how: impl FnOnce(&vfs::Disk)) -> bool {
        if let Some(machine) = self.machine(whose) {
            how(machine.disk());
        }
        false
    }

    fn late_timers(&mut self, whose: Whose, by: Duration, lasts: Duration) -> bool {
        let until = self.now + lasts;
        if let Some(machine) = self.machine(whose) {
            machine.set_late(by, until);
            // One that is due just before the end fires that much later.
            machine.disturb(until + by);
        }
        false
    }

    fn set_wall(&mut self, whose: Whose, by_ms: i64) -> bool {
        let ran = self.runs(whose);
        if let Some(machine) = self.machine(whose) {
            machine.set_wall(by_ms);
        }
        ran && by_ms != 0
    }

    fn drift(&mut self, whose: Whose, ppm: i32) -> bool {
        let (ran, now) = (self.runs(whose), self.now);
        if let Some(machine) = self.machine(whose) {
            machine.set_drift(now, ppm);
        }
        ran && ppm != 0
    }

    /// From now on nothing goes wrong, and what was broken may mend itself.
    pub fn calm(&mut self) {
        let now = self.now;
        self.server.machine.mend(now);
        for device in 0..self.devices.len() {
            self.devices[device].machine.mend(now);
            self.devices[device].mend_network();
            self.start_device(device);
            self.tell_of_network(device);
            self.tell(device, |session, _| session.resume());
        }
        self.start_server();
    }
}

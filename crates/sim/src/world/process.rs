//! A process of a device that drives its line: a session, and the profile that it has open.

use std::collections::BTreeMap;

use steadfast_proto::ids::OperationId;
use steadfast_proto::session::{
    Begin, Cause, Change, Event, Flight, LOADED_BYTES_MAX, Load, Reply, Request, Resume, Session, Settings, State,
    Stored,
};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::RequestError;
use steadfast_store::profile::{ApplyError, DriverLock, Profile, ProfileError};

use super::observed::Observed;
use super::{Task, World};
use crate::plan::Machine as Whose;
use crate::vfs::Death;

/// How long what can't be stored, opened or read now waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// When a program whose profile failed is started again.
pub(super) const RESTART: Duration = Duration::from_secs(3);

/// See the module's documentation.
#[derive(Debug)]
pub struct Process {
    /// Its number on its machine.
    pub number: u64,
    /// The core.
    pub session: Session,
    /// The profile.
    pub profile: Profile,
    _lock: DriverLock,
    storing: Option<Vec<Change>>,
    applied: Option<(Stored, Option<Resume>)>,
    /// By its own clock: when what could not be stored is tried again.
    store_at: Option<Instant>,
    /// Likewise, for rows that could not be read.
    load_at: Option<(Instant, u64)>,
    /// What it was told since it started.
    pub answered: BTreeMap<u32, Result<Reply, RequestError>>,
    /// What the flight recorder said last of each of its links.
    pub flights: BTreeMap<u64, Flight>,
    was_online: bool,
    /// The last link whose end was seen.
    ended: Option<u64>,
    /// Of the line that was closed last, as it was then.
    closed: Excuses,
}

/// Whether a line may be given up: for nothing came, or for another reason.
#[derive(Clone, Copy, Debug)]
struct Excuses {
    for_silence: bool,
    for_all_else: bool,
}

impl Default for Excuses {
    /// Nothing is known of it.
    fn default() -> Self {
        Self { for_silence: true, for_all_else: true }
    }
}

impl Process {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let session = self.session.poll_timeout().map(|(at, _)| at);
        let load = self.load_at.map(|(at, _)| at);
        [session, self.store_at, load].into_iter().flatten().min()
    }
}

impl World {
    /// Starts the process that drives, if none does.
    pub fn start_device(&mut self, device: usize) {
        if self.devices[device].process.is_some() {
            return;
        }
        match self.open_profile(device) {
            Ok(Ok(process)) => {
                self.devices[device].process = Some(process);
                self.devices[device].tries.push(Vec::new());
                self.see(Observed::DeviceStarted { device });
                self.drive_device(device);
            }
            Ok(Err(error)) => {
                if matches!(error, ProfileError::Broken { .. }) {
                    self.see(Observed::Contradiction { whose: format!("device {device}"), text: error.to_string() });
                }
                self.later(RETRY, Task::StartDevice { device });
            }
            Err(death) => self.device_died(device, death, RETRY),
        }
    }

    fn open_profile(&mut self, device: usize) -> Result<Result<Process, ProfileError>, Death> {
        let now = self.now;
        let there = &mut self.devices[device];
        let number = there.machine.new_process();
        let (wall_ms, process, jitter_seed) =
            (there.machine.wall_ms(now), there.machine.random.number(), there.machine.random.number());
        let settings = Settings {
            window_bytes: self.weather.window_bytes,
            process_start_ms: wall_ms,
            process,
            jitter_seed,
            begin: Begin::Connect,
            ..Settings::default()
        };
        there.machine.run(number, || {
            let directory = there.machine.directory();
            let mut profile = Profile::open(directory, &there.name, Some(&there.fresh))?;
            let lock = DriverLock::try_take(directory)?;
            let lock = lock.expect("a machine's processes let go of the lock when they end");
            let resume = profile.resume()?;
            Ok(Process {
                number,
                session: Session::new(settings, resume),
                profile,
                _lock: lock,
                storing: None,
                applied: None,
                store_at: None,
                load_at: None,
                answered: BTreeMap::new(),
                flights: BTreeMap::new(),
                was_online: false,
                ended: None,
                closed: Excuses::default(),
            })
        })
    }

    /// The process is dead: it says nothing more, and its line is the system's to end.
    pub fn kill_device(&mut self, device: usize, power: bool) {
        let there = &mut self.devices[device];
        there.attempt = None;
        let process = there.process.take();
        if power {
            there.machine.disk().cut_power();
        } else if let Some(process) = &process {
            there.machine.kill(process.number);
        }
        // Its values go when nothing that they do reaches the disk any more.
        drop(process);
        if let Some(line) = there.line.take() {
            // A machine that goes down says nothing.
            if power {
                self.silence(line);
            } else {
                self.end_pipe(line, true, true);
            }
            self.forget_line(line);
        }
    }

    /// The process, or all of the machine, died in the midst of a call.
    pub(super) fn device_died(&mut self, device: usize, death: Death, back: Duration) {
        self.note_death(Whose::Device(device), death);
        self.kill_device(device, death == Death::Power);
        self.later(back, Task::StartDevice { device });
    }

    /// The program can't go on with its profile and ends; whoever looks after it starts it again.
    pub(super) fn device_failed(&mut self, device: usize, error: &ProfileError) {
        if matches!(error, ProfileError::Broken { .. }) {
            self.see(Observed::Contradiction { whose: format!("device {device}"), text: error.to_string() });
        }
        self.end_device(device);
        self.later(RESTART, Task::StartDevice { device });
    }

    /// The program ends as it should.
    pub fn end_device(&mut self, device: usize) {
        let clock = self.devices[device].machine.clock(self.now);
        if let Some(process) = &mut self.devices[device].process {
            process.session.stop(clock);
        }
        self.drive_device(device);
        let there = &mut self.devices[device];
        there.attempt = None;
        let line = there.line.take();
        if let Some(process) = there.process.take() {
            let number = process.number;
            if let Err(death) = there.machine.run(number, || drop(process)) {
                self.note_death(Whose::Device(device), death);
                if death == Death::Power {
                    self.devices[device].machine.disk().cut_power();
                }
            }
        }
        if let Some(line) = line {
            self.end_pipe(line, true, false);
            self.forget_line(line);
        }
    }

    // ---- what arrives

    pub(crate) fn device_bytes(&mut self, device: usize, line: u64, bytes: &[u8]) {
        let there = &mut self.devices[device];
        if there.line == Some(line)
            && let Some(process) = &mut there.process
        {
            process.session.handle_bytes(there.machine.clock(self.now), bytes);
            there.heard = self.now;
            self.drive_device(device);
        }
    }

    pub(crate) fn device_ended(&mut self, device: usize, line: u64, reset: bool) {
        let there = &mut self.devices[device];
        if there.line != Some(line) {
            return;
        }
        there.line = None;
        let cause = if reset { Cause::Reset } else { Cause::ClosedByPeer };
        if let Some(process) = &mut there.process {
            process.session.handle_lost(there.machine.clock(self.now), cause);
        }
        self.end_pipe(line, true, true);
        self.drive_device(device);
    }

    pub(crate) fn device_timer(&mut self, device: usize) {
        let now = self.now;
        let there = &mut self.devices[device];
        let clock = there.machine.clock(now);
        let Some(process) = &mut there.process else { return };
        if let Some(due) = process.next_deadline() {
            let late = there.machine.fires(there.machine.when(due), now).1;
            if late {
                self.bites.meet("late timers", Whose::Device(device));
            }
        }
        there.machine.fired();
        if process.store_at.is_some_and(|at| at <= clock) {
            process.store_at = None;
            self.apply_later(device);
        }
        let Some(process) = &mut self.devices[device].process else { return };
        if let Some((_, generation)) = process.load_at.take_if(|(at, _)| *at <= clock) {
            process.session.handle_loaded(clock, generation, Vec::new(), true);
        }
        if process.session.poll_timeout().is_some_and(|(at, _)| at <= clock) {
            let line = self.devices[device].line.and_then(|line| self.lines.get(&line));
            let measured = line.and_then(|line| line.up.line());
            let Some(process) = &mut self.devices[device].process else { return };
            if let Some((queued_bytes, rate)) = measured {
                process.session.handle_line(queued_bytes, rate);
            }
            if let Some((due, _)) = process.session.poll_timeout() {
                let machine = &mut self.devices[device].machine;
                machine.overslept_barely = machine.oversleeps_barely(now, due);
            }
            if let Some(process) = &mut self.devices[device].process {
                process.session.handle_timeout(clock);
            }
        }
        self.drive_device(device);
        self.devices[device].machine.overslept_barely = false;
    }

    // ---- what the session wants

    /// Serves the session until it wants nothing more for now.
    pub fn drive_device(&mut self, device: usize) {
        while self.device_stores(device) | self.device_transmits(device) | self.device_events(device) {}
        self.see_status(device);
    }

    fn see_status(&mut self, device: usize) {
        let Some(process) = &mut self.devices[device].process else { return };
        let status = process.session.status();
        let online = status.state == State::Online && status.catching_up.is_none();
        if online && !process.was_online {
            process.was_online = true;
            self.see(Observed::Online { device });
        } else if status.state != State::Online {
            process.was_online = false;
        }
    }

    fn device_events(&mut self, device: usize) -> bool {
        let mut any = false;
        loop {
            let Some(process) = &mut self.devices[device].process else { return any };
            let Some(event) = process.session.poll_event() else { return any };
            any = true;
            let number = process.number;
            self.device_event(device, number, event);
        }
    }

    fn device_event(&mut self, device: usize, process: u64, event: Event) {
        match event {
            Event::Connect => self.connect_device(device),
            Event::Close => {
                let there = &mut self.devices[device];
                there.attempt = None;
                self.device_transmits(device);
                if let Some(line) = self.devices[device].line.take() {
                    // Why it is given up is told once it is closed.
                    let excuses = self.excuses_of(device, line);
                    if let Some(process) = &mut self.devices[device].process {
                        process.closed = excuses;
                    }
                    self.end_pipe(line, true, false);
                    self.forget_line(line);
                }
            }
            Event::Load(load) => {
                let after = self.devices[device].machine.random.ms(0, 3);
                self.later(after, Task::Load { device, process, load });
            }
            Event::Answered { number, result } => {
                if let Some(process) = &mut self.devices[device].process {
                    process.answered.insert(number, result);
                }
            }
            Event::Recorded(flight) => {
                if let Some(loss) = &flight.loss {
                    self.see_loss(device, flight.link, loss.cause.clone());
                }
                if let Some(process) = &mut self.devices[device].process {
                    process.flights.insert(flight.link, *flight);
                }
            }
            Event::StatusChanged => {}
        }
    }

    fn excuses_of(&self, device: usize, line: u64) -> Excuses {
        Excuses { for_silence: self.may_be_silent(line, Whose::Device(device)), for_all_else: self.was_disturbed(line) }
    }

    /// The flight recorder says how a link ended, at least once.
    fn see_loss(&mut self, device: usize, link: u64, cause: Cause) {
        let line = self.devices[device].line;
        let Some(process) = &mut self.devices[device].process else { return };
        let closed = std::mem::take(&mut process.closed);
        if process.ended.replace(link) == Some(link) {
            return;
        }
        if matches!(cause, Cause::TakenOver | Cause::Superseded) {
            self.devices[device].ousted_at = Some(self.now);
        }
        let excuses = line.map_or(closed, |line| self.excuses_of(device, line));
        let disturbed = match cause {
            Cause::Silent { .. } | Cause::WokeFromSleep => excuses.for_silence,
            _ => excuses.for_all_else,
        };
        self.see(Observed::Lost { device, cause, disturbed });
    }

    fn device_stores(&mut self, device: usize) -> bool {
        let there = &mut self.devices[device];
        let clock = there.machine.clock(self.now);
        let Some(process) = there.process.as_mut().filter(|process| process.storing.is_none()) else { return false };
        if there.stalled {
            return false;
        }
        let Some(batch) = process.session.poll_store(clock) else { return false };
        process.storing = Some(batch);
        self.apply_later(device);
        true
    }

    fn apply_later(&mut self, device: usize) {
        let (now, usual) = (self.now, self.weather.device_sync_max);
        let there = &mut self.devices[device];
        let after = there.machine.sync_takes(now, usual);
        if let Some(process) = there.process.as_ref().map(|process| process.number) {
            self.later(after, Task::Apply { device, process });
        }
    }

    pub(crate) fn device_applies(&mut self, device: usize, process: u64) {
        let now = self.now;
        let there = &mut self.devices[device];
        let Some(running) = there.process.as_mut().filter(|running| running.number == process) else { return };
        let Some(changes) = running.storing.take() else { return };
        let (wall_ms, random) = (there.machine.wall_ms(now), &mut there.random);
        let profile = &mut running.profile;
        let resets = changes.iter().any(Change::resets);
        let applied = there.machine.run(process, || {
            let mut fresh_ids = || OperationId(random.number());
            let stored = profile.apply(&changes, wall_ms, &mut fresh_ids)?;
            let resume = if resets { Some(profile.resume()?) } else { None };
            Ok((stored, resume))
        });
        let clock = there.machine.clock(now);
        match applied {
            Err(death) => {
                self.see(Observed::AppliedPerhaps { device, changes });
                self.device_died(device, death, RESTART);
            }
            Ok(Ok(applied)) => {
                running.applied = Some(applied);
                let after = there.machine.random.ms(0, 2);
                self.see(Observed::Applied { device, changes });
                self.later(after, Task::Applied { device, process });
            }
            Ok(Err(ApplyError::Profile(error))) if !error.is_passing() => {
                // After a failed sync nobody knows.
                self.see(Observed::AppliedPerhaps { device, changes });
                self.device_failed(device, &error);
            }
            Ok(Err(ApplyError::Profile(_))) => {
                running.storing = Some(changes);
                running.store_at = Some(clock + RETRY);
            }
            Ok(Err(error)) => {
                running.session.handle_store_refused(clock);
                self.see(Observed::Contradiction { whose: format!("device {device}"), text: error.to_string() });
                self.drive_device(device);
            }
        }
    }

    pub(crate) fn device_applied(&mut self, device: usize, process: u64) {
        let there = &mut self.devices[device];
        let clock = there.machine.clock(self.now);
        let Some(running) = there.process.as_mut().filter(|running| running.number == process) else { return };
        if let Some((stored, resume)) = running.applied.take() {
            running.session.handle_stored(clock, &stored, resume);
            self.drive_device(device);
        }
    }

    pub(crate) fn device_loads(&mut self, device: usize, process: u64, load: Load) {
        let there = &mut self.devices[device];
        let clock = there.machine.clock(self.now);
        let Some(running) = there.process.as_mut().filter(|running| running.number == process) else { return };
        let profile = &running.profile;
        let rows_max = self.load_rows_max;
        let rows = there.machine.run(process, || profile.outbox_from(load.after_sequence, LOADED_BYTES_MAX, rows_max));
        match rows {
            Err(death) => return self.device_died(device, death, RESTART),
            Ok(Ok(rows)) => {
                let more = !rows.is_empty();
                running.session.handle_loaded(clock, load.generation, rows, more);
            }
            Ok(Err(error)) if !error.is_passing() => return self.device_failed(device, &error),
            Ok(Err(_)) => running.load_at = Some((clock + RETRY, load.generation)),
        }
        self.drive_device(device);
    }

    fn device_transmits(&mut self, device: usize) -> bool {
        let mut any = false;
        while let Some(line) = self.devices[device].line
            && self.lines.get(&line).is_some_and(|line| line.up.has_room())
        {
            let clock = self.devices[device].machine.clock(self.now);
            let Some(process) = &mut self.devices[device].process else { return any };
            let mut out = Vec::new();
            process.session.poll_transmit(clock, &mut out);
            if out.is_empty() {
                return any;
            }
            self.push(line, true, &out);
            any = true;
        }
        any
    }

    /// Changes something about a running session, and lets it act.
    pub fn tell(&mut self, device: usize, command: impl FnOnce(&mut Session, Instant)) {
        let there = &mut self.devices[device];
        let clock = there.machine.clock(self.now);
        if let Some(process) = &mut there.process {
            command(&mut process.session, clock);
        }
        self.drive_device(device);
    }

    /// Asks the server for something.
    pub fn ask(&mut self, device: usize, request: Request) -> Option<u32> {
        let process = self.devices[device].process.as_mut()?;
        let number = process.session.ask(request);
        self.drive_device(device);
        Some(number)
    }
}

//! What must be true, judged by what was accepted and by what came of it: the log on the server's disk, read without
//! the server's code, and what each profile gives to whoever asks it.

mod beginnings;
mod broken;
mod ending;
mod ledger;
mod lines;
mod log;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_at_rest;
mod wire;

use crate::world::World;
use crate::world::observed::Observed;
use beginnings::Beginnings;
use broken::broken;
pub use broken::{Broken, Promise};
use ledger::Ledger;
pub use lines::Lines;
pub use log::{Audience, Log};
use wire::Wire;

/// Looks with the eyes of a process of the server's machine that only reads.
const OBSERVER: u64 = u64::MAX;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Oracle {
    ledger: Ledger,
    wire: Wire,
    began: Beginnings,
    /// Statuses and lines.
    pub lines: Lines,
    /// The server was put back, and its log has not been looked at since.
    restored: bool,
}

impl Oracle {
    /// Looks at what happened since it looked last.
    pub fn look(&mut self, world: &mut World) -> Result<(), Broken> {
        for observed in std::mem::take(&mut world.observed) {
            self.lines.handle(world.now, &observed)?;
            match observed {
                Observed::Accepted { device, id, said } => self.ledger.accepted(device, id, said, true)?,
                Observed::Tried { device, id, said } => self.ledger.accepted(device, id, said, false)?,
                Observed::Applied { device, changes } => {
                    self.ledger.applied(device, &changes);
                    self.wire.stored(device, &changes);
                    self.began.stored(device, &changes, false);
                }
                Observed::AppliedPerhaps { device, changes } => {
                    self.wire.stored(device, &changes);
                    self.began.stored(device, &changes, true);
                }
                Observed::OnWire { device, line, said } => self.wire.handle(device, line, &said),
                Observed::DeviceStarted { device } => self.check_started(world, device)?,
                Observed::ServerStarted => self.check_log(world)?,
                Observed::ServerRestored => self.restored = true,
                Observed::ProfileRestored { device } => {
                    self.ledger.profile_restored(device);
                    self.wire.forget(device);
                    self.began.put_back(device);
                }
                Observed::Contradiction { whose, text } => {
                    return broken(Promise::Contradiction, format!("{whose}: {text}"));
                }
                Observed::Lost { .. } | Observed::LetGo { .. } | Observed::Online { .. } => {}
            }
        }
        self.lines.look(world)
    }

    /// How many operations were accepted.
    pub fn accepted(&self) -> u64 {
        self.ledger.accepted_count()
    }

    /// Judges a world that has come to rest.
    pub fn judge(&mut self, world: &mut World) -> Result<(), Broken> {
        self.look(world)?;
        Lines::check_tries(world)?;
        let Some(log) = read_log(world) else {
            return broken(Promise::Contradiction, "the server's log can't be read though nothing is wrong any more");
        };
        log.check()?;
        self.ledger.check(world, &log)?;
        self.wire.check_log(&log)?;
        self.wire.check_shown(&log)?;
        ending::check_profiles(world, &log, &self.began)?;
        ending::check_rest(world)
    }

    /// What a device accepted it still has, or has an outcome of, whatever its disk went through.
    fn check_started(&mut self, world: &mut World, device: usize) -> Result<(), Broken> {
        let Some(process) = &mut world.devices[device].process else { return Ok(()) };
        let profile = &mut process.profile;
        // What can't be read now says nothing.
        let Ok(resume) = profile.resume() else { return Ok(()) };
        let place = resume.place.map_or(0, |place| place.position);
        // While what waits has no numbers, none is known to be confirmed.
        let confirmed = Some(resume.confirmed_through).filter(|_| !resume.recounts);
        self.wire.check_profile(device, place, confirmed)?;
        for id in self.ledger.of_device(device) {
            let waiting = profile.is_waiting(id);
            let outcome = profile.outcomes(&[id]);
            // What can't be read now says nothing.
            let (Ok(waiting), Ok(outcome)) = (waiting, outcome) else { return Ok(()) };
            if let (Some(Some(outcome)), Ok(Some(place))) = (outcome.first(), profile.place()) {
                self.ledger.found(id, place.term.0, outcome.position, outcome.refusal.is_some());
            }
            if !waiting && outcome.iter().all(Option::is_none) && !self.ledger.may_be_gone(id) {
                let text = format!("device {device} accepted {id}, and after a start has neither it nor its outcome");
                return broken(Promise::Lost, text);
            }
        }
        Ok(())
    }

    /// What anybody was told of the log is in it when it is opened again.
    fn check_log(&mut self, world: &mut World) -> Result<(), Broken> {
        let Some(log) = read_log(world) else { return Ok(()) };
        if std::mem::take(&mut self.restored) {
            self.wire.put_back(&log);
        }
        self.wire.check_log(&log)
    }
}

/// `None`: not now.
fn read_log(world: &mut World) -> Option<Log> {
    let machine = &world.server.machine;
    machine.run(OBSERVER, || Log::read(machine.directory())).ok()?.ok()
}

//! What is kept of what was seen, for a scenario to look at.

use steadfast_proto::session::Change;
use steadfast_sim::world::observed::Observed;
use steadfast_store::profile::SettledOutcome;

use super::World;

impl World {
    /// Notes what was seen.
    pub(super) fn note(&mut self) {
        let now = self.sim.now;
        for observed in std::mem::take(&mut self.sim.observed) {
            match observed {
                Observed::Lost { device, cause, .. } => self.clients[device].drops.push((now, cause)),
                Observed::Applied { device, changes } => self.note_changes(device, &changes),
                Observed::Contradiction { whose, text } => panic!("{whose}: {text}"),
                Observed::AppliedPerhaps { .. }
                | Observed::OnWire { .. }
                | Observed::Accepted { .. }
                | Observed::Tried { .. }
                | Observed::DeviceStarted { .. }
                | Observed::ServerStarted
                | Observed::ServerRestored
                | Observed::ProfileRestored { .. }
                | Observed::LetGo { .. }
                | Observed::Online { .. } => {}
            }
        }
    }

    fn note_changes(&mut self, client: usize, changes: &[Change]) {
        self.clients[client].waiting.set(None);
        for change in changes {
            match change {
                Change::FirstHeads { as_of, .. } => self.clients[client].history.base = Some(*as_of),
                Change::Diverged { common, .. } => self.note_parting(client, *common),
                Change::Renumbered { set_back: true, .. } => self.clients[client].history.set_back += 1,
                _ => {}
            }
        }
    }

    fn note_parting(&mut self, client: usize, common: u64) {
        let made = self.clients[client].made.clone();
        let outcomes = self.outcomes(client, &made);
        let history = &mut self.clients[client].history;
        history.commons.push(common);
        history.base = history.base.map(|base| base.min(common));
        let beyond = |outcome: SettledOutcome| outcome.refusal.is_none() && outcome.position > common;
        let lost = made.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_some_and(beyond));
        history.lost.extend(lost.map(|(&id, _)| id));
    }
}

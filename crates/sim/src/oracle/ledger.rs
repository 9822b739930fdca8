//! What was accepted, by whom, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::ids::OperationId;
use steadfast_proto::session::Change;
use steadfast_proto::wire::{Entry, entry::What};

use steadfast_store::profile::Profile;

use super::broken::{Broken, Promise, broken};
use super::log::Log;
use crate::world::World;
use crate::world::observed::Said;

/// Messages moved aside that are looked through.
const ASIDE_MAX: usize = 1_000_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    operations: BTreeMap<OperationId, Operation>,
    /// In the order in which each device made them.
    by_device: BTreeMap<usize, Vec<OperationId>>,
    /// The term under which each device is told.
    terms: BTreeMap<usize, u64>,
}

#[derive(Debug)]
struct Operation {
    device: usize,
    said: Said,
    /// The outbox said that it has it.
    accepted: bool,
    /// Under which term a device was told where it stands.
    settled: Option<(u64, u64)>,
    /// A device was told that it was refused.
    refused: bool,
    /// A disk was put back to before it: it may be anywhere or nowhere, but once.
    forgiven: bool,
}

/// What the ledger asks of the devices.
pub(super) trait Devices {
    /// Its account's name.
    fn name(&self, device: usize) -> &str;
    /// Whether it waits, in a profile that a copy of it keeps from the server.
    fn is_kept_waiting(&self, device: usize, id: OperationId) -> bool;
    /// Whether it was moved aside, which its person was told. Its process may have died after that, before it said so.
    fn has_aside(&self, device: usize, id: OperationId) -> bool;
    /// Likewise, whether its refusal is kept.
    fn knows_refused(&self, device: usize, id: OperationId) -> bool;
}

impl Devices for World {
    fn name(&self, device: usize) -> &str {
        &self.devices[device].name
    }

    fn is_kept_waiting(&self, device: usize, id: OperationId) -> bool {
        let profile = profile_of(self, device).filter(|_| self.is_ousted(device));
        profile.is_some_and(|profile| profile.is_waiting(id) == Ok(true))
    }

    fn has_aside(&self, device: usize, id: OperationId) -> bool {
        let aside = profile_of(self, device).and_then(|profile| profile.aside(ASIDE_MAX).ok());
        aside.is_some_and(|aside| aside.iter().any(|aside| aside.message.id == id))
    }

    fn knows_refused(&self, device: usize, id: OperationId) -> bool {
        profile_of(self, device).is_some_and(|profile| profile.refused(id).is_ok_and(|refused| refused.is_some()))
    }
}

fn profile_of(world: &World, device: usize) -> Option<&Profile> {
    world.devices[device].process.as_ref().map(|process| &process.profile)
}

impl Ledger {
    pub(super) fn accepted(
        &mut self,
        device: usize,
        id: OperationId,
        said: Said,
        accepted: bool,
    ) -> Result<(), Broken> {
        let operation = Operation { device, said, accepted, settled: None, refused: false, forgiven: false };
        if self.operations.insert(id, operation).is_some() {
            return broken(Promise::Doubled, format!("{id} was accepted twice"));
        }
        self.by_device.entry(device).or_default().push(id);
        Ok(())
    }

    pub(super) fn accepted_count(&self) -> u64 {
        self.operations.values().filter(|operation| operation.accepted).count() as u64
    }

    pub(super) fn applied(&mut self, device: usize, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Welcomed { term, .. } => {
                    self.terms.insert(device, term.0);
                }
                Change::Entry(entry) => {
                    let second = matches!(entry.what, Some(What::Added(_) | What::Removed(_)));
                    let id = if second { 0 } else { entry.id };
                    self.tell(device, id, entry.position, false);
                }
                Change::Outcome(outcome) => self.tell(device, outcome.id, outcome.position, outcome.refusal != 0),
                Change::Through { position } => self.tell(device, 0, *position, false),
                Change::FirstHeads { as_of, .. } => self.tell(device, 0, *as_of, false),
                Change::Page(page) => {
                    page.entries.iter().for_each(|entry| self.tell(device, 0, entry.position, false));
                }
                Change::Diverged { .. } | Change::Renumbered { .. } => {}
            }
        }
    }

    /// A position was told, as that of an operation if `id` is not 0.
    fn tell(&mut self, device: usize, id: u64, position: u64, refused: bool) {
        let term = self.terms.get(&device).copied().unwrap_or(0);
        if let Some(operation) = self.operations.get_mut(&OperationId(id)) {
            operation.settled = Some((term, position));
            operation.refused |= refused;
        }
    }

    /// A process that died after it had stored an outcome, and before it could say so.
    pub(super) fn found(&mut self, id: OperationId, term: u64, position: u64, refused: bool) {
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.settled.get_or_insert((term, position));
            operation.refused |= refused;
        }
    }

    /// A device's disk is as it was some time ago: what was accepted there since may be nowhere, unless it was sent.
    pub(super) fn profile_restored(&mut self, device: usize) {
        for operation in self.operations.values_mut() {
            if operation.device == device {
                operation.forgiven = true;
            }
        }
    }

    /// What a device made, in its order.
    pub(super) fn of_device(&self, device: usize) -> Vec<OperationId> {
        let of = self.by_device.get(&device).into_iter().flatten();
        of.copied().filter(|id| self.operations.get(id).is_some_and(|operation| operation.accepted)).collect()
    }

    pub(super) fn may_be_gone(&self, id: OperationId) -> bool {
        self.operations.get(&id).is_none_or(|operation| operation.forgiven || !operation.accepted)
    }

    /// Each accepted operation stands in the log once, as it was meant, in its device's order.
    pub(super) fn check(&self, devices: &dyn Devices, log: &Log) -> Result<(), Broken> {
        let places = log.places();
        for (&device, ids) in &self.by_device {
            let mut last: Option<&Entry> = None;
            for id in ids {
                let operation = &self.operations[id];
                let Some(entry) = check_place(devices, log, *id, operation, &places)? else { continue };
                check_content(devices, *id, operation, entry)?;
                // Put back, it may have been refused before, and taken now.
                if operation.forgiven {
                    continue;
                }
                if let Some(before) = last.filter(|before| before.position > entry.position) {
                    let text = format!(
                        "device {device} made {id} after {:016x}, and they stand at {} and {}",
                        before.id, entry.position, before.position
                    );
                    return broken(Promise::Reordered, text);
                }
                last = Some(entry);
            }
        }
        self.check_phantoms(log)
    }

    /// Nothing is there that nobody said.
    fn check_phantoms(&self, log: &Log) -> Result<(), Broken> {
        let messages = log.entries().iter().filter(|entry| matches!(entry.what, Some(What::Message(_))));
        let mut bodies = BTreeSet::new();
        for entry in messages {
            if !self.operations.contains_key(&OperationId(entry.id)) {
                return broken(Promise::Phantom, format!("nobody made the message at {}", entry.position));
            }
            if let Some(What::Message(message)) = &entry.what
                && !bodies.insert(message.body.clone())
            {
                return broken(Promise::Doubled, format!("the message at {} was said before", entry.position));
            }
        }
        Ok(())
    }
}

/// It says what was said, under the name of who said it; or it was refused, and whoever made it knows.
fn check_content(devices: &dyn Devices, id: OperationId, operation: &Operation, entry: &Entry) -> Result<(), Broken> {
    let name = devices.name(operation.device);
    if entry.from != name {
        let text = format!("{id} of {name} stands under the name of {}", entry.from);
        return broken(Promise::WrongSender, text);
    }
    let Some(body) = &operation.said.body else { return Ok(()) };
    match &entry.what {
        Some(What::Message(_)) if operation.said.wrong => {
            broken(Promise::Phantom, format!("{id} had to be refused and is a message at {}", entry.position))
        }
        Some(What::Message(message)) if message.body == *body => Ok(()),
        Some(What::Message(_)) => broken(Promise::Phantom, format!("{id} says something else at {}", entry.position)),
        None if operation.refused || operation.forgiven || !operation.accepted => Ok(()),
        None if devices.knows_refused(operation.device, id) => Ok(()),
        None if devices.is_kept_waiting(operation.device, id) => Ok(()),
        None => {
            let text = format!("{id} was refused at {} and device {} was not told", entry.position, operation.device);
            broken(Promise::HoleNotTold, text)
        }
        Some(_) => broken(Promise::Phantom, format!("{id} is no message at {}", entry.position)),
    }
}

fn check_place<'l>(
    devices: &dyn Devices,
    log: &Log,
    id: OperationId,
    operation: &Operation,
    places: &BTreeMap<u64, Vec<&'l Entry>>,
) -> Result<Option<&'l Entry>, Broken> {
    let mut there = places.get(&id.0).cloned().unwrap_or_default();
    // What changed nothing is in no room, so a profile that was put back can't learn of it, and asks again.
    if operation.forgiven && there.len() > 1 {
        there.retain(|entry| entry.what.is_some());
    }
    match there[..] {
        [entry] => Ok(Some(entry)),
        [] if operation.forgiven || !operation.accepted => Ok(None),
        // It stood in a history that is gone.
        [] if operation.settled.is_some_and(|(term, position)| !log.holds(term, position)) => Ok(None),
        [] if devices.has_aside(operation.device, id) => Ok(None),
        [] if devices.is_kept_waiting(operation.device, id) => Ok(None),
        [] => {
            let text = format!(
                "device {} accepted {id}, which is nowhere in the log; it was told as standing at {:?}",
                operation.device, operation.settled
            );
            broken(Promise::Lost, text)
        }
        [first, second, ..] => {
            let text = format!("{id} stands at {} and at {}", first.position, second.position);
            broken(Promise::Doubled, text)
        }
    }
}

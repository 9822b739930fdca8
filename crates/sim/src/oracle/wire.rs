//! What one side told the other is on its disk, whatever happens to it afterwards; and nobody is shown what is not for
//! them, not even on the way.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::session::Change;

use super::broken::{Broken, Promise, broken};
use super::log::Log;
use crate::world::tap::Said;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Under which term the server speaks on a line, and to which account.
    lines: BTreeMap<u64, (u64, u64)>,
    /// The highest position that anybody was told under each term.
    told: BTreeMap<u64, u64>,
    /// Entries that went to an account, by the term under which they went.
    shown: BTreeSet<Shown>,
    /// What each device said last that it has stored: a position, and a sequence of its own.
    acknowledged: BTreeMap<usize, u64>,
    confirmed: BTreeMap<usize, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    account: u64,
    term: u64,
    position: u64,
    in_page: bool,
}

impl Wire {
    pub(super) fn handle(&mut self, device: usize, line: u64, said: &Said) {
        match *said {
            Said::Welcome { term, account } => {
                self.lines.insert(line, (term, account));
                self.tell(line, 0);
            }
            Said::Position(position) => self.tell(line, position),
            Said::Entry { position } => self.show(line, position, false),
            Said::InPage { position } => self.show(line, position, true),
            Said::Acknowledged(position) => {
                self.acknowledged.insert(device, position);
            }
            Said::Confirmed(sequence) => {
                self.confirmed.insert(device, sequence);
            }
        }
    }

    fn tell(&mut self, line: u64, position: u64) {
        if let Some(&(term, _)) = self.lines.get(&line) {
            let told = self.told.entry(term).or_default();
            *told = position.max(*told);
        }
    }

    fn show(&mut self, line: u64, position: u64, in_page: bool) {
        self.tell(line, position);
        if let Some(&(term, account)) = self.lines.get(&line) {
            self.shown.insert(Shown { account, term, position, in_page });
        }
    }

    /// A profile may have stored this: what counts in another way from then on is forgotten.
    pub(super) fn stored(&mut self, device: usize, changes: &[Change]) {
        let counts_anew = changes.iter().any(|change| match change {
            Change::Diverged { .. } | Change::Renumbered { .. } => true,
            Change::Welcomed { .. }
            | Change::FirstHeads { .. }
            | Change::Entry(_)
            | Change::Through { .. }
            | Change::Outcome(_)
            | Change::Page(_) => false,
        });
        if counts_anew {
            self.forget(device);
        }
    }

    /// A profile was put back.
    pub(super) fn forget(&mut self, device: usize) {
        self.acknowledged.remove(&device);
        self.confirmed.remove(&device);
    }

    /// The server was put back: of what it told, that stays true which this log holds.
    pub(super) fn put_back(&mut self, log: &Log) {
        self.told.retain(|&term, told| match log.end_of(term) {
            Some(end) => {
                *told = end.min(*told);
                true
            }
            None => false,
        });
    }

    /// All that anybody was told is in the log, by the term under which it was told.
    pub(super) fn check_log(&self, log: &Log) -> Result<(), Broken> {
        for (&term, &told) in &self.told {
            let Some(end) = log.end_of(term) else {
                let text = format!("term {term:016x} was told, and the log that was opened again does not have it");
                return broken(Promise::AcknowledgedTooEarly, text);
            };
            if end < told {
                let text = format!(
                    "position {told} was told, and in the log that was opened again its term {term:016x} ends at {end}"
                );
                return broken(Promise::AcknowledgedTooEarly, text);
            }
        }
        Ok(())
    }

    /// What a device said that it has stored is in its profile.
    pub(super) fn check_profile(&self, device: usize, place: u64, confirmed: Option<u64>) -> Result<(), Broken> {
        let acknowledged = self.acknowledged.get(&device).copied().unwrap_or(0);
        if place < acknowledged {
            let text = format!("device {device} acknowledged {acknowledged}, and after a start its place is {place}");
            return broken(Promise::AcknowledgedTooEarly, text);
        }
        let said = self.confirmed.get(&device).copied().unwrap_or(0);
        if let Some(confirmed) = confirmed.filter(|&confirmed| confirmed < said) {
            let text = format!("device {device} confirmed outcomes up to {said}, and after a start up to {confirmed}");
            return broken(Promise::AcknowledgedTooEarly, text);
        }
        Ok(())
    }

    /// What went to an account was for it.
    pub(super) fn check_shown(&self, log: &Log) -> Result<(), Broken> {
        let audience = log.audience();
        for &Shown { account, term, position, in_page } in &self.shown {
            if position == 0 || !log.holds(term, position) {
                continue;
            }
            let index = usize::try_from(position - 1).expect("a short log");
            let entry = &log.entries()[index];
            let (room, sequence) = (entry.room, entry.room_sequence);
            let sees = audience.sees.get(&(account, room)).is_some_and(|seen| seen.contains_key(&sequence));
            let may_read = in_page && audience.public.contains(&room);
            if !sees && !may_read {
                let text = format!("account {account:016x} was shown {position}, which is not for it");
                return broken(Promise::Leaked, text);
            }
        }
        Ok(())
    }
}

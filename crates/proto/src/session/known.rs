//! What the device was told by its links so far.

use std::collections::BTreeMap;

use super::settings::{Identity, Resume};
use crate::ids::{AccountId, LogId, Place, RoomId, Term};

/// What the device was told; survives links.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) identity: Identity,
    pub(super) log_id: Option<LogId>,
    pub(super) account: AccountId,
    /// Everything up to here was taken in (it is stored, or will be before anything later is).
    pub(super) place: Option<Place>,
    pub(super) told: Option<Place>,
    pub(super) terms: Vec<(Term, u64)>,
    pub(super) rooms: BTreeMap<RoomId, Option<u64>>,
}

impl Known {
    pub(super) fn new(resume: Resume) -> Self {
        Self {
            account: resume.identity.account,
            identity: resume.identity,
            log_id: resume.log_id,
            place: resume.place,
            told: resume.told,
            terms: resume.terms,
            rooms: resume.rooms.into_iter().collect(),
        }
    }

    /// Notes a position that this link told.
    pub(super) fn tell(&mut self, position: u64) {
        let Some(last) = self.terms.last_mut() else { return };
        last.1 = last.1.max(position);
        let term = last.0;
        if self.told.is_none_or(|told| told.position < position) {
            self.told = Some(Place { position, term });
        }
    }

    /// Everything up to the position is taken in.
    pub(super) fn advance(&mut self, position: u64) {
        self.tell(position);
        if let Some(&(term, _)) = self.terms.last() {
            self.place = Some(Place { position, term });
        }
    }
}

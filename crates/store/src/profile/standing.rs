//! Where the device stands.

use steadfast_proto::ids::{AccountId, LogId, Place, Term};
use steadfast_proto::session::Resume;

use super::diverge::UNNUMBERED;
use super::error::ProfileError;
use super::tables::Tables;

/// A server names its newest 1,024 terms when histories part; older ones of ours would never be looked for.
pub(super) const TERMS_MAX: usize = 1_024;

/// Read at the start of a writing transaction, written at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) account: AccountId,
    pub(super) log_id: Option<LogId>,
    /// The term that the last accepted link announced.
    pub(super) link_term: Option<Term>,
    pub(super) place: Option<Place>,
    pub(super) told: Option<Place>,
    pub(super) next_sequence: u64,
    pub(super) outbox_rows: u64,
    pub(super) outbox_bytes: u64,
}

impl Standing {
    /// All operations up to this sequence have a stored outcome. What waits in the outbox has none, whoever put it
    /// there and whether or not it was ever sent.
    pub(super) fn confirmed_through(&self, tables: &dyn Tables) -> Result<u64, ProfileError> {
        let first = tables.first_waiting()?.unwrap_or(self.next_sequence);
        Ok(if first > UNNUMBERED { 0 } else { first.saturating_sub(1) })
    }

    /// Whether something waits for its number, or would if it were there.
    fn recounts(&self) -> bool {
        self.next_sequence > UNNUMBERED
    }
}

/// Where the device stands, for the session to go on from.
pub(super) fn resume(tables: &dyn Tables) -> Result<Resume, ProfileError> {
    let standing = tables.standing()?;
    let rooms = tables.rooms()?.into_iter().filter(|info| info.member || info.last.is_none());
    Ok(Resume {
        identity: tables.identity()?,
        log_id: standing.log_id,
        place: standing.place,
        told: standing.told,
        confirmed_through: standing.confirmed_through(tables)?,
        recounts: standing.recounts(),
        rooms: rooms.map(|info| (info.room, info.last)).collect(),
        terms: tables.terms()?,
    })
}

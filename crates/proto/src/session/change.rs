//! What a session wants its profile to store, in order, in one transaction.

use crate::ids::{AccountId, LogId, OperationId, RoomId, Term};
use crate::wire;

/// One step of a profile's history. Changes are applied in the order the session gave them; those of one batch in
/// one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A link was accepted by this log in this term. Positions of later changes are told under this term.
    Welcomed {
        /// The server's log.
        log_id: LogId,
        /// Its present term.
        term: Term,
        /// The account that this device belongs to.
        account: AccountId,
        /// The account's name as the server spells it.
        name: String,
    },
    /// Where the rooms of a new device stand: its place becomes `as_of`, each room's base its head.
    FirstHeads {
        /// The position that the heads speak of.
        as_of: u64,
        /// All rooms of the account.
        rooms: Vec<wire::Head>,
    },
    /// An entry of the ordered lane; the place moves to its position.
    Entry(wire::Entry),
    /// All for this device up to the position was stored; the place moves there.
    Through {
        /// The new place.
        position: u64,
    },
    /// The final outcome of one of our operations.
    Outcome(wire::Outcome),
    /// A page of history; may overlap with what is stored.
    Page(wire::HistoryPage),
    /// The server's history parted from ours after `common`; the place goes back to it, if it is beyond. What waits
    /// behind `last_sequence` may stand in that history all the same, if this profile was put back, too: it has no
    /// number before a `Renumbered`, and must not go out.
    Diverged {
        /// The highest position that both histories share.
        common: u64,
        /// The last sequence of this device that the server's history holds.
        last_sequence: u64,
    },
    /// All that the server's history has came: what still waits is numbered from behind this sequence on.
    Renumbered {
        /// The last sequence of this device that the server's history holds.
        kept_through: u64,
        /// This profile was set back: numbers up to that sequence are of what it did before, and none of what waits
        /// keeps one. Else those keep them, and the server says what became of them.
        set_back: bool,
    },
}

impl Change {
    /// Whether it changes what a session believes: once it is stored, the profile is to be read again.
    pub fn resets(&self) -> bool {
        matches!(self, Change::Diverged { .. })
    }
}

/// What the profile knows after a batch of changes was committed and synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The place after the batch.
    pub position: u64,
    /// All sequences up to this one have an outcome that is stored.
    pub confirmed_through: u64,
    /// Rooms that operations of ours entered or made, as the batch's outcomes and our own entries said.
    pub entered: Vec<(OperationId, RoomId)>,
}

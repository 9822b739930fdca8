//! The four lanes, and which kind of frame travels on which.

use crate::wire::frame::Kind;

/// Frames are ordered within a lane; control goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Handshake, liveness, credit, farewell.
    Control = 0,
    /// Entries and what must keep its order with them.
    Entries = 1,
    /// Operations and their outcomes, requests and their answers.
    Requests = 2,
    /// The lossy lane.
    Signals = 3,
}

impl Lane {
    /// All lanes, by number.
    pub const ALL: [Lane; 4] = [Lane::Control, Lane::Entries, Lane::Requests, Lane::Signals];

    pub(super) fn from_header(header: u8) -> Lane {
        Self::ALL[usize::from(header & super::HEADER_LANE)]
    }
}

/// The lane and the name of a kind.
fn traits_of(kind: &Kind) -> (Lane, &'static str) {
    match kind {
        Kind::Hello(_) => (Lane::Control, "Hello"),
        Kind::Welcome(_) => (Lane::Control, "Welcome"),
        Kind::Diverged(_) => (Lane::Control, "Diverged"),
        Kind::Bye(_) => (Lane::Control, "Bye"),
        Kind::Ack(_) => (Lane::Control, "Ack"),
        Kind::Ping(_) => (Lane::Control, "Ping"),
        Kind::Pong(_) => (Lane::Control, "Pong"),
        Kind::Entry(_) => (Lane::Entries, "Entry"),
        Kind::Heads(_) => (Lane::Entries, "Heads"),
        Kind::Gap(_) => (Lane::Entries, "Gap"),
        Kind::Through(_) => (Lane::Entries, "Through"),
        Kind::Op(_) => (Lane::Requests, "Op"),
        Kind::Outcomes(_) => (Lane::Requests, "Outcomes"),
        Kind::Hold(_) => (Lane::Requests, "Hold"),
        Kind::Settled(_) => (Lane::Requests, "Settled"),
        // Ordered with the operations: those before it are of the numbering that was given up.
        Kind::Continue(_) => (Lane::Requests, "Continue"),
        Kind::History(_) => (Lane::Requests, "History"),
        Kind::HistoryPage(_) => (Lane::Requests, "HistoryPage"),
        Kind::Failed(_) => (Lane::Requests, "Failed"),
        Kind::Cancel(_) => (Lane::Requests, "Cancel"),
        Kind::Sync(_) => (Lane::Requests, "Sync"),
        Kind::Members(_) => (Lane::Requests, "Members"),
        Kind::MembersPage(_) => (Lane::Requests, "MembersPage"),
        Kind::Rooms(_) => (Lane::Requests, "Rooms"),
        Kind::RoomsPage(_) => (Lane::Requests, "RoomsPage"),
        Kind::Watch(_) => (Lane::Requests, "Watch"),
        Kind::Signal(_) => (Lane::Signals, "Signal"),
    }
}

/// The lane on which a kind of frame travels.
pub fn lane_of(kind: &Kind) -> Lane {
    traits_of(kind).0
}

/// The name of a kind of frame, for errors and logs.
pub fn name_of(kind: &Kind) -> &'static str {
    traits_of(kind).1
}

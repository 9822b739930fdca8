//! What a process kept of its links, for whoever asks what happened to them.

/// Links that are kept.
pub(super) const FLIGHTS_MAX: usize = 100;

/// What a process kept of one of its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlightRow {
    /// The process, by its random number.
    pub process: u64,
    /// Which of its links.
    pub link: u64,
    /// What happened to it, as its keeper writes it (JSON).
    pub json: String,
}

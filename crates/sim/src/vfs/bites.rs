//! What faults came to: a fault that was asked for and met nothing proves nothing.

/// Counts since the disk was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bites {
    /// Losses of power.
    pub power_cuts: u64,
    /// Those that took anything of what had not been synced.
    pub power_cuts_that_took_something: u64,
    /// Writes of which a loss of power took some sectors.
    pub torn_writes: u64,
    /// Writes that a loss of power took as a whole.
    pub lost_writes: u64,
    /// Truncations that a loss of power undid.
    pub lost_truncates: u64,
    /// Files of which a loss of power took what an earlier failed sync had left in the cache only.
    pub lost_to_failed_syncs: u64,
    /// Files that a loss of power brought back, or of which it took the entry in the directory.
    pub lost_entries: u64,
    /// Processes or machines that died in a call.
    pub deaths_in_a_call: u64,
    /// Writes for which there was no room.
    pub refused_full: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Errors of the machine that the simulation runs on. Anything but 0 says that a run proves nothing.
    pub host_errors: u64,
}

impl Bites {
    /// Grows with whatever a loss of power takes.
    pub(super) fn taken_by_power_cuts(&self) -> u64 {
        self.torn_writes + self.lost_writes + self.lost_truncates + self.lost_to_failed_syncs + self.lost_entries
    }
}

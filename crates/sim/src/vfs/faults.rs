//! What is to go wrong on a disk, and how often yet.

use super::process::ProcessId;

/// What dies in the midst of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process that calls. What it wrote stays.
    Kill,
    /// The machine: its power goes.
    Power,
}

/// Who died in the midst of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died {
    /// What died.
    pub death: Death,
    /// Whose call it was; `None`: of none that has a name.
    pub process: Option<ProcessId>,
}

/// See above.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) full: bool,
    /// By how much files may still grow together.
    pub(super) room_bytes: Option<u64>,
    pub(super) failing_writes: u64,
    pub(super) failing_syncs: u64,
    pub(super) failing_reads: u64,
    pub(super) died: Option<Died>,
    /// After so many more writing calls.
    death: Option<(u64, Death)>,
}

impl Faults {
    pub(super) fn plan_death(&mut self, after_calls: u64, death: Death) {
        self.death = Some((after_calls, death));
        self.died = None;
    }

    /// To be asked at each writing call: whether it is the one to die in.
    pub(super) fn death_now(&mut self) -> Option<Death> {
        let (after_calls, death) = self.death?;
        if let Some(left) = after_calls.checked_sub(1) {
            self.death = Some((left, death));
            return None;
        }
        self.death = None;
        Some(death)
    }

    pub(super) fn note_death(&mut self, death: Death, process: Option<ProcessId>) {
        self.died = Some(Died { death, process });
    }

    pub(super) fn has_room(&self, bytes: u64) -> bool {
        !self.full && self.room_bytes.is_none_or(|room| room >= bytes)
    }

    /// Takes as much of `growth` as there is room for; none where not even the hole before it fits.
    pub(super) fn take_room(&mut self, growth: u64, hole: u64) -> u64 {
        if growth > 0 && self.full {
            return 0;
        }
        let Some(room) = &mut self.room_bytes else { return growth };
        let Some(behind_hole) = room.checked_sub(hole) else { return 0 };
        let granted = growth.min(behind_hole);
        if granted > 0 {
            *room -= hole + granted;
        }
        granted
    }

    pub(super) fn give_room_back(&mut self, bytes: u64) {
        if let Some(room) = &mut self.room_bytes {
            *room += bytes;
        }
    }
}

/// Whether this is one of those that are to fail.
pub(super) fn one_of(left: &mut u64) -> bool {
    let fails = *left > 0;
    *left = left.saturating_sub(1);
    fails
}

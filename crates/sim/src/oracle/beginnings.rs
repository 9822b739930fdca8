//! From where on each device is to have everything, as the server told it.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::session::Change;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    /// By device: the position beyond which its stream brings all that is for it.
    positions: BTreeMap<usize, u64>,
    /// Those whose profile may not know it any more, and be told anew.
    unsure: BTreeSet<usize>,
}

impl Beginnings {
    /// `None`: not known.
    pub(super) fn of(&self, device: usize) -> Option<u64> {
        self.positions.get(&device).copied()
    }

    /// A batch is in the profile, or may be if `perhaps`.
    pub(super) fn stored(&mut self, device: usize, changes: &[Change], perhaps: bool) {
        for change in changes {
            match change {
                Change::FirstHeads { as_of, .. } => {
                    if self.unsure.remove(&device) || !self.positions.contains_key(&device) {
                        self.positions.insert(device, *as_of);
                    }
                    if perhaps {
                        self.unsure.insert(device);
                    }
                }
                // Perhaps is not enough to be owed more.
                Change::Diverged { .. } if perhaps => {}
                Change::Diverged { common, .. } => {
                    if let Some(position) = self.positions.get_mut(&device) {
                        *position = (*position).min(*common);
                    }
                }
                Change::Welcomed { .. }
                | Change::Entry(_)
                | Change::Through { .. }
                | Change::Outcome(_)
                | Change::Page(_)
                | Change::Renumbered { .. } => {}
            }
        }
    }

    /// The profile is as it once was: where it began then is not known, until it is told anew.
    pub(super) fn put_back(&mut self, device: usize) {
        self.positions.remove(&device);
    }
}

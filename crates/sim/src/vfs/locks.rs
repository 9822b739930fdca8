//! The locks that connections take on one file, and the memory that they share beside it: what the operating system
//! keeps of a database, and forgets when its power goes.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::disk_state::HandleId;
use super::failure::Failure;
use super::locked;

/// How much of a database a connection holds: <https://www.sqlite.org/lockingv3.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// Who holds how much of one file.
#[derive(Default)]
pub(super) struct FileLocks(BTreeMap<HandleId, Level>);

impl FileLocks {
    /// Raises what `handle` holds. One that can't become exclusive for those who read is left pending, which keeps new
    /// readers out.
    pub(super) fn raise(&mut self, handle: HandleId, to: Level) -> Result<(), Failure> {
        let held = self.0.get(&handle).copied().unwrap_or_default();
        if held >= to {
            return Ok(());
        }
        let others = self.0.iter().filter(|(other, _)| **other != handle).map(|(_, level)| *level).max();
        let others = others.unwrap_or_default();
        let (granted, enough) = match to {
            Level::None => (held, true),
            Level::Shared if others < Level::Pending => (to, true),
            Level::Reserved if others < Level::Reserved => (to, true),
            Level::Pending | Level::Exclusive if others == Level::None => (to, true),
            Level::Pending | Level::Exclusive if others < Level::Reserved => (Level::Pending, to == Level::Pending),
            Level::Shared | Level::Reserved | Level::Pending | Level::Exclusive => (held, false),
        };
        self.0.insert(handle, granted);
        if enough { Ok(()) } else { Err(Failure::Busy) }
    }

    /// Lowers what `handle` holds to [`Level::Shared`] or nothing.
    pub(super) fn lower(&mut self, handle: HandleId, to: Level) {
        match to {
            Level::None => {
                self.0.remove(&handle);
            }
            Level::Shared | Level::Reserved | Level::Pending | Level::Exclusive => {
                self.0.entry(handle).and_modify(|held| *held = to.min(*held));
            }
        }
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.0.values().any(|level| *level >= Level::Reserved)
    }
}

/// How a slot of the shared memory is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Shared,
    Exclusive,
}

/// The shared memory of one database, and who holds which slot of it, as a mask of slots.
#[derive(Default)]
pub(super) struct SharedMemory {
    pub(super) regions: Arc<Regions>,
    holders: BTreeMap<HandleId, Held>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    shared: u32,
    exclusive: u32,
}

/// Regions never move and live as long as anybody has them mapped, which includes who was killed and does not know yet.
#[derive(Default)]
pub(super) struct Regions(Mutex<Vec<Box<[UnsafeCell<u64>]>>>);

impl Regions {
    /// The address of a region; `None` if it is not there, and is not to be made.
    pub(super) fn map(&self, number: usize, bytes: usize, make: bool) -> Option<*mut u64> {
        let mut regions = locked(&self.0);
        while make && regions.len() <= number {
            regions.push((0..bytes.div_ceil(8)).map(|_| UnsafeCell::new(0)).collect());
        }
        regions.get(number)?.first().map(UnsafeCell::get)
    }

    pub(super) fn count(&self) -> usize {
        locked(&self.0).len()
    }
}

impl SharedMemory {
    pub(super) fn join(&mut self, handle: HandleId) {
        self.holders.entry(handle).or_default();
    }

    /// Gives back all that `handle` holds. True: nobody is left.
    pub(super) fn part(&mut self, handle: HandleId) -> bool {
        self.holders.remove(&handle);
        self.holders.is_empty()
    }

    pub(super) fn take(&mut self, handle: HandleId, slots: u32, hold: Hold) -> Result<(), Failure> {
        let others = self.holders.iter().filter(|(other, _)| **other != handle);
        let taken = others
            .fold(0, |taken, (_, held)| taken | held.exclusive | if hold == Hold::Exclusive { held.shared } else { 0 });
        if taken & slots != 0 {
            return Err(Failure::Busy);
        }
        let held = self.holders.entry(handle).or_default();
        match hold {
            Hold::Shared => held.shared |= slots,
            Hold::Exclusive => held.exclusive |= slots,
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self, handle: HandleId, slots: u32) {
        self.holders.entry(handle).and_modify(|held| {
            held.shared &= !slots;
            held.exclusive &= !slots;
        });
    }
}

//! The server's pure core: the state, the rings of recent entries, the readers, and who is there.
//!
//! The sequencer's loop: `draft` → decide operations on it → `finish` → store and sync the changes → `commit`, which
//! installs them and says whom to wake. Nothing goes out before that: outcomes are the sequencer's to send after
//! `commit` returned. A connection's loop is in [`connection`].

mod apply;
pub mod connection;
mod draft;
mod membership;
mod people;
mod readers;
mod rings;
mod rows;
mod state;

pub use apply::{Answer, BODY_BYTES_MAX, CONTENT_TYPE_BYTES_MAX, Origin, SignUp};
pub use connection::Connection;
pub use draft::{Draft, NewEntry};
pub use membership::{Membership, Stay};
pub use people::{PEOPLE_TICK, PeopleTick};
pub use readers::ReaderId;
pub use rings::RING_BYTES_MAX;
pub use rows::{BadRow, Row, RowKind};
pub use state::{Account, Changes, Device, Kept, Room, State};

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::ids::{AccountId, DeviceId, RoomId};
use crate::wire::{self, ByeReason, Head, Incarnation, RoomKind};
use people::People;
use readers::Readers;
use rings::Rings;

/// Links that are remembered for having been answered `Settled`.
const SETTLED_LINKS_MAX: usize = 4_096;

/// A link that reads from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its reader.
    pub reader: ReaderId,
    /// Its number, never given again.
    pub link: u64,
    /// The device's older link, which is to be woken: it has to go.
    pub evicted: Option<ReaderId>,
}

/// How a pull ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// The reader has everything up to the committed head.
    CaughtUp,
    /// The caller wants no more for now.
    Enough,
    /// The rings do not hold what is missing: read it from the store.
    Behind {
        /// The rooms that have something beyond the place.
        rooms: Vec<RoomId>,
        /// The place.
        after: u64,
    },
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Hub {
    state: State,
    rings: Rings,
    readers: Readers,
    people: People,
    /// Links that were attached so far.
    links: u64,
    /// Links that were answered `Settled`, the newest ones: what they had under way is decided soon.
    settled: BTreeSet<u64>,
}

impl Hub {
    /// A hub on a state as it was stored.
    pub fn new(state: State, ring_bytes_max: usize) -> Self {
        let (rings, readers, people) = (Rings::new(ring_bytes_max), Readers::default(), People::default());
        Self { state, rings, readers, people, links: 0, settled: BTreeSet::new() }
    }

    /// The committed state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Connections that read.
    pub fn readers(&self) -> usize {
        self.readers.len()
    }

    /// A draft to decide a batch on.
    pub fn draft(&self, now_ms: u64) -> Draft<'_> {
        Draft::new(&self.state, &self.settled, now_ms)
    }

    /// Installs changes that are stored and synced; gives the readers to wake, each once, in order.
    pub fn commit(&mut self, changes: &Changes) -> Vec<ReaderId> {
        let mut woken = BTreeSet::new();
        self.settled.extend(&changes.settled);
        while self.settled.len() > SETTLED_LINKS_MAX {
            self.settled.pop_first();
        }
        let mut heads: BTreeMap<RoomId, u64> = BTreeMap::new();
        for entry in &changes.entries {
            if let Some((room, _)) = entry.room {
                let before = || self.state.rooms.get(&room).map_or(0, |room| room.head_position);
                let head = heads.entry(room).or_insert_with(before);
                self.rings.push(room, entry, *head);
                *head = entry.position;
            }
        }
        let joined: Vec<_> = changes.members.iter().map(|(&key, membership)| (key, membership.is_open())).collect();
        self.state.install(changes);
        // Who joined is marked, too; who left is marked for the last time.
        for &((room, account), _) in &joined {
            self.readers.follow(account, room);
        }
        let touched: BTreeSet<RoomId> = changes.entries.iter().filter_map(|e| e.room.map(|(room, _)| room)).collect();
        for room in touched {
            self.readers.mark(room, &mut woken);
        }
        for ((room, account), open) in joined {
            if open {
                self.people.touch(account);
            } else {
                self.readers.unfollow(account, room);
            }
        }
        woken.into_iter().collect()
    }

    /// Lets a link of a device read from a place on; `None` starts at the head. An older link of the device is
    /// evicted and has to be woken; a newer one refuses this.
    pub fn attach(
        &mut self,
        account: AccountId,
        device: DeviceId,
        incarnation: Incarnation,
        place: Option<u64>,
    ) -> Result<Attached, ByeReason> {
        let evicted = self.readers.succession(device, &incarnation)?;
        if let Some((old, reason)) = evicted
            && let Some(reader) = self.readers.get_mut(old)
        {
            reader.evicted = Some(reason);
        }
        let id = self.readers.attach(&self.state, account, device, incarnation, place);
        self.people.touch(account);
        self.links += 1;
        Ok(Attached { reader: id, link: self.links, evicted: evicted.map(|(old, _)| old) })
    }

    /// The link is gone.
    pub fn detach(&mut self, reader: ReaderId) {
        if let Some(gone) = self.readers.detach(&self.state, reader) {
            let was_last = self.readers.of(gone.account).next().is_none();
            self.people.handle_detached(reader, gone.account, gone.acknowledged, was_last);
        }
    }

    /// Why the reader has to leave, if it has to.
    pub fn evicted(&self, reader: ReaderId) -> Option<ByeReason> {
        self.readers.get(reader)?.evicted
    }

    /// The reader's place.
    pub fn place(&self, reader: ReaderId) -> u64 {
        self.readers.get(reader).map_or(0, |reader| reader.place)
    }

    /// Gives the reader's entries beyond its place in order of position, while `take` accepts them; the place follows.
    pub fn pull(&mut self, id: ReaderId, mut take: impl FnMut(&Bytes) -> bool) -> Pull {
        let Some(reader) = self.readers.get_mut(id) else { return Pull::CaughtUp };
        if !reader.behind {
            let mut rooms = Vec::with_capacity(reader.pending.len());
            for &room in &reader.pending {
                match self.rings.beyond(room, reader.place) {
                    Some(entries) => rooms.push((room, entries.peekable())),
                    None => reader.behind = true,
                }
            }
            while !reader.behind {
                let oldest = rooms
                    .iter_mut()
                    .filter_map(|(room, entries)| entries.peek().map(|&(position, unit)| (position, unit, *room)))
                    .min_by_key(|&(position, ..)| position);
                let Some((position, unit, room)) = oldest else {
                    reader.pending.clear();
                    reader.place = self.state.head;
                    return Pull::CaughtUp;
                };
                if self.state.sees(reader.account, room, position) && !take(unit) {
                    return Pull::Enough;
                }
                reader.place = position;
                for (_, entries) in &mut rooms {
                    entries.next_if(|&(at, _)| at == position);
                }
            }
        }
        reader.pending.clear();
        let place = reader.place;
        let beyond = self.state.rooms_of(reader.account);
        let rooms = beyond.filter(|(_, room, membership)| membership.last_seen(room.head_position) > place);
        Pull::Behind { rooms: rooms.map(|(room, _, _)| room).collect(), after: place }
    }

    /// The reader got everything up to the position from the store; what is left is listed anew.
    pub fn caught_up_to(&mut self, id: ReaderId, position: u64) {
        if let Some(reader) = self.readers.get_mut(id) {
            reader.place = reader.place.max(position);
            self.readers.relist(&self.state, id);
        }
    }

    /// Where the rooms of an account stand: all of them, or those with something beyond a place.
    pub fn heads(&self, account: AccountId, beyond: Option<u64>) -> Vec<Head> {
        let rooms = self.state.rooms_of(account);
        let wanted = rooms.filter(|(_, room, membership)| match beyond {
            Some(place) => membership.last_seen(room.head_position) > place,
            None => membership.is_open(),
        });
        wanted
            .map(|(id, room, membership)| Head {
                room: id.0,
                name: self.name_for(account, room),
                kind: room.kind.into(),
                room_sequence: membership.last_seen_sequence(room.head_sequence),
                readable_from: match room.kind {
                    RoomKind::Public => 1,
                    RoomKind::Unspecified | RoomKind::Private | RoomKind::Direct | RoomKind::Account => {
                        membership.stays().first().map_or(0, |stay| stay.from_sequence)
                    }
                },
            })
            .collect()
    }

    /// The terms as Diverged tells them.
    fn term_starts(&self) -> Vec<wire::TermStart> {
        const TERMS_TOLD_MAX: usize = 1_024;
        let terms = self.state.terms();
        let newest = &terms[terms.len().saturating_sub(TERMS_TOLD_MAX)..];
        newest.iter().map(|&(term, first_position)| wire::TermStart { term: term.0, first_position }).collect()
    }

    /// A direct conversation is called after the other one.
    fn name_for(&self, account: AccountId, room: &Room) -> String {
        let other = match room.other {
            Some(other) if other == account => room.maker,
            Some(other) => other,
            None => return room.name.clone(),
        };
        self.state.account(other).map(|account| account.name.clone()).unwrap_or_default()
    }
}

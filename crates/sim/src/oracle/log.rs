//! The server's log as it stands on its disk, read without the server's code, and who may see what of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use steadfast_proto::codec::Decoder;
use steadfast_proto::wire::{Entry, RoomKind, entry::What, frame::Kind};

use super::broken::{Broken, Promise, broken};

/// All entries, by position.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// Of these entries.
    pub fn of(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// Reads it from the directory of a server.
    pub fn read(directory: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(directory.join("log.sqlite3"), flags)?;
        let mut statement = connection.prepare("SELECT frames FROM chunks ORDER BY first_position")?;
        let mut rows = statement.query(())?;
        let (mut decoder, mut entries) = (Decoder::default(), Vec::new());
        while let Some(row) = rows.next()? {
            decoder.push(row.get_ref(0)?.as_blob()?);
            while let Ok(Some(received)) = decoder.next_frame() {
                if let Kind::Entry(entry) = received.kind {
                    entries.push(entry);
                }
            }
        }
        Ok(Self { entries })
    }

    /// In order of position.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last position.
    pub fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The last position of a term; `None` if it has no such term.
    pub fn end_of(&self, term: u64) -> Option<u64> {
        let mut terms = self.entries.iter().filter_map(|entry| match &entry.what {
            Some(What::TermOpened(opened)) => Some((opened.term, entry.position)),
            _ => None,
        });
        terms.find(|&(opened, _)| opened == term)?;
        Some(terms.next().map_or(self.head(), |(_, position)| position - 1))
    }

    /// Whether it holds a position that was told under a term.
    pub fn holds(&self, term: u64, position: u64) -> bool {
        self.end_of(term).is_some_and(|end| position <= end)
    }

    /// The entry of a room with this sequence.
    pub fn by_room(&self) -> BTreeMap<(u64, u64), &Entry> {
        let of_rooms = self.entries.iter().filter(|entry| entry.room != 0);
        of_rooms.map(|entry| ((entry.room, entry.room_sequence), entry)).collect()
    }

    /// Where each operation stands by an entry of its own.
    pub fn places(&self) -> BTreeMap<u64, Vec<&Entry>> {
        let mut places: BTreeMap<u64, Vec<&Entry>> = BTreeMap::new();
        // A second entry of an operation only tells the person concerned.
        let own = |entry: &&Entry| entry.id != 0 && !matches!(entry.what, Some(What::Added(_) | What::Removed(_)));
        for entry in self.entries.iter().filter(own) {
            places.entry(entry.id).or_default().push(entry);
        }
        places
    }

    /// Positions and the sequences of each room have no hole, and time does not go back.
    pub fn check(&self) -> Result<(), Broken> {
        let mut rooms: BTreeMap<u64, u64> = BTreeMap::new();
        let mut last_at_ms = 0;
        for (position, entry) in (1..).zip(&self.entries) {
            if entry.position != position {
                let text = format!("position {} stands where {position} belongs", entry.position);
                return broken(Promise::Reordered, text);
            }
            if entry.at_ms < last_at_ms {
                return broken(Promise::Reordered, format!("the time of position {position} is before the last one's"));
            }
            last_at_ms = entry.at_ms;
            if entry.room == 0 {
                continue;
            }
            let last = rooms.entry(entry.room).or_default();
            if entry.room_sequence != *last + 1 {
                let text = format!("room {:x} goes from {last} to {} at {position}", entry.room, entry.room_sequence);
                return broken(Promise::Reordered, text);
            }
            *last = entry.room_sequence;
        }
        Ok(())
    }

    /// Who sees what, by a walk over the log.
    pub fn audience(&self) -> Audience {
        let mut audience = Audience::default();
        let mut members: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.room != 0) {
            let there = members.entry(entry.room).or_default();
            match &entry.what {
                Some(What::Joined(joined)) => {
                    there.extend([joined.account, joined.other].into_iter().filter(|&account| account != 0));
                    if joined.kind() == RoomKind::Public {
                        audience.public.insert(entry.room);
                    }
                }
                Some(What::DeviceAdded(_)) => {
                    there.insert(entry.account);
                }
                _ => {}
            }
            for &account in there.iter() {
                audience.sees.entry((account, entry.room)).or_default().insert(entry.room_sequence, entry.position);
            }
            if let Some(What::Left(left)) = &entry.what {
                there.remove(&left.account);
            }
        }
        for (room, accounts) in members {
            audience.members.extend(accounts.into_iter().map(|account| (account, room)));
        }
        audience
    }
}

/// See [`Log::audience`].
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// By account and room: the sequences that it sees in its stream, each with its position.
    pub sees: BTreeMap<(u64, u64), BTreeMap<u64, u64>>,
    /// Rooms whose history is for everybody.
    pub public: BTreeSet<u64>,
    /// Who is where now.
    pub members: BTreeSet<(u64, u64)>,
}

impl Audience {
    /// Whether an account may hold an entry.
    pub fn may_hold(&self, account: u64, room: u64, sequence: u64) -> bool {
        self.public.contains(&room)
            || self.sees.get(&(account, room)).is_some_and(|sequences| sequences.contains_key(&sequence))
    }
}

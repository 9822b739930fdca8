//! The stream of all rooms in order of position, read from a profile that keeps each room by itself.
//!
//! Nothing is kept for it when an entry is stored: the rooms are merged when they are read. The profile may grow while
//! it is read, call by call: what is beyond its place at the first look is left for the next page, so that no room is
//! ahead of another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use steadfast_proto::ids::RoomId;
use steadfast_store::profile::{ProfileError, ProfileStore, RoomInfo, Stay, StoredMessage, StreamPlace};

/// Entries of one page, at most.
const PAGE_ENTRIES_MAX: usize = 256;
/// Entries of a room that are read at a time, at least.
const CHUNK_ENTRIES_MIN: usize = 4;

/// Where the next entry of each room is looked for. Only saves looking: it may be forgotten at any time.
#[derive(Debug, Default)]
pub(crate) struct Cursors(BTreeMap<RoomId, u64>);

/// What a look at the profile found behind a place.
#[derive(Debug)]
pub(crate) enum Page {
    /// Entries of the stream, in order of position; none: there are no more for now, or something moved meanwhile.
    Entries(Vec<StoredMessage>, StreamPlace, Cursors),
    /// The server went back behind the place. What follows this one is new.
    WentBack(StreamPlace),
    /// Of this room something was dropped before it was read, up to this room sequence.
    Dropped(RoomId, u64),
}

/// Reads a page behind `place`. What was dropped up to the sequences `told` is known to the reader.
pub(crate) fn read(
    profile: &dyn ProfileStore,
    place: StreamPlace,
    mut cursors: Cursors,
    told: &BTreeMap<RoomId, u64>,
) -> Result<Page, ProfileError> {
    let now = profile.set_back(place)?;
    if now.position < place.position {
        return Ok(Page::WentBack(now));
    }
    if now.rewinds != place.rewinds {
        cursors = Cursors::default();
    }
    let through = profile.place()?.map_or(0, |place| place.position);
    let mut sources = Vec::new();
    for room in profile.rooms()? {
        let dropped = profile.dropped(room.room)?;
        if let Some((sequence, position)) = dropped
            && position > now.position
            && told.get(&room.room) < Some(&sequence)
        {
            return Ok(Page::Dropped(room.room, sequence));
        }
        sources.extend(Source::open(profile, &room, dropped, now.position, &mut cursors)?);
    }
    let entries = merge(profile, &mut sources, through)?;
    for source in &sources {
        cursors.0.insert(source.room, source.given + 1);
    }
    // Histories that parted meanwhile, and what was dropped, are told by the next look.
    let mut moved = profile.set_back(now)? != now;
    for source in &sources {
        moved |= profile.dropped(source.room)? != source.dropped;
    }
    if moved {
        return Ok(Page::Entries(Vec::new(), place, Cursors::default()));
    }
    Ok(Page::Entries(entries, now, cursors))
}

fn merge(profile: &dyn ProfileStore, sources: &mut [Source], through: u64) -> Result<Vec<StoredMessage>, ProfileError> {
    let chunk = (PAGE_ENTRIES_MAX / sources.len().max(1)).max(CHUNK_ENTRIES_MIN);
    let mut heads = BinaryHeap::new();
    for (index, source) in sources.iter_mut().enumerate() {
        heads.extend(source.head(profile, chunk)?.map(|position| Reverse((position, index))));
    }
    let mut entries = Vec::new();
    while entries.len() < PAGE_ENTRIES_MAX
        && let Some(Reverse((position, index))) = heads.pop()
        && position <= through
    {
        let source = &mut sources[index];
        entries.extend(source.take());
        heads.extend(source.head(profile, chunk)?.map(|position| Reverse((position, index))));
    }
    Ok(entries)
}

/// What one room has to give.
struct Source {
    room: RoomId,
    stays: Vec<Stay>,
    /// What was dropped of it before it was read.
    dropped: Option<(u64, u64)>,
    /// The last room sequence that was given, or passed over.
    given: u64,
    /// The next one to be read.
    next: u64,
    /// The last one that the stream brought.
    last: u64,
    read: VecDeque<StoredMessage>,
}

impl Source {
    /// None if the room has nothing behind `position`.
    fn open(
        profile: &dyn ProfileStore,
        info: &RoomInfo,
        dropped: Option<(u64, u64)>,
        position: u64,
        cursors: &mut Cursors,
    ) -> Result<Option<Self>, ProfileError> {
        let (room, Some(last)) = (info.room, info.last) else { return Ok(None) };
        if cursors.0.get(&room).is_some_and(|&next| next > last) {
            return Ok(None);
        }
        let stays = profile.stays(room)?;
        let next = match cursors.0.get(&room) {
            Some(&next) => next,
            None => first_behind(profile, room, stays.first().map_or(0, |stay| stay.base), last, position)?,
        };
        if next > last {
            cursors.0.insert(room, next);
            return Ok(None);
        }
        Ok(Some(Self { room, stays, dropped, given: next - 1, next, last, read: VecDeque::new() }))
    }

    /// The position of the next entry; none: there are no more.
    fn head(&mut self, profile: &dyn ProfileStore, chunk: usize) -> Result<Option<u64>, ProfileError> {
        loop {
            while let Some(entry) = self.read.front() {
                if self.is_of_the_stream(entry) {
                    return Ok(Some(entry.position));
                }
                self.given = entry.room_sequence;
                self.read.pop_front();
            }
            if self.next > self.last {
                self.given = self.last;
                return Ok(None);
            }
            let last = self.last;
            let read = profile.messages(self.room, self.next, chunk)?;
            self.next = read.last().map_or(u64::MAX, |entry| entry.room_sequence.saturating_add(1));
            self.read = read.into_iter().filter(|entry| entry.room_sequence <= last).collect();
        }
    }

    fn take(&mut self) -> Option<StoredMessage> {
        let entry = self.read.pop_front()?;
        self.given = entry.room_sequence;
        Some(entry)
    }

    /// Pages bring other entries, too: of before a stay, and of between two.
    fn is_of_the_stream(&self, entry: &StoredMessage) -> bool {
        let within = |stay: &Stay| {
            entry.room_sequence > stay.base
                && entry.position >= stay.from_position
                && stay.until_position.is_none_or(|until| entry.position <= until)
        };
        self.stays.iter().any(within)
    }
}

/// The first room sequence of `base + 1 ..= last` whose entry is behind `position`; `last + 1` if none is. In a room
/// positions grow with the sequence.
fn first_behind(
    profile: &dyn ProfileStore,
    room: RoomId,
    base: u64,
    last: u64,
    position: u64,
) -> Result<u64, ProfileError> {
    let (mut from, mut to) = (base + 1, last + 1);
    while from < to {
        let middle = from + (to - from) / 2;
        match profile.messages(room, middle, 1)?.first() {
            Some(entry) if entry.room_sequence <= last && entry.position <= position => from = entry.room_sequence + 1,
            Some(_) | None => to = middle,
        }
    }
    Ok(from)
}

#[cfg(all(test, feature = "durable"))]
mod tests {
    use bytes::Bytes;
    use steadfast_proto::ids::{AccountId, DeviceId, LogId, OperationId, Term};
    use steadfast_proto::session::Change;
    use steadfast_proto::wire::{self, RoomKind, entry::What};
    use steadfast_store::profile::{Fresh, MESSAGES_BYTES_MAX, MemoryProfile, Profile};
    use tempfile::TempDir;

    use super::*;

    const ANN: AccountId = AccountId(0xa11);
    const BOB: AccountId = AccountId(0xb0b);

    /// A profile and what its stream brought, room by room.
    struct World {
        /// Of a profile on a disk.
        _directory: Option<TempDir>,
        profile: Box<dyn ProfileStore>,
        position: u64,
        sequences: BTreeMap<RoomId, u64>,
        /// Positions of all that the stream brought, in order.
        stream: Vec<u64>,
        /// What it brought and the profile does not have yet.
        on_its_way: Vec<Change>,
    }

    impl World {
        /// On a disk and in memory, of so many public rooms, each with three entries of before this device's first
        /// contact.
        fn both(rooms: u64) -> [Self; 2] {
            let directory = tempfile::tempdir().expect("a directory");
            let profile = Profile::open(directory.path(), "ann", Some(&fresh())).expect("a profile");
            [Self::new(rooms, Some(directory), Box::new(profile)), Self::in_memory(rooms, MESSAGES_BYTES_MAX)]
        }

        fn in_memory(rooms: u64, messages_bytes_max: u64) -> Self {
            let profile = MemoryProfile::new("ann", &fresh(), messages_bytes_max).expect("a profile");
            Self::new(rooms, None, Box::new(profile))
        }

        fn new(rooms: u64, directory: Option<TempDir>, profile: Box<dyn ProfileStore>) -> Self {
            let sequences: BTreeMap<RoomId, u64> = (1..=rooms).map(|room| (RoomId(room), 3)).collect();
            let (stream, on_its_way) = (Vec::new(), Vec::new());
            let mut world = Self { _directory: directory, profile, position: 100, sequences, stream, on_its_way };
            let head = |(&room, &room_sequence): (&RoomId, &u64)| wire::Head {
                room: room.0,
                name: format!("room{room}"),
                kind: RoomKind::Public.into(),
                room_sequence,
                readable_from: 1,
            };
            let rooms = world.sequences.iter().map(head).collect();
            world.welcome(1);
            world.apply(vec![Change::FirstHeads { as_of: 100, rooms }]);
            world
        }

        fn welcome(&mut self, term: u64) {
            let name = "ann".to_owned();
            self.apply(vec![Change::Welcomed { log_id: LogId([7; 16]), term: Term(term), account: ANN, name }]);
        }

        fn apply(&mut self, more: Vec<Change>) {
            let mut changes = std::mem::take(&mut self.on_its_way);
            changes.extend(more);
            self.profile.apply(&changes, 1, &mut || OperationId(1)).expect("applied");
        }

        fn entry(&self, room: RoomId, position: u64, room_sequence: u64, what: What) -> wire::Entry {
            wire::Entry {
                position,
                room: room.0,
                room_sequence,
                account: BOB.0,
                from: "bob".to_owned(),
                id: position,
                what: Some(what),
                ..wire::Entry::default()
            }
        }

        /// The stream brings an entry of this room.
        fn bring(&mut self, room: RoomId, what: What) {
            self.position += 1;
            let position = self.position;
            let sequence = self.sequences.entry(room).or_default();
            *sequence += 1;
            let entry = self.entry(room, position, self.sequences[&room], what);
            self.on_its_way.push(Change::Entry(entry));
            self.stream.push(position);
        }

        fn say(&mut self, room: u64) {
            let body = Bytes::from_static(b"hello");
            self.bring(RoomId(room), What::Message(wire::Message { body, content_type: String::new() }));
        }

        /// What a consumer gets from there on, page by page.
        fn read_all(&self, from: u64) -> Vec<u64> {
            let mut place = StreamPlace { position: from, rewinds: 0 };
            let mut cursors = Cursors::default();
            let mut all = Vec::new();
            loop {
                let page = read(&*self.profile, place, cursors, &BTreeMap::new()).expect("a page");
                let Page::Entries(entries, now, next) = page else { panic!("a hole: {page:?}") };
                if entries.is_empty() {
                    return all;
                }
                all.extend(entries.iter().map(|entry| entry.position));
                place = StreamPlace { position: all[all.len() - 1], rewinds: now.rewinds };
                cursors = next;
            }
        }
    }

    fn fresh() -> Fresh {
        Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: ANN }
    }

    fn joined() -> What {
        let (name, room_name) = ("ann".to_owned(), "room1".to_owned());
        let kind = RoomKind::Public.into();
        What::Joined(wire::Joined { account: ANN.0, name, room_name, kind, ..wire::Joined::default() })
    }

    #[test]
    fn all_rooms_are_read_in_order_of_position_from_anywhere() {
        for mut world in World::both(7) {
            let mut random = 1_u64;
            for _ in 0..900 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Some rooms say much, some little, the seventh nothing.
                let room = 1 + (random >> 33) % 21 / 4;
                world.say(room);
            }
            world.apply(Vec::new());
            for from in [0, 100, 101, 357, 640, 999, 1_000, 5_000] {
                let expected: Vec<u64> = world.stream.iter().copied().filter(|&position| position > from).collect();
                assert_eq!(world.read_all(from), expected, "from {from}");
            }
        }
    }

    #[test]
    fn what_comes_later_is_read_later_and_pages_of_history_are_passed_over() {
        for mut world in World::both(2) {
            world.say(1);
            world.apply(Vec::new());
            let cursors = Cursors::default();
            let place = StreamPlace { position: 0, rewinds: 0 };
            let Page::Entries(entries, now, cursors) =
                read(&*world.profile, place, cursors, &BTreeMap::new()).expect("a page")
            else {
                panic!("a hole");
            };
            assert_eq!(entries.len(), 1);
            // One's own leaving, and what was said meanwhile, which only a page brings.
            world.bring(RoomId(1), What::Left(wire::Left { account: ANN.0, name: "ann".to_owned() }));
            let while_away = world.entry(RoomId(1), 103, 6, What::Removed(wire::Removed::default()));
            let before = world.entry(RoomId(1), 17, 2, What::Removed(wire::Removed::default()));
            world.position = 103;
            world.sequences.insert(RoomId(1), 6);
            world.bring(RoomId(1), joined());
            world.say(2);
            let entries = vec![before, while_away];
            world.apply(vec![Change::Page(wire::HistoryPage { room: 1, entries, ..wire::HistoryPage::default() })]);
            let place = StreamPlace { position: 101, rewinds: now.rewinds };
            let page = read(&*world.profile, place, cursors, &BTreeMap::new()).expect("a page");
            let Page::Entries(entries, ..) = page else { panic!("a hole: {page:?}") };
            assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [102, 104, 105]);
            assert_eq!(world.read_all(0), [101, 102, 104, 105]);
        }
    }

    #[test]
    fn a_reader_beyond_what_the_server_went_back_to_is_told_and_goes_on_there() {
        for mut world in World::both(2) {
            (0..10).for_each(|n| world.say(1 + n % 2));
            world.welcome(2);
            world.apply(vec![Change::Diverged { common: 105, last_sequence: 0 }]);
            let read_from = |place, cursors| read(&*world.profile, place, cursors, &BTreeMap::new()).expect("a page");
            let beyond = StreamPlace { position: 107, rewinds: 0 };
            let Page::WentBack(now) = read_from(beyond, Cursors::default()) else { panic!("it was not told") };
            assert_eq!(now.position, 105);
            let Page::Entries(entries, ..) = read_from(now, Cursors::default()) else { panic!("it was told twice") };
            assert!(entries.is_empty());
            let behind = StreamPlace { position: 103, rewinds: 0 };
            let Page::Entries(entries, ..) = read_from(behind, Cursors::default()) else { panic!("told for nothing") };
            assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [104, 105]);
            // The new history, under the numbers of the old one.
            world.position = 105;
            world.sequences = BTreeMap::from([(RoomId(1), 6), (RoomId(2), 5)]);
            world.say(2);
            world.apply(Vec::new());
            let page = read(&*world.profile, now, Cursors::default(), &BTreeMap::new()).expect("a page");
            let Page::Entries(entries, ..) = page else { panic!("a hole: {page:?}") };
            assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [106]);
        }
    }

    #[test]
    fn what_memory_had_no_room_for_is_told_once_and_the_rest_follows_in_order() {
        // For some twenty entries.
        let mut world = World::in_memory(2, 10_000);
        for _ in 0..40 {
            world.say(1);
        }
        world.say(2);
        world.apply(Vec::new());
        let start = StreamPlace { position: 0, rewinds: 0 };
        let read_on = |world: &World, told: &BTreeMap<RoomId, u64>| {
            read(&*world.profile, start, Cursors::default(), told).expect("a page")
        };
        let Page::Dropped(room, sequence) = read_on(&world, &BTreeMap::new()) else { panic!("no hole was told") };
        assert_eq!(room, RoomId(1));
        let mut told = BTreeMap::from([(room, sequence)]);
        let Page::Entries(entries, ..) = read_on(&world, &told) else { panic!("it was told twice") };
        // Room 1 began with sequence 4 at position 101.
        let first = 101 + sequence - 3;
        assert!(entries.iter().map(|entry| entry.position).eq(first..=141), "from {first}: {entries:?}");
        // More goes: that is another hole.
        (0..10).for_each(|_| world.say(1));
        world.apply(Vec::new());
        let Page::Dropped(_, later) = read_on(&world, &told) else { panic!("no second hole was told") };
        assert!(later > sequence);
        told.insert(room, later);
        assert!(matches!(read_on(&world, &told), Page::Entries(..)));
    }
}

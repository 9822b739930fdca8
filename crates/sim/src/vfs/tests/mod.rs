//! What the disks do to SQLite, and to the two stores of Steadfast that stand on it. Here is what the tests share.

mod dying;
mod failing;
mod losing;
mod serving;
mod speed;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;
use steadfast_proto::ids::{AccountId, DeviceId, LogId, OperationId, RoomId, Term};
use steadfast_proto::session::Change;
use steadfast_store::profile::{Fresh, NewBody, NewOp, Profile, Target};
use steadfast_store::server::{Chunk, Commit, Put, ReadError, RoomSpan, Store, Table};

use super::*;

const LOG: LogId = LogId([7; 16]);

/// A machine with a disk, on which one process runs at a time.
struct Machine {
    disk: Disk,
    process: u64,
    directory: tempfile::TempDir,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        super::seed(seed);
        let disk = Disk::new(directory.path(), seed).expect("a disk");
        Machine { disk, process: 1, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn process(&self) -> ProcessId {
        ProcessId(self.process)
    }

    fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        self.disk.as_process(self.process(), run)
    }

    /// What runs from here on is another process.
    fn next_process(&mut self) {
        self.process += 1;
    }

    fn open(&self, kind: Kind) -> Result<Kept, String> {
        self.run(|| Kept::open(kind, self.directory.path()))
    }

    fn add(&self, kept: &mut Kept, number: u64) -> Result<(), String> {
        self.run(|| kept.add(number))
    }

    fn added(&self, kept: &Kept) -> u64 {
        self.run(|| kept.added())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.disk.bites().host_errors, 0, "the disk itself failed");
        }
    }
}

/// What keeps something on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A database with nothing in front of it.
    Database,
    /// The same, never synced.
    UnsyncedDatabase,
    /// A server's store.
    Server,
    /// A client's profile.
    Client,
}

const SYNCED: [Kind; 3] = [Kind::Database, Kind::Server, Kind::Client];

enum Kept {
    Database(Connection),
    Server(Box<Store>),
    Client(Box<Profile>),
}

impl Kept {
    fn open(kind: Kind, directory: &Path) -> Result<Self, String> {
        match kind {
            Kind::Database => open_database(directory, "FULL").map(Kept::Database).map_err(|error| error.to_string()),
            Kind::UnsyncedDatabase => {
                open_database(directory, "OFF").map(Kept::Database).map_err(|error| error.to_string())
            }
            Kind::Server => {
                let opened = Store::open(directory.join("server"), LOG);
                opened.map(|(store, _)| Kept::Server(Box::new(store))).map_err(|error| format!("{error:?}"))
            }
            Kind::Client => open_profile(directory).map(Box::new).map(Kept::Client),
        }
    }

    /// Makes the thing of this number durable, in one transaction. They begin with 1.
    fn add(&mut self, number: u64) -> Result<(), String> {
        match self {
            Kept::Database(connection) => add_rows(connection, number).map_err(|error| error.to_string()),
            Kept::Server(store) => {
                store.commit(&commit(number)).map_err(|error| format!("{error:?}"))?;
                if number.is_multiple_of(5) {
                    store.fold(usize::MAX).map_err(|error| format!("{error:?}"))?;
                }
                Ok(())
            }
            Kept::Client(profile) => add_to_profile(profile, number),
        }
    }

    /// The number of the last one. All before it are there, each as a whole.
    fn added(&self) -> u64 {
        match self {
            Kept::Database(connection) => rows(connection),
            Kept::Server(store) => entries(store),
            Kept::Client(profile) => things(profile),
        }
    }
}

/// Large enough for several pages now and then.
fn body(number: u64) -> Vec<u8> {
    vec![number.to_le_bytes()[0]; 30 + usize::try_from(number * 7_919 % 6_000).expect("small")]
}

fn open_database(directory: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(directory.join("database"))?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // So that logs are copied back, and begun anew, in the midst of a test; and pages are written before their commit.
    connection.pragma_update(None, "wal_autocheckpoint", 20)?;
    connection.pragma_update(None, "cache_size", 4)?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS things (number INTEGER, part INTEGER, body BLOB)")?;
    Ok(connection)
}

fn add_rows(connection: &mut Connection, number: u64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for part in 0..3_i64 {
        let row = (number.cast_signed(), part, body(number + part.cast_unsigned()));
        transaction.execute("INSERT INTO things VALUES (?1, ?2, ?3)", row)?;
    }
    transaction.commit()
}

fn rows(connection: &Connection) -> u64 {
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a database that can be read");
    assert_eq!(sound, "ok");
    let mut statement = connection.prepare("SELECT number, part, body FROM things ORDER BY number, part").expect("SQL");
    let found = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?, row.get(2)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<(u64, i64, Vec<u8>)>>>)
        .expect("rows");
    for (index, (number, part, found)) in found.iter().enumerate() {
        let index = index as u64;
        assert_eq!((*number, part.cast_unsigned()), (index / 3 + 1, index % 3));
        assert_eq!(*found, body(number + part.cast_unsigned()));
    }
    assert!(found.len().is_multiple_of(3), "half a transaction");
    found.len() as u64 / 3
}

fn commit(number: u64) -> Commit {
    let rooms = vec![RoomSpan { room: RoomId(1), first_sequence: number, last_sequence: number }];
    let frames = Bytes::from(body(number));
    Commit {
        chunks: vec![Chunk { first_position: number, count: 1, frames, rooms }],
        puts: vec![Put { table: Table::Rooms, key: number.to_be_bytes().to_vec(), value: body(number) }],
        new_term: None,
        last_at_ms: number,
    }
}

fn entries(store: &Store) -> u64 {
    let head = store.head();
    let span = store.reader().expect("a reader").chunks_for(&[RoomId(1)], 0, usize::MAX).expect("a span");
    assert_eq!(span.covered_through, head);
    let positions: Vec<u64> = span.chunks.iter().map(|chunk| chunk.first_position).collect();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    for chunk in &span.chunks {
        assert_eq!(chunk.frames, body(chunk.first_position));
    }
    let mut next = 1_u64;
    let read: Result<(), ReadError> = store.state_rows(Table::Rooms, |key, value| {
        assert_eq!((key, value), (&next.to_be_bytes()[..], &body(next)[..]));
        next += 1;
        Ok(())
    });
    read.expect("the state");
    assert_eq!(next, head + 1, "state and entries are of one moment");
    head
}

fn open_profile(directory: &Path) -> Result<Profile, String> {
    let fresh = Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(0xa11) };
    let mut profile = Profile::open(&directory.join("profile"), "ann", Some(&fresh)).map_err(|e| format!("{e:?}"))?;
    profile.resume().map_err(|error| format!("{error:?}"))?;
    if profile.place().map_err(|error| format!("{error:?}"))?.is_none() {
        let name = "ann".to_owned();
        let welcomed = Change::Welcomed { log_id: LOG, term: Term(1), account: AccountId(0xa11), name };
        apply(&mut profile, &[welcomed, Change::FirstHeads { as_of: 0, rooms: Vec::new() }])?;
    }
    Ok(profile)
}

fn apply(profile: &mut Profile, changes: &[Change]) -> Result<(), String> {
    profile.apply(changes, 5_000, &mut || OperationId(9)).map(|_| ()).map_err(|error| format!("{error:?}"))
}

/// Odd ones are messages to be sent, even ones move the place.
fn add_to_profile(profile: &mut Profile, number: u64) -> Result<(), String> {
    if number.is_multiple_of(2) {
        return apply(profile, &[Change::Through { position: number }]);
    }
    let send =
        NewBody::Send { to: Target::Room(RoomId(1)), body: Bytes::from(body(number)), content_type: String::new() };
    let id = OperationId(number);
    let op = NewOp { id, enter_id: OperationId(number + 1_000), composed_at_ms: number, body: send, key: None };
    profile.append(&[op]).map(|_| ()).map_err(|error| format!("{error:?}"))
}

fn things(profile: &Profile) -> u64 {
    let sent = profile.outbox_from(0, usize::MAX, usize::MAX).expect("the outbox");
    for (index, op) in sent.iter().enumerate() {
        assert_eq!((op.sequence, op.id), (index as u64 + 1, index as u64 * 2 + 1));
    }
    assert_eq!(profile.outbox_size().expect("its size").0, sent.len() as u64);
    let (place, sent) = (profile.place().expect("a place").map_or(0, |place| place.position), sent.len() as u64);
    assert!(place == sent * 2 || place + 2 == sent * 2, "{sent} sent, at {place}");
    sent + place / 2
}

/// Runs a scenario over many seeds; the seed of one that fails is printed.
fn for_each_seed(seeds: std::ops::Range<u64>, scenario: impl Fn(u64)) {
    struct Printer(u64);
    impl Drop for Printer {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failing seed: {}", self.0);
            }
        }
    }
    for seed in seeds {
        let _printer = Printer(seed);
        scenario(seed);
    }
}

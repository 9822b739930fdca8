//! The tables of `profile.sqlite3`, and the check that they are ours and of a format that we know.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::ProfileError;
use crate::sqlite::Stamp;

/// `PRAGMA application_id`: "SFpr".
const APPLICATION: i32 = 0x5346_7072;
const VERSION: u32 = 1;
const UNSTAMPED: Stamp = Stamp { application: 0, version: 0 };

/// Whether nobody has set up the database at `path`, as a process leaves it that ended in its first open. Changes no
/// content; a transaction that a killed process left is brought to its end, for which the file must be writable.
pub(super) fn is_blank(path: &Path) -> Result<bool, ProfileError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    Ok(Stamp::read(&connection)? == UNSTAMPED && tables(&connection)? == 0)
}

/// Refuses a database at `path` that was emptied after it had been a profile's: made anew, it would be another device
/// without the messages of the old one. Its companion is made after it.
pub(super) fn refuse_emptied(path: &Path) -> Result<(), ProfileError> {
    let is_empty = |path: &Path| path.metadata().is_ok_and(|found| found.len() == 0);
    if !is_empty(path) || !path.with_file_name(super::live::FILE).exists() {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    Err(ProfileError::Broken { dir, text: format!("{} is empty", super::FILE) })
}

/// Whether the database has our tables; not yet, if it is empty. Anybody else's is refused. Only reads.
pub(super) fn is_ours(connection: &Connection, path: &Path) -> Result<bool, ProfileError> {
    let stamp = Stamp::read(connection)?;
    if stamp.application == APPLICATION {
        if stamp.version > VERSION {
            return Err(ProfileError::Newer { path: path.to_owned(), found: stamp.version, known: VERSION });
        }
        return Ok(true);
    }
    if stamp != UNSTAMPED || tables(connection)? != 0 {
        return Err(ProfileError::Foreign { path: path.to_owned() });
    }
    Ok(false)
}

/// Makes the tables in an empty database. To be called in a transaction.
pub(super) fn prepare(connection: &Connection) -> Result<(), ProfileError> {
    connection.execute_batch(TABLES)?;
    Stamp { application: APPLICATION, version: VERSION }.write(connection)?;
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
}

/// `profile` has one row. The counters of the outbox in it save counting its rows at every append.
///
/// `memberships`: one row an interval; `base` is the room sequence before its first entry. `from_heads`: it began
/// before this device's first contact, so that nothing is known of the room before `from_position`.
///
/// `rooms.last` is NULL while it is unknown where the room's next entry stands.
///
/// `rewinds`: how far each room was set back by divergences, for readers that keep a mark of their own; of no room (0):
/// the log itself, to which position.
const TABLES: &str = "
CREATE TABLE profile (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    name           TEXT NOT NULL,
    device_id      BLOB NOT NULL,
    secret         BLOB NOT NULL,
    account        INTEGER NOT NULL,
    log_id         BLOB,
    link_term      INTEGER,
    place_position INTEGER,
    place_term     INTEGER,
    told_position  INTEGER,
    told_term      INTEGER,
    next_sequence  INTEGER NOT NULL,
    outbox_rows    INTEGER NOT NULL,
    outbox_bytes   INTEGER NOT NULL
);
CREATE TABLE terms (
    number  INTEGER PRIMARY KEY,
    term    INTEGER NOT NULL UNIQUE,
    highest INTEGER NOT NULL
);
CREATE TABLE outbox (
    sequence       INTEGER PRIMARY KEY,
    id             INTEGER NOT NULL UNIQUE,
    composed_at_ms INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    keyed          INTEGER NOT NULL,
    room           INTEGER,
    entered_by     INTEGER,
    name           TEXT,
    folded         TEXT,
    body           BLOB,
    content_type   TEXT,
    bytes          INTEGER NOT NULL
);
CREATE INDEX outbox_by_reference ON outbox (entered_by) WHERE entered_by IS NOT NULL;
CREATE INDEX outbox_by_name ON outbox (kind, folded) WHERE folded IS NOT NULL;
CREATE INDEX outbox_leaves ON outbox (sequence) WHERE kind = 3;
CREATE TABLE keyed (
    key      TEXT NOT NULL,
    line     INTEGER NOT NULL,
    id       INTEGER NOT NULL UNIQUE,
    hash     BLOB NOT NULL,
    sequence INTEGER,
    position INTEGER,
    room     INTEGER,
    refusal  INTEGER,
    PRIMARY KEY (key, line)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    number   INTEGER PRIMARY KEY,
    id       INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    room     INTEGER,
    refusal  INTEGER,
    at_ms    INTEGER NOT NULL
);
CREATE TABLE refused (
    number         INTEGER PRIMARY KEY,
    id             INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    refusal        INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    composed_at_ms INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    room           INTEGER,
    entered_by     INTEGER,
    name           TEXT,
    body           BLOB,
    content_type   TEXT
);
CREATE TABLE notices (
    number    INTEGER PRIMARY KEY,
    at_ms     INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    operation INTEGER,
    count     INTEGER,
    text      TEXT NOT NULL
);
CREATE TABLE rooms (
    room          INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    folded        TEXT NOT NULL,
    kind          INTEGER NOT NULL,
    member        INTEGER NOT NULL,
    base          INTEGER NOT NULL,
    last          INTEGER,
    readable_from INTEGER NOT NULL
);
CREATE INDEX rooms_by_name ON rooms (folded);
CREATE TABLE memberships (
    room           INTEGER NOT NULL,
    from_position  INTEGER NOT NULL,
    base           INTEGER NOT NULL,
    until_position INTEGER,
    from_heads     INTEGER NOT NULL,
    PRIMARY KEY (room, from_position)
) WITHOUT ROWID;
CREATE TABLE messages (
    room           INTEGER NOT NULL,
    room_sequence  INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    account        INTEGER NOT NULL,
    author         TEXT NOT NULL,
    id             INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    composed_at_ms INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    subject        INTEGER NOT NULL,
    body           BLOB NOT NULL,
    content_type   TEXT NOT NULL,
    PRIMARY KEY (room, room_sequence)
) WITHOUT ROWID;
CREATE TABLE aside (
    number         INTEGER PRIMARY KEY,
    moved_at_ms    INTEGER NOT NULL,
    room           INTEGER NOT NULL,
    room_sequence  INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    account        INTEGER NOT NULL,
    author         TEXT NOT NULL,
    id             INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    composed_at_ms INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    subject        INTEGER NOT NULL,
    body           BLOB NOT NULL,
    content_type   TEXT NOT NULL
);
CREATE TABLE rewinds (
    number INTEGER PRIMARY KEY,
    room   INTEGER NOT NULL,
    last   INTEGER NOT NULL
);
";

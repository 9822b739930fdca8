//! Which chunk holds something of which room: a file that can be made again from the log at any time.
//!
//! It is synced only when its write-ahead log is copied back (`synchronous=NORMAL`). A power cut can so take back the
//! last folds, which the mark tells, but can't damage the file unnoticed as `OFF` could: a lost row would be a hole.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{CachedStatement, Connection, OptionalExtension};
use steadfast_proto::ids::{LogId, RoomId, Term};

use super::error::{FoldError, ReadError};
use super::open::DirectoryLock;
use super::unfolded::{RecentChunk, Unfolded};
use super::{RoomSpan, locked};
use crate::database::DatabaseErrorKind;
use crate::sqlite::{self, SqliteError, Stamp};

/// "SfIx".
const STAMP: Stamp = Stamp { application: 0x5366_4978, version: 1 };
const SCHEMA: &str = "
    CREATE TABLE room_chunks (
        room INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        first_sequence INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        PRIMARY KEY (room, chunk)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE mark (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        log_id BLOB NOT NULL,
        applied INTEGER NOT NULL,
        term INTEGER
    ) STRICT;
";
/// How many chunks a walk reads ahead, over all its rooms.
const READ_AHEAD_CHUNKS: usize = 256;

/// Moves what is in memory only into the index file. A handle: clones fold the same index, one at a time, and none
/// holds up a commit.
#[derive(Clone)]
pub struct Folder {
    index: Arc<Mutex<Index>>,
    unfolded: Arc<Unfolded>,
    _lock: Arc<DirectoryLock>,
}

/// The index file, open for writing.
pub(super) struct Index {
    connection: Connection,
    log_id: LogId,
}

/// How far an index was folded, and which history of which log that was.
pub(super) struct Mark {
    pub(super) log_id: LogId,
    pub(super) applied: u64,
    /// The term of the entry at `applied`.
    pub(super) term: Option<Term>,
}

impl Folder {
    pub(super) fn new(index: Index, unfolded: Arc<Unfolded>, lock: Arc<DirectoryLock>) -> Self {
        Folder { index: Arc::new(Mutex::new(index)), unfolded, _lock: lock }
    }

    /// Folds the oldest chunks that are in memory only: as many as have `entries_max` (room, chunk) pairs together, and
    /// at least one. Returns how many pairs that were, 0 if nothing was left to do.
    ///
    /// When this fails nothing is lost: memory keeps what it has.
    pub fn fold(&self, entries_max: usize) -> Result<usize, FoldError> {
        let mut index = locked(&self.index);
        let chunks = self.unfolded.oldest(entries_max);
        index.insert(&chunks)?;
        Ok(self.unfolded.forget(&chunks))
    }

    /// How many (room, chunk) pairs are in memory only.
    pub fn unfolded_entries(&self) -> usize {
        self.unfolded.entries()
    }
}

impl Index {
    /// Opens the index at `path`. `None` if there is none that can be used: it is missing, damaged, of another version,
    /// or `is_of_this_log` denies its mark.
    pub(super) fn open(
        path: &Path,
        is_of_this_log: impl Fn(&Mark) -> bool,
    ) -> Result<Option<(Index, Mark)>, SqliteError> {
        if !path.exists() {
            return Ok(None);
        }
        match open_marked(path) {
            Ok(Some((index, mark))) if is_of_this_log(&mark) => Ok(Some((index, mark))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == DatabaseErrorKind::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an empty index at `path`, where there is none.
    pub(super) fn make(path: &Path, log_id: LogId) -> Result<Index, SqliteError> {
        let mut connection = connect(path)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute("INSERT INTO mark (one, log_id, applied, term) VALUES (1, ?1, 0, NULL)", [log_id.0])?;
        STAMP.write(&transaction)?;
        transaction.commit()?;
        Ok(Index { connection, log_id })
    }

    /// Adds chunks that follow the last ones, and moves the mark.
    fn insert(&mut self, chunks: &[RecentChunk]) -> Result<(), SqliteError> {
        let Some(last) = chunks.last() else { return Ok(()) };
        let entries = chunks.iter().flat_map(|chunk| chunk.rooms.iter().map(|span| (*span, chunk.first_position)));
        let mut entries: Vec<(RoomSpan, u64)> = entries.collect();
        // In the order of the table, so that a page is touched once.
        entries.sort_unstable_by_key(|(span, position)| (span.room.0.cast_signed(), *position));

        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO room_chunks (room, chunk, first_sequence, last_sequence) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (RoomSpan { room, first_sequence, last_sequence }, position) in entries {
                let numbers = [room.0, position, first_sequence, last_sequence];
                insert.execute(numbers.map(u64::cast_signed))?;
            }
        }
        transaction.prepare_cached("UPDATE mark SET log_id = ?1, applied = ?2, term = ?3")?.execute((
            self.log_id.0,
            last.last_position.cast_signed(),
            last.term.map(|term| term.0.cast_signed()),
        ))?;
        transaction.commit()?;
        Ok(())
    }
}

/// First positions of the chunks in `from..=through` that hold something of one of `rooms`: ascending, none twice, and
/// read as they are asked for.
pub(super) struct Walk<'connection> {
    page: CachedStatement<'connection>,
    through: u64,
    rooms: Vec<RoomCursor>,
    /// The next chunk of each room that has one, and which room that is.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    last: Option<u64>,
}

struct RoomCursor {
    room: RoomId,
    read_ahead: VecDeque<u64>,
    /// The file has no more of this room than `read_ahead`.
    at_end: bool,
    /// How many are read at once, next time. Doubles, since a room that was asked often is likely the busy one.
    page_chunks: usize,
}

impl<'connection> Walk<'connection> {
    pub(super) fn new(
        connection: &'connection Connection,
        rooms: &[RoomId],
        from: u64,
        through: u64,
    ) -> Result<Self, ReadError> {
        let page = connection
            .prepare_cached(
                "SELECT chunk FROM room_chunks WHERE room = ?1 AND chunk BETWEEN ?2 AND ?3 ORDER BY chunk LIMIT ?4",
            )
            .map_err(|error| ReadError::in_index(error.into()))?;
        let mut walk = Walk { page, through, rooms: Vec::new(), heads: BinaryHeap::new(), last: None };
        let page_chunks = (READ_AHEAD_CHUNKS / rooms.len().max(1)).clamp(2, 32);
        for &room in rooms {
            walk.rooms.push(RoomCursor { room, read_ahead: VecDeque::new(), at_end: false, page_chunks });
            walk.advance(walk.rooms.len() - 1, from)?;
        }
        Ok(walk)
    }

    pub(super) fn next(&mut self) -> Result<Option<u64>, ReadError> {
        while let Some(Reverse((chunk, cursor))) = self.heads.pop() {
            self.advance(cursor, chunk + 1)?;
            if self.last != Some(chunk) {
                self.last = Some(chunk);
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Puts the next chunk of a room among the heads; `from` is where to read on if none is read ahead.
    fn advance(&mut self, cursor: usize, from: u64) -> Result<(), ReadError> {
        let room = &mut self.rooms[cursor];
        if room.read_ahead.is_empty() && !room.at_end && from <= self.through {
            read_page(&mut self.page, room, from, self.through).map_err(|error| ReadError::in_index(error.into()))?;
        }
        self.heads.extend(room.read_ahead.pop_front().map(|chunk| Reverse((chunk, cursor))));
        Ok(())
    }
}

/// First positions of the chunks up to `through` that hold sequences `from_sequence..=to_sequence` of `room`,
/// ascending, given to `each` until it says that it has enough.
///
/// Sequences grow with positions, so the first is found by halving the positions: one more index would make every fold
/// dearer, for some 40 look-ups of a microsecond each.
pub(super) fn history(
    connection: &Connection,
    room: RoomId,
    (from_sequence, to_sequence): (u64, u64),
    through: u64,
    mut each: impl FnMut(u64) -> Result<Wanted, ReadError>,
) -> Result<Wanted, ReadError> {
    let failed = |error: rusqlite::Error| ReadError::in_index(error.into());
    let Some(first) = first_chunk(connection, room, from_sequence, through).map_err(failed)? else {
        return Ok(Wanted::More);
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT chunk, first_sequence FROM room_chunks WHERE room = ?1 AND chunk BETWEEN ?2 AND ?3 ORDER BY chunk",
        )
        .map_err(failed)?;
    let numbers = [room.0, first, through].map(u64::cast_signed);
    let mut rows = statement.query(numbers).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (chunk, first_sequence) = number(row, 0).and_then(|chunk| Ok((chunk, number(row, 1)?))).map_err(failed)?;
        if first_sequence > to_sequence || each(chunk)? == Wanted::Enough {
            return Ok(Wanted::Enough);
        }
    }
    Ok(Wanted::More)
}

/// Whether whoever takes chunks takes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    More,
    Enough,
}

fn first_chunk(
    connection: &Connection,
    room: RoomId,
    from_sequence: u64,
    through: u64,
) -> rusqlite::Result<Option<u64>> {
    let mut at_or_after = connection.prepare_cached(
        "SELECT chunk, last_sequence FROM room_chunks WHERE room = ?1 AND chunk BETWEEN ?2 AND ?3
         ORDER BY chunk LIMIT 1",
    )?;
    let mut found = None;
    let (mut low, mut high) = (0, through + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let numbers = [room.0, middle, through].map(u64::cast_signed);
        let row = at_or_after.query_row(numbers, |row| Ok((number(row, 0)?, number(row, 1)?))).optional()?;
        match row {
            Some((chunk, last_sequence)) if last_sequence < from_sequence => low = chunk + 1,
            Some((chunk, _)) => {
                found = Some(chunk);
                high = middle;
            }
            None => high = middle,
        }
    }
    Ok(found)
}

fn read_page(page: &mut CachedStatement<'_>, room: &mut RoomCursor, from: u64, through: u64) -> rusqlite::Result<()> {
    let limit = i64::try_from(room.page_chunks).unwrap_or(i64::MAX);
    let mut rows = page.query((room.room.0.cast_signed(), from.cast_signed(), through.cast_signed(), limit))?;
    while let Some(row) = rows.next()? {
        room.read_ahead.push_back(number(row, 0)?);
    }
    room.at_end = room.read_ahead.len() < room.page_chunks;
    room.page_chunks = (room.page_chunks * 2).min(READ_AHEAD_CHUNKS);
    Ok(())
}

fn open_marked(path: &Path) -> Result<Option<(Index, Mark)>, SqliteError> {
    let connection = connect(path)?;
    if Stamp::read(&connection)? != STAMP {
        return Ok(None);
    }
    let mark = connection.query_row("SELECT log_id, applied, term FROM mark", (), |row| {
        let term = row.get::<_, Option<i64>>(2)?.map(|term| Term(term.cast_unsigned()));
        Ok(Mark { log_id: LogId(row.get(0)?), applied: number(row, 1)?, term })
    })?;
    Ok(Some((Index { connection, log_id: mark.log_id }, mark)))
}

fn connect(path: &Path) -> Result<Connection, SqliteError> {
    let connection = sqlite::open(path)?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

#[cfg(test)]
impl Folder {
    /// Makes the index file full at this size.
    pub(super) fn limit_pages(&self, pages: i64) {
        locked(&self.index).connection.pragma_update(None, "max_page_count", pages).expect("a limit");
    }
}

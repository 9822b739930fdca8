//! Chunk rows, terms and the head: what the log's database holds besides state.
//!
//! SQLite's integers are signed. Positions and counts keep their order, since [`check`] admits none from 2⁶³ on; ids
//! and times are cast bit by bit and never compared in SQL.

use rusqlite::{Connection, OptionalExtension};
use steadfast_proto::ids::{LogId, RoomId, Term};

use super::error::{CommitError, ReadError};
use super::{Chunk, Commit, Recovered, RoomSpan, StoredChunk, last_position};
use crate::sqlite::SqliteError;

/// `rooms` stands before `frames` so that a start that has to read all rows need not touch the pages of the frames.
pub(super) const SCHEMA: &str = "
    CREATE TABLE chunks (
        first_position INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        rooms BLOB NOT NULL,
        frames BLOB NOT NULL
    ) STRICT;
    CREATE TABLE terms (first_position INTEGER PRIMARY KEY, term INTEGER NOT NULL) STRICT;
    CREATE TABLE log (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id BLOB NOT NULL,
        head INTEGER NOT NULL,
        last_at_ms INTEGER NOT NULL
    ) STRICT;
";

const POSITION_MAX: u64 = i64::MAX.cast_unsigned();
const SPAN_BYTES: usize = 24;

/// The head after `commit`, if it goes on from `head` without a hole and its chunks are consistent.
pub(super) fn check(commit: &Commit, head: u64) -> Result<u64, CommitError> {
    let mut new_head = head;
    for chunk in &commit.chunks {
        if chunk.first_position != new_head + 1 {
            return Err(CommitError::NotContiguous { expected: new_head + 1, found: chunk.first_position });
        }
        new_head = chunk.last_position();
        if new_head >= POSITION_MAX || !consistent(chunk.count, &chunk.rooms) {
            return Err(CommitError::BadChunk { position: chunk.first_position });
        }
    }
    match commit.new_term {
        Some((_, found)) if found <= head || found > new_head => {
            Err(CommitError::NotContiguous { expected: head + 1, found })
        }
        Some(_) | None => Ok(new_head),
    }
}

pub(super) fn append(connection: &Connection, commit: &Commit, head: u64) -> Result<(), SqliteError> {
    let mut insert = connection
        .prepare_cached("INSERT INTO chunks (first_position, count, rooms, frames) VALUES (?1, ?2, ?3, ?4)")?;
    for Chunk { first_position, count, frames, rooms } in &commit.chunks {
        insert.execute((first_position.cast_signed(), count, encode_spans(rooms), &frames[..]))?;
    }
    if let Some((term, first_position)) = commit.new_term {
        connection
            .prepare_cached("INSERT INTO terms (first_position, term) VALUES (?1, ?2)")?
            .execute((first_position.cast_signed(), term.0.cast_signed()))?;
    }
    connection
        .prepare_cached("UPDATE log SET head = ?1, last_at_ms = ?2")?
        .execute((head.cast_signed(), commit.last_at_ms.cast_signed()))?;
    Ok(())
}

/// Makes the one row that says whose log this is.
pub(super) fn make(connection: &Connection, log_id: LogId) -> Result<(), SqliteError> {
    connection.execute("INSERT INTO log (one, id, head, last_at_ms) VALUES (1, ?1, 0, 0)", [log_id.0])?;
    Ok(())
}

/// What the log holds. Its head is stored twice (in the last chunk, and beside the state), and both have to agree: else
/// state and entries are of different moments.
pub(super) fn recover(connection: &Connection) -> Result<Recovered, ReadError> {
    let failed = |error: rusqlite::Error| ReadError::in_chunk(0, error.into());
    let (log_id, head, last_at_ms) = connection
        .query_row("SELECT id, head, last_at_ms FROM log", (), |row| {
            Ok((LogId(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?.cast_unsigned()))
        })
        .map_err(failed)?;
    let last = chunk_bounds(connection, POSITION_MAX)?;
    if last.map_or(0, |(_, last_position)| last_position) != head {
        return Err(ReadError::Damaged { position: head });
    }
    Ok(Recovered { log_id, terms: terms(connection).map_err(failed)?, head, last_at_ms })
}

/// First and last position of the last chunk that begins at `position` or before.
pub(super) fn chunk_bounds(connection: &Connection, position: u64) -> Result<Option<(u64, u64)>, ReadError> {
    let row = connection
        .prepare_cached(
            "SELECT first_position, count FROM chunks WHERE first_position <= ?1 ORDER BY first_position DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement.query_row([position.cast_signed()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()
        })
        .map_err(|error| ReadError::in_chunk(position, error.into()))?;
    Ok(row.map(|(first, count): (i64, u32)| (first.cast_unsigned(), last_position(first.cast_unsigned(), count))))
}

/// The chunk that begins at `first_position`. That it is there is what the index promised.
pub(super) fn chunk(connection: &Connection, first_position: u64) -> Result<StoredChunk, ReadError> {
    let damaged = ReadError::Damaged { position: first_position };
    let found = connection
        .prepare_cached("SELECT count, frames FROM chunks WHERE first_position = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([first_position.cast_signed()], |row| {
                    let frames = bytes::Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?);
                    Ok(StoredChunk { first_position, count: row.get(0)?, frames })
                })
                .optional()
        })
        .map_err(|error| ReadError::in_chunk(first_position, error.into()))?;
    found.filter(|chunk| chunk.count > 0).ok_or(damaged)
}

/// Calls `each` with first position, last position and spans of every chunk behind `applied`, until it fails.
pub(super) fn spans_behind<E: From<ReadError>>(
    connection: &Connection,
    applied: u64,
    mut each: impl FnMut(u64, u64, Vec<RoomSpan>) -> Result<(), E>,
) -> Result<(), E> {
    let mut expected = applied + 1;
    let failed = |position| move |error: rusqlite::Error| E::from(ReadError::in_chunk(position, error.into()));
    let mut statement = connection
        .prepare("SELECT first_position, count, rooms FROM chunks WHERE first_position > ?1 ORDER BY first_position")
        .map_err(failed(expected))?;
    let mut rows = statement.query([applied.cast_signed()]).map_err(failed(expected))?;
    while let Some(row) = rows.next().map_err(failed(expected))? {
        let (first_position, count, rooms) = span_row(row).map_err(failed(expected))?;
        let spans = rooms.filter(|rooms| first_position == expected && consistent(count, rooms));
        let last_position = last_position(first_position, count);
        each(first_position, last_position, spans.ok_or(ReadError::Damaged { position: expected })?)?;
        expected = last_position + 1;
    }
    Ok(())
}

fn span_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, u32, Option<Vec<RoomSpan>>)> {
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, decode_spans(row.get_ref(2)?.as_blob()?)))
}

fn terms(connection: &Connection) -> rusqlite::Result<Vec<(Term, u64)>> {
    let mut statement = connection.prepare("SELECT term, first_position FROM terms ORDER BY first_position")?;
    let terms = statement.query_map((), |row| {
        Ok((Term(row.get::<_, i64>(0)?.cast_unsigned()), row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    terms.collect()
}

/// Whether a chunk of `count` entries can hold these: it has entries, and every room is there once, with no more
/// sequences in all than the chunk has entries.
fn consistent(count: u32, spans: &[RoomSpan]) -> bool {
    let in_rooms = spans.iter().try_fold(0u64, |sum, span| {
        let length = span.last_sequence.checked_sub(span.first_sequence)?.checked_add(1)?;
        sum.checked_add(length)
    });
    let mut rooms: Vec<RoomId> = spans.iter().map(|span| span.room).collect();
    rooms.sort_unstable();
    let each_once = rooms.windows(2).all(|pair| pair[0] != pair[1]);
    count > 0 && each_once && in_rooms.is_some_and(|sum| sum <= u64::from(count))
}

/// Three little-endian `u64` a span: room, first and last sequence.
fn encode_spans(spans: &[RoomSpan]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(spans.len() * SPAN_BYTES);
    for RoomSpan { room, first_sequence, last_sequence } in spans {
        for number in [room.0, *first_sequence, *last_sequence] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes
}

fn decode_spans(bytes: &[u8]) -> Option<Vec<RoomSpan>> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let (spans, odd) = numbers.as_chunks::<3>();
    let complete = rest.is_empty() && odd.is_empty();
    complete.then(|| spans.iter().map(span).collect())
}

fn span(numbers: &[[u8; 8]; 3]) -> RoomSpan {
    let [room, first_sequence, last_sequence] = numbers.map(u64::from_le_bytes);
    RoomSpan { room: RoomId(room), first_sequence, last_sequence }
}

//! Reading the log while it is written: catch-up and history.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use steadfast_proto::ids::RoomId;

use super::error::ReadError;
use super::index::{self, Walk, Wanted};
use super::open::{self, DirectoryLock};
use super::unfolded::{Unfolded, View};
use super::{Span, StoredChunk, log};
use crate::sqlite::{self, SqliteError};

/// Reads chunks on connections of its own. For one thread at a time, whichever that is.
pub struct Reader {
    log: Connection,
    index: Connection,
    unfolded: Arc<Unfolded>,
    _lock: Arc<DirectoryLock>,
}

impl Reader {
    pub(super) fn open(
        directory: &Path,
        unfolded: &Arc<Unfolded>,
        lock: &Arc<DirectoryLock>,
    ) -> Result<Self, ReadError> {
        Ok(Reader {
            log: open_whole(&open::log_path(directory))?,
            index: open_whole(&open::index_path(directory))?,
            unfolded: Arc::clone(unfolded),
            _lock: Arc::clone(lock),
        })
    }

    /// The position of the last entry; 0 if there is none.
    pub fn head(&self) -> u64 {
        self.unfolded.head()
    }

    /// The chunks that hold an entry of any of `rooms` beyond the position `after`: as many as have `bytes_max` bytes
    /// of frames together, and at least one if there is any.
    ///
    /// To read on, pass [`Span::covered_through`] as `after`; it is the head of the moment of the call once everything
    /// was read.
    pub fn chunks_for(&self, rooms: &[RoomId], after: u64, bytes_max: usize) -> Result<Span, ReadError> {
        // Memory before the file, always: see `unfolded`.
        let View { head, folded_through, chunks: recent } = self.unfolded.beyond(rooms, after);
        let mut taken = Taken::new(&self.log, bytes_max);
        if after >= head {
            return Ok(Span { chunks: taken.chunks, covered_through: head });
        }
        let _log = snapshot(&self.log)?;
        let wanted = match self.take_folded(rooms, after, folded_through, &mut taken)? {
            Wanted::More => taken.take_all(&recent)?,
            Wanted::Enough => Wanted::Enough,
        };
        let covered_through = match (wanted, taken.chunks.last()) {
            (Wanted::Enough, Some(last)) => last.last_position(),
            (Wanted::Enough, None) | (Wanted::More, _) => head,
        };
        Ok(Span { chunks: taken.chunks, covered_through })
    }

    /// The chunks that hold sequences `from_sequence..=to_sequence` of `room`, ascending: as many as have `bytes_max`
    /// bytes of frames together, and at least one if there is any. They hold other sequences and other rooms, too.
    pub fn history(
        &self,
        room: RoomId,
        from_sequence: u64,
        to_sequence: u64,
        bytes_max: usize,
    ) -> Result<Vec<StoredChunk>, ReadError> {
        if from_sequence > to_sequence {
            return Ok(Vec::new());
        }
        // Memory before the file, always: see `unfolded`.
        let view = self.unfolded.of_room(room, from_sequence, to_sequence);
        let mut taken = Taken::new(&self.log, bytes_max);
        let (_log, _index) = (snapshot(&self.log)?, snapshot(&self.index)?);
        let sequences = (from_sequence, to_sequence);
        let wanted = index::history(&self.index, room, sequences, view.folded_through, |chunk| taken.take(chunk))?;
        if wanted == Wanted::More {
            taken.take_all(&view.chunks)?;
        }
        Ok(taken.chunks)
    }

    fn take_folded(
        &self,
        rooms: &[RoomId],
        after: u64,
        folded_through: u64,
        taken: &mut Taken<'_>,
    ) -> Result<Wanted, ReadError> {
        if after >= folded_through {
            return Ok(Wanted::More);
        }
        // The chunk of the next entry, which may begin before it.
        let from = match log::chunk_bounds(&self.log, after + 1)? {
            Some((first_position, last_position)) if last_position > after => first_position,
            Some(_) | None => after + 1,
        };
        let _index = snapshot(&self.index)?;
        let mut walk = Walk::new(&self.index, rooms, from, folded_through)?;
        while let Some(chunk) = walk.next()? {
            if taken.take(chunk)? == Wanted::Enough {
                return Ok(Wanted::Enough);
            }
        }
        Ok(Wanted::More)
    }
}

/// The chunks of an answer, up to its size.
struct Taken<'connection> {
    log: &'connection Connection,
    chunks: Vec<StoredChunk>,
    bytes_left: usize,
}

impl<'connection> Taken<'connection> {
    fn new(log: &'connection Connection, bytes_max: usize) -> Self {
        Taken { log, chunks: Vec::new(), bytes_left: bytes_max }
    }

    /// Takes the chunk that begins at `position`, unless it is too large for what is left.
    fn take(&mut self, position: u64) -> Result<Wanted, ReadError> {
        if self.bytes_left == 0 && !self.chunks.is_empty() {
            return Ok(Wanted::Enough);
        }
        let chunk = log::chunk(self.log, position)?;
        if chunk.frames.len() > self.bytes_left && !self.chunks.is_empty() {
            return Ok(Wanted::Enough);
        }
        self.bytes_left = self.bytes_left.saturating_sub(chunk.frames.len());
        self.chunks.push(chunk);
        Ok(Wanted::More)
    }

    fn take_all(&mut self, positions: &[u64]) -> Result<Wanted, ReadError> {
        for &position in positions {
            if self.take(position)? == Wanted::Enough {
                return Ok(Wanted::Enough);
            }
        }
        Ok(Wanted::More)
    }
}

/// A connection that has all the files open that it will ever need: SQLite opens the write-ahead log with the first
/// read, when there may be no descriptor left.
fn open_whole(path: &Path) -> Result<Connection, ReadError> {
    let connection = sqlite::open_read_only(path).map_err(ReadError::Other)?;
    let read = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()));
    read.map_err(|error| ReadError::Other(SqliteError::from(error)))?;
    Ok(connection)
}

/// One view of a database for several statements, which then lock it once.
fn snapshot(connection: &Connection) -> Result<rusqlite::Transaction<'_>, ReadError> {
    connection.unchecked_transaction().map_err(|error| ReadError::Other(SqliteError::from(error)))
}

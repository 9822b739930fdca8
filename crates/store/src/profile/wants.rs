//! What a process asks of the one that drives: a row in `live.sqlite3`, taken once, answered once, and removed by who
//! asked. A row that goes unanswered is seen to be gone: nobody waits for an answer that can't come.

use rusqlite::{OptionalExtension, Row, params};
use steadfast_proto::ids::RoomId;

use super::error::ProfileError;
use super::live::Live;
use super::number::{from_row, to_row};

/// Rows that are kept, answered or not.
const WANTS_MAX: i64 = 1_000;
/// From this kind on they are orders, and so are the first three: nobody waits for an answer, and they are of their
/// moment.
const KIND_ORDER_MIN: i64 = 7;

/// Something that only the process that drives can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Connect now, without waiting out the backoff.
    TryNow,
    /// Stop reconnecting.
    Stop,
    /// Reconnect again.
    Resume,
    /// Log in, where the user is asked.
    LogIn,
    /// Whether to connect again after a loss.
    Reconnect(bool),
    /// Whether to log in by itself after a loss.
    AutoLogin(bool),
    /// Say that you are there.
    Answer,
    /// Have all that the server has by now.
    Sync,
    /// Have these entries of a room, both ends included.
    History {
        /// The room.
        room: RoomId,
        /// The first room sequence.
        from: u64,
        /// The last one.
        to: u64,
    },
}

/// What became of a want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is not there and will not be answered: it was forgotten, or too many others came. Whoever still wants it
    /// asks again.
    Gone,
    /// Not answered yet.
    Waiting,
    /// What [`Live::answer`] was given.
    Is(String),
}

impl Live {
    /// Asks the process that drives, now or next. Answers the number under which the answer will stand, until it is
    /// [forgotten](Live::forget).
    ///
    /// The last 1,000 wants are kept. Answered ones and orders, which have no answer, go first.
    pub fn ask(&self, want: Want, at_ms: u64) -> Result<u64, ProfileError> {
        let nothing = (None, None, None);
        let (kind, (room, from, to)) = match want {
            Want::TryNow => (1, nothing),
            Want::Stop => (2, nothing),
            Want::Resume => (3, nothing),
            Want::Sync => (4, nothing),
            Want::History { room, from, to } => (5, (Some(to_row(room.0)), Some(to_row(from)), Some(to_row(to)))),
            Want::Answer => (6, nothing),
            Want::LogIn => (7, nothing),
            Want::Reconnect(on) => (8, (None, Some(i64::from(on)), None)),
            Want::AutoLogin(on) => (9, (None, Some(i64::from(on)), None)),
        };
        let number: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO wants (kind, room, from_sequence, to_sequence, asked_at_ms) VALUES (?, ?, ?, ?, ?)
                 RETURNING number",
            )?
            .query_row(params![kind, room, from, to, to_row(at_ms)], |row| row.get(0))?;
        self.connection
            .prepare_cached(
                "DELETE FROM wants WHERE number IN (
                     SELECT number FROM wants WHERE number <> ?1
                     ORDER BY answer IS NULL AND kind BETWEEN 4 AND ?2 - 1, number
                     LIMIT max((SELECT count(*) FROM wants) - ?3, 0))",
            )?
            .execute([number, KIND_ORDER_MIN, WANTS_MAX])?;
        Ok(from_row(number))
    }

    /// For the process that drives: what was asked and not taken, in the order of asking. Orders from before
    /// `since_ms` ([`Want::Stop`] and the like) are passed over and removed: who gave them has long gone. For the
    /// others somebody may wait, however long it takes.
    pub fn take_wants(&self, since_ms: u64) -> Result<Vec<(u64, Want)>, ProfileError> {
        self.connection
            .prepare_cached("DELETE FROM wants WHERE NOT taken AND kind NOT BETWEEN 4 AND ? - 1 AND asked_at_ms < ?")?
            .execute([KIND_ORDER_MIN, to_row(since_ms)])?;
        let mut statement = self.connection.prepare_cached(
            "UPDATE wants SET taken = 1 WHERE NOT taken RETURNING number, kind, room, from_sequence, to_sequence",
        )?;
        let mut rows = statement.query([])?;
        let mut wants = Vec::new();
        while let Some(row) = rows.next()? {
            // What a newer program asks and this one does not know stays with the others that wait.
            if let Some(want) = Want::read(row)? {
                wants.push((from_row(row.get(0)?), want));
            }
        }
        // An order is of its moment: carried out now, or never; not by whoever drives next.
        self.connection
            .prepare_cached("DELETE FROM wants WHERE taken AND kind NOT BETWEEN 4 AND ? - 1")?
            .execute([KIND_ORDER_MIN])?;
        wants.sort_unstable_by_key(|(number, _)| *number);
        Ok(wants)
    }

    /// For a process that has just become the driver: what the one before it took and left without an answer can be
    /// taken again.
    pub fn release_wants(&self) -> Result<(), ProfileError> {
        self.connection.prepare_cached("UPDATE wants SET taken = 0 WHERE taken AND answer IS NULL")?.execute([])?;
        Ok(())
    }

    /// For the process that drives: the want is done, or can't be.
    pub fn answer(&self, number: u64, text: &str) -> Result<(), ProfileError> {
        self.connection
            .prepare_cached("UPDATE wants SET answer = ? WHERE number = ?")?
            .execute(params![text, to_row(number)])?;
        Ok(())
    }

    /// What became of the want.
    pub fn answered(&self, number: u64) -> Result<Answer, ProfileError> {
        let mut statement = self.connection.prepare_cached("SELECT answer FROM wants WHERE number = ?")?;
        let found: Option<Option<String>> = statement.query_row([to_row(number)], |row| row.get(0)).optional()?;
        Ok(match found {
            None => Answer::Gone,
            Some(None) => Answer::Waiting,
            Some(Some(text)) => Answer::Is(text),
        })
    }

    /// For the process that asked: the answer was read, or is not awaited any more.
    pub fn forget(&self, number: u64) -> Result<(), ProfileError> {
        self.connection.prepare_cached("DELETE FROM wants WHERE number = ?")?.execute([to_row(number)])?;
        Ok(())
    }
}

impl Want {
    /// Reads `number, kind, room, from_sequence, to_sequence`; nothing if the kind is not known.
    fn read(row: &Row<'_>) -> Result<Option<Want>, ProfileError> {
        let number = |column: usize| row.get::<_, i64>(column).map(from_row);
        Ok(Some(match row.get::<_, i64>(1)? {
            1 => Want::TryNow,
            2 => Want::Stop,
            3 => Want::Resume,
            4 => Want::Sync,
            6 => Want::Answer,
            7 => Want::LogIn,
            8 => Want::Reconnect(number(3)? != 0),
            9 => Want::AutoLogin(number(3)? != 0),
            5 => Want::History { room: RoomId(number(2)?), from: number(3)?, to: number(4)? },
            _ => return Ok(None),
        }))
    }
}

//! What a process asks of the one that drives: a row in `live.sqlite3`, taken once, answered once, and removed by who
//! asked. A row that goes unanswered is seen to be gone: nobody waits for an answer that can't come.

use rusqlite::{OptionalExtension, Row, params};
use steadfast_proto::ids::{AccountId, RoomId};

use super::live::Live;
use super::number::{from_row, to_row};
use super::{Answer, ProfileError, Want};

/// Rows that are kept, answered or not.
const WANTS_MAX: i64 = 1_000;
/// Somebody waits for an answer to these. The others are orders, and of their moment.
const IS_QUESTION: &str = "(kind BETWEEN 4 AND 6 OR kind BETWEEN 11 AND 12)";

impl Live {
    /// Asks the process that drives, now or next. Answers the number under which the answer will stand, until it is
    /// [forgotten](Live::forget).
    ///
    /// The last 1,000 wants are kept. Answered ones and orders, which have no answer, go first.
    pub fn ask(&self, want: &Want, at_ms: u64) -> Result<u64, ProfileError> {
        let nothing = (None, None, None);
        let (kind, (room, from, to), text) = match want {
            Want::TryNow => (1, nothing, None),
            Want::Stop => (2, nothing, None),
            Want::Resume => (3, nothing, None),
            Want::Sync => (4, nothing, None),
            Want::History { room, from, to } => {
                (5, (Some(to_row(room.0)), Some(to_row(*from)), Some(to_row(*to))), None)
            }
            Want::Answer => (6, nothing, None),
            Want::LogIn => (7, nothing, None),
            Want::Reconnect(on) => (8, (None, Some(i64::from(*on)), None), None),
            Want::AutoLogin(on) => (9, (None, Some(i64::from(*on)), None), None),
            Want::TypeIn(room) => (10, (Some(to_row(room.0)), None, None), None),
            Want::Members { room, after } => (11, (Some(to_row(room.0)), Some(to_row(after.0)), None), None),
            Want::Rooms { after } => (12, nothing, Some(after)),
        };
        let number: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO wants (kind, room, from_sequence, to_sequence, asked_at_ms, text)
                 VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
            )?
            .query_row(params![kind, room, from, to, to_row(at_ms), text], |row| row.get(0))?;
        self.connection
            .prepare_cached(&format!(
                "DELETE FROM wants WHERE number IN (
                     SELECT number FROM wants WHERE number <> ?1
                     ORDER BY answer IS NULL AND {IS_QUESTION}, number
                     LIMIT max((SELECT count(*) FROM wants) - ?2, 0))"
            ))?
            .execute([number, WANTS_MAX])?;
        Ok(from_row(number))
    }

    /// For the process that drives: what was asked and not taken, in the order of asking. Orders from before
    /// `since_ms` ([`Want::Stop`] and the like) are passed over and removed: who gave them has long gone. For the
    /// others somebody may wait, however long it takes.
    pub fn take_wants(&self, since_ms: u64) -> Result<Vec<(u64, Want)>, ProfileError> {
        self.connection
            .prepare_cached(&format!("DELETE FROM wants WHERE NOT taken AND NOT {IS_QUESTION} AND asked_at_ms < ?"))?
            .execute([to_row(since_ms)])?;
        let mut statement = self.connection.prepare_cached(
            "UPDATE wants SET taken = 1 WHERE NOT taken
             RETURNING number, kind, room, from_sequence, to_sequence, text",
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
        self.connection.prepare_cached(&format!("DELETE FROM wants WHERE taken AND NOT {IS_QUESTION}"))?.execute([])?;
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
    /// Reads `number, kind, room, from_sequence, to_sequence, text`; nothing if the kind is not known.
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
            10 => Want::TypeIn(RoomId(number(2)?)),
            11 => Want::Members { room: RoomId(number(2)?), after: AccountId(number(3)?) },
            12 => Want::Rooms { after: row.get(5)? },
            _ => return Ok(None),
        }))
    }
}

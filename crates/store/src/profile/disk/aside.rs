//! The table `aside`.

use rusqlite::Connection;
use steadfast_proto::ids::AccountId;

use super::number::{self, from_row, to_row};
use super::{AsideMessage, Profile, ProfileError, StoredMessage};
use crate::profile::aside::Moved;

impl Profile {
    /// The last `limit` messages that were moved aside, in the order in which they went.
    pub fn aside(&self, limit: usize) -> Result<Vec<AsideMessage>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT moved_at_ms, room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms,
                    kind, subject, body, content_type
             FROM aside ORDER BY number DESC LIMIT ?",
        )?;
        let rows = statement.query_map([number::limit(limit)], |row| {
            Ok(AsideMessage { moved_at_ms: from_row(row.get(0)?), message: StoredMessage::read(row, 1)? })
        })?;
        let mut aside = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        aside.reverse();
        Ok(aside)
    }
}

/// Moves the messages beyond `common` aside. Looks at every message: there is no index by position, since nothing else
/// needs one and each message stored would pay for it.
pub(super) fn move_beyond(
    connection: &Connection,
    account: AccountId,
    common: u64,
    at_ms: u64,
) -> rusqlite::Result<Moved> {
    connection.execute(
        "INSERT INTO aside
            (moved_at_ms, room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms,
             kind, subject, body, content_type)
         SELECT ?, room, room_sequence, position, account, author, id, sequence, at_ms, composed_at_ms,
             kind, subject, body, content_type
         FROM messages WHERE position > ? ORDER BY position",
        [to_row(at_ms), to_row(common)],
    )?;
    let own: i64 = connection.query_row(
        "SELECT count(*) FROM messages WHERE position > ? AND account = ?",
        [to_row(common), to_row(account.0)],
        |row| row.get(0),
    )?;
    let entries = connection.execute("DELETE FROM messages WHERE position > ?", [to_row(common)])?;
    Ok(Moved { entries: entries as u64, own: from_row(own) })
}

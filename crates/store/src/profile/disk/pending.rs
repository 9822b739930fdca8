//! Rows of the table `outbox` that are for one room.

use rusqlite::params;

use super::number::{self, at_most, to_row};
use super::rows::Rows;
use super::{OutboxRow, PendingIn, PendingOp, Profile, ProfileError};
use crate::profile::pending::Ways;

impl Profile {
    /// The last `limit` operations that wait for this room and have a sequence below `before_sequence`, ascending.
    ///
    /// Where few of the waiting operations are for this room all of them are looked at: 100,000 at most
    /// ([`OUTBOX_ROWS_MAX`](crate::profile::OUTBOX_ROWS_MAX)), which takes some ten milliseconds.
    pub fn pending(
        &self,
        room: &PendingIn,
        before_sequence: u64,
        limit: usize,
    ) -> Result<Vec<PendingOp>, ProfileError> {
        let ways = Ways::find(&Rows(&self.connection), room)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, id, composed_at_ms, kind, room, entered_by, name, body, content_type FROM outbox
             WHERE sequence < ?1 AND (
                 room = ?2 OR id = ?3 OR entered_by = ?3 OR (kind = ?4 AND folded = ?5)
                 OR entered_by IN (SELECT id FROM outbox WHERE kind = ?4 AND folded = ?5)
             )
             ORDER BY sequence DESC LIMIT ?6",
        )?;
        let (before, limit) = (at_most(before_sequence), number::limit(limit));
        let (kind, name) = ways.named.unzip();
        let (room, by) = (ways.room.map(|room| to_row(room.0)), ways.by.map(|id| to_row(id.0)));
        let mut rows = statement.query(params![before, room, by, kind.map(|kind| kind as i64), name, limit])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(PendingOp::from_row(OutboxRow::read(row)?));
        }
        pending.reverse();
        Ok(pending)
    }
}

//! Giving waiting operations new sequences. Their ids stay: an id is for life, a sequence is a place in a queue.

use std::collections::BTreeMap;

use rusqlite::params;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire::RoomKind;

use super::append;
use super::apply::Applying;
use super::error::ApplyError;
use super::number::{from_row, to_row};
use super::rewind::LostRoom;
use super::rooms;
use super::row::OpKind;

/// What decides about a waiting operation's new place.
struct Later {
    sequence: i64,
    kind: OpKind,
    room: Option<RoomId>,
    composed_at_ms: u64,
}

impl Applying<'_> {
    /// Numbers the operations behind `kept_through` from there on, without holes. Before the first message to a lost
    /// room that can be had again by its name comes an operation that leads into it, and messages to it refer to that.
    pub(super) fn renumber(&mut self, kept_through: u64, lost: &BTreeMap<RoomId, LostRoom>) -> Result<(), ApplyError> {
        let later = self.later_than(kept_through)?;
        // Out of the way: a negative sequence is taken by nobody.
        self.connection
            .execute("UPDATE outbox SET sequence = -sequence WHERE sequence > ?", [sequence_to_row(kept_through)])?;
        let mut ways = BTreeMap::new();
        let mut next = kept_through + 1;
        for row in &later {
            if let Some((room, lost)) = row.lost_room(lost) {
                let way = match ways.get(&room) {
                    Some(way) => *way,
                    None => self.way_back(lost, row.composed_at_ms, &mut next)?,
                };
                ways.insert(room, way);
                self.connection
                    .prepare_cached("UPDATE outbox SET room = NULL, entered_by = ? WHERE sequence = ?")?
                    .execute([to_row(way.0), -row.sequence])?;
            }
            self.connection
                .prepare_cached("UPDATE outbox SET sequence = ? WHERE sequence = ?")?
                .execute([to_row(next), -row.sequence])?;
            next += 1;
        }
        self.standing.next_sequence = next;
        Ok(())
    }

    fn later_than(&self, kept_through: u64) -> Result<Vec<Later>, ApplyError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, kind, room, composed_at_ms FROM outbox WHERE sequence > ? ORDER BY sequence",
        )?;
        let mut rows = statement.query(params![sequence_to_row(kept_through)])?;
        let mut later = Vec::new();
        while let Some(row) = rows.next()? {
            later.push(Later {
                sequence: row.get(0)?,
                kind: OpKind::read(row.get(1)?)?,
                room: row.get::<_, Option<i64>>(2)?.map(|room| RoomId(from_row(room))),
                composed_at_ms: from_row(row.get(3)?),
            });
        }
        Ok(later)
    }

    /// The operation before this one that leads into the room: one that waits already, or a new one.
    fn way_back(&mut self, lost: &LostRoom, composed_at_ms: u64, next: &mut u64) -> Result<OperationId, ApplyError> {
        let kind = if lost.kind == RoomKind::Direct { OpKind::Direct } else { OpKind::Enter };
        if let Some((_, id)) = append::pending(self.connection, kind, &rooms::folded(&lost.name))? {
            return Ok(id);
        }
        let id = (self.fresh_ids)();
        let named = (kind, lost.name.as_str());
        append::insert_named(self.connection, &mut self.standing, (*next, id), composed_at_ms, named)?;
        *next += 1;
        Ok(id)
    }
}

impl Later {
    /// The lost room that this message goes to, if that room can be had again by name.
    fn lost_room<'l>(&self, lost: &'l BTreeMap<RoomId, LostRoom>) -> Option<(RoomId, &'l LostRoom)> {
        let room = self.room.filter(|_| self.kind == OpKind::Send)?;
        let lost = lost.get(&room)?;
        matches!(lost.kind, RoomKind::Public | RoomKind::Direct).then_some((room, lost))
    }
}

/// A server may name any number; no sequence is beyond this.
fn sequence_to_row(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

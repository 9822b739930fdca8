//! Giving waiting operations new sequences. Their ids stay: an id is for life, a sequence is a place in a queue.

use std::collections::BTreeMap;

use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire::RoomKind;

use super::append;
use super::apply::Applying;
use super::error::ApplyError;
use super::rewind::LostRoom;
use super::rooms;
use super::row::OpKind;
use super::tables::Apart;

impl Applying<'_> {
    /// Numbers the operations behind the sequence `behind` from the one after `from` on, without holes. Before the
    /// first message to a lost room that can be had again by its name comes an operation that leads into it, and
    /// messages to it refer to that.
    pub(super) fn renumber(
        &mut self,
        behind: u64,
        from: u64,
        lost: &BTreeMap<RoomId, LostRoom>,
    ) -> Result<(), ApplyError> {
        let apart = self.tables.set_apart(behind)?;
        let mut ways = BTreeMap::new();
        let mut next = from + 1;
        for row in &apart {
            let mut entered_by = None;
            if let Some((room, lost)) = row.lost_room(lost) {
                let way = match ways.get(&room) {
                    Some(way) => *way,
                    None => self.way_back(lost, row.composed_at_ms, &mut next)?,
                };
                ways.insert(room, way);
                entered_by = Some(way);
            }
            self.tables.put_back(row.sequence, next, entered_by)?;
            next += 1;
        }
        self.standing.next_sequence = next;
        Ok(())
    }

    /// The operation before this one that leads into the room: one that waits already, or a new one.
    fn way_back(&mut self, lost: &LostRoom, composed_at_ms: u64, next: &mut u64) -> Result<OperationId, ApplyError> {
        let kind = if lost.kind == RoomKind::Direct { OpKind::Direct } else { OpKind::Enter };
        if let Some((_, id)) = self.tables.newest_named(kind, &rooms::folded(&lost.name))? {
            return Ok(id);
        }
        let id = (self.fresh_ids)();
        let named = (kind, lost.name.as_str());
        append::insert_named(self.tables, &mut self.standing, (*next, id), composed_at_ms, named)?;
        *next += 1;
        Ok(id)
    }
}

impl Apart {
    /// The lost room that this message goes to, if that room can be had again by name.
    fn lost_room<'l>(&self, lost: &'l BTreeMap<RoomId, LostRoom>) -> Option<(RoomId, &'l LostRoom)> {
        let room = self.room.filter(|_| self.kind == OpKind::Send)?;
        let lost = lost.get(&room)?;
        matches!(lost.kind, RoomKind::Public | RoomKind::Direct).then_some((room, lost))
    }
}

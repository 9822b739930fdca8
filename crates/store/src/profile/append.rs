//! Queuing operations: sequences are drawn, names become references, keyed lines are found again, all in the one
//! transaction that writes the rows.

use std::collections::BTreeMap;

use bytes::Bytes;
use steadfast_proto::ids::OperationId;
use steadfast_proto::names;
use steadfast_proto::wire::RoomKind;

use super::error::{AppendError, ProfileError};
use super::outbox::{self, LineKey, NewBody, NewOp, OP_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX, Queued, Target};
use super::row::{OpKind, OutboxRow, Reference};
use super::standing::Standing;
use super::tables::Tables;

/// All but the commit.
pub(super) fn append_within(tables: &mut dyn Tables, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
    let before = tables.standing()?;
    let standing = before.clone();
    let mut appending = Appending { tables, before, standing, ways: BTreeMap::new(), directs: BTreeMap::new() };
    let queued = items.iter().enumerate().map(|(index, item)| appending.item(index, item));
    let queued = queued.collect::<Result<Vec<_>, _>>()?;
    if appending.standing != appending.before {
        appending.tables.set_standing(&appending.standing)?;
    }
    Ok(queued)
}

struct Appending<'t> {
    tables: &'t mut dyn Tables,
    before: Standing,
    standing: Standing,
    /// How the public rooms of this batch are addressed, by folded name.
    ways: BTreeMap<String, Reference>,
    /// How conversations are addressed, by the other's folded name.
    directs: BTreeMap<String, Reference>,
}

/// What a row says, apart from what comes from [`NewOp`].
struct Said<'a> {
    kind: OpKind,
    reference: Option<Reference>,
    name: &'a str,
    body: Bytes,
    content_type: &'a str,
}

impl<'a> Said<'a> {
    fn named(kind: OpKind, name: &'a str) -> Said<'a> {
        Said { kind, reference: None, name, body: Bytes::new(), content_type: "" }
    }

    fn in_room(kind: OpKind, reference: Reference, name: &'a str) -> Said<'a> {
        Said { kind, reference: Some(reference), name, body: Bytes::new(), content_type: "" }
    }

    fn row(self, sequence: u64, id: OperationId, composed_at_ms: u64) -> OutboxRow {
        OutboxRow {
            sequence,
            id,
            composed_at_ms,
            kind: self.kind,
            reference: self.reference,
            name: self.name.to_owned(),
            body: self.body,
            content_type: self.content_type.to_owned(),
        }
    }
}

impl Appending<'_> {
    fn item(&mut self, index: usize, item: &NewOp) -> Result<Queued, AppendError> {
        if let Some(key) = &item.key
            && let Some(queued) = self.known_line(key)?
        {
            return Ok(queued);
        }
        let said = match &item.body {
            NewBody::Enter { name } => Said::named(OpKind::Enter, name),
            NewBody::Direct { name } => Said::named(OpKind::Direct, name),
            NewBody::CreatePrivate { name } => Said::named(OpKind::CreatePrivate, name),
            NewBody::Leave { room } => Said::in_room(OpKind::Leave, self.room_we_are_in(index, room)?, ""),
            NewBody::Add { room, name } => Said::in_room(OpKind::Add, self.room_we_are_in(index, room)?, name),
            NewBody::Remove { room, name } => Said::in_room(OpKind::Remove, self.room_we_are_in(index, room)?, name),
            NewBody::Send { to, body, content_type } => {
                let reference = Some(self.reference(index, item, to)?);
                Said { kind: OpKind::Send, reference, name: "", body: body.clone(), content_type }
            }
        };
        if matches!(said.kind, OpKind::Enter | OpKind::Leave) {
            self.ways.clear();
        }
        let sequence = self.insert(index, item, item.id, said)?;
        if let Some(key) = &item.key {
            self.tables.keep_line(key, item.id)?;
        }
        Ok(Queued { sequence, id: item.id, already: None })
    }

    fn reference(&mut self, index: usize, item: &NewOp, target: &Target) -> Result<Reference, AppendError> {
        match target {
            Target::Room(room) => Ok(Reference::Room(*room)),
            Target::By(id) => self.room_by_operation(*id),
            Target::Public(name) => self.public_room(index, item, name),
            Target::Direct(name) => self.direct_room(index, item, name),
        }
    }

    /// For what makes no sense in a room that would have to be entered first.
    fn room_we_are_in(&self, index: usize, target: &Target) -> Result<Reference, AppendError> {
        let (way, name) = match target {
            Target::Room(room) => return Ok(Reference::Room(*room)),
            Target::By(id) => return self.room_by_operation(*id),
            Target::Public(name) => (self.way_into(&folded(index, name)?)?, name),
            Target::Direct(name) => (self.way_into_direct(&folded(index, name)?)?, name),
        };
        way.ok_or_else(|| AppendError::NotInRoom { name: name.clone() })
    }

    fn room_by_operation(&self, id: OperationId) -> Result<Reference, AppendError> {
        if self.tables.waiting(id)?.is_some() {
            return Ok(Reference::EnteredBy(id));
        }
        let outcome = self.tables.outcome(id)?.ok_or(AppendError::UnknownOperation { by: id })?;
        // One that was refused, or led nowhere, is named all the same: the server refuses it, and the text is kept.
        Ok(outcome.room.map_or(Reference::EnteredBy(id), Reference::Room))
    }

    fn public_room(&mut self, index: usize, item: &NewOp, name: &str) -> Result<Reference, AppendError> {
        let folded = folded(index, name)?;
        if let Some(way) = self.ways.get(&folded) {
            return Ok(*way);
        }
        let way = match self.way_into(&folded)? {
            Some(way) => way,
            None => {
                self.insert(index, item, item.enter_id, Said::named(OpKind::Enter, name))?;
                Reference::EnteredBy(item.enter_id)
            }
        };
        self.ways.insert(folded, way);
        Ok(way)
    }

    fn direct_room(&mut self, index: usize, item: &NewOp, name: &str) -> Result<Reference, AppendError> {
        let folded = folded(index, name)?;
        if let Some(way) = self.directs.get(&folded) {
            return Ok(*way);
        }
        let way = match self.way_into_direct(&folded)? {
            Some(way) => way,
            None => {
                self.insert(index, item, item.enter_id, Said::named(OpKind::Direct, name))?;
                Reference::EnteredBy(item.enter_id)
            }
        };
        self.directs.insert(folded, way);
        Ok(way)
    }

    /// How a conversation is addressed that is open, or will be once the outbox is done. None is ever left.
    fn way_into_direct(&self, folded: &str) -> Result<Option<Reference>, AppendError> {
        if let Some(room) = self.tables.room_we_are_in(RoomKind::Direct, folded)? {
            return Ok(Some(Reference::Room(room)));
        }
        Ok(self.tables.newest_named(OpKind::Direct, folded)?.map(|(_, id)| Reference::EnteredBy(id)))
    }

    /// How a public room is addressed that this device is in, or on its way into once its outbox is done.
    fn way_into(&self, folded: &str) -> Result<Option<Reference>, AppendError> {
        let room = self.tables.room_we_are_in(RoomKind::Public, folded)?;
        let entering = self.tables.newest_named(OpKind::Enter, folded)?;
        let left = self.tables.newest_leave(room, entering.map(|(_, id)| id))?;
        Ok(match (room, entering, left) {
            (Some(room), _, None) => Some(Reference::Room(room)),
            (_, Some((sequence, id)), left) if left < Some(sequence) => Some(Reference::EnteredBy(id)),
            (_, _, _) => None,
        })
    }

    fn insert(&mut self, index: usize, item: &NewOp, id: OperationId, said: Said<'_>) -> Result<u64, AppendError> {
        let bytes = outbox::row_bytes(said.body.len(), said.name.len(), said.content_type.len());
        if bytes > OP_BYTES_MAX {
            return Err(AppendError::TooLarge { index, bytes });
        }
        let standing = &mut self.standing;
        standing.outbox_rows += 1;
        standing.outbox_bytes += bytes;
        if standing.outbox_rows > OUTBOX_ROWS_MAX || standing.outbox_bytes > OUTBOX_BYTES_MAX {
            return Err(AppendError::Full { rows: self.before.outbox_rows, bytes: self.before.outbox_bytes });
        }
        let sequence = standing.next_sequence;
        standing.next_sequence += 1;
        // The Enter that goes before a keyed line is no line.
        let keyed = item.key.is_some() && id == item.id;
        self.tables.add_waiting(&said.row(sequence, id, item.composed_at_ms), keyed, bytes)?;
        Ok(sequence)
    }

    fn known_line(&self, key: &LineKey) -> Result<Option<Queued>, AppendError> {
        let Some(line) = self.tables.line(key)? else { return Ok(None) };
        if line.hash != key.hash {
            return Err(AppendError::KeyMismatch { line: key.line });
        }
        let sequence = match line.outcome {
            Some(outcome) => outcome.sequence,
            None => {
                let lost = ProfileError::Damaged { what: "a line of a key that neither waits nor has an outcome" };
                self.tables.waiting(line.id)?.ok_or(lost)?.sequence
            }
        };
        Ok(Some(Queued { sequence, id: line.id, already: line.outcome }))
    }
}

fn folded(index: usize, name: &str) -> Result<String, AppendError> {
    names::folded(name).map_err(|error| AppendError::NameInvalid { index, name: name.to_owned(), error })
}

/// Queues an operation that only names something: the way into a room that a divergence took away.
pub(super) fn insert_named(
    tables: &mut dyn Tables,
    standing: &mut Standing,
    (sequence, id): (u64, OperationId),
    composed_at_ms: u64,
    (kind, name): (OpKind, &str),
) -> Result<(), ProfileError> {
    let bytes = outbox::row_bytes(0, name.len(), 0);
    standing.outbox_rows += 1;
    standing.outbox_bytes += bytes;
    tables.add_waiting(&Said::named(kind, name).row(sequence, id, composed_at_ms), false, bytes)
}

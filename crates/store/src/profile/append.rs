//! Queuing operations: sequences are drawn, names become references, keyed lines are found again, all in the one
//! transaction that writes the rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::OperationId;
use steadfast_proto::names;
use steadfast_proto::wire::RoomKind;

use super::error::{AppendError, ProfileError};
use super::number::{from_row, to_row};
use super::outbox::{self, LineKey, NewBody, NewOp, OP_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX, Queued, Target};
use super::row::{OpKind, Reference};
use super::settle::{self, SettledOutcome};
use super::standing::Standing;
use super::{Profile, WritingTurn, immediate, rooms};

impl Profile {
    /// Queues operations, in this order, with the next sequences. All of them are on disk when this returns, or none;
    /// after [`ProfileError::DiskFailed`] it is not known which.
    pub fn append(&mut self, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
        let turn = self.take_turn_to_write()?;
        self.append_all(&turn, items).map_err(|error| match error {
            AppendError::Profile(error) => AppendError::Profile(self.failed_write(error)),
            AppendError::Full { .. }
            | AppendError::KeyMismatch { .. }
            | AppendError::TooLarge { .. }
            | AppendError::NameInvalid { .. }
            | AppendError::NotInRoom { .. }
            | AppendError::UnknownOperation { .. } => error,
        })
    }

    fn append_all(&mut self, turn: &WritingTurn, items: &[NewOp]) -> Result<Vec<Queued>, AppendError> {
        self.settle_unsynced(turn)?;
        let transaction = immediate(&mut self.connection)?;
        let before = Standing::load(&transaction)?;
        let standing = before.clone();
        let mut appending =
            Appending { connection: &transaction, before, standing, ways: BTreeMap::new(), directs: BTreeMap::new() };
        let queued = items.iter().enumerate().map(|(index, item)| appending.item(index, item));
        let queued = queued.collect::<Result<Vec<_>, _>>()?;
        if appending.standing != appending.before {
            appending.standing.save(&transaction)?;
        }
        transaction.commit()?;
        self.doubted = false;
        Ok(queued)
    }
}

struct Appending<'t> {
    connection: &'t Connection,
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
    body: &'a [u8],
    content_type: &'a str,
}

impl<'a> Said<'a> {
    fn named(kind: OpKind, name: &'a str) -> Said<'a> {
        Said { kind, reference: None, name, body: &[], content_type: "" }
    }

    fn in_room(kind: OpKind, reference: Reference, name: &'a str) -> Said<'a> {
        Said { kind, reference: Some(reference), name, body: &[], content_type: "" }
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
                Said { kind: OpKind::Send, reference, name: "", body, content_type }
            }
        };
        if matches!(said.kind, OpKind::Enter | OpKind::Leave) {
            self.ways.clear();
        }
        let sequence = self.insert(index, item, item.id, &said)?;
        if let Some(key) = &item.key {
            self.remember_line(key, item.id)?;
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
        if outbox::sequence_of(self.connection, id)?.is_some() {
            return Ok(Reference::EnteredBy(id));
        }
        let outcome = settle::outcome(self.connection, id)?.ok_or(AppendError::UnknownOperation { by: id })?;
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
                self.insert(index, item, item.enter_id, &Said::named(OpKind::Enter, name))?;
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
                self.insert(index, item, item.enter_id, &Said::named(OpKind::Direct, name))?;
                Reference::EnteredBy(item.enter_id)
            }
        };
        self.directs.insert(folded, way);
        Ok(way)
    }

    /// How a conversation is addressed that is open, or will be once the outbox is done. None is ever left.
    fn way_into_direct(&self, folded: &str) -> Result<Option<Reference>, AppendError> {
        if let Some(room) = rooms::room_we_are_in(self.connection, folded, RoomKind::Direct)? {
            return Ok(Some(Reference::Room(room)));
        }
        Ok(pending(self.connection, OpKind::Direct, folded)?.map(|(_, id)| Reference::EnteredBy(id)))
    }

    /// How a public room is addressed that this device is in, or on its way into once its outbox is done.
    fn way_into(&self, folded: &str) -> Result<Option<Reference>, AppendError> {
        let room = rooms::room_we_are_in(self.connection, folded, RoomKind::Public)?;
        let entering = pending(self.connection, OpKind::Enter, folded)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT max(sequence) FROM outbox WHERE kind = 3 AND (room = ?1 OR entered_by = ?2)")?;
        let keys = params![room.map(|room| to_row(room.0)), entering.map(|(_, id)| to_row(id.0))];
        let left: Option<u64> = statement.query_row(keys, |row| Ok(row.get::<_, Option<i64>>(0)?.map(from_row)))?;
        Ok(match (room, entering, left) {
            (Some(room), _, None) => Some(Reference::Room(room)),
            (_, Some((sequence, id)), left) if left < Some(sequence) => Some(Reference::EnteredBy(id)),
            (_, _, _) => None,
        })
    }

    fn insert(&mut self, index: usize, item: &NewOp, id: OperationId, said: &Said<'_>) -> Result<u64, AppendError> {
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
        insert_row(self.connection, sequence, id, item.composed_at_ms, keyed, said, bytes)?;
        Ok(sequence)
    }

    fn known_line(&self, key: &LineKey) -> Result<Option<Queued>, AppendError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, hash, sequence, position, room, refusal FROM keyed WHERE key = ? AND line = ?",
        )?;
        let mut rows = statement.query(params![key.key, to_row(key.line)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        if row.get::<_, [u8; 8]>(1)? != key.hash {
            return Err(AppendError::KeyMismatch { line: key.line });
        }
        let id = OperationId(from_row(row.get(0)?));
        if let Some(outcome) = SettledOutcome::read(row, 2)? {
            return Ok(Some(Queued { sequence: outcome.sequence, id, already: Some(outcome) }));
        }
        let lost = ProfileError::Damaged { what: "a line of a key that neither waits nor has an outcome" };
        let sequence = outbox::sequence_of(self.connection, id)?.ok_or(lost)?;
        Ok(Some(Queued { sequence, id, already: None }))
    }

    fn remember_line(&self, key: &LineKey, id: OperationId) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached("INSERT INTO keyed (key, line, id, hash) VALUES (?, ?, ?, ?)")?;
        statement.execute(params![key.key, to_row(key.line), to_row(id.0), key.hash])?;
        Ok(())
    }
}

fn folded(index: usize, name: &str) -> Result<String, AppendError> {
    names::folded(name).map_err(|error| AppendError::NameInvalid { index, name: name.to_owned(), error })
}

/// The newest waiting operation of this kind and name, with its sequence.
pub(super) fn pending(
    connection: &Connection,
    kind: OpKind,
    folded: &str,
) -> rusqlite::Result<Option<(u64, OperationId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, id FROM outbox WHERE kind = ? AND folded = ? AND sequence > 0 ORDER BY sequence DESC LIMIT 1",
    )?;
    let row = statement.query_row(params![kind as i64, folded], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.map(|(sequence, id)| (from_row(sequence), OperationId(from_row(id)))))
}

/// Queues an operation that only names something: the way into a room that a divergence took away.
pub(super) fn insert_named(
    connection: &Connection,
    standing: &mut Standing,
    (sequence, id): (u64, OperationId),
    composed_at_ms: u64,
    (kind, name): (OpKind, &str),
) -> rusqlite::Result<()> {
    let bytes = outbox::row_bytes(0, name.len(), 0);
    standing.outbox_rows += 1;
    standing.outbox_bytes += bytes;
    insert_row(connection, sequence, id, composed_at_ms, false, &Said::named(kind, name), bytes)
}

fn insert_row(
    connection: &Connection,
    sequence: u64,
    id: OperationId,
    composed_at_ms: u64,
    keyed: bool,
    said: &Said<'_>,
    bytes: u64,
) -> rusqlite::Result<()> {
    let (room, entered_by) = match said.reference {
        Some(Reference::Room(room)) => (Some(to_row(room.0)), None),
        Some(Reference::EnteredBy(id)) => (None, Some(to_row(id.0))),
        None => (None, None),
    };
    // A name that can't be one is the server's to refuse; no other operation can refer to it by name.
    let folded = said.kind.leads_into_a_room().then(|| names::folded(said.name).ok()).flatten();
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox
            (sequence, id, composed_at_ms, kind, keyed, room, entered_by, name, folded, body, content_type, bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        to_row(sequence),
        to_row(id.0),
        to_row(composed_at_ms),
        said.kind as i64,
        keyed,
        room,
        entered_by,
        said.name,
        folded,
        said.body,
        said.content_type,
        to_row(bytes),
    ])?;
    Ok(())
}

//! Where consumers are, synced; and who is the consumer of a name: whoever locked a file of that name.

use std::fs::TryLockError;

use rusqlite::{Connection, OptionalExtension, params};
use steadfast_proto::ids::RoomId;

use super::number::{from_row, to_row};
use super::{Profile, ProfileError, WritingTurn, directory, immediate, printed};
use crate::profile::consumer::{self, LOG};
use crate::profile::{ConsumerClaim, Stay, StreamPlace};

impl Profile {
    /// Claims the name, which must be one that a room could have; `None`: somebody has it, here or in another process.
    pub fn claim_consumer(&self, name: &str) -> Result<Option<ConsumerClaim>, ProfileError> {
        let file = directory::open_lock(&self.directory, &format!("consumer-{name}.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(ConsumerClaim::of_file(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(ProfileError::Io { path: self.directory.clone(), kind: error.kind() })
            }
        }
    }

    /// Where the consumer of this name is; `None` if it never noted a place.
    pub fn consumer(&self, name: &str) -> Result<Option<StreamPlace>, ProfileError> {
        if !is_there(&self.connection)? {
            return Ok(None);
        }
        Ok(load(&self.connection, name)?)
    }

    /// The consumer of this name is done with all up to this place: on disk when this returns. Its place never goes
    /// back but by a rewind.
    pub fn set_consumer(&mut self, name: &str, place: StreamPlace) -> Result<(), ProfileError> {
        let turn = self.take_turn_to_write()?;
        self.set_consumer_in_turn(&turn, name, place).map_err(|error| self.failed_write(error))
    }

    fn set_consumer_in_turn(&mut self, turn: &WritingTurn, name: &str, place: StreamPlace) -> Result<(), ProfileError> {
        self.settle_unsynced(turn)?;
        let transaction = immediate(&mut self.connection)?;
        transaction.execute_batch(TABLE)?;
        let counts_as = |place: StreamPlace| printed::set_back(&transaction, LOG, place.position, place.rewinds);
        let before = load(&transaction, name)?.map(counts_as).transpose()?;
        if before >= Some(counts_as(place)?) {
            return Ok(());
        }
        transaction
            .prepare_cached("INSERT OR REPLACE INTO consumers (name, position, rewind) VALUES (?, ?, ?)")?
            .execute(params![name, to_row(place.position), to_row(place.rewinds)])?;
        transaction.commit()?;
        self.doubted = false;
        Ok(())
    }

    /// Where this place is after the rewinds that it does not know; it knows all of them then. One that knows more than
    /// there were is of another profile, and knows none.
    pub fn set_back(&self, place: StreamPlace) -> Result<StreamPlace, ProfileError> {
        let newest = printed::newest_rewind(&self.connection)?;
        let set_back = |position, known| printed::set_back(&self.connection, LOG, position, known);
        Ok(consumer::set_back(place, newest, set_back)?)
    }

    /// When this account was a member of the room, in that order.
    pub fn stays(&self, room: RoomId) -> Result<Vec<Stay>, ProfileError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT base, from_position, until_position FROM memberships WHERE room = ? ORDER BY from_position",
        )?;
        let stays = statement.query_map([to_row(room.0)], |row| {
            Ok(Stay {
                base: from_row(row.get(0)?),
                from_position: from_row(row.get(1)?),
                until_position: row.get::<_, Option<i64>>(2)?.map(from_row),
            })
        })?;
        Ok(stays.collect::<rusqlite::Result<_>>()?)
    }
}

fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'consumers'")?;
    statement.exists([])
}

fn load(connection: &Connection, name: &str) -> rusqlite::Result<Option<StreamPlace>> {
    let mut statement = connection.prepare_cached("SELECT position, rewind FROM consumers WHERE name = ?")?;
    let place = statement
        .query_row([name], |row| Ok(StreamPlace { position: from_row(row.get(0)?), rewinds: from_row(row.get(1)?) }));
    place.optional()
}

/// Younger than the format, which older programs share: they don't look at it.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS consumers (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    rewind   INTEGER NOT NULL
) WITHOUT ROWID;
";

//! State ↔ rows: what a draft changed as rows to store, and stored rows back into state.

use prost::Message as _;

use super::membership::{Membership, Stay};
use super::state::{Account, Changes, Device, Kept, Room, State};
use crate::ids::{AccountId, DeviceId, OperationId, RoomId};
use crate::rows::{AccountRow, DeviceRow, Interval, KeptOutcome, MembershipRow, RoomRow};
use crate::wire::{Refusal, RoomKind};

/// The kinds of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// An [`AccountRow`].
    Account,
    /// A [`DeviceRow`].
    Device,
    /// A [`RoomRow`].
    Room,
    /// A [`MembershipRow`].
    Membership,
}

/// One row to store in place of the one with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its table.
    pub kind: RowKind,
    /// Its key: ids, big endian.
    pub key: Vec<u8>,
    /// The protobuf.
    pub value: Vec<u8>,
}

/// A stored row that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored {0:?} row can't be read")]
pub struct BadRow(pub RowKind);

impl Changes {
    /// The rows that these changes touch.
    pub fn rows(&self) -> Vec<Row> {
        let accounts = self.accounts.iter().map(|(id, account)| {
            let row = AccountRow { id: id.0, name: account.name.clone() };
            Row { kind: RowKind::Account, key: id.0.to_be_bytes().to_vec(), value: row.encode_to_vec() }
        });
        let devices = self.devices.iter().map(|(id, device)| Row {
            kind: RowKind::Device,
            key: id.0.to_vec(),
            value: device_row(*id, device).encode_to_vec(),
        });
        let rooms = self.rooms.iter().map(|(id, room)| Row {
            kind: RowKind::Room,
            key: id.0.to_be_bytes().to_vec(),
            value: room_row(*id, room).encode_to_vec(),
        });
        let members = self.members.iter().map(|(&(room, account), membership)| Row {
            kind: RowKind::Membership,
            key: [room.0.to_be_bytes(), account.0.to_be_bytes()].concat(),
            value: membership_row(room, account, membership).encode_to_vec(),
        });
        accounts.chain(devices).chain(rooms).chain(members).collect()
    }
}

impl State {
    /// Takes one stored row, before anything is decided.
    pub fn restore_row(&mut self, kind: RowKind, value: &[u8]) -> Result<(), BadRow> {
        let bad = |_| BadRow(kind);
        match kind {
            RowKind::Account => {
                let row = AccountRow::decode(value).map_err(bad)?;
                self.restore_account(AccountId(row.id), Account { name: row.name });
            }
            RowKind::Device => {
                let row = DeviceRow::decode(value).map_err(bad)?;
                let (id, device) = device_of(&row).ok_or(BadRow(kind))?;
                self.devices.insert(id, device);
            }
            RowKind::Room => {
                let row = RoomRow::decode(value).map_err(bad)?;
                self.restore_room(RoomId(row.id), room_of(row).ok_or(BadRow(kind))?);
            }
            RowKind::Membership => {
                let row = MembershipRow::decode(value).map_err(bad)?;
                let stays = row.intervals.iter().map(stay_of).collect();
                self.restore_membership(RoomId(row.room), AccountId(row.account), Membership::from_stays(stays));
            }
        }
        Ok(())
    }

    /// Where the log stands, as stored.
    pub fn restore_log(&mut self, terms: Vec<(crate::ids::Term, u64)>, head: u64, last_at_ms: u64) {
        (self.terms, self.head, self.last_at_ms) = (terms, head, last_at_ms);
    }
}

fn device_row(id: DeviceId, device: &Device) -> DeviceRow {
    let kept = |kept: &Kept| KeptOutcome {
        id: kept.id.0,
        position: kept.position,
        room: kept.room.map_or(0, |room| room.0),
        refusal: kept.refusal.map_or(0, |refusal| refusal as u32),
    };
    DeviceRow {
        id: id.0.to_vec(),
        account: device.account.0,
        secret_hash: device.secret_hash.to_vec(),
        last_sequence: device.last_sequence,
        confirmed_through: device.confirmed_through,
        outcomes: device.kept.iter().map(kept).collect(),
    }
}

fn device_of(row: &DeviceRow) -> Option<(DeviceId, Device)> {
    let kept = |kept: &KeptOutcome| {
        let refusal = match i32::try_from(kept.refusal).ok()? {
            0 => None,
            code => Some(Refusal::try_from(code).ok()?),
        };
        let room = Some(RoomId(kept.room)).filter(|room| room.0 != 0);
        Some(Kept { id: OperationId(kept.id), position: kept.position, room, refusal })
    };
    let device = Device {
        account: AccountId(row.account),
        secret_hash: row.secret_hash.as_slice().try_into().ok()?,
        last_sequence: row.last_sequence,
        confirmed_through: row.confirmed_through,
        kept: row.outcomes.iter().map(kept).collect::<Option<_>>()?,
    };
    Some((DeviceId::from_wire(&row.id)?, device))
}

fn room_row(id: RoomId, room: &Room) -> RoomRow {
    RoomRow {
        id: id.0,
        name: room.name.clone(),
        kind: room.kind as u32,
        head_sequence: room.head_sequence,
        head_position: room.head_position,
        maker: room.maker.0,
        other: room.other.map_or(0, |other| other.0),
    }
}

fn room_of(row: RoomRow) -> Option<Room> {
    Some(Room {
        name: row.name,
        kind: RoomKind::try_from(i32::try_from(row.kind).ok()?).ok()?,
        head_sequence: row.head_sequence,
        head_position: row.head_position,
        maker: AccountId(row.maker),
        other: Some(AccountId(row.other)).filter(|other| other.0 != 0),
    })
}

fn membership_row(room: RoomId, account: AccountId, membership: &Membership) -> MembershipRow {
    let interval = |stay: &Stay| {
        let (to_position, to_sequence) = stay.to.unwrap_or_default();
        Interval { from_position: stay.from_position, from_sequence: stay.from_sequence, to_position, to_sequence }
    };
    MembershipRow { room: room.0, account: account.0, intervals: membership.stays().iter().map(interval).collect() }
}

fn stay_of(row: &Interval) -> Stay {
    Stay {
        from_position: row.from_position,
        from_sequence: row.from_sequence,
        to: (row.to_position != 0).then_some((row.to_position, row.to_sequence)),
    }
}

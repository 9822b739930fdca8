//! What the profile promises, a file a theme. Here is what the tests share.

mod appending;
mod applying;
mod diverging;
mod living;
mod model;
mod new_device;
mod opening;
mod pending;
mod read_marks;
mod reading;
mod searching;
mod speed;

use std::path::Path;

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, DeviceId, LogId, OperationId, RoomId, Term};
use steadfast_proto::session::{Change, Stored};
use steadfast_proto::wire::{self, RoomKind, entry::What as Said};
use tempfile::TempDir;

use super::*;

const ANN: AccountId = AccountId(0xa11);
const BOB: AccountId = AccountId(0xb0b);
const LOBBY: RoomId = RoomId(0xf000_0000_0000_0001);
const LOG: LogId = LogId([7; 16]);

fn fresh() -> Fresh {
    Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: ANN }
}

fn open_in(dir: &Path) -> Profile {
    Profile::open(dir, "ann", Some(&fresh())).expect("a profile")
}

/// A profile of Ann's that was never connected.
fn new_profile() -> (TempDir, Profile) {
    let dir = tempfile::tempdir().expect("a directory");
    let profile = open_in(dir.path());
    (dir, profile)
}

/// One that is welcomed under term 1 and is in the lobby, whose entries so far are 1 ..= 3; its place is 10.
fn profile_in_lobby() -> (TempDir, Profile) {
    let (dir, mut profile) = new_profile();
    let rooms = vec![head(LOBBY, "Lobby", RoomKind::Public, 3)];
    apply(&mut profile, &[welcomed(1), Change::FirstHeads { as_of: 10, rooms }]);
    (dir, profile)
}

fn apply(profile: &mut Profile, changes: &[Change]) -> Stored {
    profile.apply(changes, 5_000, &mut fresh_ids()).expect("applied")
}

/// Ids that no test uses.
fn fresh_ids() -> impl FnMut() -> OperationId {
    let mut next = 0x9999_0000;
    move || {
        next += 1;
        OperationId(next)
    }
}

fn welcomed(term: u64) -> Change {
    Change::Welcomed { log_id: LOG, term: Term(term), account: ANN, name: "ann".to_owned() }
}

fn head(room: RoomId, name: &str, kind: RoomKind, room_sequence: u64) -> wire::Head {
    wire::Head { room: room.0, name: name.to_owned(), kind: kind.into(), room_sequence, readable_from: 1 }
}

fn op(id: u64, body: NewBody) -> NewOp {
    NewOp { id: OperationId(id), enter_id: OperationId(id + 0x1_0000), composed_at_ms: 1_000 + id, body, key: None }
}

fn say(id: u64, to: Target) -> NewOp {
    let body = Bytes::from(format!("text {id}"));
    op(id, NewBody::Send { to, body, content_type: String::new() })
}

fn say_keyed(id: u64, line: u64, hash: u8) -> NewOp {
    let key = LineKey { key: "import".to_owned(), line, hash: [hash; 8] };
    NewOp { key: Some(key), ..say(id, Target::Room(LOBBY)) }
}

fn lobby() -> Target {
    Target::Public("lobby".to_owned())
}

/// An entry by somebody of an operation that is not in any outbox.
fn entry(position: u64, room: RoomId, room_sequence: u64, account: AccountId, what: Said) -> wire::Entry {
    wire::Entry {
        position,
        room: room.0,
        room_sequence,
        account: account.0,
        from: if account == ANN { "ann" } else { "bob" }.to_owned(),
        id: 0x7700_0000 + position,
        sequence: 1,
        at_ms: 2_000 + position,
        composed_at_ms: 1_000 + position,
        what: Some(what),
    }
}

fn message(position: u64, room: RoomId, room_sequence: u64, account: AccountId) -> wire::Entry {
    let body = Bytes::from(format!("at {position}"));
    entry(position, room, room_sequence, account, Said::Message(wire::Message { body, content_type: String::new() }))
}

fn joined(position: u64, room: RoomId, room_sequence: u64, account: AccountId, name: &str) -> wire::Entry {
    let joined = wire::Joined {
        account: account.0,
        name: if account == ANN { "ann" } else { "bob" }.to_owned(),
        room_name: name.to_owned(),
        kind: RoomKind::Public.into(),
        ..wire::Joined::default()
    };
    entry(position, room, room_sequence, account, Said::Joined(joined))
}

fn left(position: u64, room: RoomId, room_sequence: u64, account: AccountId) -> wire::Entry {
    entry(position, room, room_sequence, account, Said::Left(wire::Left { account: account.0, name: String::new() }))
}

/// The same entry as made by this operation.
fn by(id: u64, entry: wire::Entry) -> Change {
    Change::Entry(wire::Entry { id, ..entry })
}

fn accepted(sequence: u64, id: u64, position: u64, room: RoomId) -> Change {
    Change::Outcome(wire::Outcome { sequence, id, position, room: room.0, refusal: 0 })
}

fn refused(sequence: u64, id: u64, position: u64, refusal: wire::Refusal) -> Change {
    Change::Outcome(wire::Outcome { sequence, id, position, room: 0, refusal: refusal.into() })
}

fn waiting(profile: &Profile) -> Vec<wire::Op> {
    profile.outbox_from(0, usize::MAX, usize::MAX).expect("the outbox")
}

fn sequences_and_ids(profile: &Profile) -> Vec<(u64, u64)> {
    waiting(profile).iter().map(|op| (op.sequence, op.id)).collect()
}

/// Where a waiting message goes.
fn goes_to(op: &wire::Op) -> Option<wire::room_ref::By> {
    let Some(wire::op::Body::Send(send)) = &op.body else { panic!("not a message: {op:?}") };
    send.room.and_then(|room| room.by)
}

fn held(profile: &Profile, room: RoomId) -> Vec<u64> {
    let messages = profile.messages(room, 0, usize::MAX).expect("messages");
    messages.iter().map(|message| message.room_sequence).collect()
}

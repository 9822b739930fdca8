//! What the profile promises, a file a theme, whether it is on a disk or in memory. Here is what the tests share; what
//! only a disk can do is tested in `disk::tests`, what only memory does in `memory::tests`.

mod appending;
mod applying;
mod consuming;
mod diverging;
mod model;
mod pending;
mod read_marks;
mod reading;
mod searching;
mod set_back;
mod speed;

use bytes::Bytes;
use steadfast_proto::ids::{LogId, OperationId, RoomId, Term};
use steadfast_proto::session::{Change, Stored};
use steadfast_proto::wire::{self, RoomKind, entry::What as Said};

use super::*;

pub(super) const ANN: AccountId = AccountId(0xa11);
pub(super) const BOB: AccountId = AccountId(0xb0b);
pub(super) const LOBBY: RoomId = RoomId(0xf000_0000_0000_0001);
pub(super) const LOG: LogId = LogId([7; 16]);

pub(super) fn fresh() -> Fresh {
    Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: ANN }
}

/// A profile of Ann's, wherever it is kept, that any number of handles may use.
#[derive(Debug)]
pub(super) enum Kept {
    #[cfg(feature = "sqlite")]
    OnADisk(tempfile::TempDir),
    InMemory(MemoryProfile),
}

impl Kept {
    /// One of each kind, that was never connected.
    pub(super) fn all() -> Vec<Kept> {
        vec![
            #[cfg(feature = "sqlite")]
            Kept::OnADisk(tempfile::tempdir().expect("a directory")),
            Kept::InMemory(MemoryProfile::new("ann", &fresh(), MESSAGES_BYTES_MAX).expect("a profile")),
        ]
    }

    /// Another handle of it.
    pub(super) fn open(&self) -> Box<dyn ProfileStore> {
        match self {
            #[cfg(feature = "sqlite")]
            Kept::OnADisk(dir) => Box::new(Profile::open(dir.path(), "ann", Some(&fresh())).expect("a profile")),
            Kept::InMemory(profile) => Box::new(profile.another()),
        }
    }

    /// The same, once it is welcomed under term 1 and in the lobby, whose entries so far are 1 ..= 3; its place is 10.
    fn in_lobby(&self) -> Box<dyn ProfileStore> {
        let mut profile = self.open();
        enter_lobby(&mut *profile);
        profile
    }
}

/// Runs a test with a new profile of each kind.
fn in_both(test: impl Fn(&Kept)) {
    for kept in Kept::all() {
        // Shown when the test fails.
        eprintln!("{}", if matches!(kept, Kept::InMemory(_)) { "in memory" } else { "on a disk" });
        test(&kept);
    }
}

pub(super) fn enter_lobby(profile: &mut dyn ProfileStore) {
    let rooms = vec![head(LOBBY, "Lobby", RoomKind::Public, 3)];
    apply(profile, &[welcomed(1), Change::FirstHeads { as_of: 10, rooms }]);
}

pub(super) fn apply(profile: &mut dyn ProfileStore, changes: &[Change]) -> Stored {
    profile.apply(changes, 5_000, &mut fresh_ids()).expect("applied")
}

/// Ids that no test uses.
pub(super) fn fresh_ids() -> impl FnMut() -> OperationId {
    let mut next = 0x9999_0000;
    move || {
        next += 1;
        OperationId(next)
    }
}

pub(super) fn welcomed(term: u64) -> Change {
    Change::Welcomed { log_id: LOG, term: Term(term), account: ANN, name: "ann".to_owned() }
}

pub(super) fn head(room: RoomId, name: &str, kind: RoomKind, room_sequence: u64) -> wire::Head {
    wire::Head { room: room.0, name: name.to_owned(), kind: kind.into(), room_sequence, readable_from: 1 }
}

pub(super) fn op(id: u64, body: NewBody) -> NewOp {
    NewOp { id: OperationId(id), enter_id: OperationId(id + 0x1_0000), composed_at_ms: 1_000 + id, body, key: None }
}

pub(super) fn say(id: u64, to: Target) -> NewOp {
    let body = Bytes::from(format!("text {id}"));
    op(id, NewBody::Send { to, body, content_type: String::new() })
}

pub(super) fn say_keyed(id: u64, line: u64, hash: u8) -> NewOp {
    let key = LineKey { key: "import".to_owned(), line, hash: [hash; 8] };
    NewOp { key: Some(key), ..say(id, Target::Room(LOBBY)) }
}

pub(super) fn lobby() -> Target {
    Target::Public("lobby".to_owned())
}

/// An entry by somebody of an operation that is not in any outbox.
pub(super) fn entry(position: u64, room: RoomId, room_sequence: u64, account: AccountId, what: Said) -> wire::Entry {
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

pub(super) fn message(position: u64, room: RoomId, room_sequence: u64, account: AccountId) -> wire::Entry {
    let body = Bytes::from(format!("at {position}"));
    entry(position, room, room_sequence, account, Said::Message(wire::Message { body, content_type: String::new() }))
}

pub(super) fn joined(position: u64, room: RoomId, room_sequence: u64, account: AccountId, name: &str) -> wire::Entry {
    let joined = wire::Joined {
        account: account.0,
        name: if account == ANN { "ann" } else { "bob" }.to_owned(),
        room_name: name.to_owned(),
        kind: RoomKind::Public.into(),
        ..wire::Joined::default()
    };
    entry(position, room, room_sequence, account, Said::Joined(joined))
}

pub(super) fn left(position: u64, room: RoomId, room_sequence: u64, account: AccountId) -> wire::Entry {
    entry(position, room, room_sequence, account, Said::Left(wire::Left { account: account.0, name: String::new() }))
}

/// The same entry as made by this operation.
pub(super) fn by(id: u64, entry: wire::Entry) -> Change {
    Change::Entry(wire::Entry { id, ..entry })
}

pub(super) fn accepted(sequence: u64, id: u64, position: u64, room: RoomId) -> Change {
    Change::Outcome(wire::Outcome { sequence, id, position, room: room.0, refusal: 0 })
}

pub(super) fn refused(sequence: u64, id: u64, position: u64, refusal: wire::Refusal) -> Change {
    Change::Outcome(wire::Outcome { sequence, id, position, room: 0, refusal: refusal.into() })
}

pub(super) fn waiting(profile: &dyn ProfileStore) -> Vec<wire::Op> {
    profile.outbox_from(0, usize::MAX, usize::MAX).expect("the outbox")
}

pub(super) fn sequences_and_ids(profile: &dyn ProfileStore) -> Vec<(u64, u64)> {
    waiting(profile).iter().map(|op| (op.sequence, op.id)).collect()
}

/// Where a waiting message goes.
pub(super) fn goes_to(op: &wire::Op) -> Option<wire::room_ref::By> {
    let Some(wire::op::Body::Send(send)) = &op.body else { panic!("not a message: {op:?}") };
    send.room.and_then(|room| room.by)
}

pub(super) fn held(profile: &dyn ProfileStore, room: RoomId) -> Vec<u64> {
    let messages = profile.messages(room, 0, usize::MAX).expect("messages");
    messages.iter().map(|message| message.room_sequence).collect()
}

//! A small server and a small profile, made once, as they look to whoever finds their files.

use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::{Hub, Origin, SignUp};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, OperationId, RoomId, Term};
use steadfast_proto::session::Change;
use steadfast_proto::wire::{self, Entry, entry::What, frame::Kind, op::Body, room_ref::By};
use steadfast_server::turn::{self, Decided, Submission, Submitted};
use steadfast_store::profile::{FlightRow, Fresh, NewBody, NewOp, Profile, Target, Want};
use steadfast_store::server::Store;

use crate::speech::{ACCOUNTS, LOGS, TERMS};

/// Each with its name and what is in it.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// See the module's documentation.
pub(super) struct Base {
    pub(super) server_closed: Files,
    pub(super) server_open: Files,
    pub(super) profile_closed: Files,
    pub(super) profile_open: Files,
    /// What the server's log holds.
    pub(super) entries: Vec<Entry>,
}

/// Who is known to the server, by device.
pub(super) const PEOPLE: [(&str, u64); 3] = [("ann", ACCOUNTS[0]), ("bob", ACCOUNTS[1]), ("cid", ACCOUNTS[2])];
/// The rooms that are made there.
pub(super) const LOBBY: u64 = 0x1_0001;
pub(super) const DEN: u64 = 0x1_0002;
/// What is on top of a database: `-shm` is made again by whoever opens it.
const SUFFIXES: [&str; 2] = ["", "-wal"];

impl Base {
    pub(super) fn of_all() -> &'static Base {
        static BASE: OnceLock<Base> = OnceLock::new();
        BASE.get_or_init(|| {
            let (server_closed, server_open, entries) = server();
            let (profile_closed, profile_open) = profile();
            Base { server_closed, server_open, profile_closed, profile_open, entries }
        })
    }
}

/// In memory, where the system has a place for that.
pub(super) fn directory() -> tempfile::TempDir {
    let in_memory = tempfile::Builder::new().prefix("steadfast-hostile-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).expect("a directory for some files")
}

pub(super) fn fresh() -> Fresh {
    Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(ACCOUNTS[0]) }
}

/// The files of these databases that are there.
fn taken(directory: &Path, databases: &[&str]) -> Files {
    let names = databases.iter().flat_map(|name| SUFFIXES.map(|suffix| format!("{name}{suffix}")));
    let read = |name: String| Some((name.clone(), std::fs::read(directory.join(&name)).ok()?));
    names.filter_map(read).filter(|(_, content)| !content.is_empty()).collect()
}

fn server() -> (Files, Files, Vec<Entry>) {
    let directory = directory();
    let databases = ["log.sqlite3", "index.sqlite3"];
    let (mut store, mut hub) = turn::recover(directory.path(), LogId(LOGS[0]), 1 << 20).expect("a new log");
    turn::begin(&mut store, &mut hub, Term(TERMS[0]), 1).expect("a term");
    for (number, (name, account)) in PEOPLE.into_iter().enumerate() {
        let device_id = DeviceId([number as u8 + 1; 16]);
        let account = AccountId(account);
        let sign_up = SignUp { name: name.to_owned(), device_id, secret_hash: [1; 32], account };
        submit(&mut store, &mut hub, Submitted::SignUp(sign_up));
    }
    for (sequence, body) in (1..).zip(said()) {
        let op =
            wire::Op { sequence, id: 0x1_0000 + sequence, confirmed_through: 0, composed_at_ms: 1, body: Some(body) };
        submit(&mut store, &mut hub, Submitted::Op(Origin { device: DeviceId([1; 16]), link: 1 }, Box::new(op)));
    }
    store.fold(usize::MAX).expect("an index");
    let open = taken(directory.path(), &databases);
    let reader = store.reader().expect("a reader");
    let rooms = [ACCOUNTS[0], ACCOUNTS[1], ACCOUNTS[2], LOBBY, DEN].map(RoomId);
    let span = reader.chunks_for(&rooms, 0, usize::MAX).expect("all of it");
    let mut decoder = Decoder::default();
    span.chunks.iter().for_each(|chunk| decoder.push(&chunk.frames));
    let entries = std::iter::from_fn(|| decoder.next_frame().expect("our own frames are good"));
    let entries = entries.filter_map(|received| match received.kind {
        Kind::Entry(entry) => Some(entry),
        _ => None,
    });
    let entries = entries.collect();
    drop((store, reader));
    (taken(directory.path(), &databases), open, entries)
}

/// What the first one does.
fn said() -> Vec<Body> {
    let room = |room| Some(wire::RoomRef { by: Some(By::Room(room)) });
    let send = |to, bytes: usize, letter| {
        Body::Send(wire::Send { room: room(to), body: vec![letter; bytes].into(), content_type: String::new() })
    };
    let add = |name: &str| Body::Add(wire::Add { room: room(DEN), name: name.to_owned() });
    let mut said = vec![
        Body::Enter(wire::Enter { name: "lobby".to_owned() }),
        Body::CreatePrivate(wire::CreatePrivate { name: "den".to_owned() }),
        add("bob"),
        send(DEN, 40, b'd'),
        Body::Remove(wire::Remove { room: room(DEN), name: "bob".to_owned() }),
        send(DEN, 30, b'e'),
        // In parts, and on pages of its own.
        send(LOBBY, 20_000, b'f'),
    ];
    said.extend((0..12).map(|n| send(LOBBY, 10 + n, b'g' + n as u8)));
    said
}

/// A turn with one thing in it.
pub(super) fn submit(store: &mut Store, hub: &mut Hub, what: Submitted) {
    let decided = Decided::decide(hub, vec![Submission { from: 0_u64, what }], 1);
    decided.store(store).expect("a disk that works").publish(hub);
}

fn profile() -> (Files, Files) {
    let directory = directory();
    let databases = ["profile.sqlite3", "live.sqlite3"];
    let mut profile = Profile::open(directory.path(), "ann", Some(&fresh())).expect("a new profile");
    let mut drawn = 0x2_0000;
    let mut fresh_ids = || {
        drawn += 1;
        OperationId(drawn)
    };
    profile.apply(&lived_through(), 1, &mut fresh_ids).expect("what an honest server says");
    let bodies = [
        NewBody::Send {
            to: Target::Public("lobby".to_owned()),
            body: Bytes::from_static(b"x"),
            content_type: String::new(),
        },
        NewBody::Send {
            to: Target::Direct("bob".to_owned()),
            body: vec![7; 9_000].into(),
            content_type: String::new(),
        },
        NewBody::Enter { name: "attic".to_owned() },
        NewBody::Leave { room: Target::Public("attic".to_owned()) },
    ];
    let ops = bodies.into_iter().map(|body| {
        drawn += 2;
        NewOp { id: OperationId(drawn), enter_id: OperationId(drawn + 1), composed_at_ms: 1, body, key: None }
    });
    let ops: Vec<NewOp> = ops.collect();
    profile.append(&ops).expect("room for a few operations");
    profile.set_printed(RoomId(LOBBY), 3).expect("a mark");
    profile.set_read_up_to(RoomId(LOBBY), 2).expect("a mark");
    let live = profile.live();
    live.set_status("{}").expect("a status");
    live.set_people("{}").expect("people");
    live.set_flight(&FlightRow { process: 1, link: 1, json: "{}".to_owned() }).expect("a flight");
    live.ask(&Want::TryNow, 1).expect("a wish");
    let open = taken(directory.path(), &databases);
    drop(profile);
    (taken(directory.path(), &databases), open)
}

fn lived_through() -> Vec<Change> {
    let welcomed = |term| Change::Welcomed {
        log_id: LogId(LOGS[0]),
        term: Term(term),
        account: AccountId(ACCOUNTS[0]),
        name: "ann".to_owned(),
    };
    let entry = |position, room_sequence, what| {
        Change::Entry(Entry {
            position,
            room: LOBBY,
            room_sequence,
            account: ACCOUNTS[(position % 2) as usize],
            from: "bob".to_owned(),
            id: 0x3_0000 + position,
            sequence: position,
            at_ms: 1,
            composed_at_ms: 1,
            what: Some(what),
        })
    };
    let joined = wire::Joined {
        account: ACCOUNTS[0],
        name: "ann".to_owned(),
        room_name: "lobby".to_owned(),
        kind: wire::RoomKind::Public.into(),
        ..wire::Joined::default()
    };
    let account_room = wire::Head {
        room: ACCOUNTS[0],
        kind: wire::RoomKind::Account.into(),
        room_sequence: 1,
        readable_from: 1,
        ..wire::Head::default()
    };
    let mut changes = vec![welcomed(TERMS[0]), Change::FirstHeads { as_of: 3, rooms: vec![account_room] }];
    changes.push(entry(5, 1, What::Joined(joined)));
    let message = |bytes| What::Message(wire::Message { body: vec![b'm'; bytes].into(), content_type: String::new() });
    changes.extend((6..16).map(|position| entry(position, position - 4, message(position as usize * 40))));
    // Histories part: something is set aside, and rooms go back.
    changes.push(Change::Diverged { common: 13, last_sequence: 0 });
    changes.push(welcomed(TERMS[1]));
    changes.extend((14..20).map(|position| entry(position, position - 4, message(9))));
    changes
}

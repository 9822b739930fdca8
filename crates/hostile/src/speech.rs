//! Well-formed frames with any contents: what a peer may say that knows how to speak and does not mean well.

use bytes::Bytes;
use steadfast_proto::codec;
use steadfast_proto::wire::{self, Entry, entry::What, frame::Kind, op::Body, room_ref::By};

use crate::script::Script;

/// Accounts, and so rooms of one, that scripts speak of.
pub(crate) const ACCOUNTS: [u64; 4] = [0xa1, 0xa2, 0xa3, 0xa4];
/// Operations, and so rooms, that scripts speak of.
pub(crate) const IDS: [u64; 8] = [0x101, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108];
/// Terms that scripts speak of.
pub(crate) const TERMS: [u64; 4] = [5, 6, 7, 8];
/// The log that is the right one, and one that is not.
pub(crate) const LOGS: [[u8; 16]; 2] = [[7; 16], [8; 16]];

/// The bytes of a frame.
pub(crate) fn bytes_of(kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_kind(kind, &mut bytes);
    bytes
}

/// A part that the checksum vouches for, whatever stands in it.
pub(crate) fn sealed(header: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = 1 + body.len() + 4;
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.push(header);
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Where a stream stands, for those who want to go on with it.
pub(crate) trait Standing {
    /// The position of the last entry.
    fn position(&self) -> u64;
    /// The last sequence in a room.
    fn room_sequence(&self, room: u64) -> u64;
    /// The last sequence of the device's operations.
    fn operation(&self) -> u64;
    /// What those of late were called.
    fn ids(&self) -> &[u64];
}

pub(crate) fn account(script: &mut Script<'_>) -> u64 {
    if script.once_in(16) { script.number() } else { script.one_of(&ACCOUNTS) }
}

pub(crate) fn room(script: &mut Script<'_>, standing: &impl Standing) -> u64 {
    match script.below(8) {
        0..=3 => id(script, standing),
        4..=6 => script.one_of(&ACCOUNTS),
        _ => script.number(),
    }
}

pub(crate) fn id(script: &mut Script<'_>, standing: &impl Standing) -> u64 {
    let known = standing.ids();
    match script.below(8) {
        0..=3 if !known.is_empty() => script.one_of(known),
        0..=6 => script.one_of(&IDS),
        _ => script.number(),
    }
}

fn term(script: &mut Script<'_>) -> u64 {
    if script.once_in(16) { script.number() } else { script.one_of(&TERMS) }
}

pub(crate) fn log(script: &mut Script<'_>) -> Bytes {
    match script.below(16) {
        0..=13 => Bytes::from_static(&LOGS[0]),
        14 => Bytes::from_static(&LOGS[1]),
        _ => script.bytes(20).to_vec().into(),
    }
}

/// An entry that mostly follows on the last one.
pub(crate) fn entry(script: &mut Script<'_>, standing: &impl Standing) -> Entry {
    let room = room(script, standing);
    let next = standing.position().wrapping_add(1);
    Entry {
        position: script.near(next),
        room,
        room_sequence: script.near(standing.room_sequence(room).wrapping_add(1)),
        account: account(script),
        from: script.text(),
        id: id(script, standing),
        sequence: script.near(standing.operation()),
        at_ms: script.number(),
        composed_at_ms: script.number(),
        what: what(script, standing),
    }
}

fn what(script: &mut Script<'_>, standing: &impl Standing) -> Option<What> {
    Some(match script.below(10) {
        0..=2 => What::Message(wire::Message { body: script.body().into(), content_type: script.text() }),
        3 | 4 => What::Joined(wire::Joined {
            account: account(script),
            name: script.text(),
            room_name: script.text(),
            kind: script.below(6) as i32,
            other: if script.once_in(2) { account(script) } else { 0 },
            other_name: script.text(),
        }),
        5 => What::Left(wire::Left { account: account(script), name: script.text() }),
        6 => What::Added(wire::Added {
            room: room(script, standing),
            room_name: script.text(),
            kind: script.below(6) as i32,
        }),
        7 => What::Removed(wire::Removed { room: room(script, standing) }),
        8 => What::DeviceAdded(wire::DeviceAdded { device_id: script.bytes(20).to_vec().into() }),
        _ if script.once_in(2) => What::TermOpened(wire::TermOpened { term: term(script) }),
        _ => return None,
    })
}

/// A frame of any kind; `server`: mostly one that servers send, else one that clients send.
pub(crate) fn any(script: &mut Script<'_>, standing: &impl Standing, server: bool) -> Kind {
    let of_server = server != script.once_in(32);
    if script.once_in(10) {
        return of_both(script, standing);
    }
    if of_server { of_server_only(script, standing) } else { of_client_only(script, standing) }
}

fn of_both(script: &mut Script<'_>, standing: &impl Standing) -> Kind {
    match script.below(4) {
        0 => Kind::Ping(wire::Ping {
            number: script.number_u32(),
            frames_before: script.number(),
            bytes_before: script.number(),
        }),
        1 => Kind::Pong(wire::Pong {
            number: script.number_u32(),
            frames_before: script.number(),
            bytes_before: script.number(),
        }),
        2 => Kind::Bye(wire::Bye {
            reason: script.below(16) as i32,
            text: script.text(),
            retry_after_ms: script.number_u32(),
        }),
        _ => Kind::Signal(signal(script, standing)),
    }
}

fn signal(script: &mut Script<'_>, standing: &impl Standing) -> wire::Signal {
    wire::Signal {
        room: room(script, standing),
        account: account(script),
        name: script.text(),
        presence: script.below(4) as i32,
        typing_ms: script.number_u32(),
        delivered: script.near(standing.position()),
        as_of: script.near(standing.position()),
    }
}

/// What welcomes a client, or nearly.
pub(crate) fn welcome(script: &mut Script<'_>, standing: &impl Standing) -> wire::Welcome {
    wire::Welcome {
        version: script.near(1) as u32,
        features: if script.once_in(4) { script.number() } else { 1 },
        log_id: log(script),
        term: term(script),
        account: if script.once_in(8) { account(script) } else { ACCOUNTS[0] },
        name: if script.once_in(8) { script.text() } else { "ann".to_owned() },
        window_bytes: if script.once_in(8) { script.number_u32() } else { 65_536 },
        return_spread_ms: script.number_u32(),
        now_ms: script.number(),
        last_sequence: script.near(standing.operation()),
    }
}

fn of_server_only(script: &mut Script<'_>, standing: &impl Standing) -> Kind {
    let position = standing.position();
    match script.below(14) {
        0 => Kind::Welcome(welcome(script, standing)),
        1 => Kind::Diverged(wire::Diverged {
            log_id: log(script),
            terms: (0..script.below(5)).map(|_| term_start(script, position)).collect(),
            last_sequence: script.near(standing.operation()),
            head: script.near(position),
        }),
        2..=4 => Kind::Entry(entry(script, standing)),
        5 => Kind::Heads(wire::Heads {
            as_of: script.near(position),
            rooms: (0..script.below(5)).map(|_| head(script, standing)).collect(),
            more: script.once_in(4),
        }),
        6 => Kind::Through(wire::Through { position: script.near(position), number: script.number_u32() }),
        7 => Kind::Gap(wire::Gap {
            room: room(script, standing),
            from_sequence: script.number(),
            to_sequence: script.number(),
            cause: script.text(),
        }),
        8 | 9 => Kind::Outcomes(wire::Outcomes {
            outcomes: (0..script.below(4)).map(|_| outcome(script, standing)).collect(),
        }),
        10 => Kind::Hold(wire::Hold {
            from_sequence: script.near(standing.operation()),
            cause: script.below(8) as i32,
            retry_after_ms: script.number_u32(),
        }),
        11 => Kind::Settled(wire::Settled {
            sequence: script.near(standing.operation()),
            last_sequence: script.near(standing.operation()),
        }),
        12 => Kind::HistoryPage(wire::HistoryPage {
            number: script.number_u32(),
            room: room(script, standing),
            as_of: script.near(position),
            entries: (0..script.below(4)).map(|_| entry(script, standing)).collect(),
            next_sequence: script.number(),
        }),
        _ => reply(script, standing),
    }
}

fn reply(script: &mut Script<'_>, standing: &impl Standing) -> Kind {
    let number = script.number_u32();
    match script.below(3) {
        0 => Kind::Failed(wire::Failed { number, error: script.below(6) as i32, text: script.text() }),
        1 => Kind::MembersPage(wire::MembersPage {
            number,
            room: room(script, standing),
            as_of: script.near(standing.position()),
            total: script.number_u32(),
            members: (0..script.below(4)).map(|_| member(script, standing)).collect(),
            next_after: account(script),
        }),
        _ => Kind::RoomsPage(wire::RoomsPage {
            number,
            rooms: (0..script.below(4)).map(|_| public_room(script, standing)).collect(),
            more: script.once_in(2),
        }),
    }
}

fn member(script: &mut Script<'_>, standing: &impl Standing) -> wire::Member {
    let (account, name, online) = (account(script), script.text(), script.once_in(2));
    wire::Member { account, name, online, delivered: script.near(standing.position()) }
}

fn public_room(script: &mut Script<'_>, standing: &impl Standing) -> wire::PublicRoom {
    let (room, name) = (room(script, standing), script.text());
    wire::PublicRoom { room, name, members: script.number_u32(), room_sequence: script.number() }
}

fn term_start(script: &mut Script<'_>, position: u64) -> wire::TermStart {
    wire::TermStart { term: term(script), first_position: script.near(position) }
}

fn head(script: &mut Script<'_>, standing: &impl Standing) -> wire::Head {
    let room = room(script, standing);
    wire::Head {
        room,
        name: script.text(),
        kind: script.below(6) as i32,
        room_sequence: script.near(standing.room_sequence(room)),
        readable_from: script.number(),
    }
}

pub(crate) fn outcome(script: &mut Script<'_>, standing: &impl Standing) -> wire::Outcome {
    wire::Outcome {
        sequence: script.near(standing.operation()),
        id: id(script, standing),
        position: script.near(standing.position().wrapping_add(1)),
        room: if script.once_in(2) { room(script, standing) } else { 0 },
        refusal: if script.once_in(3) { script.below(10) as i32 } else { 0 },
    }
}

fn of_client_only(script: &mut Script<'_>, standing: &impl Standing) -> Kind {
    let position = standing.position();
    match script.below(12) {
        0 => Kind::Hello(hello(script, standing)),
        1 => Kind::Continue(wire::Continue {
            position: script.near(position),
            confirmed_through: script.near(standing.operation()),
        }),
        2..=4 => Kind::Op(op(script, standing)),
        5 => Kind::Ack(wire::Ack { position: script.near(position), stream_bytes: script.number() }),
        6 => Kind::History(wire::History {
            number: script.number_u32(),
            room: room(script, standing),
            from_sequence: script.number(),
            to_sequence: script.number(),
        }),
        7 => Kind::Sync(wire::Sync { number: script.number_u32() }),
        8 => Kind::Cancel(wire::Cancel { number: script.number_u32() }),
        9 => Kind::Members(wire::Members {
            number: script.number_u32(),
            room: room(script, standing),
            after_account: account(script),
        }),
        10 => Kind::Rooms(wire::Rooms { number: script.number_u32(), after_name: script.text() }),
        _ => {
            let count = if script.once_in(8) { 40 } else { script.below(6) };
            Kind::Watch(wire::Watch { rooms: (0..count).map(|_| room(script, standing)).collect() })
        }
    }
}

/// A greeting in which nothing needs to be right.
fn hello(script: &mut Script<'_>, standing: &impl Standing) -> wire::Hello {
    let place = |script: &mut Script<'_>| {
        let position = script.near(standing.position());
        script.once_in(2).then(|| wire::Place { position, term: term(script) })
    };
    wire::Hello {
        version_min: script.near(1) as u32,
        version_max: script.near(1) as u32,
        features: script.number(),
        log_id: log(script),
        place: place(script),
        told: place(script),
        confirmed_through: script.number(),
        credentials: (!script.once_in(8)).then(|| wire::Credentials {
            name: script.text(),
            device_id: vec![script.byte(); script.near(16).min(64) as usize].into(),
            secret: vec![1; script.near(32).min(64) as usize].into(),
            account: account(script),
        }),
        incarnation: (!script.once_in(8)).then(|| incarnation(script)),
        idle_bound_ms: script.number_u32(),
        active_bound_ms: script.number_u32(),
        pinger: script.below(3) as i32,
        window_bytes: script.number_u32(),
        program: script.text(),
    }
}

pub(crate) fn incarnation(script: &mut Script<'_>) -> wire::Incarnation {
    wire::Incarnation { process_start_ms: script.number(), process: script.number(), link: script.number() }
}

pub(crate) fn op(script: &mut Script<'_>, standing: &impl Standing) -> wire::Op {
    let last = standing.operation();
    wire::Op {
        sequence: script.near(last.wrapping_add(1)),
        id: id(script, standing),
        confirmed_through: script.near(last),
        composed_at_ms: script.number(),
        body: op_body(script, standing),
    }
}

pub(crate) fn op_body(script: &mut Script<'_>, standing: &impl Standing) -> Option<Body> {
    Some(match script.below(12) {
        0..=3 => Body::Send(wire::Send {
            room: room_ref(script, standing),
            body: script.body().into(),
            content_type: script.text(),
        }),
        4 | 5 => Body::Enter(wire::Enter { name: script.text() }),
        6 => Body::Leave(wire::Leave { room: room_ref(script, standing) }),
        7 => Body::Direct(wire::Direct { name: script.text() }),
        8 => Body::CreatePrivate(wire::CreatePrivate { name: script.text() }),
        9 => Body::Add(wire::Add { room: room_ref(script, standing), name: script.text() }),
        10 => Body::Remove(wire::Remove { room: room_ref(script, standing), name: script.text() }),
        _ => return None,
    })
}

fn room_ref(script: &mut Script<'_>, standing: &impl Standing) -> Option<wire::RoomRef> {
    let by = match script.below(8) {
        0..=4 => Some(By::Room(room(script, standing))),
        5 | 6 => Some(By::EnteredBy(id(script, standing))),
        _ if script.once_in(2) => None,
        _ => return None,
    };
    Some(wire::RoomRef { by })
}

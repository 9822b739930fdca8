//! A server's log, whatever its files hold: opened, read as its clients read it, and written on.

use std::path::Path;

use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::connection::{Admission, Event, check_hello};
use steadfast_proto::hub::{Connection, Hub, Origin};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, RoomId, Term};
use steadfast_proto::link;
use steadfast_proto::time::Instant;
use steadfast_proto::wire::{self, Entry, frame::Kind, op::Body};
use steadfast_server::ServeError;
use steadfast_server::turn::{self, Decided, NotStored, Submission, Submitted};
use steadfast_store::server::{CommitError, FoldError, OpenError, ReadError, Reader};

use super::base::{DEN, LOBBY, PEOPLE};
use crate::speech::{LOGS, bytes_of};

const NOW: Instant = Instant::from_nanos(1_000_000_000);
/// Reads after which a connection should have had all that so small a log holds.
const READS_MAX: usize = 2_000;
/// What a read gives.
const READ_BYTES: usize = 1_000;

/// Opens it and does all that a server does with it.
pub(super) fn open(directory: &Path, entries: &[Entry]) {
    let (mut store, mut hub) = match turn::recover(directory, LogId(LOGS[1]), 1_000) {
        Ok(opened) => opened,
        Err(error) => return names_damage(&error),
    };
    if let Err(error) = turn::begin(&mut store, &mut hub, Term(77), 1) {
        return names_damage(&error);
    }
    let reader = match store.reader() {
        Ok(reader) => reader,
        Err(error) => return names_damage(&ServeError::Read(error)),
    };
    for (number, (name, account)) in PEOPLE.into_iter().enumerate() {
        read_all(&mut hub, &reader, (number, name, AccountId(account)), entries);
    }
    match store.fold(usize::MAX) {
        Ok(_) | Err(FoldError::Damaged | FoldError::Full | FoldError::Other(_)) => {}
    }
    let device = DeviceId([1; 16]);
    let last = hub.state().device(device).map_or(0, |device| device.last_sequence);
    let room = Some(wire::RoomRef { by: Some(wire::room_ref::By::Room(LOBBY)) });
    let send = wire::Send { room, body: vec![b'z'; 10].into(), content_type: String::new() };
    let sequence = last.saturating_add(1);
    let op =
        wire::Op { sequence, id: 0x9999, confirmed_through: last, composed_at_ms: 1, body: Some(Body::Send(send)) };
    let what = Submitted::Op(Origin { device, link: 1 }, Box::new(op));
    match Decided::decide(&hub, vec![Submission { from: 0_u64, what }], 1).store(&mut store) {
        Ok(durable) => drop(durable.publish(&mut hub)),
        Err(NotStored::Held { .. }) => {}
        Err(NotStored::Failed(error)) => names_damage(&error),
    }
}

/// What whoever looks after the server reads: that something is wrong with the file, or whose file it is.
fn names_damage(error: &ServeError) {
    match error {
        ServeError::Open(
            OpenError::Damaged { .. } | OpenError::Newer { .. } | OpenError::Foreign { .. } | OpenError::Emptied { .. },
        )
        | ServeError::Read(ReadError::Damaged { .. } | ReadError::StateDamaged | ReadError::IndexDamaged)
        | ServeError::BadRow(_) => {}
        // A database can say of itself that it is not to be written.
        ServeError::Open(OpenError::ReadOnly { .. }) => {}
        ServeError::FirstEntry(CommitError::Other(error)) | ServeError::Commit(CommitError::Other(error)) => {
            let words = error.to_string();
            assert!(!words.is_empty());
        }
        other => panic!("a damaged file is told as {other:?}: {other}"),
    }
}

/// Everything that a device may read, in the stream and as history: it is what was stored.
fn read_all(hub: &mut Hub, reader: &Reader, who: (usize, &str, AccountId), entries: &[Entry]) {
    let Some(mut connection) = connect(hub, who) else { return };
    let rooms = [LOBBY, DEN, who.2.0];
    for (number, room) in (1..).zip(rooms) {
        let asked = wire::History { number, room, from_sequence: 1, to_sequence: u64::MAX };
        connection.handle_bytes(NOW, &bytes_of(Kind::History(asked)), hub);
    }
    let (mut decoder, mut stream_bytes) = (Decoder::default(), 0);
    for _ in 0..READS_MAX {
        let mut out = Vec::new();
        connection.poll_transmit(NOW, hub, &mut out);
        let mut idle = out.is_empty();
        decoder.push(&out);
        while let Some(received) = decoder.next_frame().expect("our own frames are good") {
            match received.kind {
                Kind::Entry(entry) => {
                    stream_bytes += received.wire_bytes;
                    was_stored(&entry, entries);
                }
                Kind::Heads(_) | Kind::Through(_) => stream_bytes += received.wire_bytes,
                Kind::HistoryPage(page) => page.entries.iter().for_each(|entry| was_stored(entry, entries)),
                _ => {}
            }
        }
        let all = Kind::Ack(wire::Ack { position: 0, stream_bytes });
        connection.handle_bytes(NOW, &bytes_of(all), hub);
        while let Some(event) = connection.poll_event() {
            idle = false;
            match event {
                Event::ReadChunks { rooms, after } => match reader.chunks_for(&rooms, after, READ_BYTES) {
                    Ok(span) => connection.handle_chunks(&span.chunks, span.covered_through, hub),
                    Err(_) => connection.refuse(wire::ByeReason::Overloaded, "the log can't be read now", 5_000, hub),
                },
                Event::ReadHistory(asked) => {
                    let (room, from) = (RoomId(asked.room), asked.from_sequence);
                    match reader.history(room, from, asked.to_sequence, READ_BYTES) {
                        Ok(chunks) => connection.handle_history(&asked, &chunks, hub),
                        Err(_) => connection.handle_history_failed(asked.number),
                    }
                }
                Event::Greeted(_) | Event::Submit(_) | Event::Evict(_) | Event::Watching => {}
                Event::Close(_) => return,
            }
        }
        if idle {
            if let Some(reader) = connection.reader() {
                hub.detach(reader);
            }
            return;
        }
    }
    panic!("a connection reads and reads: {:?}", connection.poll_event());
}

fn connect(hub: &mut Hub, (number, name, account): (usize, &str, AccountId)) -> Option<Connection> {
    let place = |position| wire::Place { position, term: hub.state().terms().first().map_or(0, |term| term.0.0) };
    let hello = wire::Hello {
        version_min: 1,
        version_max: 1,
        features: 1,
        place: Some(place(1)),
        told: Some(place(1)),
        credentials: Some(wire::Credentials {
            name: name.to_owned(),
            device_id: vec![number as u8 + 1; 16].into(),
            secret: vec![1; 32].into(),
            account: account.0,
        }),
        incarnation: Some(wire::Incarnation { process_start_ms: 1, process: 1, link: 1 }),
        idle_bound_ms: 15_000,
        window_bytes: 1 << 18,
        ..wire::Hello::default()
    };
    let mut connection = Connection::new(link::ACTIVE_BOUND, link::IDLE_BOUND, NOW);
    connection.handle_bytes(NOW, &bytes_of(Kind::Hello(hello.clone())), hub);
    connection.poll_event()?;
    connection.handle_greeting(&hello, check_hello(&hello).ok()?, link::ACTIVE_BOUND);
    let admission = Admission { account, return_spread_ms: 0, now_ms: 1 };
    connection.handle_admitted(NOW, &admission, hub, &mut Vec::new());
    Some(connection)
}

/// The checksum of a frame vouches for an entry: it is the one that was stored at its position.
fn was_stored(entry: &Entry, entries: &[Entry]) {
    assert!(entries.contains(entry), "nobody stored this: {entry:?}");
}

//! What must be true at the end, read off the server's log alone.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::ids::OperationId;
use steadfast_proto::session::{Request, Session};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{Entry, entry::What};
use steadfast_store::profile::{StoredMessage, What as Held};

use crate::scene::World;

/// How long a world may take to come to rest once nothing goes wrong any more.
const REST: Duration = Duration::from_secs(240);

/// The positions of the entries that each account sees, by a walk over the log.
pub(crate) fn audiences(log: &[Entry]) -> BTreeMap<u64, Vec<u64>> {
    let mut members: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut seen: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.room != 0) {
        let there = members.entry(entry.room).or_default();
        match &entry.what {
            Some(What::Joined(joined)) => {
                there.extend([joined.account, joined.other].into_iter().filter(|&account| account != 0));
            }
            Some(What::DeviceAdded(_)) => {
                there.insert(entry.account);
            }
            _ => {}
        }
        for &account in there.iter() {
            seen.entry(account).or_default().push(entry.position);
        }
        if let Some(What::Left(left)) = &entry.what {
            there.remove(&left.account);
        }
    }
    seen
}

/// Runs until every outbox is empty and every client has said that it has everything.
pub(crate) fn come_to_rest(world: &mut World) {
    for client in 0..world.clients.len() {
        world.start_client(client);
    }
    world.start_server();
    let clients = 0..world.clients.len();
    let emptied = world.run_until(REST, |world| clients.clone().all(|client| world.waiting(client) == 0));
    assert!(emptied, "outboxes do not empty: {}", describe(world));
    let asked: Vec<_> = clients.map(|client| world.ask(client, Request::Sync)).collect();
    let all_answered = |world: &World| {
        let answered = |(client, number): (usize, &Option<u32>)| {
            number.is_some_and(|number| world.answer(client, number).is_some())
        };
        asked.iter().enumerate().all(answered)
    };
    assert!(world.run_until(REST, all_answered), "Sync is not answered: {}", describe(world));
}

fn describe(world: &World) -> String {
    let of = |client: usize| {
        let (waiting, position) = (world.waiting(client), world.position(client));
        let (status, last) = (world.session(client).map(Session::status), world.clients[client].drops.last());
        format!("\n  {waiting} wait, place {position}, {status:?}, last drop {last:?}")
    };
    (0..world.clients.len()).map(of).chain([format!("\n  head {}", world.head())]).collect()
}

/// Each client has exactly the entries that are for it, in order, each once.
pub(crate) fn check_streams(world: &World) {
    let log = world.log();
    let audiences = audiences(&log);
    for (number, client) in world.clients.iter().enumerate() {
        let Some(base) = client.history.base else { continue };
        let account = world.identity(number).account.0;
        let expected: Vec<u64> =
            audiences.get(&account).into_iter().flatten().copied().filter(|&position| position > base).collect();
        let held = world.messages(number);
        let mut stream: Vec<u64> = held.iter().map(|held| held.position).filter(|&position| position > base).collect();
        stream.sort_unstable();
        assert_eq!(stream, expected, "client {number}'s stream");
        for held in &held {
            let index = usize::try_from(held.position - 1).expect("a short log");
            assert!(log.get(index).is_some_and(|entry| is_same(entry, held)), "client {number} holds {held:?}");
        }
    }
}

/// Whether a profile holds the entry as it stands in the log.
pub(crate) fn is_same(entry: &Entry, held: &StoredMessage) -> bool {
    let ids = (entry.room, entry.room_sequence, entry.position, entry.account, entry.id, entry.sequence);
    let held_ids = (held.room.0, held.room_sequence, held.position, held.account.0, held.id.0, held.sequence);
    let same_words = match (&entry.what, &held.what) {
        (Some(What::Message(message)), Held::Message { body, content_type }) => {
            message.body == *body && message.content_type == *content_type
        }
        (Some(What::Joined(joined)), Held::Joined { account, .. }) => joined.account == account.0,
        (Some(What::Left(left)), Held::Left { account, .. }) => left.account == account.0,
        (Some(What::Added(added)), Held::Added { room, .. }) => added.room == room.0,
        (Some(What::Removed(removed)), Held::Removed { room }) => removed.room == room.0,
        (Some(What::DeviceAdded(added)), Held::DeviceAdded { device }) => added.device_id[..] == device.0,
        _ => false,
    };
    ids == held_ids && entry.from == held.author && entry.at_ms == held.at_ms && same_words
}

/// Each accepted operation stands in the log once, where its sender was told, in its sender's order.
pub(crate) fn check_operations(world: &World) {
    let log = world.log();
    check_dense(&log);
    let mut places: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| is_the_operations_own(entry)) {
        places.entry(entry.id).or_default().insert(entry.position);
    }
    for (number, client) in world.clients.iter().enumerate() {
        let mut last = 0;
        let outcomes = world.outcomes(number, &client.made);
        for (id, outcome) in client.made.iter().zip(outcomes).filter(|(id, _)| !client.history.lost.contains(id)) {
            let position = outcome.unwrap_or_else(|| panic!("client {number}: no outcome of {id}")).position;
            let there = places.get(&id.0).cloned().unwrap_or_default();
            assert_eq!(there, [position].into(), "client {number}: where {id} stands in the log");
            assert!(position > last, "client {number}: {id} at {position} is not behind {last}");
            last = position;
        }
    }
}

/// Where an operation stands.
pub(crate) fn positions_of(world: &World, id: OperationId) -> Vec<u64> {
    let log = world.log();
    log.iter().filter(|entry| entry.id == id.0 && is_the_operations_own(entry)).map(|entry| entry.position).collect()
}

/// An operation makes one entry of its own; a second one only tells the person concerned.
fn is_the_operations_own(entry: &Entry) -> bool {
    entry.id != 0 && !matches!(entry.what, Some(What::Added(_) | What::Removed(_)))
}

fn check_dense(log: &[Entry]) {
    let mut rooms: BTreeMap<u64, u64> = BTreeMap::new();
    let mut last_at_ms = 0;
    for (index, entry) in log.iter().enumerate() {
        assert_eq!(entry.position, index as u64 + 1, "positions are dense");
        assert!(entry.at_ms >= last_at_ms, "time went back at {}", entry.position);
        last_at_ms = entry.at_ms;
        if entry.room != 0 {
            let last = rooms.entry(entry.room).or_default();
            assert_eq!(entry.room_sequence, *last + 1, "the sequence of room {:x} at {}", entry.room, entry.position);
            *last = entry.room_sequence;
        }
    }
}

//! What must be true at the end, read off the server's log alone.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::ids::OperationId;
use steadfast_proto::session::{Request, Session};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{Entry, entry::What};

use crate::profile::Fate;
use crate::sim::World;

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
    let emptied = world.run_until(REST, |world| world.clients.iter().all(|client| client.profile.outbox.is_empty()));
    assert!(emptied, "outboxes do not empty: {}", describe(world));
    let asked: Vec<_> = (0..world.clients.len()).map(|client| world.ask(client, Request::Sync)).collect();
    let all_answered = |world: &World| {
        let answered = |(client, number): (usize, &Option<u32>)| {
            number.is_some_and(|number| world.clients[client].answered.contains_key(&number))
        };
        asked.iter().enumerate().all(answered)
    };
    assert!(world.run_until(REST, all_answered), "Sync is not answered: {}", describe(world));
}

fn describe(world: &World) -> String {
    let of = |client: &crate::client::Client| {
        let outbox: Vec<_> = client.profile.outbox.keys().collect();
        let status = client.session.as_ref().map(Session::status);
        let last = client.drops.last();
        format!("\n  outbox {outbox:?}, place {:?}, {status:?}, last drop {last:?}", client.profile.place)
    };
    let server = format!("\n  head {}", world.server.disk.head);
    world.clients.iter().map(of).chain([server]).collect()
}

/// Each client has exactly the entries that are for it, in order, each once.
pub(crate) fn check_streams(world: &World) {
    let log = world.server.disk.entries();
    let audiences = audiences(&log);
    for (number, client) in world.clients.iter().enumerate() {
        let Some(base) = client.profile.base else { continue };
        let account = client.profile.identity.account.0;
        let expected: Vec<u64> =
            audiences.get(&account).into_iter().flatten().copied().filter(|&position| position > base).collect();
        assert_eq!(client.profile.stream, expected, "client {number}'s stream");
        for entry in client.profile.messages.values() {
            let index = usize::try_from(entry.position - 1).expect("a short log");
            assert_eq!(log.get(index), Some(entry), "client {number} holds what the log does not");
        }
    }
}

/// Each accepted operation stands in the log once, where its sender was told, in its sender's order.
pub(crate) fn check_operations(world: &World) {
    let log = world.server.disk.entries();
    check_dense(&log);
    let mut places: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| is_the_operations_own(entry)) {
        places.entry(entry.id).or_default().insert(entry.position);
    }
    for (number, client) in world.clients.iter().enumerate() {
        let mut last = 0;
        for id in client.made.iter().filter(|id| !client.profile.fates_aside.contains_key(id)) {
            let position = match client.profile.fates.get(id) {
                Some(Fate::Accepted { position } | Fate::Refused { position, .. }) => *position,
                None => panic!("client {number}: no outcome of {id}"),
            };
            let there = places.get(&id.0).cloned().unwrap_or_default();
            assert_eq!(there, [position].into(), "client {number}: where {id} stands in the log");
            assert!(position > last, "client {number}: {id} at {position} is not behind {last}");
            last = position;
        }
    }
}

/// Where an operation stands.
pub(crate) fn positions_of(world: &World, id: OperationId) -> Vec<u64> {
    let log = world.server.disk.entries();
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

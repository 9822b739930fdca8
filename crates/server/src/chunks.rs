//! Entries → the chunk rows that the log keeps.

use std::collections::BTreeMap;

use bytes::BytesMut;
use steadfast_proto::hub::{Changes, NewEntry, RowKind};
use steadfast_proto::ids::RoomId;
use steadfast_store::server::{Chunk, Commit, Put, RoomSpan, Table};

/// A chunk ends before it would pass this, unless it is one entry.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// What is to be stored of a batch.
pub(crate) fn commit_of(changes: &Changes) -> Commit {
    let puts = changes.rows().into_iter().map(|row| Put { table: table_of(row.kind), key: row.key, value: row.value });
    let first = changes.entries.first().map(|entry| entry.position);
    Commit {
        chunks: chunks_of(&changes.entries),
        puts: puts.collect(),
        new_term: changes.term.zip(first),
        last_at_ms: changes.at_ms,
    }
}

pub(crate) const TABLES: [(Table, RowKind); 4] = [
    (Table::Accounts, RowKind::Account),
    (Table::Devices, RowKind::Device),
    (Table::Rooms, RowKind::Room),
    (Table::Memberships, RowKind::Membership),
];

fn table_of(kind: RowKind) -> Table {
    match kind {
        RowKind::Account => Table::Accounts,
        RowKind::Device => Table::Devices,
        RowKind::Room => Table::Rooms,
        RowKind::Membership => Table::Memberships,
    }
}

fn chunks_of(entries: &[NewEntry]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < entries.len() {
        let mut bytes = entries[start].unit.len();
        let mut end = start + 1;
        while end < entries.len() && bytes + entries[end].unit.len() <= CHUNK_BYTES_MAX {
            bytes += entries[end].unit.len();
            end += 1;
        }
        chunks.push(chunk_of(&entries[start..end], bytes));
        start = end;
    }
    chunks
}

fn chunk_of(entries: &[NewEntry], bytes: usize) -> Chunk {
    let mut frames = BytesMut::with_capacity(bytes);
    let mut spans: BTreeMap<RoomId, (u64, u64)> = BTreeMap::new();
    for entry in entries {
        frames.extend_from_slice(&entry.unit);
        if let Some((room, sequence)) = entry.room {
            spans.entry(room).or_insert((sequence, sequence)).1 = sequence;
        }
    }
    let span = |(room, (first_sequence, last_sequence))| RoomSpan { room, first_sequence, last_sequence };
    Chunk {
        first_position: entries[0].position,
        count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        frames: frames.freeze(),
        rooms: spans.into_iter().map(span).collect(),
    }
}

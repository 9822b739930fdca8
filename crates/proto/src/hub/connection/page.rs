//! A page of a room's history, for one reader.

use prost::Message as _;

use super::catchup::{StoredChunk, for_each_entry};
use crate::hub::Hub;
use crate::ids::{AccountId, RoomId};
use crate::wire::{Failed, History, HistoryPage, RequestError, frame::Kind};

/// What the entries of a page add up to, at most (one entry may be larger).
pub(super) const PAGE_BYTES_MAX: usize = 64 * 1024;

/// The page that answers the request, or why there is none.
pub(super) fn build(asked: &History, chunks: &[StoredChunk], hub: &Hub, reader: AccountId) -> Kind {
    let room = RoomId(asked.room);
    let state = hub.state();
    let head = state.room(room).map_or(0, |room| room.head_sequence);
    let last_wanted = asked.to_sequence.min(head);
    let mut page = HistoryPage { number: asked.number, room: asked.room, as_of: state.head(), ..Default::default() };
    let mut bytes = 0;
    let mut full_at = None;
    let mut walked_to = 0;
    for chunk in chunks {
        let walked = for_each_entry(chunk, |entry, unit| {
            if entry.room == asked.room && full_at.is_none() {
                walked_to = entry.room_sequence;
            }
            let wanted = entry.room == asked.room
                && (asked.from_sequence..=last_wanted).contains(&entry.room_sequence)
                && state.may_read(reader, room, entry.position);
            if !wanted || full_at.is_some() {
                return;
            }
            if bytes > 0 && bytes + unit.len() > PAGE_BYTES_MAX {
                full_at = Some(entry.room_sequence);
                return;
            }
            bytes += entry.encoded_len();
            page.entries.push(entry);
        });
        if walked.is_err() {
            let text = "what is stored of this room is damaged".to_owned();
            return Kind::Failed(Failed { number: asked.number, error: RequestError::Store.into(), text });
        }
    }
    // The store gives only so many chunks at a time, and none of them may be readable: what was not looked at is asked
    // for again from there.
    page.next_sequence = match full_at {
        Some(next) => next,
        None if walked_to > 0 && walked_to < last_wanted => asked.from_sequence.max(walked_to + 1),
        None => 0,
    };
    Kind::HistoryPage(page)
}

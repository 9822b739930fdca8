//! What stands in the message area: entries, with day lines and other things between them, in order.

use super::model::{Entry, Note, Pending, Said};
use super::room::Room;
use super::time::Zone;
use super::window::Beyond;

/// Orders blocks as they stand on the screen: by entry, by what stands before and behind one, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    sequence: u64,
    rank: Rank,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Edge,
    Gap,
    Day,
    New,
    Entry,
    Note,
    Arriving,
    Pending,
}

/// Something that stands between its neighbours over the whole width.
#[derive(Debug)]
pub(crate) enum Block<'r> {
    /// What is beyond the oldest entry.
    Edge(&'r Beyond),
    /// So many entries are not here and never will be.
    Gap(u64),
    /// A new day begins, at this time.
    Day(u64),
    /// From here on it is unread.
    New,
    Entry(&'r Entry),
    /// People came and went, in a row.
    Moves(Vec<&'r Entry>),
    Note(&'r Note),
    /// On the server's disk, and on its way back.
    Arriving(&'r Pending),
    Pending(&'r Pending),
    /// More waits than is shown.
    PendingMore,
}

/// The blocks of a room with their keys, in order.
pub(crate) fn blocks<'r>(room: &'r Room, zone: &Zone) -> Vec<(Key, Block<'r>)> {
    let window = &room.window;
    let mut blocks = Blocks { list: Vec::new(), zone, day: None };
    if window.known {
        blocks.push(0, Rank::Edge, 0, Block::Edge(&window.older));
    }
    let mut notes = room.notes.iter().peekable();
    let mut before: Option<u64> = None;
    let mut is_new = false;
    for entry in &window.entries {
        let earlier = |note: &&Note| note.after.is_some_and(|after| after < entry.sequence);
        while let Some(note) = notes.next_if(earlier) {
            blocks.note(note);
        }
        let missing = before.map_or(0, |before| entry.sequence - before - 1);
        if missing > 0 {
            blocks.push(entry.sequence, Rank::Gap, 0, Block::Gap(missing));
        }
        blocks.day(entry.sequence, entry.at_ms);
        if !is_new && entry.is_news() && room.new_after.is_some_and(|after| entry.sequence > after) {
            is_new = true;
            blocks.push(entry.sequence, Rank::New, 0, Block::New);
        }
        blocks.entry(entry);
        before = Some(entry.sequence);
    }
    if window.at_end() {
        // What was said while these waited stands behind those that waited then, in sight.
        let waits = |note: &&Note| note.behind.is_some_and(|id| window.pending.iter().any(|pending| pending.id == id));
        let (mut behind, before): (Vec<_>, Vec<_>) = notes.partition(waits);
        before.into_iter().for_each(|note| blocks.note(note));
        for (arriving, number) in window.arriving.iter().zip(0..) {
            blocks.push(u64::MAX, Rank::Arriving, number, Block::Arriving(arriving));
        }
        if window.pending_more {
            blocks.push(u64::MAX, Rank::Pending, 0, Block::PendingMore);
        }
        let mut numbers = 1..;
        let mut push = |block| {
            let number = numbers.next().unwrap_or(u64::MAX);
            blocks.push(u64::MAX, Rank::Pending, number, block);
        };
        for pending in &window.pending {
            push(Block::Pending(pending));
            behind.extract_if(.., |note| note.behind == Some(pending.id)).for_each(|note| push(Block::Note(note)));
        }
    }
    blocks.list
}

struct Blocks<'r, 'z> {
    list: Vec<(Key, Block<'r>)>,
    zone: &'z Zone,
    day: Option<jiff::civil::Date>,
}

impl<'r> Blocks<'r, '_> {
    fn push(&mut self, sequence: u64, rank: Rank, number: u64, block: Block<'r>) {
        self.list.push((Key { sequence, rank, number }, block));
    }

    fn note(&mut self, note: &'r Note) {
        self.push(note.after.unwrap_or(u64::MAX), Rank::Note, note.number, Block::Note(note));
    }

    fn day(&mut self, sequence: u64, at_ms: u64) {
        let day = self.zone.day(at_ms);
        if self.day.replace(day) != Some(day) {
            self.push(sequence, Rank::Day, 0, Block::Day(at_ms));
        }
    }

    fn entry(&mut self, entry: &'r Entry) {
        match &entry.said {
            Said::Joined(_) | Said::Left(_) => {
                if let Some((_, Block::Moves(moves))) = self.list.last_mut() {
                    moves.push(entry);
                    return;
                }
                self.push(entry.sequence, Rank::Entry, 0, Block::Moves(vec![entry]));
            }
            Said::Text { .. } | Said::Data { .. } => self.push(entry.sequence, Rank::Entry, 0, Block::Entry(entry)),
            Said::Other => {}
        }
    }
}

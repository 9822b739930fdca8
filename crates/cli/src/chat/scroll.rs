//! Moving the screen over the blocks of a room.

use super::blocks::{Block, Key, blocks};
use super::room::Room;
use super::time::Zone;
use super::window::Anchor;

/// A screen's height, and how many rows each block takes.
pub(crate) struct Rows<F> {
    pub(crate) height: usize,
    pub(crate) of: F,
}

/// What is drawn: blocks from this one up, of the first so many rows hidden below the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lowest {
    pub(crate) index: usize,
    pub(crate) below: usize,
}

/// Where the screen's lower edge is among these blocks; `None`: there is nothing.
pub(crate) fn lowest(room: &Room, blocks: &[(Key, Block<'_>)]) -> Option<Lowest> {
    let last = blocks.len().checked_sub(1)?;
    Some(match room.window.anchor {
        Anchor::End => Lowest { index: last, below: 0 },
        Anchor::At { key, below } => match blocks.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(index) => Lowest { index, below },
            // It has become part of another one, or is gone: the one before it.
            Err(index) => Lowest { index: index.saturating_sub(1), below: 0 },
        },
    })
}

/// Which way the screen moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scroll {
    Up(usize),
    Down(usize),
    /// To the oldest that is held.
    Top,
}

/// Where the screen came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nearly the oldest that is held.
    Oldest,
    Middle,
    /// The newest that is held.
    Newest,
}

/// Where the screen would be after moving; `None`: there is nothing to be seen.
pub(crate) fn moved(
    room: &Room,
    zone: &Zone,
    by: Scroll,
    rows: &Rows<impl Fn(&Block<'_>) -> usize>,
) -> Option<(Anchor, Reached)> {
    let blocks = blocks(room, zone);
    let start = lowest(room, &blocks)?;
    let top = topmost(&blocks, rows);
    let moved = match by {
        Scroll::Up(by) => up(&blocks, start, by, rows),
        Scroll::Down(by) => down(&blocks, start, by, rows),
        Scroll::Top => top,
    };
    let anchor = Anchor::At { key: blocks[moved.index].0, below: moved.below };
    if moved.index + 1 == blocks.len() && moved.below == 0 {
        // The newest that is held may not be the end: then what comes next stays below the edge.
        return Some((if room.window.at_end() { Anchor::End } else { anchor }, Reached::Newest));
    }
    let from_top = |lowest: Lowest| (lowest.index, std::cmp::Reverse(lowest.below));
    let reached = if from_top(moved) <= from_top(top) { Reached::Oldest } else { Reached::Middle };
    Some((anchor, reached))
}

/// The lowest edge at which the oldest row is still on the screen.
fn topmost(blocks: &[(Key, Block<'_>)], rows: &Rows<impl Fn(&Block<'_>) -> usize>) -> Lowest {
    let mut filled = 0;
    for (index, (_, block)) in blocks.iter().enumerate() {
        filled += (rows.of)(block);
        if filled >= rows.height {
            return Lowest { index, below: filled - rows.height };
        }
    }
    Lowest { index: blocks.len().saturating_sub(1), below: 0 }
}

fn up(blocks: &[(Key, Block<'_>)], start: Lowest, by: usize, rows: &Rows<impl Fn(&Block<'_>) -> usize>) -> Lowest {
    let Lowest { mut index, mut below } = start;
    below += by;
    loop {
        let tall = (rows.of)(&blocks[index].1);
        if below < tall {
            break;
        }
        if index == 0 {
            return topmost(blocks, rows);
        }
        below -= tall;
        index -= 1;
    }
    // Rows above the edge: as many as the screen has, or it went too far.
    let mut above = (rows.of)(&blocks[index].1) - below;
    for (_, block) in blocks[..index].iter().rev() {
        if above >= rows.height {
            break;
        }
        above += (rows.of)(block);
    }
    if above >= rows.height { Lowest { index, below } } else { topmost(blocks, rows) }
}

fn down(blocks: &[(Key, Block<'_>)], start: Lowest, by: usize, rows: &Rows<impl Fn(&Block<'_>) -> usize>) -> Lowest {
    let Lowest { mut index, below } = start;
    let mut left = by;
    let mut below = below;
    while left > below {
        left -= below;
        if index + 1 == blocks.len() {
            return Lowest { index, below: 0 };
        }
        index += 1;
        below = (rows.of)(&blocks[index].1);
    }
    Lowest { index, below: below - left }
}

/// Whether all that is held leaves room on the screen.
pub(crate) fn is_short(room: &Room, zone: &Zone, rows: &Rows<impl Fn(&Block<'_>) -> usize>) -> bool {
    let mut filled = 0;
    for (_, block) in blocks(room, zone) {
        filled += (rows.of)(&block);
        if filled >= rows.height {
            return false;
        }
    }
    true
}

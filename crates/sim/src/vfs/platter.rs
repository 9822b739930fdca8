//! One file as a machine sees it, and as its disk holds it.
//!
//! The real file is the page cache: what any process of the machine reads. It is never synced. Beside it stands what
//! the platter holds otherwise, and the changes that wait for a sync; from the two a loss of power is acted out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use super::bites::Bites;
use crate::random::Random;

/// What a disk writes at once, or not at all.
const SECTOR_BYTES: u64 = 512;
/// What is remembered of the platter at once.
const BLOCK_BYTES: usize = 4_096;
/// When a file was written to last, as long as nobody else did.
const OURS: SystemTime = SystemTime::UNIX_EPOCH;

/// See above.
pub(super) struct CachedFile {
    /// Also reads what was removed from its directory.
    cache: File,
    platter: Platter,
    /// What was written since the last sync, in that order.
    waiting: Vec<Change>,
    failed_syncs: u64,
}

/// Where the platter differs from the cache.
#[derive(Default)]
struct Platter {
    /// Its length, while anything is at risk.
    bytes: u64,
    /// By number. What is not here is on the platter as it is in the cache.
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
    /// Whether it went on differing after a sync, since an earlier one failed.
    parted: bool,
}

enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { bytes: u64 },
}

/// How a loss of power treats what waits: all of it goes, all stays, or anything between.
pub(super) struct Odds {
    survives_percent: usize,
    torn_percent: usize,
}

impl Odds {
    pub(super) fn draw(random: &mut Random) -> Self {
        let survives_percent = [0, 15, 50, 85, 100][random.below(5)];
        let torn_percent = [0, 10, 50][random.below(3)];
        Odds { survives_percent, torn_percent }
    }

    pub(super) fn survives(&self, random: &mut Random) -> bool {
        random.percent(self.survives_percent)
    }
}

impl CachedFile {
    /// Takes a file as it is: all of it on the platter.
    pub(super) fn new(cache: File) -> Self {
        CachedFile { cache, platter: Platter::default(), waiting: Vec::new(), failed_syncs: 0 }
    }

    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.cache.metadata()?.len())
    }

    /// Which file of the host this is.
    pub(super) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.cache.metadata()
    }

    /// Reads as much as there is.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < into.len() {
            match self.cache.read_at(&mut into[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.look_outside()?;
        self.remember(offset..offset + bytes.len() as u64)?;
        self.cache.write_all_at(bytes, offset)?;
        self.waiting.push(Change::Write { offset, bytes: bytes.to_vec() });
        self.mark()
    }

    pub(super) fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.look_outside()?;
        self.remember(bytes..self.bytes()?)?;
        self.cache.set_len(bytes)?;
        self.waiting.push(Change::Truncate { bytes });
        self.mark()
    }

    /// What waits is on the platter.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.look_outside()?;
        let waiting = std::mem::take(&mut self.waiting);
        if !self.platter.parted {
            self.platter.blocks.clear();
            return Ok(());
        }
        for change in &waiting {
            self.platter.change(change);
        }
        let (cache, mut found) = (&self.cache, [0; BLOCK_BYTES]);
        let mut same = BTreeSet::new();
        for (number, block) in &self.platter.blocks {
            read_block(cache, *number, &mut found)?;
            if **block == found {
                same.insert(*number);
            }
        }
        self.platter.blocks.retain(|number, _| !same.contains(number));
        self.platter.parted = !self.platter.blocks.is_empty() || self.platter.bytes != self.bytes()?;
        Ok(())
    }

    /// What waits stays in the cache and looks clean there: no later sync brings it to the platter.
    pub(super) fn fail_sync(&mut self) -> io::Result<()> {
        self.look_outside()?;
        self.platter.parted |= !self.waiting.is_empty();
        self.waiting.clear();
        self.failed_syncs += 1;
        self.mark()
    }

    /// How many syncs failed, whoever asked for them.
    pub(super) fn failed_syncs(&self) -> u64 {
        self.failed_syncs
    }

    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        let of = |change: &Change| match change {
            Change::Write { bytes, .. } => bytes.len() as u64,
            Change::Truncate { .. } => 0,
        };
        self.waiting.iter().map(of).sum()
    }

    /// Whether a loss of power could take anything.
    pub(super) fn is_at_risk(&self) -> bool {
        self.platter.parted || !self.waiting.is_empty()
    }

    /// All that the cache holds is on the platter, whatever failed before.
    pub(super) fn settle(&mut self) {
        self.waiting.clear();
        self.platter = Platter::default();
    }

    /// Leaves in the cache what the platter holds once the power was gone, with some of what waited.
    pub(super) fn lose_power(&mut self, odds: &Odds, random: &mut Random, bites: &mut Bites) -> io::Result<()> {
        self.look_outside()?;
        if !self.is_at_risk() {
            return Ok(());
        }
        if self.platter.parted {
            bites.lost_to_failed_syncs += 1;
        }
        for change in std::mem::take(&mut self.waiting) {
            if odds.survives(random) {
                self.platter.change(&change);
                continue;
            }
            match change {
                Change::Write { offset, bytes } => self.platter.lose(offset, &bytes, odds, random, bites),
                Change::Truncate { .. } => bites.lost_truncates += 1,
            }
        }
        self.platter.copy_onto(&self.cache)?;
        self.platter = Platter::default();
        Ok(())
    }

    /// What the platter holds of all that is certain.
    pub(super) fn copy_certain(&mut self, to: &File) -> io::Result<()> {
        self.look_outside()?;
        copy(&self.cache, to)?;
        if self.is_at_risk() { self.platter.copy_onto(to) } else { Ok(()) }
    }

    /// What the cache holds.
    pub(super) fn copy_cached(&self, to: &File) -> io::Result<()> {
        copy(&self.cache, to)
    }

    /// What is written by other means than SQLite's counts as synced. While a file waits for nothing that is the case
    /// without a word; after a failed sync it is looked for, since writing a file again is what heals it.
    fn look_outside(&mut self) -> io::Result<()> {
        if self.platter.parted && self.cache.metadata()?.modified()? != OURS {
            self.settle();
        }
        if !self.is_at_risk() {
            self.platter.bytes = self.bytes()?;
        }
        Ok(())
    }

    /// See [`CachedFile::look_outside`].
    fn mark(&self) -> io::Result<()> {
        if self.platter.parted { self.cache.set_modified(OURS) } else { Ok(()) }
    }

    /// Keeps what the platter holds of a part of the file that is to change in the cache.
    fn remember(&mut self, part: Range<u64>) -> io::Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let block_bytes = BLOCK_BYTES as u64;
        for number in part.start / block_bytes..=(part.end - 1) / block_bytes {
            if !self.platter.blocks.contains_key(&number) {
                let mut block = Box::new([0; BLOCK_BYTES]);
                read_block(&self.cache, number, &mut block)?;
                self.platter.blocks.insert(number, block);
            }
        }
        Ok(())
    }
}

impl Platter {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes } => self.write(*offset, bytes),
            Change::Truncate { bytes } => self.truncate(*bytes),
        }
    }

    fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        self.bytes = self.bytes.max(offset + bytes.len() as u64);
        let mut at = offset;
        while !bytes.is_empty() {
            let (number, within) = place(at);
            let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - within));
            // Of every block that a waiting change touches the platter's is here: see `remember`.
            if let Some(block) = self.blocks.get_mut(&number) {
                block[within..within + piece.len()].copy_from_slice(piece);
            }
            (at, bytes) = (at + piece.len() as u64, rest);
        }
    }

    fn truncate(&mut self, bytes: u64) {
        let (number, within) = place(bytes);
        for (found, block) in self.blocks.range_mut(number..) {
            block[if *found == number { within } else { 0 }..].fill(0);
        }
        self.bytes = bytes;
    }

    /// A write that does not survive as a whole: some of its sectors may, and the file may have grown for it.
    fn lose(&mut self, offset: u64, bytes: &[u8], odds: &Odds, random: &mut Random, bites: &mut Bites) {
        let torn = random.percent(odds.torn_percent);
        let grown = random.percent(25);
        let (mut kept, mut lost) = (false, false);
        for sector in sectors(offset, bytes.len()) {
            if torn && random.percent(50) {
                kept = true;
                self.write(offset + sector.start as u64, &bytes[sector]);
            } else {
                lost = true;
            }
        }
        if grown {
            self.bytes = self.bytes.max(offset + bytes.len() as u64);
        }
        match (kept, lost) {
            (true, true) => bites.torn_writes += 1,
            (false, true) => bites.lost_writes += 1,
            (_, false) => {}
        }
    }

    fn copy_onto(&self, file: &File) -> io::Result<()> {
        for (number, block) in &self.blocks {
            file.write_all_at(&block[..], number * BLOCK_BYTES as u64)?;
        }
        file.set_len(self.bytes)
    }
}

/// Block and place in it.
fn place(offset: u64) -> (u64, usize) {
    let block_bytes = BLOCK_BYTES as u64;
    let within = usize::try_from(offset % block_bytes).expect("smaller than a block");
    (offset / block_bytes, within)
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: u64, bytes: usize) -> impl Iterator<Item = Range<usize>> {
    let first = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).expect("no more than a sector");
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = bytes.min(if start == 0 { first } else { start + SECTOR_BYTES as usize });
        let sector = start..end;
        start = end;
        (!sector.is_empty()).then_some(sector)
    })
}

/// What is behind the end reads as zeros.
fn read_block(file: &File, number: u64, block: &mut [u8; BLOCK_BYTES]) -> io::Result<()> {
    let mut read = 0;
    while read < BLOCK_BYTES {
        match file.read_at(&mut block[read..], number * BLOCK_BYTES as u64 + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block[read..].fill(0);
    Ok(())
}

fn copy(from: &File, to: &File) -> io::Result<()> {
    let mut block = [0; BLOCK_BYTES];
    let bytes = from.metadata()?.len();
    for number in 0..bytes.div_ceil(BLOCK_BYTES as u64) {
        read_block(from, number, &mut block)?;
        to.write_all_at(&block, number * BLOCK_BYTES as u64)?;
    }
    to.set_len(bytes)
}

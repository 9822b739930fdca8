//! Histories part: the server was restored from a backup and no longer holds all that it told us; or we were restored
//! from a copy and no longer know all that we did. Either way the person is told, and nothing is thrown away.

use std::collections::BTreeMap;

use steadfast_proto::ids::{Place, RoomId};

use super::apply::Applying;
use super::aside::Moved;
use super::consumer;
use super::error::ApplyError;
use super::notices::NoticeKind;
use super::number::checked_position;
use super::rewind::{self, LostRoom};

/// What waits for its numbers stands behind this sequence, which no device reaches.
pub(super) const UNNUMBERED: u64 = 1 << 40;

impl Applying<'_> {
    /// The server's history parted from ours after `common`, and holds this device's operations up to
    /// `last_sequence`.
    pub(super) fn diverged(&mut self, common: u64, last_sequence: u64) -> Result<(), ApplyError> {
        let last_sequence = checked_position(last_sequence)?;
        self.flush()?;
        let moved = self.tables.move_aside(common, self.standing.account, self.at_ms)?;
        let lost = rewind::rewind_rooms(self.tables, common)?;
        self.tables.add_rewind(consumer::LOG, common)?;
        self.rewind_place(common)?;
        // None of it may go out before it is known what of it that history has already.
        self.renumber(last_sequence, last_sequence.max(UNNUMBERED), &lost)?;
        if moved != Moved::default() || !lost.is_empty() {
            let kind = NoticeKind::MovedAside { messages: moved.entries };
            self.tables.add_notice(self.at_ms, kind, &moved_text(moved, &lost))?;
        }
        Ok(())
    }

    /// All that the server's history has came: what still waits goes out from behind this sequence on.
    pub(super) fn renumbered(&mut self, kept_through: u64, set_back: bool) -> Result<(), ApplyError> {
        let kept_through = checked_position(kept_through)?;
        self.flush()?;
        let behind = if set_back { 0 } else { kept_through };
        self.renumber(behind, kept_through, &BTreeMap::new())?;
        if set_back {
            let waiting = self.standing.outbox_rows;
            let text = format!(
                "this profile was set back to an earlier state (restored or copied): what was sent since is here \
                 again, and {waiting} operations that still wait go out behind it"
            );
            self.tables.add_notice(self.at_ms, NoticeKind::SetBack { waiting }, &text)?;
        }
        Ok(())
    }

    /// Back to `common`, under a term whose history holds it. Terms that the server's history shares come before
    /// those that it does not (each continued the one before it), and the highest position that is both shared and
    /// told is `common`: so the oldest term that told as much is a shared one, and a later one that told more is not.
    /// A term that told less stays: what it told is true in both histories.
    ///
    /// The place may be behind `common` (an outcome tells more than the stream brought), and then stays there.
    fn rewind_place(&mut self, common: u64) -> Result<(), ApplyError> {
        let terms = self.tables.terms()?;
        let holder = terms.iter().find(|(_, highest)| *highest >= common).map(|(term, _)| *term);
        self.tables.rewind_terms(common, holder)?;
        let back = |place: Place| Place { position: place.position.min(common), term: holder.unwrap_or(place.term) };
        self.standing.place = self.standing.place.map(back);
        self.standing.told = self.standing.told.map(back);
        let kept = self.tables.terms()?;
        self.standing.link_term = self.standing.link_term.filter(|link| kept.iter().any(|(term, _)| term == link));
        Ok(())
    }
}

fn moved_text(moved: Moved, lost: &BTreeMap<RoomId, LostRoom>) -> String {
    let mut text = format!(
        "the server went back to an earlier state: {} entries that it no longer has were moved aside, {} of them yours",
        moved.entries, moved.own
    );
    if !lost.is_empty() {
        let names: Vec<&str> = lost.values().map(|room| room.name.as_str()).collect();
        text.push_str("; you are no longer in: ");
        text.push_str(&names.join(", "));
    }
    text
}

//! The session and its profile: what is to be stored, and what follows once it is.

use super::cause::ProtocolFault;
use super::intake::Intake;
use super::known::Known;
use super::up::Phase;
use super::{Cause, Change, Event, Line, Recount, Reply, Resume, Session, Stored};
use crate::time::Instant;
use crate::wire;

impl Session {
    /// The next batch of changes to store, if none is being stored.
    pub fn poll_store(&mut self, now: Instant) -> Option<Vec<Change>> {
        self.intake.poll(now)
    }

    /// Rows of the outbox, as asked for by [`Event::Load`]; `more` if the limits cut the answer short.
    pub fn handle_loaded(&mut self, now: Instant, generation: u64, rows: Vec<wire::Op>, more: bool) {
        self.outbox.handle_loaded(generation, rows, more);
        self.poll_outbox();
        self.settle_flight(now);
    }

    /// The batch that [`poll_store`](Self::poll_store) gave is committed and synced. If it held a `Diverged`,
    /// `resume` is what the profile says now.
    pub fn handle_stored(&mut self, now: Instant, stored: &Stored, resume: Option<Resume>) {
        let Some(mark) = self.intake.handle_stored() else { return };
        match resume {
            Some(resume) if mark.resets => self.handle_reset(now, resume),
            Some(_) | None => {
                self.recorder.handle_settled(self.outbox.handle_confirmed(stored.confirmed_through, &stored.entered));
            }
        }
        if let Line::Up(up) = &mut self.line
            && up.number == mark.link
            && mark.stream_bytes > 0
        {
            up.acknowledge(stored.position, mark.stream_bytes);
        }
        self.acknowledge_unstored();
        if mark.renumbers {
            self.handle_renumbered(now, stored.confirmed_through);
        }
        for number in mark.answered {
            self.handle_done(number);
        }
        self.settle_awaiting();
        self.poll_outbox();
        self.settle_flight(now);
    }

    /// What came contradicts what is stored, and can never be: going on could only hide it.
    pub fn handle_store_refused(&mut self, now: Instant) {
        self.intake = Intake::default();
        let rule = "what the server sent contradicts what is stored";
        self.end(now, Cause::ProtocolError(ProtocolFault::Rule(rule)));
        self.line = Line::Stopped;
    }

    /// What a request brought is stored.
    fn handle_done(&mut self, number: u32) {
        match self.recount {
            Recount::Syncing { sync, kept_through, set_back } if sync == number => {
                self.recount = Recount::Renumbering;
                self.intake.push(Change::Renumbered { kept_through, set_back });
            }
            Recount::No | Recount::Wanted | Recount::Syncing { .. } | Recount::Renumbering => {
                self.events.push_back(Event::Answered { number, result: Ok(Reply::Done) });
            }
        }
    }

    /// What waits has its numbers, and may go.
    fn handle_renumbered(&mut self, now: Instant, confirmed_through: u64) {
        self.outbox.handle_reset(confirmed_through);
        if self.recount != Recount::Renumbering {
            return;
        }
        self.recount = Recount::No;
        let Line::Up(up) = &mut self.line else { return };
        if up.settled {
            return self.leave(now, &Cause::Renumbered);
        }
        match up.last_sequence {
            // The numbers are of a link before, and the server was set back since.
            Some(last_sequence) if last_sequence < confirmed_through => self.recount(last_sequence, false),
            Some(_) | None => up.listens_only = false,
        }
    }

    fn handle_reset(&mut self, now: Instant, resume: Resume) {
        let account = self.known.account;
        let confirmed_through = resume.confirmed_through;
        self.known = Known::new(resume);
        self.known.account = account;
        self.outbox.handle_reset(confirmed_through);
        match &mut self.line {
            Line::Up(up) if up.phase == Phase::Fresh => up.listens_only = self.recount != Recount::No,
            Line::Up(up) if up.phase == Phase::GoingBack => {
                up.go_on(self.known.place.map_or(0, |place| place.position), confirmed_through);
            }
            // What was said on this link was said by who we were.
            Line::Up(_) => self.leave(now, &Cause::Superseded),
            Line::Offline { .. } | Line::Connecting | Line::Asking | Line::Stopped => {}
        }
    }

    /// Leaves the link for another one.
    fn leave(&mut self, now: Instant, cause: &Cause) {
        self.record_loss(now, cause);
        self.people.handle_loss();
        self.reconnect.handle_replaced();
        self.events.push_back(Event::Close);
        self.connect();
    }

    /// Frames of the entries lane that say nothing to store are acknowledged, too: they cost credit like any.
    pub(super) fn acknowledge_unstored(&mut self) {
        if let Some(mark) = self.intake.poll_nothing_to_store()
            && let Some(position) = self.known.place.map(|place| place.position)
            && let Some(up) = self.up_mut()
            && up.number == mark.link
        {
            up.acknowledge(position, mark.stream_bytes);
        }
    }
}

//! The session and its profile: what is to be stored, and what follows once it is.

use super::cause::ProtocolFault;
use super::intake::Intake;
use super::known::Known;
use super::up::Phase;
use super::{Cause, Change, Event, Line, Reply, Resume, Rollback, Session, Stored};
use crate::ids::DeviceId;
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

    /// The batch that [`poll_store`](Self::poll_store) gave is committed and synced. If it held a `Diverged` or a
    /// `NewDevice`, `resume` is what the profile says now.
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
            self.handle_renumbered(stored.confirmed_through);
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

    /// The identity that a rolled-back profile goes on with.
    pub fn handle_new_device(&mut self, device_id: DeviceId, secret: [u8; 32]) {
        self.intake.push(Change::NewDevice { device_id, secret });
    }

    /// What a request brought is stored.
    fn handle_done(&mut self, number: u32) {
        match self.rollback {
            Rollback::Syncing(sync) if sync == number => {
                self.rollback = Rollback::Renewing;
                self.events.push_back(Event::NeedDevice);
            }
            Rollback::Recounting { sync, kept_through } if sync == number => {
                self.rollback = Rollback::Renumbering;
                self.intake.push(Change::Renumbered { kept_through });
            }
            Rollback::No
            | Rollback::Syncing(_)
            | Rollback::Renewing
            | Rollback::Recounting { .. }
            | Rollback::Renumbering => {
                self.events.push_back(Event::Answered { number, result: Ok(Reply::Done) });
            }
        }
    }

    /// What waits has its numbers, and may go.
    fn handle_renumbered(&mut self, confirmed_through: u64) {
        self.outbox.handle_reset(confirmed_through);
        if self.rollback == Rollback::Renumbering {
            self.rollback = Rollback::No;
            if let Line::Up(up) = &mut self.line {
                up.listens_only = false;
            }
        }
    }

    fn handle_reset(&mut self, now: Instant, resume: Resume) {
        let confirmed_through = resume.confirmed_through;
        let new_device = resume.identity.device_id != self.known.identity.device_id;
        if new_device {
            // Only who we are changed: entries that came meanwhile are taken in already.
            self.known.identity = resume.identity;
            self.rollback = Rollback::No;
        } else {
            let account = self.known.account;
            self.known = Known::new(resume);
            self.known.account = account;
        }
        self.outbox.handle_reset(confirmed_through);
        match &mut self.line {
            Line::Up(up) if up.phase == Phase::Fresh => up.listens_only = self.rollback != Rollback::No,
            Line::Up(up) if up.phase == Phase::GoingBack && !new_device => {
                up.go_on(self.known.place.map_or(0, |place| place.position), confirmed_through);
            }
            // What was said on this link was said by who we were; who we are now introduces itself.
            Line::Up(_) => {
                self.record_loss(now, if new_device { &Cause::NewDevice } else { &Cause::Superseded });
                self.people.handle_loss();
                self.reconnect.handle_replaced();
                self.events.push_back(Event::Close);
                self.connect();
            }
            Line::Offline { .. } | Line::Connecting | Line::Asking | Line::Stopped => {}
        }
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

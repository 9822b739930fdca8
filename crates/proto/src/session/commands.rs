//! What the user, or the program, wants of the line; at any moment.

use super::cause::NextStep;
use super::up::{Phase, Up};
use super::{Cause, Event, Line, Login, Session};
use crate::ids::RoomId;
use crate::time::Instant;
use crate::wire::{self, ByeReason, frame::Kind};

impl Session {
    /// The user wants no line.
    pub fn stop(&mut self, now: Instant) {
        match &mut self.line {
            Line::Up(up) => {
                // Who has not greeted has nobody to say goodbye to.
                if up.phase != Phase::Fresh {
                    let bye = wire::Bye { reason: ByeReason::Stopped.into(), ..wire::Bye::default() };
                    up.link.send(now, Kind::Bye(bye), &mut self.farewell);
                }
                self.end(now, Cause::StoppedByUser);
            }
            Line::Connecting => self.events.push_back(Event::Close),
            Line::Offline { .. } | Line::Asking | Line::Stopped => {}
        }
        self.login = Login::Wanted;
        self.cause = Some(Cause::StoppedByUser);
        self.line = Line::Stopped;
        self.events.push_back(Event::StatusChanged);
    }

    /// The user wants the line back.
    pub fn resume(&mut self) {
        if matches!(self.line, Line::Stopped) {
            self.reconnect.handle_try_now();
            self.connect();
        }
    }

    /// Tries at once where a pause was running, or where nothing would have been tried any more.
    pub fn try_now(&mut self) {
        match &mut self.line {
            Line::Stopped if self.cause == Some(Cause::StoppedByUser) => {}
            Line::Offline { .. } | Line::Stopped => {
                self.reconnect.handle_try_now();
                self.connect();
            }
            Line::Up(up) => up.link.liveness_mut().want_ping(),
            Line::Connecting | Line::Asking => {}
        }
    }

    /// Whether to try again after a loss. Switching it off ends a pause that runs; switching it on begins with a try.
    pub fn set_reconnect(&mut self, on: bool) {
        self.settings.reconnect = on;
        let lost = self.cause.as_ref().is_some_and(|cause| match cause.next_step() {
            NextStep::Now | NextStep::Backoff | NextStep::Wait { .. } => true,
            NextStep::AskUser | NextStep::Never => false,
        });
        match &self.line {
            Line::Offline { .. } if !on => self.line = Line::Stopped,
            Line::Stopped if on && lost => self.connect(),
            Line::Offline { .. } | Line::Connecting | Line::Up(_) | Line::Asking | Line::Stopped => {}
        }
        self.events.push_back(Event::StatusChanged);
    }

    /// Whether to log in by itself once a lost line is back. Switching it on answers a question that is open.
    pub fn set_auto_login(&mut self, on: bool) {
        self.settings.auto_login = on;
        if on {
            self.log_in();
        }
        self.events.push_back(Event::StatusChanged);
    }

    /// The user's answer where the status says that login is asked for.
    pub fn log_in(&mut self) {
        if self.login == Login::Asked {
            self.login = Login::Wanted;
            if matches!(self.line, Line::Asking) {
                self.reconnect.handle_try_now();
                self.connect();
            }
            self.events.push_back(Event::StatusChanged);
        }
    }

    /// The addresses or routes of this machine changed. That proves nothing: a line that is up is probed, a pause
    /// after a loss is cut short.
    pub fn handle_network_changed(&mut self, now: Instant) {
        self.hints.handle_hint(now);
    }

    /// Which rooms the user looks at, 16 at most: the server tells of their people, as
    /// [`people`](Self::people) shows it. Kept over drops.
    pub fn watch(&mut self, rooms: &[RoomId]) {
        self.people.watch(rooms);
    }

    /// The user is typing in a room. Others hear of it at most once a second, and only over a line that is up.
    pub fn type_in(&mut self, now: Instant, room: RoomId) {
        if self.up().is_some_and(Up::may_request) {
            self.people.type_in(now, room);
        }
    }

    pub(super) fn act_on_hint(&mut self, now: Instant) {
        if !self.hints.take_due(now) {
            return;
        }
        let local = self.cause.as_ref().is_none_or(|cause| cause.next_step() == NextStep::Backoff);
        match &mut self.line {
            Line::Up(up) => up.link.liveness_mut().want_ping(),
            // Where the peer said when to come back, a route of ours changes nothing.
            Line::Offline { retry_at } if local => *retry_at = now,
            Line::Offline { .. } | Line::Asking | Line::Stopped => {}
            // The try under way may have begun too early to succeed.
            Line::Connecting => self.hints.handle_hint(now),
        }
    }
}

//! What each kind of frame means to a session.

use super::cause::ProtocolFault;
use super::{Cause, Change, Event, Line, Recount, Reply, Request, Session};
use crate::time::{Duration, Instant};
use crate::wire::{Entry, Failed, HistoryPage, Settled, Welcome, frame::Kind};

/// What a store can hold, and count on from, of positions and sequences.
const NUMBER_MAX: u64 = i64::MAX as u64 - 1;

impl Session {
    pub(super) fn handle_frame(&mut self, now: Instant, kind: Kind, wire_bytes: u64) -> Result<(), Cause> {
        let Line::Up(up) = &mut self.line else { return Ok(()) };
        up.check_time(&kind)?;
        check_numbers(&kind)?;
        match kind {
            Kind::Bye(bye) => return Err(Cause::from_bye(bye.reason(), bye.retry_after_ms)),
            Kind::Welcome(welcome) => self.handle_welcome(now, &welcome)?,
            Kind::Diverged(diverged) => {
                up.handle_diverged(&diverged, &self.known, &mut self.intake)?;
                // What was asked of it before it knew where to begin was dropped.
                self.requests.handle_link();
                self.people.handle_diverged();
                self.recount(diverged.last_sequence, false);
            }
            Kind::Entry(_) | Kind::Heads(_) | Kind::Through(_) | Kind::Gap(_) => {
                up.check_stream(&kind, wire_bytes, &self.known)?;
                self.record_arrival(&kind);
                if let Kind::Entry(entry) = &kind {
                    self.people.handle_entry(entry, self.known.account);
                }
                let Line::Up(up) = &mut self.line else { return Ok(()) };
                let answered = up.handle_stream(kind, wire_bytes, &mut self.known, &mut self.intake)?;
                if let Some(number) = answered
                    && self.requests.handle_answer(number, |request| matches!(request, Request::Sync))?
                {
                    self.intake.handle_answered(number);
                }
            }
            Kind::Outcomes(outcomes) => {
                for outcome in outcomes.outcomes {
                    if self.outbox.handle_outcome(&outcome) {
                        self.known.tell(outcome.position);
                        self.intake.push(Change::Outcome(outcome));
                    }
                }
            }
            Kind::Hold(hold) => {
                self.outbox.handle_hold(&hold, now);
                self.events.push_back(Event::StatusChanged);
            }
            Kind::Settled(settled) => self.handle_settled(&settled)?,
            Kind::HistoryPage(page) => self.handle_page(page)?,
            Kind::Failed(failed) => self.handle_failed(&failed),
            Kind::Signal(signal) => self.people.handle_signal(now, signal),
            Kind::MembersPage(page) => {
                let fits = |request: &Request| matches!(request, Request::Members { .. });
                self.handle_reply(page.number, Reply::Members(page), fits)?;
            }
            Kind::RoomsPage(page) => {
                let fits = |request: &Request| matches!(request, Request::Rooms { .. });
                self.handle_reply(page.number, Reply::Rooms(page), fits)?;
            }
            Kind::Hello(_)
            | Kind::Continue(_)
            | Kind::Op(_)
            | Kind::Ack(_)
            | Kind::History(_)
            | Kind::Cancel(_)
            | Kind::Sync(_)
            | Kind::Members(_)
            | Kind::Rooms(_)
            | Kind::Watch(_)
            | Kind::Ping(_)
            | Kind::Pong(_) => {
                return Err(Cause::ProtocolError(ProtocolFault::Rule("a server sent what only clients send")));
            }
        }
        Ok(())
    }

    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome) -> Result<(), Cause> {
        let Line::Up(up) = &mut self.line else { return Ok(()) };
        let term = self.known.terms.last().map(|&(term, _)| term.0);
        let told = Some(self.known.told.map_or(0, |told| told.position));
        up.handle_welcome(welcome, &mut self.known, &mut self.intake)?;
        self.people.handle_welcome(told.filter(|_| term != Some(welcome.term)));
        match self.recount {
            Recount::Wanted | Recount::Syncing { .. } => self.recount(welcome.last_sequence, false),
            Recount::No | Recount::Renumbering => {}
        }
        self.fail_unsupported();
        let spread = Duration::from_millis(welcome.return_spread_ms.into());
        self.reconnect.handle_online(now, spread);
        self.catch_up.clear();
        let online = self.recorder.handle_online(now);
        self.record(online);
        self.events.push_back(Event::StatusChanged);
        Ok(())
    }

    fn handle_page(&mut self, page: HistoryPage) -> Result<(), Cause> {
        let number = page.number;
        if self.requests.handle_answer(number, |request| matches!(request, Request::History { .. }))? {
            if let Some(highest) = page.entries.iter().map(|entry| entry.position).max() {
                self.known.tell(highest);
            }
            self.intake.push(Change::Page(page));
            self.intake.handle_answered(number);
        }
        Ok(())
    }

    /// A reply that needs no storing.
    fn handle_reply(&mut self, number: u32, reply: Reply, fits: fn(&Request) -> bool) -> Result<(), Cause> {
        if self.requests.handle_answer(number, fits)? {
            self.events.push_back(Event::Answered { number, result: Ok(reply) });
        }
        Ok(())
    }

    fn handle_failed(&mut self, failed: &Failed) {
        if !self.requests.close(failed.number) {
            return;
        }
        match &mut self.recount {
            // Nothing is sent before our own is answered: it is asked until it is.
            Recount::Syncing { sync, .. } if *sync == failed.number => *sync = self.requests.ask(Request::Sync),
            Recount::No | Recount::Wanted | Recount::Syncing { .. } | Recount::Renumbering => {
                self.events.push_back(Event::Answered { number: failed.number, result: Err(failed.error()) });
            }
        }
    }

    /// Nothing more is sent before all has come that the server has, and what is left is numbered anew.
    pub(super) fn recount(&mut self, kept_through: u64, by_us: bool) {
        if let Line::Up(up) = &mut self.line {
            up.listens_only = true;
        }
        self.recount = match self.recount {
            Recount::Syncing { sync, set_back, .. } => {
                Recount::Syncing { sync, kept_through, set_back: set_back || by_us }
            }
            // The numbers that are being stored may be those of before.
            Recount::No | Recount::Wanted | Recount::Renumbering => {
                Recount::Syncing { sync: self.requests.ask(Request::Sync), kept_through, set_back: by_us }
            }
        };
    }

    /// The server has another history of this device's operations than we have: unless the answer is simply known
    /// already, this profile was set back.
    fn handle_settled(&mut self, settled: &Settled) -> Result<(), Cause> {
        let Line::Up(up) = &mut self.line else { return Ok(()) };
        if up.settled {
            // What was under way behind it is answered in the same way.
            return Ok(());
        }
        if settled.sequence <= self.outbox.confirmed_through() {
            // Known by now, from an entry that overtook the answer; this link takes no more operations all the same.
            return Err(Cause::ProtocolError(ProtocolFault::Rule("an outcome that was known is settled anew")));
        }
        up.settled = true;
        self.recount(settled.last_sequence, true);
        Ok(())
    }
}

/// Refuses positions and sequences that no log reaches, before anything counts with them.
fn check_numbers(kind: &Kind) -> Result<(), Cause> {
    let of = |entry: &Entry| entry.position.max(entry.room_sequence);
    let highest = match kind {
        Kind::Entry(entry) => of(entry),
        Kind::Heads(heads) => heads.rooms.iter().map(|head| head.room_sequence).fold(heads.as_of, u64::max),
        Kind::Through(through) => through.position,
        Kind::Gap(gap) => gap.to_sequence,
        Kind::Outcomes(outcomes) => outcomes.outcomes.iter().map(|outcome| outcome.position).max().unwrap_or(0),
        Kind::HistoryPage(page) => page.entries.iter().map(of).max().unwrap_or(0),
        Kind::Welcome(welcome) => welcome.last_sequence,
        Kind::Diverged(diverged) => diverged.last_sequence,
        Kind::Settled(settled) => settled.last_sequence,
        // What these say is compared and shown, never counted on from.
        Kind::Hold(_) | Kind::Failed(_) | Kind::Bye(_) => 0,
        Kind::Signal(_) | Kind::MembersPage(_) | Kind::RoomsPage(_) | Kind::Ping(_) | Kind::Pong(_) => 0,
        // Of a client.
        Kind::Hello(_) | Kind::Continue(_) | Kind::Op(_) | Kind::Ack(_) | Kind::History(_) | Kind::Cancel(_) => 0,
        Kind::Sync(_) | Kind::Members(_) | Kind::Rooms(_) | Kind::Watch(_) => 0,
    };
    if highest > NUMBER_MAX {
        return Err(Cause::ProtocolError(ProtocolFault::Rule("a position or sequence is beyond all that can be")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{self, Head, Outcome, Outcomes, Through};

    #[test]
    fn a_number_that_no_store_can_hold_is_refused_wherever_it_stands() {
        let kinds = |number: u64| {
            let entry = |position, room_sequence| Entry { position, room_sequence, ..Entry::default() };
            let page = HistoryPage { entries: vec![entry(1, number)], ..HistoryPage::default() };
            let head = Head { room_sequence: number, ..Head::default() };
            [
                Kind::Entry(entry(number, 1)),
                Kind::Entry(entry(1, number)),
                Kind::Heads(wire::Heads { as_of: number, ..wire::Heads::default() }),
                Kind::Heads(wire::Heads { rooms: vec![head], ..wire::Heads::default() }),
                Kind::Through(Through { position: number, number: 0 }),
                Kind::Gap(wire::Gap { to_sequence: number, ..wire::Gap::default() }),
                Kind::Outcomes(Outcomes { outcomes: vec![Outcome { position: number, ..Outcome::default() }] }),
                Kind::HistoryPage(page),
                Kind::Welcome(Welcome { last_sequence: number, ..Welcome::default() }),
                Kind::Diverged(wire::Diverged { last_sequence: number, ..wire::Diverged::default() }),
                Kind::Settled(Settled { sequence: 1, last_sequence: number }),
            ]
        };
        for kind in kinds(NUMBER_MAX) {
            assert_eq!(check_numbers(&kind), Ok(()), "{kind:?}");
        }
        for kind in kinds(NUMBER_MAX + 1) {
            assert!(matches!(check_numbers(&kind), Err(Cause::ProtocolError(_))), "{kind:?}");
        }
    }
}

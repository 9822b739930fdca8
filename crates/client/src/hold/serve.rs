//! What the session, the profile and other processes ask of the one that holds the link.

use steadfast_net::clock::{BootClock, wall_ms};
use steadfast_net::driver::Driver;
use steadfast_net::tcp::{self, unacknowledged_bytes};
use steadfast_proto::session::{self, Cause, Event, Request, State};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{Op, RequestError};
use steadfast_store::profile::{ApplyError, ProfileError, Want};

use super::{Applied, Asker, CLOSE, Connected, Holding, STORE_RETRY, connect, text_of_answer};
use crate::driving::Command;
use crate::error::AskError;
use crate::flight::Flight;
use crate::others::Wanted;
use crate::people::Answered;
use crate::status::{STORING_TOLD, State as LineState, Status};

/// How often other processes are shown figures that always move, at most.
const FIGURES_PAUSE: Duration = Duration::from_secs(1);

/// Requests that may be open, of this client and of other processes.
const REQUESTS_MAX: usize = 256;

impl Holding<'_> {
    pub(super) fn serve(&mut self, event: Event) {
        match event {
            Event::Connect => self.connecting = Some(connect(&self.driving.options)),
            Event::Close => self.close_line(),
            Event::Load(load) => self.load(load),
            Event::StatusChanged => {}
            Event::Answered { number, result } => {
                self.driving.note_change();
                self.answer(number, result.map(Answered::from));
            }
            Event::Recorded(flight) => self.keep_flight(&flight),
        }
    }

    pub(super) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Appended => self.session.handle_appended(),
            Command::Ask(request, asked) => self.ask(request, Asker::Here(asked)),
            Command::TryNow => self.session.try_now(),
            Command::Stop => self.session.stop(BootClock::now()),
            Command::Resume => self.session.resume(),
            Command::LogIn => self.session.log_in(),
            Command::Reconnect(on) => self.set_reconnect(on),
            Command::AutoLogin(on) => self.set_auto_login(on),
            Command::Watch(rooms) => self.watch(rooms),
            Command::TypeIn(room) => self.type_in(room),
            // Handled by the loop.
            Command::Close(_) => {}
        }
    }

    // Kept in the options, too: this process may hand the line over and drive it again.
    fn set_reconnect(&mut self, on: bool) {
        self.driving.options.reconnect = on;
        self.session.set_reconnect(on);
    }

    fn set_auto_login(&mut self, on: bool) {
        self.driving.options.auto_login = on;
        self.session.set_auto_login(on);
    }

    pub(super) fn keep_flight(&self, flight: &session::Flight) {
        let (kept, process, link) = (Flight::of(flight, BootClock::now()), self.driving.process, flight.link);
        // History for a person: losing a line of it to a full disk is better than stopping for it.
        drop(self.driving.live.start_job(move |profile| kept.keep(profile, process, link)));
    }

    /// Another process called: its rows and its wishes. Never waits.
    pub(super) fn look_for_wants(&mut self) {
        self.session.handle_appended();
        if let Some(others) = &mut self.others {
            others.look();
        }
    }

    pub(super) fn handle_wanted(&mut self, wanted: Result<Wanted, ProfileError>) {
        let wants = match wanted {
            Ok(Wanted { wants, watched }) => {
                self.watch_for_others(watched);
                wants
            }
            Err(error) => return tracing::warn!(%error, "wishes of other processes can't be read"),
        };
        for (number, want) in wants {
            let there = Asker::There(number);
            match want {
                Want::TryNow => self.session.try_now(),
                Want::Stop => self.session.stop(BootClock::now()),
                Want::Resume => self.session.resume(),
                Want::LogIn => self.session.log_in(),
                Want::Reconnect(on) => self.set_reconnect(on),
                Want::AutoLogin(on) => self.set_auto_login(on),
                Want::Answer => self.tell(number, Ok(Answered::Stored)),
                Want::TypeIn(room) => self.type_in(room),
                Want::Members { room, after } => self.ask(Request::Members { room, after }, there),
                Want::Rooms { after } => self.ask(Request::Rooms { after }, there),
                Want::Sync => self.ask(Request::Sync, there),
                Want::History { room, from, to } => {
                    self.ask(Request::History { room, from_sequence: from, to_sequence: to }, there);
                }
            }
        }
    }

    /// Asks the server, unless too much is asked already.
    pub(super) fn ask(&mut self, request: Request, asker: Asker) {
        let gone: Vec<u32> =
            self.asked.iter().filter(|(_, asker)| asker.is_gone()).map(|(&number, _)| number).collect();
        for number in gone {
            self.asked.remove(&number);
            self.session.cancel(number);
        }
        if self.asked.len() >= REQUESTS_MAX {
            return self.reply(asker, Err(RequestError::Busy));
        }
        let number = self.session.ask(request);
        self.asked.insert(number, asker);
    }

    pub(super) fn handle_connected(&mut self, connected: Connected) {
        let now = BootClock::now();
        match connected {
            Ok((stream, applied)) => {
                tracing::info!(%applied, "connected");
                // Not every system tells.
                self.connecting_took = tcp::info(&stream).ok().map(|info| info.rtt);
                self.line = Some(Driver::new(stream));
                self.kernel = Some(applied);
                self.session.handle_opened(now);
            }
            Err(error) => {
                tracing::debug!(cause = error.cause.name(), "no connection: {}", error.text);
                self.session.handle_open_failed(now, error.cause);
            }
        }
    }

    pub(super) fn handle_deadline(&mut self) {
        let now = BootClock::now();
        if let Some((changes, at)) = self.unstored.take() {
            if now < at {
                self.unstored = Some((changes, at));
            } else {
                self.store(changes);
            }
        }
        if let Some((generation, at)) = self.unloaded
            && now >= at
        {
            self.unloaded = None;
            self.session.handle_loaded(now, generation, Vec::new(), true);
        }
        if self.session.poll_timeout().is_none_or(|(at, _)| now < at) {
            return;
        }
        if self.line.is_some() {
            self.move_bytes(Driver::on_deadline);
        } else {
            self.session.handle_timeout(now);
        }
    }

    pub(super) fn handle_loaded(&mut self, generation: u64, rows: Result<(Vec<Op>, bool), ProfileError>) {
        match rows {
            Ok((rows, more)) => self.session.handle_loaded(BootClock::now(), generation, rows, more),
            Err(error) if !error.is_passing() => self.failed = Some(error),
            Err(error) => {
                tracing::warn!(%error, "the outbox can't be read: trying again");
                self.unloaded = Some((generation, BootClock::now() + STORE_RETRY));
            }
        }
    }

    pub(super) fn handle_applied(&mut self, (applied, changes): Applied) {
        match applied {
            Ok((stored, resume)) => {
                self.stored_later_as = None;
                self.session.handle_stored(BootClock::now(), &stored, resume);
                self.driving.note_change();
            }
            // A failed sync proves nothing about the next one: what arrived is not acknowledged, by this process never.
            Err(ApplyError::Profile(error)) if !error.is_passing() => self.failed = Some(error),
            // A passing obstacle of the disk: nothing was acknowledged, so it can be tried again for ever.
            Err(ApplyError::Profile(error)) => {
                // The status says it, too, for as long as it lasts.
                tracing::info!(%error, "what arrived can't be stored: trying again");
                self.stored_later_as = Some(error.to_string());
                self.unstored = Some((changes, BootClock::now() + STORE_RETRY));
            }
            // The server broke its own order: going on could only hide it.
            Err(error) => {
                tracing::error!(%error, "what arrived contradicts what is stored: stopped");
                self.session.handle_store_refused(BootClock::now());
            }
        }
    }

    fn close_line(&mut self) {
        if let Some(connecting) = self.connecting.take() {
            connecting.abort();
        }
        self.move_bytes(Driver::on_writable);
        if let Some(driver) = self.line.take() {
            // What the socket still holds is let go with it: a dead line takes nothing, and nothing waits for it.
            tracing::debug!(queued = ?unacknowledged_bytes(driver.stream()).ok(), "connection closed");
            if self.has_died() {
                driver.abandon();
            }
        }
    }

    /// Whether the link that ends now ends because nothing came any more.
    fn has_died(&self) -> bool {
        let status = self.session.status();
        let ended = matches!(status.state, State::Offline | State::Stopped);
        ended && matches!(status.cause, Some(Cause::Silent { .. } | Cause::HandshakeTimedOut))
    }

    fn answer(&mut self, number: u32, result: Result<Answered, RequestError>) {
        if let Some(asker) = self.asked.remove(&number) {
            self.reply(asker, result);
        }
    }

    fn reply(&self, asker: Asker, result: Result<Answered, RequestError>) {
        match asker {
            // The asker may have gone.
            Asker::Here(asked) => drop(asked.send(result.map_err(AskError::of))),
            Asker::There(want) => self.tell(want, result),
        }
    }

    fn tell(&self, want: u64, result: Result<Answered, RequestError>) {
        if let Some(others) = &self.others {
            others.answer(want, text_of_answer(result));
        }
    }

    fn status(&self) -> Status {
        let mut known = self.session.status();
        if known.state == State::Online {
            known.round_trip = known.round_trip.or(self.connecting_took);
        }
        let mut status = Status::of(&known, self.kernel.as_ref().filter(|_| self.line.is_some()));
        status.storing_text = self.stored_later_as.clone().filter(|_| status.storing_for_ms.is_some());
        status
    }

    /// When figures are to be shown that moved just after others were shown some, or that move though nothing happens:
    /// how long a store takes.
    pub(super) fn next_figures(&self) -> Option<Instant> {
        let again = self.figures_told.map(|told| told + FIGURES_PAUSE);
        let storing = self.session.status().storing_since.map(|since| since + STORING_TOLD);
        let storing = storing.map(|first| match again {
            Some(again) if again >= first + FIGURES_PAUSE => again,
            Some(_) | None => first,
        });
        storing.into_iter().chain(again.filter(|_| self.figures_due)).min()
    }

    /// Shows the status here and to other processes.
    pub(super) fn publish(&mut self) {
        let status = self.status();
        if status.is_online() && std::mem::take(&mut self.earlier_is_open) {
            let process = self.driving.process;
            drop(self.driving.live.start_job(move |profile| Flight::finish_earlier(profile, process, wall_ms())));
        }
        if self.driving.show(status.clone()) {
            match (&status.cause, status.is_online()) {
                (Some(cause), false) => tracing::info!(state = status.state.name(), "{cause}"),
                _ => tracing::info!(state = status.state.name(), "status"),
            }
        } else if self.others_see.as_ref() == Some(&status) {
            self.figures_due = false;
            return;
        } else if self.figures_told.is_some_and(|told| BootClock::now() < told + FIGURES_PAUSE) {
            self.figures_due = true;
            return;
        }
        self.tell_others(&status);
        self.figures_told = Some(BootClock::now());
        self.figures_due = false;
        self.others_see = Some(status);
    }

    /// Ends the line: nothing more that arrives could be acknowledged.
    pub(super) async fn fail(&mut self, error: &ProfileError) {
        tracing::error!(%error, "the profile fails: stopped");
        self.session.stop(BootClock::now());
        self.publish_people();
        self.close_line();
        for (_, asker) in std::mem::take(&mut self.asked) {
            match asker {
                // The asker may have gone.
                Asker::Here(asked) => drop(asked.send(Err(AskError::of_profile(error.clone())))),
                // It is asked of whoever drives next.
                Asker::There(_) => {}
            }
        }
        self.show_others_the_end(&Status::of_failed_profile(error)).await;
    }

    /// The last word: why the line had been given up, where it had, and else that it was stopped on purpose.
    pub(super) async fn publish_stopped(&mut self, ended: session::Status) {
        let cause = ended.cause.filter(|_| ended.state == State::Stopped).unwrap_or(Cause::StoppedByUser);
        let mut status = self.status();
        status.state = LineState::Offline;
        status.cause = Some(crate::cause::Cause::of(&cause));
        self.show_others_the_end(&status).await;
    }

    async fn show_others_the_end(&mut self, status: &Status) {
        self.tell_others(status);
        // The keeper works in order: once this comes back, what was asked of it before is done.
        self.timer.set(Some(BootClock::now() + CLOSE));
        tokio::select! {
            _ = self.driving.live.run(|_| ()) => {}
            _ = self.timer.expired() => {}
        }
    }

    fn tell_others(&self, status: &Status) {
        if let (Some(others), Ok(json)) = (&self.others, serde_json::to_string(status)) {
            others.tell_status(json);
        }
    }
}

//! What the session, the profile and other processes ask of the one that holds the link.

use steadfast_net::clock::{BootClock, wall_ms};
use steadfast_net::driver::Driver;
use steadfast_net::tcp::unacknowledged_bytes;
use steadfast_proto::ids::DeviceId;
use steadfast_proto::session::{Cause, Event, Request};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{Op, RequestError};
use steadfast_store::profile::{ApplyError, LineDrop, ProfileError, Want};

use super::{Applied, Asker, Connected, Holding, STORE_RETRY, connect, text_of_answer};
use crate::driving::Command;
use crate::error::AskError;
use crate::random::random;
use crate::status::Status;

/// How often other processes are shown figures that always move, at most.
const FIGURES_PAUSE: Duration = Duration::from_secs(1);

/// A loss that is not over.
pub(super) struct Dropped {
    at_ms: u64,
    cause: &'static str,
}

impl Holding<'_> {
    pub(super) async fn serve(&mut self, event: Event) {
        match event {
            Event::Connect => self.connecting = Some(connect(&self.driving.options)),
            Event::Close => self.close_line(),
            Event::Load(load) => self.load(load),
            Event::StatusChanged => {}
            Event::Answered { number, result } => {
                self.driving.note_change();
                self.answer(number, result).await;
            }
            Event::Dropped { cause } => {
                let dropped = Dropped { at_ms: wall_ms(), cause: cause.name() };
                self.keep_drop(&dropped, None);
                self.dropped = Some(dropped);
            }
            Event::NeedDevice => match (random(), random()) {
                (Ok(device), Ok(secret)) => self.session.handle_new_device(DeviceId(device), secret),
                (Err(error), _) | (_, Err(error)) => tracing::error!(%error, "no new identity can be drawn"),
            },
        }
    }

    pub(super) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Appended => self.session.handle_appended(),
            Command::Ask(request, asked) => {
                let number = self.session.ask(request);
                self.asked.insert(number, Asker::Here(asked));
            }
            Command::TryNow => self.session.try_now(),
            Command::Stop => self.session.stop(BootClock::now()),
            Command::Resume => self.session.resume(),
            // Handled by the loop.
            Command::Close(_) => {}
        }
    }

    /// Another process called: its rows and its wishes.
    pub(super) async fn look_for_wants(&mut self) {
        const STALE_MS: u64 = 60_000;
        self.session.handle_appended();
        let wants = self.driving.keeper.run(|profile| profile.live().take_wants(wall_ms().saturating_sub(STALE_MS)));
        let wants = match wants.await {
            Ok(Ok(wants)) => wants,
            Ok(Err(error)) => return tracing::warn!(%error, "wishes of other processes can't be read"),
            Err(_) => return,
        };
        for (number, want) in wants {
            let request = match want {
                Want::TryNow => {
                    self.session.try_now();
                    continue;
                }
                Want::Stop => {
                    self.session.stop(BootClock::now());
                    continue;
                }
                Want::Resume => {
                    self.session.resume();
                    continue;
                }
                Want::Answer => {
                    self.tell(number, Ok(())).await;
                    continue;
                }
                Want::Sync => Request::Sync,
                Want::History { room, from, to } => Request::History { room, from_sequence: from, to_sequence: to },
            };
            let asked = self.session.ask(request);
            self.asked.insert(asked, Asker::There(number));
        }
    }

    pub(super) fn handle_connected(&mut self, connected: Connected) {
        let now = BootClock::now();
        match connected {
            Ok((stream, applied)) => {
                tracing::debug!(%applied, "connected");
                self.line = Some(Driver::new(stream));
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
        if self.session.poll_timeout().is_some_and(|(at, _)| now < at) {
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
            Ok((rows, more)) => self.session.handle_loaded(generation, rows, more),
            Err(error) => {
                tracing::error!(%error, "the outbox can't be read");
                self.session.handle_loaded(generation, Vec::new(), true);
            }
        }
    }

    pub(super) fn handle_applied(&mut self, (applied, changes): Applied) {
        match applied {
            Ok((stored, resume)) => {
                self.session.handle_stored(&stored, resume);
                self.driving.note_change();
            }
            // A passing obstacle of the disk: nothing was acknowledged, so it can be tried again for ever.
            Err(ApplyError::Profile(error)) => {
                tracing::warn!(%error, "what arrived can't be stored: trying again");
                self.unstored = Some((changes, BootClock::now() + STORE_RETRY));
            }
            // The server broke its own order: going on could only hide it.
            Err(error) => {
                tracing::error!(%error, "what arrived contradicts what is stored: stopped");
                self.session.stop(BootClock::now());
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
        }
    }

    async fn answer(&mut self, number: u32, result: Result<(), RequestError>) {
        match self.asked.remove(&number) {
            None => {}
            // The asker may have gone.
            Some(Asker::Here(asked)) => drop(asked.send(result.map_err(AskError::Refused))),
            Some(Asker::There(want)) => self.tell(want, result).await,
        }
    }

    async fn tell(&self, want: u64, result: Result<(), RequestError>) {
        let text = text_of_answer(result);
        let answered = self.driving.keeper.run(move |profile| profile.live().answer(want, &text)).await;
        if let Ok(Err(error)) = answered {
            tracing::warn!(%error, "another process can't be answered");
        }
    }

    /// Shows the status here and to other processes.
    pub(super) fn publish(&mut self) {
        let status = Status::of(&self.session.status());
        if status.is_online()
            && let Some(dropped) = self.dropped.take()
        {
            self.keep_drop(&dropped, Some(wall_ms().saturating_sub(dropped.at_ms)));
        }
        if self.driving.show(status.clone()) {
            match (&status.cause_text, status.is_online()) {
                (Some(text), false) => tracing::info!(state = status.state, "{text}"),
                _ => tracing::info!(state = status.state, "status"),
            }
            self.tell_others(&status);
        } else if self.figures_told.is_none_or(|told| BootClock::now() >= told + FIGURES_PAUSE) {
            self.tell_others(&status);
        } else {
            return;
        }
        self.figures_told = Some(BootClock::now());
    }

    pub(super) async fn publish_stopped(&mut self) {
        let mut status = Status::of(&self.session.status());
        status.state = "offline".to_owned();
        status.cause = Some(Cause::StoppedByUser.name().to_owned());
        self.tell_others(&status);
        // The keeper works in order: once this comes back, what was asked of it before is done.
        self.driving.keeper.run(|_| ()).await.ok();
    }

    fn tell_others(&self, status: &Status) {
        if let Ok(json) = serde_json::to_string(status) {
            // A status that others can't read now is read by them with the next one.
            drop(self.driving.keeper.start_job(move |profile| profile.live().set_status(&json)));
        }
    }

    fn keep_drop(&self, dropped: &Dropped, lasted_ms: Option<u64>) {
        let kept =
            LineDrop { at_ms: dropped.at_ms, cause: dropped.cause.to_owned(), lasted_ms, resumed: lasted_ms.is_some() };
        // History for a person: losing a line of it to a full disk is better than stopping for it.
        drop(self.driving.keeper.start_job(move |profile| profile.live().add_drop(&kept)));
    }
}

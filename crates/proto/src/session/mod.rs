//! A client's session: what outlives its links. It knows who the device is, where it stands, what its outbox still has
//! to say, and when to try again; one link at a time belongs to it, and everything of a link dies with the link.
//!
//! The session is pure. Its shell's loop:
//!
//! ```text
//! inputs    handle_opened / handle_open_failed / handle_bytes / handle_lost / handle_timeout
//!           handle_loaded (outbox rows) / handle_stored or handle_reset (a batch of changes is on disk)
//!           handle_appended, ask, handle_network_changed; watch, type_in; stop, resume, try_now, log_in,
//!           set_reconnect, set_auto_login
//! outputs   poll_event until None, poll_store (one batch at a time), poll_transmit while the socket takes bytes,
//!           poll_timeout; status() and people() at any time
//! ```

mod catching;
pub mod cause;
pub mod change;
mod commands;
pub mod divergence;
mod flight;
mod frames;
mod hints;
mod intake;
mod known;
mod outbox;
mod people;
mod reconnect;
mod requests;
mod settings;
mod status;
mod storing;
mod up;

pub use cause::Cause;
pub use change::{Change, Stored};
pub use flight::{Flight, Loss, Return};
pub use outbox::{Held, LOADED_BYTES_MAX, Load, OPERATIONS_IN_FLIGHT_MAX};
pub use people::{People, Person, WATCHED_ROOMS_MAX};
pub use requests::{Reply, Request};
pub use settings::{Begin, Identity, Resume, Schedule, Settings, WINDOW_BYTES};
pub use status::{State, Status};

use std::collections::VecDeque;

use crate::time::Instant;
use crate::wire::RequestError;
use catching::CatchUp;
use flight::Recorder;
use hints::Hints;
use intake::Intake;
use known::Known;
use outbox::Outbox;
use reconnect::Reconnect;
use requests::Requests;
use up::{Phase, Up};

/// What a session wants of its shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Open a transport connection; answer with `handle_opened` or `handle_open_failed`.
    Connect,
    /// Close the transport connection, after what `poll_transmit` still gives, without waiting for the peer.
    Close,
    /// Read rows of the outbox; answer with `handle_loaded`.
    Load(Load),
    /// The status may have changed.
    StatusChanged,
    /// This request is answered, and what it brought is stored, or in the reply.
    Answered {
        /// Its number.
        number: u32,
        /// How it went.
        result: Result<Reply, RequestError>,
    },
    /// The flight recorder has this of a link now; it replaces what it said of the same link before.
    Recorded(Box<Flight>),
}

/// What a session's next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The link's own deadline.
    Link(crate::link::Timer),
    /// The next try.
    Retry,
    /// A hold ends.
    Hold,
    /// The network changed, which is to be looked into.
    Hint,
    /// Somebody has typed long enough ago.
    Typing,
}

/// The line's state; `Up` holds everything that dies with the link.
#[derive(Debug)]
enum Line {
    Offline {
        retry_at: Instant,
    },
    Connecting,
    Up(Box<Up>),
    /// No line, and none is tried before the user has answered whether to log in again.
    Asking,
    Stopped,
}

/// Whether Hello may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// It may.
    Wanted,
    /// A line was lost, and the user wants to be asked before the next one logs in.
    Asked,
}

/// How far what waits has got on its way to new numbers, since the server or this profile was set back; goes on over
/// links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recount {
    /// Its numbers are good.
    No,
    /// An earlier process did not get to it.
    Wanted,
    /// This Sync runs the profile up to the head, so that what the server has of the outbox is not sent again; then the
    /// rest is numbered from behind `kept_through`.
    Syncing {
        /// The Sync's number.
        sync: u32,
        /// The last sequence that the server has.
        kept_through: u64,
        /// It is this profile that was set back.
        set_back: bool,
    },
    /// The new numbers are being stored.
    Renumbering,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    known: Known,
    outbox: Outbox,
    intake: Intake,
    requests: Requests,
    people: People,
    reconnect: Reconnect,
    line: Line,
    login: Login,
    hints: Hints,
    recorder: Recorder,
    catch_up: CatchUp,
    /// Why the last link or try ended.
    cause: Option<Cause>,
    /// Why the line was lost that the user is asked about.
    asked_over: Option<Cause>,
    /// Links of this process, counted.
    links: u64,
    recount: Recount,
    /// What the last link still has to say.
    farewell: Vec<u8>,
    events: VecDeque<Event>,
}

impl Session {
    /// A session that begins as its settings say.
    pub fn new(settings: Settings, resume: Resume) -> Self {
        let (line, login, cause) = match settings.begin {
            Begin::Connect => (Line::Connecting, Login::Wanted, None),
            Begin::Stopped => (Line::Stopped, Login::Wanted, Some(Cause::StoppedByUser)),
            Begin::AskLogin => (Line::Asking, Login::Asked, None),
        };
        let recount = if resume.recounts { Recount::Wanted } else { Recount::No };
        let mut session = Self {
            outbox: Outbox::new(resume.confirmed_through),
            reconnect: Reconnect::new(settings.schedule, settings.jitter_seed),
            settings,
            known: Known::new(resume),
            intake: Intake::default(),
            requests: Requests::default(),
            people: People::default(),
            line,
            login,
            hints: Hints::default(),
            recorder: Recorder::default(),
            catch_up: CatchUp::default(),
            cause,
            asked_over: None,
            links: 0,
            recount,
            farewell: Vec::new(),
            events: VecDeque::new(),
        };
        if matches!(session.line, Line::Connecting) {
            session.events.push_back(Event::Connect);
        }
        session.poll_outbox();
        session
    }

    // ---- what can be asked at any time

    /// The status, as it is now.
    pub fn status(&self) -> Status {
        let (state, next_try) = match &self.line {
            Line::Offline { retry_at } => (State::Offline, Some(*retry_at)),
            Line::Connecting => (State::Connecting, None),
            Line::Up(up) if up.is_online() => (State::Online, None),
            Line::Up(_) if self.login == Login::Asked => (State::Offline, None),
            Line::Up(_) => (State::Connecting, None),
            Line::Asking => (State::Offline, None),
            Line::Stopped => (State::Stopped, None),
        };
        let link = self.up().map(|up| &up.link);
        let asks_login = matches!(self.line, Line::Up(_) | Line::Asking) && self.login == Login::Asked;
        let cause = match state {
            State::Online => None,
            // What failed since is over: the server is, or was, there again.
            _ if asks_login => self.asked_over.clone(),
            State::Connecting | State::Offline | State::Stopped => self.cause.clone(),
        };
        Status {
            state,
            cause,
            round_trip: link.and_then(|link| link.liveness().rtt().smoothed()),
            bound: link.map(|link| link.liveness().bound_in_force()),
            position: self.known.place.map_or(0, |place| place.position),
            tries: self.reconnect.tries(),
            next_try,
            asks_login,
            reconnects: self.settings.reconnect,
            logs_in: self.settings.auto_login,
            held: self.outbox.held(),
            catching_up: self.catch_up.progress().filter(|_| state == State::Online),
            storing_since: self.intake.storing_since(),
        }
    }

    /// The device, as it is known by now.
    pub fn identity(&self) -> &Identity {
        &self.known.identity
    }

    /// The people in the rooms that are watched, as far as the server told.
    pub fn people(&self) -> &People {
        &self.people
    }

    // ---- commands

    /// Rows were appended to the outbox, by whichever process.
    pub fn handle_appended(&mut self) {
        self.outbox.handle_appended();
        self.poll_outbox();
    }

    /// Asks something of the server; an `Answered` with the number given follows, over any drop.
    pub fn ask(&mut self, request: Request) -> u32 {
        let number = self.requests.ask(request);
        self.fail_unsupported();
        number
    }

    /// Nobody waits for the answer to this request any more.
    pub fn cancel(&mut self, number: u32) {
        self.requests.close(number);
    }

    // ---- the transport

    /// The transport connection is open.
    pub fn handle_opened(&mut self, now: Instant) {
        if !matches!(self.line, Line::Connecting) {
            self.events.push_back(Event::Close);
            return;
        }
        self.links += 1;
        self.farewell.clear();
        self.outbox.handle_link();
        self.requests.handle_link();
        let jitter = self.reconnect.jitter().permille();
        let mut up = Up::new(self.links, &self.settings, jitter, now);
        up.listens_only = self.recount != Recount::No;
        self.line = Line::Up(Box::new(up));
        self.recorder.handle_opened(self.links, now);
        if self.login == Login::Asked {
            self.events.push_back(Event::StatusChanged);
        }
    }

    /// The transport connection could not be opened.
    pub fn handle_open_failed(&mut self, now: Instant, cause: Cause) {
        if matches!(self.line, Line::Connecting) {
            self.lose(now, cause);
        }
    }

    /// The transport ended.
    pub fn handle_lost(&mut self, now: Instant, cause: Cause) {
        if matches!(self.line, Line::Up(_)) {
            self.lose(now, cause);
        }
    }

    /// Bytes arrived.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if let Some(up) = self.up_mut() {
            up.link.handle_bytes(now, bytes);
        }
        while let Some(up) = self.up_mut() {
            match up.link.next_frame(now) {
                Ok(None) => break,
                Ok(Some(received)) => {
                    if let Err(cause) = self.handle_frame(now, received.kind, received.wire_bytes) {
                        self.end(now, cause);
                    }
                }
                Err(error) => self.end(now, error.into()),
            }
        }
        self.acknowledge_unstored();
        self.settle_awaiting();
        self.settle_flight(now);
    }

    /// How many bytes the transport still holds, and how fast it was measured to take them.
    pub fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        if let Some(up) = self.up_mut() {
            up.link.liveness_mut().handle_line(queued_bytes, bytes_per_second);
        }
    }

    /// A deadline came.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.outbox.handle_timeout(now);
        self.people.handle_timeout(now);
        self.act_on_hint(now);
        if let Line::Up(up) = &mut self.line
            && let Err(error) = up.link.handle_timeout(now)
        {
            self.end(now, error.into());
        }
        if let Line::Offline { retry_at } = self.line
            && now >= retry_at
        {
            self.connect();
        }
    }

    /// Appends what should leave now, about 16 KiB at most; nothing if nothing should.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        let Line::Up(up) = &mut self.line else { return out.append(&mut self.farewell) };
        // Who we are and where we stand is about to change, or the user is being asked: Hello waits for that.
        if up.phase == Phase::Fresh && (self.intake.is_reset_pending() || self.login == Login::Asked) {
            return;
        }
        up.transmit(now, &self.known, &self.settings, &mut self.outbox, &mut self.requests, out);
        while up.may_tell_people()
            && let Some(kind) = self.people.poll_send(now)
        {
            up.link.send(now, kind, out);
        }
        if self.outbox.is_awaiting() || self.requests.is_awaiting() {
            up.link.liveness_mut().handle_sent_awaiting(now);
        }
        self.poll_outbox();
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let line = match &self.line {
            Line::Offline { retry_at } => Some((*retry_at, Timer::Retry)),
            Line::Connecting | Line::Asking | Line::Stopped => None,
            Line::Up(up) => {
                let (at, timer) = up.link.poll_timeout();
                match self.outbox.held() {
                    Some(held) if held.until < at => Some((held.until, Timer::Hold)),
                    _ => Some((at, Timer::Link(timer))),
                }
            }
        };
        let hint = self.hints.due().map(|at| (at, Timer::Hint));
        let people = self.people.next_deadline().map(|at| (at, Timer::Typing));
        line.into_iter().chain(hint).chain(people).min_by_key(|&(at, _)| at)
    }

    /// What the session wants next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    // ---- inside

    fn settle_awaiting(&mut self) {
        let awaiting = self.outbox.is_awaiting() || self.requests.is_awaiting();
        // Before Welcome it is Hello that waits for its answer.
        if let Some(up) = self.up_mut()
            && !awaiting
            && up.is_online()
        {
            up.link.liveness_mut().handle_all_answered();
        }
    }

    /// What a server that is too old can't answer is not asked of it.
    fn fail_unsupported(&mut self) {
        if self.up().is_some_and(|up| up.is_online() && !up.has_people()) {
            let failed = self.requests.take_of_people().into_iter();
            let answered = failed.map(|number| Event::Answered { number, result: Err(RequestError::Unsupported) });
            self.events.extend(answered);
        }
    }

    fn poll_outbox(&mut self) {
        if let Some(load) = self.outbox.poll_load() {
            self.events.push_back(Event::Load(load));
        }
    }

    fn connect(&mut self) {
        self.line = Line::Connecting;
        self.events.push_back(Event::Connect);
        self.events.push_back(Event::StatusChanged);
    }

    /// Ends the link from this side.
    fn end(&mut self, now: Instant, cause: Cause) {
        if matches!(self.line, Line::Up(_) | Line::Connecting) {
            self.events.push_back(Event::Close);
        }
        self.lose(now, cause);
    }

    fn lose(&mut self, now: Instant, cause: Cause) {
        // A transport that was kept while the user is asked, and went: nothing is tried before the answer.
        let asked_in_vain = matches!(self.line, Line::Up(_)) && self.login == Login::Asked;
        if asked_in_vain && cause != Cause::StoppedByUser {
            self.line = Line::Asking;
            return;
        }
        // Whichever side found it dead: a line that was lost over a sleep was lost to that.
        let waking = self.up().is_some_and(|up| up.link.liveness().is_waking(now));
        let cause = if waking && cause.may_come_of_sleep() { Cause::WokeFromSleep } else { cause };
        if self.up().is_some_and(Up::is_online) && !self.settings.auto_login {
            self.login = Login::Asked;
            self.asked_over = Some(cause.clone());
        }
        self.record_loss(now, &cause);
        self.people.handle_loss();
        // Nothing is tried again where only the user can help, or wants to be the one who tries.
        let retry_at = self.reconnect.handle_loss(now, cause.next_step()).filter(|_| self.settings.reconnect);
        self.line = retry_at.map_or(Line::Stopped, |retry_at| Line::Offline { retry_at });
        self.cause = Some(cause);
        self.events.push_back(Event::StatusChanged);
    }

    fn up(&self) -> Option<&Up> {
        match &self.line {
            Line::Up(up) => Some(up),
            Line::Offline { .. } | Line::Connecting | Line::Asking | Line::Stopped => None,
        }
    }

    fn up_mut(&mut self) -> Option<&mut Up> {
        match &mut self.line {
            Line::Up(up) => Some(up),
            Line::Offline { .. } | Line::Connecting | Line::Asking | Line::Stopped => None,
        }
    }
}

//! Carries what happens outside to [`update`](super::update), does what it wants done, and draws.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_core::Stream as _;
use steadfast::{Changes, Client, Closed, Flight, Notice, NoticeKind, Notices, PeopleWatch, StatusWatch, StoreError};
use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::event::{Effect, Event, Leaving, Operation};
use super::log::LogLines;
use super::model::Model;
use super::store::{Store, people_of};
use super::terminal::Tty;
use super::text::harmless;
use super::update::update;
use super::view::view;
use crate::exit::Exit;
use crate::output::tell_last;
use crate::why;

/// How often what depends on the time is drawn.
const TICK: Duration = Duration::from_millis(500);
/// A burst of changes is looked at once in this time.
const LOOK_PAUSE: Duration = Duration::from_millis(30);
/// Operations that may wait for this machine's disk.
const WAITING_MAX: usize = 1_000;
/// How long they may take when the chat ends.
const LAST_QUEUEING: Duration = Duration::from_secs(3);
/// Drops that are told.
const DROPS_TOLD: usize = 5;

pub(crate) struct Shell {
    client: Client,
    store: Store,
    model: Model,
    tty: Tty,
    keys: EventStream,
    log: LogLines,
    status: StatusWatch,
    changes: Changes,
    people: PeopleWatch,
    /// The one task that waits for notices: what happens meanwhile does not begin its reading anew.
    listening: JoinSet<Heard>,
    /// They could not be read, and are tried again with the next tick.
    unheard: Option<Notices>,
    /// That they can't be read was said.
    deaf: bool,
    signals: Signals,
    /// Reads and requests under way.
    jobs: JoinSet<Option<Event>>,
    /// Operations are queued one after the other, in the order in which they were given.
    waiting: VecDeque<Operation>,
    queueing: JoinSet<Event>,
    stale: bool,
    leaving: Option<Leaving>,
    /// For the last wait. Made at the beginning: whoever has no descriptor left still waits.
    last: BootTimer,
}

/// What came of waiting for notices, and what goes on waiting.
type Heard = (Notices, Result<Vec<Notice>, StoreError>);

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    go_on: Signal,
}

impl Signals {
    fn catch() -> Result<Self, Exit> {
        let catch = |kind| signal(kind).map_err(|error| Exit::failed(format!("signals can't be caught: {error}")));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
            go_on: catch(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

impl Shell {
    pub(crate) fn new(client: Client, model: Model, tty: Tty, log: LogLines) -> Result<Self, Exit> {
        let mut listening = JoinSet::new();
        drop(listening.spawn(listen(client.notices())));
        Ok(Self {
            store: Store::new(client.clone(), &model.me),
            status: client.status(),
            changes: client.changes(),
            people: client.people(),
            listening,
            unheard: None,
            deaf: false,
            client,
            model,
            tty,
            keys: EventStream::new(),
            log,
            signals: Signals::catch()?,
            jobs: JoinSet::new(),
            waiting: VecDeque::new(),
            queueing: JoinSet::new(),
            stale: true,
            leaving: None,
            last: BootTimer::new().map_err(Exit::failed)?,
        })
    }

    /// Runs until the person leaves, or a signal ends it.
    pub(crate) async fn run(mut self) -> Result<Leaving, Exit> {
        let ended = self.chat().await;
        let unsent = self.finish_queueing().await;
        let Self { client, store, tty, keys, mut jobs, mut queueing, mut listening, .. } = self;
        drop(keys);
        drop(tty);
        jobs.shutdown().await;
        queueing.shutdown().await;
        listening.shutdown().await;
        drop(store);
        client.close().await;
        if unsent.is_empty() {
            return ended;
        }
        unsent.iter().for_each(|words| tell_last(words));
        ended.and(Err(Exit::told()))
    }

    async fn chat(&mut self) -> Result<Leaving, Exit> {
        let mut tick = BootTimer::new().map_err(Exit::failed)?;
        let mut looked = BootTimer::new().map_err(Exit::failed)?;
        self.apply(Event::Tick(wall_ms())).await;
        let status = self.status.now();
        self.apply(Event::Status(Box::new(status))).await;
        self.apply(Event::Changed).await;
        loop {
            if let Some(leaving) = self.leaving {
                return Ok(leaving);
            }
            if self.tty.is_broken() {
                return Err(Exit::failed("the chat broke down; what was sent is safe"));
            }
            self.draw()?;
            if tick.deadline().is_none() {
                tick.set(Some(BootClock::now() + TICK));
            }
            self.next(&mut tick, &mut looked).await?;
        }
    }

    async fn next(&mut self, tick: &mut BootTimer, looked: &mut BootTimer) -> Result<(), Exit> {
        let may_look = looked.deadline().is_none();
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => self.leaving = Some(Leaving::Done),
            _ = self.signals.hang_up.recv() => self.leaving = Some(Leaving::Done),
            _ = self.signals.interrupt.recv() => self.leaving = Some(Leaving::Interrupted),
            _ = self.signals.go_on.recv() => {
                self.tty.come_back().map_err(|error| torn(&error))?;
                self.stale = true;
            }
            event = poll_fn(|context| Pin::new(&mut self.keys).poll_next(context)) => self.on_terminal(event).await?,
            () = self.tty.painted() => {}
            Some(done) = self.queueing.join_next() => {
                self.apply(done.map_err(Exit::failed)?).await;
                self.queue_next();
            }
            Some(done) = self.jobs.join_next() => if let Some(event) = done.map_err(Exit::failed)? {
                self.apply(event).await;
            },
            moved = self.status.changed() => {
                let status = moved.map_err(Exit::failed)?;
                self.apply(Event::Status(Box::new(status))).await;
            }
            moved = self.people.changed() => {
                moved.map_err(Exit::failed)?;
                self.show_people().await;
            }
            moved = self.changes.changed(), if may_look => {
                moved.map_err(Exit::failed)?;
                looked.set(Some(BootClock::now() + LOOK_PAUSE));
                self.apply(Event::Changed).await;
            }
            _ = looked.expired(), if !may_look => looked.set(None),
            Some(heard) = self.listening.join_next() => self.on_heard(heard.map_err(Exit::failed)?).await?,
            line = self.log.next() => self.apply(Event::Notice(line)).await,
            _ = tick.expired() => {
                tick.set(None);
                if let Some(notices) = self.unheard.take() {
                    drop(self.listening.spawn(listen(notices)));
                }
                self.apply(Event::Tick(wall_ms())).await;
            }
        }
        Ok(())
    }

    async fn on_terminal(&mut self, event: Option<io::Result<TerminalEvent>>) -> Result<(), Exit> {
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(torn(&error)),
            None => return Err(Exit::failed("the terminal is gone")),
        };
        match event {
            TerminalEvent::Key(key) => self.apply(Event::Key(key)).await,
            TerminalEvent::Paste(text) => self.apply(Event::Paste(text)).await,
            TerminalEvent::Resize(columns, rows) => {
                self.tty.resize((columns, rows)).map_err(|error| torn(&error))?;
                self.apply(Event::Resize(columns, rows)).await;
            }
            TerminalEvent::FocusGained | TerminalEvent::FocusLost | TerminalEvent::Mouse(_) => {}
        }
        Ok(())
    }

    async fn on_heard(&mut self, (notices, heard): Heard) -> Result<(), Exit> {
        let was_deaf = std::mem::replace(&mut self.deaf, heard.is_err());
        match heard {
            Ok(heard) => {
                drop(self.listening.spawn(listen(notices)));
                for notice in heard {
                    self.on_notice(notice).await;
                }
            }
            Err(StoreError::Closed(closed)) => return Err(Exit::failed(closed)),
            Err(error) => {
                self.unheard = Some(notices);
                if !was_deaf {
                    let words = format!("what this device was told can't be read, and is tried again: {error}");
                    self.apply(Event::Notice(words)).await;
                }
            }
        }
        Ok(())
    }

    async fn on_notice(&mut self, notice: Notice) {
        match notice.kind {
            NoticeKind::Refused { operation } => {
                let store = self.store.clone();
                self.jobs.spawn(async move { Some(store.refused(operation, notice.text).await) });
            }
            _ => {
                self.store.rewind();
                self.apply(Event::Rewound(notice.text)).await;
            }
        }
    }

    async fn show_people(&mut self) {
        if let Some(room) = self.model.watched {
            let people = people_of(&self.people.now(), room, &self.model.me);
            self.apply(Event::People { room, people }).await;
        }
    }

    fn draw(&mut self) -> Result<(), Exit> {
        if self.stale {
            let model = &self.model;
            let drawn = self.tty.draw(|frame| view(model, frame)).map_err(|error| torn(&error))?;
            self.stale = !drawn;
        }
        Ok(())
    }

    async fn apply(&mut self, event: Event) {
        self.stale = true;
        for effect in update(&mut self.model, event) {
            self.run_effect(effect).await;
        }
    }

    async fn run_effect(&mut self, effect: Effect) {
        let store = self.store.clone();
        match effect {
            Effect::Look(looking) => drop(self.jobs.spawn(async move { Some(store.look(looking).await) })),
            Effect::Older { room, before } => {
                drop(self.jobs.spawn(async move { Some(store.older(room, before).await) }));
            }
            Effect::Newer { room, after } => {
                drop(self.jobs.spawn(async move { Some(store.newer(room, after).await) }));
            }
            Effect::MarkRead { room, sequence } => drop(self.jobs.spawn(store.mark_read(room, sequence))),
            Effect::Search { address, words } => {
                let zone = self.model.zone.clone();
                drop(self.jobs.spawn(async move { Some(store.search(address, words, zone).await) }));
            }
            Effect::Who(address) => drop(self.jobs.spawn(async move { Some(store.who(address).await) })),
            Effect::PublicRooms { address } => {
                drop(self.jobs.spawn(async move { Some(store.public_rooms(address).await) }));
            }
            Effect::Watch(room) => self.order(self.client.watch_people(room).await),
            Effect::Typing(room) => drop(self.jobs.spawn(store.typing(room))),
            Effect::Why { address } => {
                let client = self.client.clone();
                drop(self.jobs.spawn(async move { Some(tell_why(&client, address).await) }));
            }
            Effect::Queue(operation) => self.queue(operation),
            Effect::TryNow => self.order(self.client.try_now().await),
            Effect::Stop => self.order(self.client.stop().await),
            Effect::Resume => self.order(self.client.resume().await),
            Effect::LogIn => self.order(self.client.log_in().await),
            Effect::Bell => self.tty.ring(),
            Effect::Redraw => self.fault(Tty::redraw),
            Effect::Suspend => {
                if let Err(error) = self.tty.suspend().await {
                    tracing::warn!(%error, "the terminal could not be given to the shell");
                }
            }
            Effect::Quit(leaving) => self.leaving = Some(leaving),
        }
    }

    fn fault(&mut self, what: impl FnOnce(&mut Tty) -> io::Result<()>) {
        if let Err(error) = what(&mut self.tty) {
            tracing::warn!(%error, "the terminal does not do as it is told");
        }
    }

    fn order(&self, given: Result<(), Closed>) {
        if let Err(error) = given {
            tracing::warn!(%error, "what was asked of the line is not done");
        }
    }

    fn queue(&mut self, operation: Operation) {
        if self.waiting.len() >= WAITING_MAX {
            let why = "this machine's disk does not keep up".to_owned();
            drop(self.jobs.spawn(async { Some(operation.not_queued(why)) }));
            return;
        }
        self.waiting.push_back(operation);
        if self.queueing.is_empty() {
            self.queue_next();
        }
    }

    fn queue_next(&mut self) {
        // What the last one led to may have begun already.
        if self.queueing.is_empty()
            && let Some(operation) = self.waiting.pop_front()
        {
            drop(self.queueing.spawn(self.store.clone().queue(operation)));
        }
    }

    /// What was given is queued before the chat ends, unless this machine's disk is wedged. Tells what was not: nobody
    /// sees the screen any more.
    async fn finish_queueing(&mut self) -> Vec<String> {
        let mut unsent = Vec::new();
        self.last.set(Some(BootClock::now() + LAST_QUEUEING));
        while !self.queueing.is_empty() {
            tokio::select! {
                Some(done) = self.queueing.join_next() => {
                    if let Ok(event) = done {
                        if let Event::NotQueued { address, why, text } = &event {
                            // What waited for a room that is not made goes with it.
                            let held = if address.is_none() { self.model.going.take() } else { None };
                            let texts = held.into_iter().flat_map(|held| held.lines).chain(Some(text.clone()));
                            let texts = texts.filter(|text| !text.is_empty());
                            unsent.extend(texts.map(|text| format!("not sent ({why}): {}", harmless(&text))));
                        }
                        // What was entered on the way to a new room goes there now.
                        self.apply(event).await;
                    }
                    self.queue_next();
                }
                _ = self.last.expired() => {
                    unsent.push("what was sent last may not be queued: this machine's disk does not answer".to_owned());
                    break;
                }
            }
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter().filter_map(Operation::text);
        let held = self.model.going.take().into_iter().flat_map(|held| held.lines);
        unsent.extend(waiting.chain(held).map(|text| format!("not sent: {}", harmless(&text))));
        unsent
    }
}

async fn listen(mut notices: Notices) -> Heard {
    let heard = notices.next().await;
    (notices, heard)
}

async fn tell_why(client: &Client, address: Option<super::room::Address>) -> Event {
    let lines = match client.flights(100).await {
        Ok(flights) => {
            let told: Vec<String> = flights.iter().filter_map(|flight: &Flight| why::told(flight)).collect();
            let last = told[told.len().saturating_sub(DROPS_TOLD)..].to_vec();
            if last.is_empty() { vec!["no drop is on record".to_owned()] } else { last }
        }
        Err(error) => vec![format!("what happened to the line can't be read: {error}")],
    };
    Event::Answer { address, lines }
}

fn torn(error: &io::Error) -> Exit {
    Exit::failed(format!("the terminal is gone: {error}"))
}

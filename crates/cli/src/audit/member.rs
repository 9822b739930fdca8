//! One client of the audit: what it says, what it is given, and in the end what is on its disk.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast::{
    Builder, Client, Delivery, InboxError, Message, OUTBOX_OPERATIONS_MAX, Place, RoomId, SendError, Sent,
};
use steadfast_net::clock::{BootClock, BootTimer, Instant};
use steadfast_proto::names::folded;
use tokio::sync::watch;

use super::oracle::{Account, Fate, Held, Said};

/// How often a client looks what is due to be said.
const TICK: Duration = Duration::from_millis(20);
/// Messages handed over in one go, at most.
const HANDFUL: u64 = 250;
/// Outcomes looked up first: in most turns little has happened.
const FIRST_LOOK: usize = 16;
/// Outcomes looked up at a time.
const LOOK_UP: usize = 1_024;
/// One message in so many is long: above 16 KiB, so that it goes over the line in parts.
const LONG_EVERY: u64 = 50;
const LONG_BYTES: usize = 20_000;
const SHORT_BYTES: usize = 100;
/// Entries beyond those expected that are read all the same: what should not be there has to be seen.
const SURPLUS: usize = 10_000;

/// How far the audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Sending,
    /// Nothing more is said; what was said is waited for.
    Settling,
    /// Nothing is waited for any more.
    Over,
}

/// What all clients share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The room's name, which stands in every message.
    pub(super) room: String,
    pub(super) clients: usize,
    /// How many each says.
    pub(super) messages: u64,
    /// Over which time.
    pub(super) within: Duration,
    pub(super) counts: Counts,
    ledgers: Vec<Mutex<Ledger>>,
}

/// For the progress.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) stored: AtomicU64,
    pub(super) delivered: AtomicU64,
}

/// What one client knows.
#[derive(Debug, Default)]
struct Ledger {
    /// When each message was begun to be sent.
    at: Vec<Instant>,
    said: Vec<Said>,
    given: Vec<(u64, u64)>,
    rewinds: u64,
    /// From `send` to the program of this client.
    delays_ms: Vec<u32>,
}

/// A client that is open and in the room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) index: usize,
    pub(super) client: Client,
    pub(super) room: RoomId,
    pub(super) shared: Arc<Shared>,
}

impl Shared {
    pub(super) fn new(room: String, clients: usize, messages: u64, within: Duration) -> Self {
        let ledgers = (0..clients).map(|_| Mutex::default()).collect();
        Self { room, clients, messages, within, counts: Counts::default(), ledgers }
    }

    fn ledger(&self, client: usize) -> MutexGuard<'_, Ledger> {
        // Each change is a single step: what a panic left is whole.
        self.ledgers[client].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn messages_in_all(&self) -> u64 {
        self.messages * self.clients as u64
    }

    pub(super) fn rewinds(&self) -> u64 {
        (0..self.clients).map(|client| self.ledger(client).rewinds).sum()
    }

    /// From `send` to each client's program, ascending.
    pub(super) fn delays_ms(&self) -> Vec<u32> {
        let mut all: Vec<u32> = (0..self.clients).flat_map(|client| self.ledger(client).delays_ms.clone()).collect();
        all.sort_unstable();
        all
    }

    fn text(&self, client: usize, number: u64) -> String {
        let mut text = format!("{} {client} {number} ", self.room);
        let bytes = if number % LONG_EVERY == LONG_EVERY - 1 { LONG_BYTES } else { SHORT_BYTES };
        text.extend(('a'..='z').cycle().take(bytes.saturating_sub(text.len())));
        text
    }

    /// When the message of this text was begun to be sent.
    fn begun(&self, text: &str) -> Option<Instant> {
        let mut words = text.strip_prefix(self.room.as_str())?.split_whitespace();
        let (client, number): (usize, usize) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        if client < self.clients { self.ledger(client).at.get(number).copied() } else { None }
    }
}

fn fingerprint(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

// -- what it says

/// What was said and has no outcome yet, in order; with the index of each.
type Waiting = VecDeque<(usize, Sent)>;

impl Member {
    /// Says everything, spread over the time, and sees to it that each message has its outcome.
    pub(super) async fn speak(self: Arc<Self>, mut phase: watch::Receiver<Phase>) -> Result<(), String> {
        let mut timer = BootTimer::new().map_err(words)?;
        let (began, mut changes) = (BootClock::now(), self.client.changes());
        let (mut queued, mut waiting) = (0, Waiting::new());
        loop {
            self.look_up(&mut waiting).await?;
            let now = *phase.borrow_and_update();
            let speaking = now == Phase::Sending && queued < self.shared.messages;
            if now == Phase::Over || !speaking && waiting.is_empty() {
                return Ok(());
            }
            if timer.deadline().is_none() {
                timer.set(Some(BootClock::now() + TICK));
            }
            tokio::select! {
                _ = timer.expired(), if speaking => {
                    timer.set(None);
                    let due = self.due(BootClock::now().since(began));
                    if due > queued && waiting.len() < OUTBOX_OPERATIONS_MAX as usize {
                        queued += self.say(queued, (due - queued).min(HANDFUL), &mut waiting).await?;
                    }
                }
                changed = changes.changed() => changed.map_err(words)?,
                changed = phase.changed() => changed.map_err(words)?,
            }
        }
    }

    /// How many messages should have been said by then.
    fn due(&self, elapsed: Duration) -> u64 {
        let share = elapsed.as_secs_f64() / self.shared.within.as_secs_f64();
        ((share * self.shared.messages as f64).ceil() as u64).min(self.shared.messages)
    }

    /// Queues so many messages; how many were.
    async fn say(&self, first: u64, count: u64, waiting: &mut Waiting) -> Result<u64, String> {
        let texts: Vec<String> = (first..first + count).map(|number| self.shared.text(self.index, number)).collect();
        let fingerprints: Vec<u64> = texts.iter().map(|text| fingerprint(text.as_bytes())).collect();
        let now = BootClock::now();
        // Before they are sent: somebody may have them before this goes on.
        self.shared.ledger(self.index).at.extend(texts.iter().map(|_| now));
        match self.client.room_by_id(self.room).send_all(texts).await {
            Ok(sent) => {
                let mut ledger = self.shared.ledger(self.index);
                for (sent, fingerprint) in sent.into_iter().zip(fingerprints) {
                    waiting.push_back((ledger.said.len(), sent.clone()));
                    ledger.said.push(Said { id: sent.id().0, fingerprint, fate: Fate::Open });
                }
                self.shared.counts.sent.fetch_add(count, Ordering::Relaxed);
                Ok(count)
            }
            Err(SendError::Full { .. }) => {
                let mut ledger = self.shared.ledger(self.index);
                ledger.at.truncate(usize::try_from(first).unwrap_or(usize::MAX));
                Ok(0)
            }
            Err(error) => Err(words(error)),
        }
    }

    /// Notes the outcomes that have come, in order.
    async fn look_up(&self, waiting: &mut Waiting) -> Result<(), String> {
        let mut many = FIRST_LOOK;
        while !waiting.is_empty() {
            let asked = waiting.iter().take(many).map(|(_, sent)| sent);
            let outcomes = self.client.outcomes(asked).await.map_err(words)?;
            let mut settled = 0;
            let mut ledger = self.shared.ledger(self.index);
            for (outcome, (index, _)) in outcomes.into_iter().map_while(|outcome| outcome).zip(waiting.iter()) {
                ledger.said[*index].fate = match outcome {
                    Ok(stored) => Fate::Stored { position: stored.position },
                    Err(_) => Fate::Refused,
                };
                settled += 1;
            }
            drop(ledger);
            self.shared.counts.stored.fetch_add(settled as u64, Ordering::Relaxed);
            waiting.drain(..settled);
            if settled < many {
                break;
            }
            many = LOOK_UP;
        }
        Ok(())
    }
}

// -- what it is given

impl Member {
    /// Takes everything that the library gives, until the audit is over and nothing more is there.
    pub(super) async fn listen(self: Arc<Self>, mut phase: watch::Receiver<Phase>) -> Result<(), String> {
        let mut feed = self.client.feed(Place::START);
        loop {
            let next = tokio::select! {
                biased;
                over = phase.wait_for(|phase| *phase == Phase::Over) => {
                    over.map_err(words)?;
                    break;
                }
                next = feed.next() => next,
            };
            self.note(next.map(Delivery::into_message))?;
        }
        loop {
            match feed.try_next().await {
                Ok(Some(delivery)) => self.note(Ok(delivery.into_message()))?,
                Ok(None) => return Ok(()),
                Err(error) => self.note(Err(error))?,
            }
        }
    }

    fn note(&self, given: Result<Message, InboxError>) -> Result<(), String> {
        match given {
            Ok(message) => {
                let Some(text) = message.text().filter(|_| message.room == self.room) else { return Ok(()) };
                // Before this client's own ledger is held: the message may be its own.
                let begun = self.shared.begun(text);
                let mut ledger = self.shared.ledger(self.index);
                ledger.given.push((message.id.0, message.position));
                let delay = begun.map(|begun| BootClock::now().since(begun).as_millis());
                ledger.delays_ms.extend(delay.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)));
                drop(ledger);
                self.shared.counts.delivered.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(InboxError::WentBack { to, .. }) => {
                let mut ledger = self.shared.ledger(self.index);
                ledger.rewinds += 1;
                ledger.given.retain(|&(_, position)| position <= to);
                Ok(())
            }
            Err(error) => Err(words(error)),
        }
    }

    /// Waits until all that the server has by now is stored here.
    pub(super) async fn sync(self: Arc<Self>) -> Result<usize, String> {
        let mut pause = BootTimer::new().map_err(words)?;
        loop {
            match self.client.sync().await {
                Ok(()) => return Ok(self.index),
                Err(error) if error.is_passing() => {
                    pause.set(Some(BootClock::now() + 10 * TICK));
                    pause.expired().await.map_err(words)?;
                }
                Err(error) => return Err(words(error)),
            }
        }
    }
}

// -- what is on its disk

/// A profile whose client was closed.
pub(super) struct Closed {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) directory: PathBuf,
    /// All that the server had when it was asked last is there.
    pub(super) synced: bool,
}

impl Closed {
    /// What this client said, was given, and has on its disk, as another program reads it there.
    pub(super) async fn account(&self, names: &[String], shared: &Shared) -> Result<Account, String> {
        let builder: Builder = Client::builder(&self.name, "").profile(&self.directory);
        let observer = builder.observe().await.map_err(words)?;
        let read = async {
            let position = observer.standing().await.map_err(words)?.position;
            let room = observer.find_room(&shared.room).await.map_err(words)?;
            let limit = usize::try_from(shared.messages_in_all()).unwrap_or(usize::MAX).saturating_add(SURPLUS);
            match room {
                Some(room) => Ok((position, observer.last(&room, limit).await.map_err(words)?)),
                None => Ok((position, Vec::new())),
            }
        };
        let read: Result<(u64, Vec<Message>), String> = read.await;
        observer.close().await;
        let (position, messages) = read?;
        let held = |message: &Message| Held {
            id: message.id.0,
            author: names.iter().position(|name| folded(name).is_ok_and(|name| folded(&message.author) == Ok(name))),
            fingerprint: message.body().map_or(0, |body| fingerprint(body)),
            room_sequence: message.room_sequence,
            position: message.position,
        };
        let ledger = shared.ledger(self.index);
        Ok(Account {
            said: ledger.said.clone(),
            held: messages.iter().map(held).collect(),
            given: ledger.given.clone(),
            complete_through: match (self.synced, ledger.rewinds) {
                (true, _) => u64::MAX,
                (false, 0) => position,
                // Positions from before mean nothing.
                (false, _) => 0,
            },
            all_given: self.synced,
        })
    }
}

/// What is told of an error where nothing else is done about it.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn words(error: impl ToString) -> String {
    error.to_string()
}

//! The handle that programs hold.

use std::path::PathBuf;
use std::thread::JoinHandle;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_proto::ids::{AccountId, DeviceId, OperationId, RoomId};
use steadfast_proto::session::{Begin, Request};
use steadfast_store::profile::{
    Fresh, LineKey, NewBody, NewOp, Profile, ProfileStore, Queued, RoomInfo, SettledOutcome, StoredMessage, Target,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::driving::{Command, Driving};
use crate::error::{AskError, OpenError, SendError, WaitError};
use crate::flight::Flight;
use crate::keeper::{Closed, Keeper};
use crate::notices::Notices;
use crate::options::Options;
use crate::random::random;
use crate::status::Status;

/// How long a close may wait for the profile's threads.
const CLOSE: std::time::Duration = std::time::Duration::from_secs(3);
/// Commands that may wait for the task that drives.
const COMMANDS_MAX: usize = 256;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it says.
    pub body: Bytes,
    /// Empty: `text/plain; charset=utf-8`.
    pub content_type: String,
    /// A key and the number of this message under it: sent again with both, it is not stored twice.
    pub key: Option<(String, u64)>,
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self { body: Bytes::copy_from_slice(text.as_bytes()), content_type: String::new(), key: None }
    }
}

impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self { body: text.into(), content_type: String::new(), key: None }
    }
}

/// One user of a profile. Dropping it ends its threads without waiting for them; [`close`](Self::close) waits.
#[derive(Debug)]
pub struct Client {
    directory: PathBuf,
    writer: Keeper,
    reader: Keeper,
    threads: Vec<JoinHandle<()>>,
    task: tokio::task::JoinHandle<()>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    changed: watch::Receiver<u64>,
    /// The number of the last notice before this client was opened.
    notices_before: u64,
}

impl Client {
    /// Opens the profile, makes it if there is none, and connects as soon as no other process drives it. Needs a
    /// tokio runtime.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let directory = options.directory();
        let fresh = Fresh {
            device_id: DeviceId(random()?),
            secret: random()?,
            account: AccountId(u64::from_ne_bytes(random()?)),
        };
        let writing = Profile::open(&directory, &options.name, Some(&fresh))?;
        let reading = Profile::open(&directory, &options.name, Some(&fresh))?;
        let notices_before = reading.notices_after(0)?.last().map_or(0, |notice| notice.number);
        let (writer, writer_thread) = Keeper::start(Box::new(writing), "profile")?;
        let (reader, reader_thread) = Keeper::start(Box::new(reading), "profile-read")?;
        let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
        let (status_sender, status) = watch::channel(Status::offline());
        let (changed_sender, changed) = watch::channel(0);
        let process = u64::from_ne_bytes(random()?);
        let timer = BootTimer::new().map_err(|error| OpenError::System(error.to_string()))?;
        let driving = Driving {
            directory: directory.clone(),
            options,
            process,
            keeper: writer.clone(),
            live: reader.clone(),
            begin: Begin::Connect,
            timer,
            open: Vec::new(),
            commands: commanded,
            status: status_sender,
            changed: changed_sender,
        };
        let task = tokio::spawn(driving.run());
        let threads = vec![writer_thread, reader_thread];
        Ok(Self { directory, writer, reader, threads, task, commands, status, changed, notices_before })
    }

    /// The profile's directory.
    pub fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// Queues messages to the public room of this name, entering it first where that is needed. When this returns
    /// they are synced to this machine's disk, all of them or (with an error) none.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether they were queued.
    pub async fn send<D: Into<Draft>>(
        &self,
        room: &str,
        messages: impl IntoIterator<Item = D>,
    ) -> Result<Vec<Queued>, SendError> {
        let to = Target::Public(room.to_owned());
        let bodies = messages.into_iter().map(|draft| {
            let Draft { body, content_type, key } = draft.into();
            let key = key.map(|(key, line)| LineKey { key, line, hash: hash(room, &body) });
            (NewBody::Send { to: to.clone(), body, content_type }, key)
        });
        self.append(new_ops(bodies.collect())?).await
    }

    /// Queues the entering of the public room of this name, which makes it where there is none.
    pub async fn enter(&self, room: &str) -> Result<Queued, SendError> {
        let queued = self.append(new_ops(vec![(NewBody::Enter { name: room.to_owned() }, None)])?).await?;
        queued.into_iter().next().ok_or(SendError::Closed)
    }

    /// What became of operations so far, in their order; `None`: nothing yet. Cancel-safe.
    pub async fn outcomes(&self, ids: Vec<OperationId>) -> Result<Vec<Option<SettledOutcome>>, WaitError> {
        Ok(self.reader.run(move |profile| profile.outcomes(&ids)).await??)
    }

    /// Waits until all of them are settled, over any drop. Cancel-safe.
    pub async fn settled(&self, queued: &[Queued]) -> Result<Vec<SettledOutcome>, WaitError> {
        let ids: Vec<OperationId> = queued.iter().map(|queued| queued.id).collect();
        let mut changed = self.changed.clone();
        loop {
            changed.borrow_and_update();
            let outcomes = self.outcomes(ids.clone()).await?;
            if let Some(all) = outcomes.into_iter().collect::<Option<Vec<_>>>() {
                return Ok(all);
            }
            changed.changed().await.map_err(|_| WaitError::Closed)?;
        }
    }

    /// Waits until everything that the server has by now is stored here, over any drop. Cancel-safe.
    pub async fn sync(&self) -> Result<(), AskError> {
        self.ask(Request::Sync).await
    }

    /// Fetches entries of a room that are older than this device's stream: one page of them, from the first one on.
    /// Cancel-safe.
    pub async fn fetch_history(&self, room: RoomId, from_sequence: u64, to_sequence: u64) -> Result<(), AskError> {
        self.ask(Request::History { room, from_sequence, to_sequence }).await
    }

    /// Runs something on the profile, on a thread where it may block. Cancel-safe, but what has begun is finished.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn ProfileStore) -> T + Send + 'static,
    ) -> Result<T, WaitError> {
        Ok(self.reader.run(job).await?)
    }

    /// The room of this name, as far as this device knows. Cancel-safe.
    pub async fn room(&self, name: &str) -> Result<Option<RoomInfo>, WaitError> {
        let name = name.to_owned();
        Ok(self.read(move |profile| profile.room_by_name(&name)).await??)
    }

    /// Entries of a room that are stored here, ascending. Cancel-safe.
    pub async fn messages(&self, room: RoomId, from: u64, limit: usize) -> Result<Vec<StoredMessage>, WaitError> {
        Ok(self.read(move |profile| profile.messages(room, from, limit)).await??)
    }

    /// The status, as a level with a watch.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Counts what was stored; wakes whoever waits for something to look at. What happened before this call counts as
    /// seen: look once, then wait.
    pub fn changes(&self) -> watch::Receiver<u64> {
        let mut changed = self.changed.clone();
        changed.mark_unchanged();
        changed
    }

    /// What a person should hear of, from the opening of this client on.
    pub fn notices(&self) -> Notices {
        Notices::new(self.reader.clone(), self.changed.clone(), self.notices_before)
    }

    /// Tries now where a pause was running.
    pub async fn try_now(&self) {
        self.command(Command::TryNow).await;
    }

    /// Ends the line, and every try, until [`resume`](Self::resume).
    pub async fn stop(&self) {
        self.command(Command::Stop).await;
    }

    /// Wants the line back.
    pub async fn resume(&self) {
        self.command(Command::Resume).await;
    }

    /// Whether to connect again after a loss, from now on. On: begins with a try where the line is down.
    pub async fn set_reconnect(&self, on: bool) {
        self.command(Command::Reconnect(on)).await;
    }

    /// Whether to log in by itself once a lost line is back, from now on. On: answers a question that is open.
    pub async fn set_auto_login(&self, on: bool) {
        self.command(Command::AutoLogin(on)).await;
    }

    /// The answer where the status asks for the login.
    pub async fn log_in(&self) {
        self.command(Command::LogIn).await;
    }

    /// What the flight recorder kept of the last links of this profile, in the order in which they came up.
    /// Cancel-safe.
    pub async fn flights(&self, limit: usize) -> Result<Vec<Flight>, WaitError> {
        Ok(self.read(move |profile| Flight::all(profile, limit)).await??)
    }

    /// Says goodbye to the server, lets what arrived be stored, and waits for the profile's threads.
    pub async fn close(self) {
        let Self { writer, reader, threads, task, commands, .. } = self;
        let (done, closed) = oneshot::channel();
        if commands.send(Command::Close(done)).await.is_ok() {
            closed.await.ok();
        }
        drop(commands);
        task.await.ok();
        writer.stop();
        reader.stop();
        let join = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        // A disk that is wedged can't be waited for: what was promised is on it, or was never promised.
        if let Ok(mut timer) = BootTimer::new() {
            timer.within(BootClock::now() + CLOSE, join).await.ok();
        }
    }

    async fn append(&self, ops: Vec<NewOp>) -> Result<Vec<Queued>, SendError> {
        let queued = self.writer.run(move |profile| profile.append(&ops)).await??;
        self.command(Command::Appended).await;
        Ok(queued)
    }

    async fn ask(&self, request: Request) -> Result<(), AskError> {
        let (done, answered) = oneshot::channel();
        self.command(Command::Ask(request, done)).await;
        answered.await.map_err(|_| AskError::Closed)?
    }

    async fn command(&self, command: Command) {
        // The task ends only with this client, or panicked: then the status says nothing new either.
        self.commands.send(command).await.ok();
    }
}

impl From<Closed> for SendError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Closed> for WaitError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

fn new_ops(bodies: Vec<(NewBody, Option<LineKey>)>) -> Result<Vec<NewOp>, SendError> {
    const ID_BYTES: usize = 8;
    // One system call for all: a sender of many messages feels one for each.
    let mut random = vec![0; bodies.len() * 2 * ID_BYTES];
    getrandom::fill(&mut random).map_err(|error| SendError::System(error.to_string()))?;
    let mut ids = random.as_chunks::<ID_BYTES>().0.iter().map(|bytes| OperationId(u64::from_ne_bytes(*bytes)));
    let mut next_id = || ids.next().ok_or_else(|| SendError::System("too few random numbers".to_owned()));
    let composed_at_ms = wall_ms();
    let mut new_op = |(body, key)| Ok(NewOp { id: next_id()?, enter_id: next_id()?, composed_at_ms, body, key });
    bodies.into_iter().map(&mut new_op).collect()
}

/// Tells lines of a keyed input apart, over versions of this library.
fn hash(room: &str, body: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(room).chain_update([0]).chain_update(body).finalize();
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest[..8]);
    hash
}

//! The handle that programs hold.

use std::sync::Arc;
use std::thread;

use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::session::Request;
use steadfast_store::profile::{AppendError, LineKey, NewBody, NewOp, ProfileStore};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::builder::Builder;
use crate::driving::Command;
use crate::error::{AskError, Closed, Failed, SendError, StoreError};
use crate::flight::Flight;
use crate::keeper::Keeper;
use crate::message::RoomInfo;
use crate::notices::{MovedAside, Notices, RefusedOperation};
use crate::people::{Answered, People};
use crate::room::Room;
use crate::sent::{NotStored, Outcome, Sent, outcome};
use crate::status::Status;
use crate::watch::{Changes, StatusWatch};

/// How long a close may wait for the profile's threads.
const CLOSE: std::time::Duration = std::time::Duration::from_secs(3);

/// A profile that is open: its outbox, its messages, and the line that this process drives for it, or another one.
///
/// A handle: clones are cheap and mean the same client, from any task. It is open until [`close`](Self::close) is
/// called on one of them, or until the last of them is gone, with every [`Room`], [`Sent`], [`Inbox`](crate::Inbox),
/// [`Feed`](crate::Feed) and [`Search`](crate::Search) that was made from it. Closing waits; dropping the last handle
/// says goodbye to the server and ends the threads, too, but nobody waits for that. Either way nothing that
/// [`Room::send`] returned from is lost.
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writer: Keeper,
    reader: Keeper,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    changed: watch::Receiver<u64>,
    people: watch::Receiver<People>,
    /// The number of the last notice before this client was opened.
    notices_before: u64,
    /// Until somebody has waited for them.
    ends: Mutex<Option<Ends>>,
}

/// What ends with the client.
#[derive(Debug)]
struct Ends {
    task: JoinHandle<()>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// What a client is made from.
pub(crate) struct Parts {
    pub(crate) writer: Keeper,
    pub(crate) reader: Keeper,
    pub(crate) threads: Vec<thread::JoinHandle<()>>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) changed: watch::Receiver<u64>,
    pub(crate) people: watch::Receiver<People>,
    pub(crate) notices_before: u64,
}

/// How much waits in the outbox for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outbox {
    /// Operations, [`OUTBOX_OPERATIONS_MAX`](crate::OUTBOX_OPERATIONS_MAX) at most.
    pub operations: u64,
    /// Bytes of them, [`OUTBOX_BYTES_MAX`](crate::OUTBOX_BYTES_MAX) at most.
    pub bytes: u64,
}

impl Client {
    /// Begins to open a client for an account on a server, `HOST:PORT`: see [`Builder`].
    pub fn builder(account: &str, server: &str) -> Builder {
        Builder::new(account, server)
    }

    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { writer, reader, threads, task, commands, status, changed, people, notices_before } = parts;
        let ends = Mutex::new(Some(Ends { task, threads }));
        Self(Arc::new(Shared { writer, reader, commands, status, changed, people, notices_before, ends }))
    }

    // -- rooms

    /// The public room of this name. It need not exist: the first message, or [`Room::enter`], makes it. Names are
    /// compared without regard to case.
    pub fn room(&self, name: &str) -> Room {
        Room::public(self.clone(), name)
    }

    /// The conversation with the account of this name. The first message opens it.
    pub fn direct(&self, account: &str) -> Room {
        Room::direct(self.clone(), account)
    }

    /// The room of this id, whatever its kind.
    pub fn room_by_id(&self, room: RoomId) -> Room {
        Room::by_id(self.clone(), room)
    }

    /// Makes a private room, whose only member is this account at first; [`Room::add`] adds others. Names of private
    /// rooms need not be unique. The room can be used at once: what is sent to it goes out behind its making.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether it was queued.
    ///
    /// # Errors
    /// Nothing was queued, but for the exception that [`SendError`] names.
    pub async fn create_private(&self, name: &str) -> Result<(Room, Sent), SendError> {
        let sent = self.queue_one(NewBody::CreatePrivate { name: name.to_owned() }).await?;
        // A room's id is that of the operation that made it.
        Ok((self.room_by_id(RoomId(sent.id().0)), sent))
    }

    /// The rooms that this device knows, those that were left too, by name.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn rooms(&self) -> Result<Vec<RoomInfo>, StoreError> {
        let rooms = self.0.reader.read(|profile| profile.rooms()).await?;
        Ok(rooms.into_iter().map(RoomInfo::of).collect())
    }

    /// The room of this name, whatever its kind: one that this account is in before one that it was in, a public one
    /// before others. `None`: this device knows of none.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn find_room(&self, name: &str) -> Result<Option<RoomInfo>, StoreError> {
        let name = name.to_owned();
        Ok(self.0.reader.read(move |profile| profile.room_by_name(&name)).await?.map(RoomInfo::of))
    }

    // -- what became of what was sent

    /// What became of these so far, in their order; `None`: nothing yet, or nothing that is still known
    /// ([`settled`](Self::settled) tells the two apart). They have to be of this client, or of an earlier one of the
    /// same profile.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn outcomes<'s>(
        &self,
        sent: impl IntoIterator<Item = &'s Sent>,
    ) -> Result<Vec<Option<Outcome>>, StoreError> {
        let mut found: Vec<Option<Outcome>> = Vec::new();
        let mut ids = Vec::new();
        for (index, one) in sent.into_iter().enumerate() {
            found.push(one.already());
            if one.already().is_none() {
                ids.push((index, one.id()));
            }
        }
        let sought: Vec<OperationId> = ids.iter().map(|&(_, id)| id).collect();
        if !sought.is_empty() {
            let settled = self.0.reader.read(move |profile| profile.outcomes(&sought)).await?;
            for ((index, id), settled) in ids.into_iter().zip(settled) {
                found[index] = settled.map(|settled| outcome(id, settled));
            }
        }
        Ok(found)
    }

    /// Waits until each of these is stored at the server or refused, over any drop, for as long as that takes. They
    /// have to be of this client, or of an earlier one of the same profile. An outcome is kept until 200,000 newer ones
    /// have come (of what was sent under a key: for ever): who sends more than that asks before.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`NotStored::Forgotten`] of one that this profile does not know, or no longer; or the profile can't be read, or
    /// the client was closed. That the server refused one is no error of this call: it is among the outcomes.
    pub async fn settled(&self, sent: &[Sent]) -> Result<Vec<Outcome>, NotStored> {
        let mut changes = self.changes();
        let mut found: Vec<Option<Outcome>> = sent.iter().map(Sent::already).collect();
        loop {
            // What is known is not asked for again: it may be forgotten while others wait.
            let open: Vec<usize> = (0..sent.len()).filter(|&index| found[index].is_none()).collect();
            let sought: Vec<OperationId> = open.iter().map(|&index| sent[index].id()).collect();
            if sought.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            let looked = self.0.reader.read(move |profile| {
                // In this order: what leaves the outbox between the two has its outcome by then.
                let waiting = sought.iter().map(|&id| profile.is_waiting(id)).collect::<Result<Vec<bool>, _>>()?;
                Ok((waiting, profile.outcomes(&sought)?))
            });
            let (waiting, settled) = looked.await?;
            for (index, (waits, settled)) in open.into_iter().zip(waiting.into_iter().zip(settled)) {
                let id = sent[index].id();
                found[index] = settled.map(|settled| outcome(id, settled));
                if !waits && found[index].is_none() {
                    return Err(NotStored::Forgotten { id });
                }
            }
            if found.iter().any(Option::is_none) {
                changes.changed().await.map_err(NotStored::Closed)?;
            }
        }
    }

    /// How much waits in the outbox.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        let (operations, bytes) = self.0.reader.read(|profile| profile.outbox_size()).await?;
        Ok(Outbox { operations, bytes })
    }

    /// What the server refused for good under this id, so that its text can be given back; `None` if nothing was, or
    /// long ago: the last 100,000 are kept.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn refused(&self, operation: OperationId) -> Result<Option<RefusedOperation>, StoreError> {
        Ok(self.0.reader.read(move |profile| profile.refused(operation)).await?.map(RefusedOperation::of))
    }

    /// The last messages that were moved aside because the server went back to an earlier state and no longer has them,
    /// in the order in which they went, `limit` at most.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn moved_aside(&self, limit: usize) -> Result<Vec<MovedAside>, StoreError> {
        let aside = self.0.reader.read(move |profile| profile.aside(limit)).await?;
        Ok(aside.into_iter().map(MovedAside::of).collect())
    }

    // -- waiting for something

    /// The status, as a level with a watch.
    pub fn status(&self) -> StatusWatch {
        StatusWatch::new(self.0.status.clone())
    }

    /// Wakes whoever looks at this device's store. What happened before this call counts as seen.
    pub fn changes(&self) -> Changes {
        Changes::new(self.0.changed.clone())
    }

    /// What a person should hear of, from the opening of this client on. What arose before, while another process drove
    /// the line or behind a crash, is given by [`notices_after`](Self::notices_after).
    pub fn notices(&self) -> Notices {
        self.notices_after(self.0.notices_before)
    }

    /// What a person should hear of, behind the notice of this number: for who keeps the number of the last one that
    /// was shown, so that none is missed, whichever process was there when it arose. 0: from the first that is kept, of
    /// the last 10,000.
    pub fn notices_after(&self, number: u64) -> Notices {
        Notices::new(self.0.reader.clone(), self.0.changed.clone(), number)
    }

    /// Waits until everything that the server has by now for this account is stored here, over any drop.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// It is not known whether it is.
    pub async fn sync(&self) -> Result<(), AskError> {
        self.ask(Request::Sync).await.map(|_| ())
    }

    // -- the line

    /// Tries now where a pause was running.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn try_now(&self) -> Result<(), Closed> {
        self.command(Command::TryNow).await
    }

    /// Ends the line, and every try, until [`resume`](Self::resume). What is sent meanwhile waits in the outbox.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn stop(&self) -> Result<(), Closed> {
        self.command(Command::Stop).await
    }

    /// Wants the line back.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn resume(&self) -> Result<(), Closed> {
        self.command(Command::Resume).await
    }

    /// Whether to connect again after a loss, from now on. On: begins with a try where the line is down.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn set_reconnect(&self, on: bool) -> Result<(), Closed> {
        self.command(Command::Reconnect(on)).await
    }

    /// Whether to log in by itself once a lost line is back, from now on. On: answers a question that is open.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn set_auto_login(&self, on: bool) -> Result<(), Closed> {
        self.command(Command::AutoLogin(on)).await
    }

    /// The answer where the status [asks](Status::asks_login) whether to log in.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn log_in(&self) -> Result<(), Closed> {
        self.command(Command::LogIn).await
    }

    /// What the flight recorder kept of the last links of this profile, in the order in which they came up, `limit` at
    /// most; 100 are kept.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn flights(&self, limit: usize) -> Result<Vec<Flight>, StoreError> {
        Ok(self.0.reader.read(move |profile| Flight::all(profile, limit)).await?)
    }

    /// Says goodbye to the server, lets what arrived be stored, and waits for the profile's threads: three seconds at
    /// most for each of the two, should the disk be wedged. What waits in the outbox stays there. Other handles find
    /// the client closed from then on.
    ///
    /// Cancel-safe: dropped, it ends all the same, unless so much was asked of the client just before that it could not
    /// take this, too; then it stays open for as long as another handle is there.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.0.commands.send(Command::Close(done)).await.is_ok() {
            // Another handle closed it at the same time.
            closed.await.ok();
        }
        let mut ends = self.0.ends.lock().await;
        if let Some(ends) = ends.as_mut() {
            // One that panicked has ended, too.
            (&mut ends.task).await.ok();
        }
        let Some(Ends { threads, .. }) = ends.take() else { return };
        self.0.writer.stop();
        self.0.reader.stop();
        let join = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        // A disk that is wedged can't be waited for: what was promised is on it, or was never promised.
        if let Ok(mut timer) = BootTimer::new() {
            timer.within(BootClock::now() + CLOSE, join).await.ok();
        }
    }

    // -- for the rest of the crate

    pub(crate) fn people_told(&self) -> watch::Receiver<People> {
        self.0.people.clone()
    }

    pub(crate) fn writer(&self) -> &Keeper {
        &self.0.writer
    }

    pub(crate) fn reader(&self) -> &Keeper {
        &self.0.reader
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answered, AskError> {
        let (done, answered) = oneshot::channel();
        self.command(Command::Ask(request, done)).await?;
        answered.await.map_err(|_| Closed)?
    }

    pub(crate) async fn command(&self, command: Command) -> Result<(), Closed> {
        self.0.commands.send(command).await.map_err(|_| Closed)
    }

    pub(crate) async fn queue_one(&self, body: NewBody) -> Result<Sent, SendError> {
        let mut sent = self.queue(vec![(body, None)]).await?;
        sent.pop().ok_or_else(|| SendError::System("nothing was queued".to_owned()))
    }

    pub(crate) async fn queue(&self, bodies: Vec<(NewBody, Option<LineKey>)>) -> Result<Vec<Sent>, SendError> {
        let ops = new_ops(bodies)?;
        let commands = self.0.commands.clone();
        let append = move |profile: &mut dyn ProfileStore| {
            let queued = profile.append(&ops)?;
            // From here, so that the line hears of it although whoever sent it may have gone.
            let told = commands.try_send(Command::Appended);
            Ok::<_, AppendError>((queued, matches!(told, Err(TrySendError::Full(_)))))
        };
        let (queued, untold) = self.0.writer.run(append).await.map_err(Failed::from)?.map_err(SendError::of)?;
        if untold {
            // It is on the disk, and that the client is being closed does not take it from there.
            self.command(Command::Appended).await.ok();
        }
        Ok(queued.iter().map(|queued| Sent::new(self.clone(), queued)).collect())
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

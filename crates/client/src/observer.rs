//! A look at a profile without a client.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use steadfast_net::clock::{BootClock, BootTimer};
use steadfast_proto::ids::DeviceId;
use steadfast_proto::time::Duration;
use steadfast_store::profile::{DriverLock, Profile, ProfileError, Want};

use crate::cause::CauseKind;
use crate::client::Outbox;
use crate::error::{Failed, OpenError, OrderError, StoreError};
use crate::flight::Flight;
use crate::keeper::Keeper;
use crate::message::{self, Message, RoomInfo};
use crate::probe::Probe;
use crate::status::Status;

/// How long a close may wait for the profile's thread.
const CLOSE: Duration = Duration::from_secs(3);

/// A look at a profile: for programs that show how another one is doing, or tell it what to do with its line. It never
/// connects; see [`Builder::observe`](crate::Builder::observe).
#[derive(Debug)]
pub struct Observer {
    directory: PathBuf,
    reader: Keeper,
    thread: JoinHandle<()>,
}

/// What a profile says of itself, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The account's name.
    pub account: String,
    /// This device.
    pub device: DeviceId,
    /// The process that drives the line, if one does.
    pub process: Option<u32>,
    /// How its line is. What a process said counts while it drives and answers; of one that is gone only the cause
    /// stays.
    pub status: Status,
    /// Everything of the server's log up to this position is stored here; 0 before the first contact.
    pub position: u64,
    /// What waits for the server.
    pub outbox: Outbox,
}

/// What a process that drives a line can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// See [`Client::try_now`](crate::Client::try_now).
    TryNow,
    /// See [`Client::stop`](crate::Client::stop).
    Stop,
    /// See [`Client::resume`](crate::Client::resume).
    Resume,
    /// See [`Client::log_in`](crate::Client::log_in).
    LogIn,
    /// See [`Client::set_reconnect`](crate::Client::set_reconnect).
    Reconnect(bool),
    /// See [`Client::set_auto_login`](crate::Client::set_auto_login).
    AutoLogin(bool),
}

impl Observer {
    pub(crate) fn start(directory: PathBuf, profile: Profile) -> Result<Self, OpenError> {
        let (reader, thread) = Keeper::start(Box::new(profile), "profile-read")?;
        Ok(Self { directory, reader, thread })
    }

    /// The profile's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How the profile stands. Asks the process that drives it, if one does, whether it is there, and gives it a second
    /// to say so: a stopped one holds the profile like any other.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read or asked, or the system refused a descriptor.
    pub async fn standing(&self) -> Result<Standing, OpenError> {
        let answers = self.holder()?.is_some() && self.probe()?.holder_answers().await.map_err(as_open_error)?;
        // Looked at again: the holder may have ended, or another one begun, while the answer was waited for.
        let process = self.holder()?;
        let read = self.reader.run_on_disk(|profile| {
            let identity = profile.identity()?;
            let position = profile.place()?.map_or(0, |place| place.position);
            let (operations, bytes) = profile.outbox_size()?;
            Ok::<_, ProfileError>((identity, profile.live().status()?, position, Outbox { operations, bytes }))
        });
        let (identity, told, position, outbox) = read.await.map_err(Failed::from)?.map_err(Failed::from)?;
        let told = told.and_then(|json| serde_json::from_str::<Status>(&json).ok());
        let status = status(process, told, answers);
        Ok(Standing { account: identity.name, device: identity.device_id, process, status, position, outbox })
    }

    /// Tells the process that drives the line what to do, and waits up to a second for it to have done so. If it has
    /// not, the order is taken back.
    ///
    /// Cancel-safe in so far as nothing is half done; dropped, the order may be carried out or not.
    ///
    /// # Errors
    /// It was not carried out.
    pub async fn order(&self, order: Order) -> Result<(), OrderError> {
        let want = match order {
            Order::TryNow => Want::TryNow,
            Order::Stop => Want::Stop,
            Order::Resume => Want::Resume,
            Order::LogIn => Want::LogIn,
            Order::Reconnect(on) => Want::Reconnect(on),
            Order::AutoLogin(on) => Want::AutoLogin(on),
        };
        let process = self.holder()?.ok_or(OrderError::NobodyDrives)?;
        let probe = self.probe().map_err(|error| OrderError::System(error.to_string()))?;
        if probe.order(want).await? {
            return Ok(());
        }
        // It may have ended meanwhile, which is another matter than not answering.
        match self.holder()? {
            Some(still) if still == process => Err(OrderError::Silent { process }),
            Some(_) | None => Err(OrderError::Ended { process }),
        }
    }

    /// What the flight recorder kept of the last links, in the order in which they came up, `limit` at most; 100 are
    /// kept.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read.
    pub async fn flights(&self, limit: usize) -> Result<Vec<Flight>, StoreError> {
        Ok(self.reader.read(move |profile| Flight::all(profile, limit)).await?)
    }

    /// The room of this name, as [`Client::find_room`](crate::Client::find_room) gives it.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read.
    pub async fn find_room(&self, name: &str) -> Result<Option<RoomInfo>, StoreError> {
        let name = name.to_owned();
        Ok(self.reader.read(move |profile| profile.room_by_name(&name)).await?.map(RoomInfo::of))
    }

    /// The last messages of a room that are stored here, ascending, `limit` at most.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read.
    pub async fn last(&self, room: &RoomInfo, limit: usize) -> Result<Vec<Message>, StoreError> {
        let room = room.room;
        Ok(message::all(self.reader.read(move |profile| profile.last_messages(room, limit)).await?))
    }

    /// Closes the profile and waits for that, three seconds at most. Dropping it closes the profile, too, but nobody
    /// waits.
    ///
    /// Cancel-safe: once polled, it closes all the same.
    pub async fn close(self) {
        self.reader.stop();
        let join = tokio::task::spawn_blocking(move || drop(self.thread.join()));
        // A disk that is wedged can't be waited for, and nothing was promised.
        if let Ok(mut timer) = BootTimer::new() {
            timer.within(BootClock::now() + CLOSE, join).await.ok();
        }
    }

    fn holder(&self) -> Result<Option<u32>, Failed> {
        DriverLock::holder(&self.directory).map_err(Failed::from)
    }

    fn probe(&self) -> Result<Probe<'_>, OpenError> {
        Probe::new(&self.directory, &self.reader).map_err(|error| OpenError::System(error.to_string()))
    }
}

/// What of a process's last word counts now.
fn status(process: Option<u32>, told: Option<Status>, answers: bool) -> Status {
    match (process, told) {
        (Some(process), Some(told)) if answers && told.process == process => told,
        (Some(_), _) => Status::of_silent_holder(process),
        // What a process said that is gone says nothing about the line now, but why it ended.
        (None, told) => {
            let cause = told.and_then(|told| told.cause);
            let cause = cause.filter(|cause| cause.kind() != CauseKind::StoppedByUser);
            Status { cause, ..Status::offline() }
        }
    }
}

fn as_open_error(error: OrderError) -> OpenError {
    match error {
        OrderError::Profile(error) => OpenError::Profile(error),
        error => OpenError::System(error.to_string()),
    }
}

//! Opening a client, or a look at a profile without one.

#[cfg(feature = "durable")]
use std::path::PathBuf;

use steadfast_net::clock::BootTimer;
use steadfast_net::tcp::KernelLiveness;
use steadfast_proto::ids::{AccountId, DeviceId};
use steadfast_proto::session::{Begin, Schedule};
use steadfast_proto::time::Duration;
use steadfast_store::profile::{Fresh, MemoryProfile, ProfileStore};
#[cfg(feature = "durable")]
use steadfast_store::profile::{Profile, ProfileError};
use tokio::sync::{mpsc, watch};

use crate::client::{Client, Parts};
use crate::driving::Driving;
use crate::error::{Failed, OpenError};
use crate::keeper::Keeper;
#[cfg(feature = "durable")]
use crate::observer::Observer;
use crate::options::Options;
use crate::people::People;
use crate::random::random;
use crate::status::Status;

/// Commands that may wait for the task that drives.
const COMMANDS_MAX: usize = 256;

/// What a client is opened with; made by [`Client::builder`]. Every setting has a default that is right for most.
///
#[cfg_attr(feature = "durable", doc = "```no_run")]
#[cfg_attr(not(feature = "durable"), doc = "```ignore")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use steadfast::Client;
///
/// let client = Client::builder("ann", "chat.example.org:7400")
///     .profile("/var/lib/till/steadfast")
///     .program("till/1.0")
///     .idle_bound(Duration::from_secs(30))
///     .open()
///     .await?;
/// # client.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `open`"]
pub struct Builder(Options);

impl Builder {
    pub(crate) fn new(account: &str, server: &str) -> Self {
        Self(Options::new(account, server))
    }

    /// The profile's directory, which one device has for itself: its outbox, its place, its messages. Default:
    /// `$XDG_DATA_HOME/steadfast/HOST_PORT/ACCOUNT`. Made if it is not there. Any number of processes may use one
    /// profile at once.
    #[cfg(feature = "durable")]
    pub fn profile(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.memory = false;
        self.0.profile = Some(directory.into());
        self
    }

    /// Keeps everything in memory instead, as a new device each time: for programs that have no disk, or nothing that
    /// outlasts them. No other process sees it. Without the feature `durable` it is the only way, and has to be said.
    ///
    /// While the process lives nothing is lost or doubled, over any drop. With the process goes what waited in its
    /// outbox, and where it had read to: "stored here" and "on this machine's disk" mean "in memory" for such a client.
    /// Each opening sees its account's rooms from then on; what is older it has to [fetch](crate::Room::fetch).
    ///
    /// Memory is bounded: the outbox as on a disk, the entries of rooms by
    /// [`messages_bytes_max`](Self::messages_bytes_max).
    pub fn memory(mut self) -> Self {
        self.0.memory = true;
        self
    }

    /// How many bytes of rooms' entries a client [in memory](Self::memory) holds. Default: 64 MiB. Beyond it the oldest
    /// go, by when they came, and their rooms begin behind them: what is gone is a hole that
    /// [`Room::missing`](crate::Room::missing) names and [`Room::fetch`](crate::Room::fetch) can fill. A profile on a
    /// disk holds all of them.
    pub fn messages_bytes_max(mut self, bytes: u64) -> Self {
        self.0.messages_bytes_max = bytes;
        self
    }

    /// Name and version of the program, for the server's log. Default: this library's.
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.0.program = program.into();
        self
    }

    /// Whether to connect again after a drop. Default: yes. See [`Client::set_reconnect`].
    pub fn reconnect(mut self, on: bool) -> Self {
        self.0.reconnect = on;
        self
    }

    /// Whether to log in by itself once a lost line is back. Default: yes; if not, the status
    /// [asks](crate::Status::asks_login), and [`Client::log_in`] is the answer.
    pub fn auto_login(mut self, on: bool) -> Self {
        self.0.auto_login = on;
        self
    }

    /// When to try again after a drop. Default: growing pauses with full jitter, from 500 ms to 20 s, for ever.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.0.schedule = schedule;
        self
    }

    /// How long one try may take. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.0.connect_timeout = timeout;
        self
    }

    /// The least silence that means that the line is dead while an answer is due. Default: 3 s. The bound in force is
    /// longer on a slow line: [`Status::bound_ms`](crate::Status::bound_ms).
    pub fn active_bound(mut self, bound: Duration) -> Self {
        self.0.active_bound = bound;
        self
    }

    /// The silence that means that the line is dead in any case. Default: 15 s; on an idle line a ping leaves before.
    pub fn idle_bound(mut self, bound: Duration) -> Self {
        self.0.idle_bound = bound;
        self
    }

    /// When the kernel gives a line up by itself: the last line of defence, above all other bounds.
    pub fn kernel(mut self, liveness: KernelLiveness) -> Self {
        self.0.kernel = liveness;
        self
    }

    /// The directory that [`open`](Self::open) will use, unless it is to keep everything in memory.
    #[cfg(feature = "durable")]
    pub fn directory(&self) -> PathBuf {
        self.0.directory()
    }

    /// Opens the profile, makes it if there is none, and begins to connect unless another process drives it already.
    /// It does not wait for the server: [`Client::status`] tells how the line is, and everything but the questions to
    /// the server works offline.
    ///
    /// Has to be called in a tokio runtime with I/O enabled; the client's task runs there. The profile's disk is waited
    /// for on threads of its own.
    ///
    /// Cancel-safe: dropped, the profile may have been made, and nothing else has happened.
    ///
    /// # Errors
    /// The settings make no sense, the profile can't be used, or the system refused threads.
    pub async fn open(self) -> Result<Client, OpenError> {
        let options = self.0;
        options.check()?;
        let fresh = Fresh {
            device_id: DeviceId(random()?),
            secret: random()?,
            account: AccountId(u64::from_ne_bytes(random()?)),
        };
        let Opened { writing, reading, notices_before } = Opened::of(&options, fresh).await?;
        let process = u64::from_ne_bytes(random()?);
        let timer = BootTimer::new().map_err(|error| OpenError::System(error.to_string()))?;
        let (writer, writer_thread) = Keeper::start(writing, "profile")?;
        let (reader, reader_thread) = Keeper::start(reading, "profile-read")?;
        let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
        let (status_sender, status) = watch::channel(Status::offline());
        let (changed_sender, changed) = watch::channel(0);
        let (people_sender, people) = watch::channel(People::default());
        let driving = Driving {
            #[cfg(feature = "durable")]
            directory: options.directory(),
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
            people: people_sender,
            watched: Vec::new(),
        };
        let keepers = [writer.clone(), reader.clone()];
        let driven = Box::pin(driving.run());
        let task = tokio::spawn(async move {
            driven.await;
            // Whoever still watches does not keep the threads.
            keepers.iter().for_each(Keeper::stop);
        });
        let threads = vec![writer_thread, reader_thread];
        Ok(Client::new(Parts { writer, reader, threads, task, commands, status, changed, people, notices_before }))
    }

    /// Opens the profile to be looked at: it never connects, makes no profile where there is none, and disturbs no
    /// process that uses it. A profile that can't be written can be looked at, too.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// There is no profile, or it can't be read.
    #[cfg(feature = "durable")]
    pub async fn observe(self) -> Result<Observer, OpenError> {
        let options = self.0;
        options.check()?;
        let (directory, name) = (options.directory(), options.name);
        let profile = on_a_thread({
            let directory = directory.clone();
            move || Profile::open(&directory, &name, None)
        });
        Observer::start(directory, profile.await?)
    }
}

/// A profile that was opened twice, so that reading does not wait for writing.
struct Opened {
    writing: Box<dyn ProfileStore>,
    reading: Box<dyn ProfileStore>,
    notices_before: u64,
}

impl Opened {
    async fn of(options: &Options, fresh: Fresh) -> Result<Self, OpenError> {
        if options.memory {
            let writing = MemoryProfile::new(&options.name, &fresh, options.messages_bytes_max);
            let writing = writing.map_err(Failed::from)?;
            let reading = writing.another();
            return Ok(Self { writing: Box::new(writing), reading: Box::new(reading), notices_before: 0 });
        }
        Self::on_a_disk(options, fresh).await
    }

    #[cfg(feature = "durable")]
    async fn on_a_disk(options: &Options, fresh: Fresh) -> Result<Self, OpenError> {
        let (directory, name) = (options.directory(), options.name.clone());
        let open = move || {
            let writing = Profile::open(&directory, &name, Some(&fresh))?;
            let reading = Profile::open(&directory, &name, Some(&fresh))?;
            let notices_before = reading.notices_after(0)?.last().map_or(0, |notice| notice.number);
            Ok(Self { writing: Box::new(writing), reading: Box::new(reading), notices_before })
        };
        on_a_thread(open).await
    }

    #[cfg(not(feature = "durable"))]
    async fn on_a_disk(_: &Options, _: Fresh) -> Result<Self, OpenError> {
        let text = "this program was built without profiles on a disk (the feature `durable`): \
                    say `memory()` to keep everything in memory";
        Err(OpenError::Settings(text.to_owned()))
    }
}

/// Does something that waits for a disk.
#[cfg(feature = "durable")]
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProfileError> + Send + 'static,
) -> Result<T, OpenError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done.map_err(Failed::from)?),
        Err(error) => Err(OpenError::System(error.to_string())),
    }
}

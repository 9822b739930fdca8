//! Holding the link: the shell of a session. It moves bytes, time and rows; the session decides.

mod people;
mod serve;

use std::collections::BTreeMap;
use std::future::pending;

use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_net::driver::Driver;
use steadfast_net::network::{self, NetworkWatch};
use steadfast_net::tcp::{self, ConnectError, ConnectOptions};
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::session::{Begin, Change, Event, Load, Session, Settings, Stored};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{Op, RequestError};
use steadfast_store::profile::{ApplyError, ProfileError};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::driving::{Asked, Command, Driving};
use crate::error::{Failed, OpenError};
use crate::options::Options;
use crate::others::{Heard, Lock, Others};
use crate::people::Answered;
use crate::random::random;
use crate::status::Status;

/// How long what can't be stored now waits before it is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long a close may wait for what arrived to be stored.
const CLOSE: Duration = Duration::from_secs(3);

/// Who asked for a request: this client, or another process through the profile.
enum Asker {
    Here(Asked),
    There(u64),
}

impl Asker {
    /// Whether nobody waits for the answer any more.
    fn is_gone(&self) -> bool {
        match self {
            Self::Here(asked) => asked.is_closed(),
            // Another process reads its answer in its own time.
            Self::There(_) => false,
        }
    }
}

/// What a batch became: the changes come back if they have to be tried again.
type Applied = (Result<(Stored, Option<steadfast_proto::session::Resume>), ApplyError>, Vec<Change>);
type Loaded = (u64, Result<(Vec<Op>, bool), ProfileError>);
type Connected = Result<(TcpStream, tcp::Applied), ConnectError>;

pub(crate) struct Holding<'d> {
    driving: &'d mut Driving,
    /// Where the profile is one that other processes can use.
    others: Option<Others>,
    session: Session,
    line: Option<Driver>,
    /// What the kernel has applied to the line.
    kernel: Option<tcp::Applied>,
    /// The round trip of the connecting, as the kernel measured it: all that is known of it before the first pong.
    connecting_took: Option<Duration>,
    network: Option<NetworkWatch>,
    connecting: Option<JoinHandle<Connected>>,
    storing: Option<oneshot::Receiver<Applied>>,
    /// Changes that could not be stored, and when they are tried again.
    unstored: Option<(Vec<Change>, Instant)>,
    loading: Option<oneshot::Receiver<Loaded>>,
    /// Why what arrived waits, where the disk told.
    stored_later_as: Option<String>,
    /// The profile takes no more, and a wait would not mend it.
    failed: Option<ProfileError>,
    /// A load that failed, and when its emptiness is told.
    unloaded: Option<(u64, Instant)>,
    asked: BTreeMap<u32, Asker>,
    /// What earlier processes kept of their links may still be open.
    earlier_is_open: bool,
    /// When other processes were last shown the figures that always move.
    figures_told: Option<Instant>,
    /// What they were shown then, and whether something of it has moved since.
    others_see: Option<Status>,
    figures_due: bool,
    /// The rooms whose people other processes look at.
    others_watch: Vec<RoomId>,
    /// Which version of what is known of people was shown.
    people_told: Option<u64>,
    timer: BootTimer,
}

/// Why the line is held no more.
pub(crate) enum Ending {
    /// The client is closed.
    Closed(Option<oneshot::Sender<()>>),
    /// The profile can't be written any more.
    Failed(ProfileError),
}

/// What woke the loop.
enum Woken {
    Line(std::io::Result<()>),
    Connected(Connected),
    Stored(Applied),
    Loaded(Loaded),
    Command(Option<Command>),
    Others(Heard),
    NetworkChanged,
    Deadline,
}

impl<'d> Holding<'d> {
    /// With the lock, where there is one to be held.
    pub(crate) async fn start(driving: &'d mut Driving, lock: Option<Lock>) -> Result<Self, OpenError> {
        let others = match lock {
            Some(lock) => Some(Others::start(driving, lock).await?),
            None => None,
        };
        let resume = driving.keeper.run(|profile| profile.resume());
        let resume = resume.await.map_err(Failed::from)?.map_err(Failed::from)?;
        let options = &driving.options;
        let settings = Settings {
            active_bound: options.active_bound,
            idle_bound: options.idle_bound,
            schedule: options.schedule,
            begin: driving.begin,
            reconnect: options.reconnect,
            auto_login: options.auto_login,
            program: options.program.clone(),
            // Of those that held the lock in turn the last one is the newest, whoever was started first.
            process_start_ms: wall_ms(),
            process: driving.process,
            jitter_seed: u64::from_ne_bytes(random()?),
            ..Settings::default()
        };
        let network = NetworkWatch::start();
        let network = network.inspect_err(|error| tracing::debug!(%error, "changes of the network are not told"));
        let system = |error: std::io::Error| OpenError::System(error.to_string());
        let mut holding = Self {
            session: Session::new(settings, resume),
            driving,
            others,
            line: None,
            kernel: None,
            connecting_took: None,
            network: network.ok(),
            connecting: None,
            storing: None,
            unstored: None,
            stored_later_as: None,
            failed: None,
            loading: None,
            unloaded: None,
            asked: BTreeMap::new(),
            earlier_is_open: true,
            figures_told: None,
            others_see: None,
            figures_due: false,
            others_watch: Vec::new(),
            people_told: None,
            timer: BootTimer::new().map_err(system)?,
        };
        holding.driving.begin = Begin::Connect;
        holding.watch_all();
        for (request, asked) in std::mem::take(&mut holding.driving.open) {
            holding.ask(request, Asker::Here(asked));
        }
        Ok(holding)
    }

    /// Runs until the client is closed, or the profile fails.
    pub(crate) async fn run(mut self) -> Ending {
        self.look_for_wants();
        self.pump();
        let closed = loop {
            let woken = self.wait().await;
            match woken {
                Woken::Command(None) => break None,
                Woken::Command(Some(Command::Close(done))) => break Some(done),
                Woken::Command(Some(command)) => self.handle_command(command),
                Woken::Others(Heard::Called) => self.look_for_wants(),
                Woken::Others(Heard::Wanted(wanted)) => self.handle_wanted(wanted),
                Woken::Line(Ok(())) => self.move_bytes(Driver::on_ready),
                Woken::Line(Err(error)) => self.lose(steadfast_net::cause::of_io(&error)),
                Woken::Connected(connected) => self.handle_connected(connected),
                Woken::Stored(applied) => self.handle_applied(applied),
                Woken::Loaded((generation, rows)) => self.handle_loaded(generation, rows),
                Woken::NetworkChanged => self.session.handle_network_changed(BootClock::now()),
                Woken::Deadline => self.handle_deadline(),
            }
            self.pump();
            if let Some(error) = self.failed.take() {
                self.fail(&error).await;
                return Ending::Failed(error);
            }
        };
        self.close().await;
        Ending::Closed(closed)
    }

    async fn wait(&mut self) -> Woken {
        let retry = self.unstored.as_ref().map(|&(_, at)| at);
        let deadline = self.session.poll_timeout().map(|(at, _)| at);
        let reload = self.unloaded.map(|(_, at)| at);
        let show = self.next_figures();
        self.timer.set(deadline.into_iter().chain(retry).chain(reload).chain(show).min());
        let line = &self.line;
        let others = &mut self.others;
        tokio::select! {
            command = self.driving.commands.recv() => Woken::Command(command),
            ready = async { match line { Some(driver) => driver.ready().await, None => pending().await } } => {
                Woken::Line(ready)
            }
            applied = received(&mut self.storing) => Woken::Stored(applied),
            loaded = received(&mut self.loading) => Woken::Loaded(loaded),
            connected = joined(&mut self.connecting) => Woken::Connected(connected),
            heard = async { match others { Some(others) => others.heard().await, None => pending().await } } => {
                Woken::Others(heard)
            }
            () = network::changed(&mut self.network) => Woken::NetworkChanged,
            _ = self.timer.expired() => Woken::Deadline,
        }
    }

    /// Serves what the session wants until it wants nothing more, and lets out what it has to say.
    fn pump(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.serve(event);
            }
            if self.unstored.is_none()
                && let Some(changes) = self.session.poll_store(BootClock::now())
            {
                self.store(changes);
            }
            self.move_bytes(Driver::on_writable);
            match self.session.poll_event() {
                None => break,
                Some(event) => self.serve(event),
            }
        }
        self.publish();
        self.publish_people();
    }

    fn move_bytes(
        &mut self,
        how: impl FnOnce(&mut Driver, &mut Session) -> Result<(), steadfast_proto::session::Cause>,
    ) {
        if let Some(driver) = &mut self.line
            && let Err(cause) = how(driver, &mut self.session)
        {
            self.lose(cause);
        }
    }

    fn lose(&mut self, cause: steadfast_proto::session::Cause) {
        self.line = None;
        self.session.handle_lost(BootClock::now(), cause);
    }

    fn store(&mut self, changes: Vec<Change>) {
        self.storing = Some(self.driving.keeper.start_job(move |profile| {
            let resets = changes.iter().any(Change::resets);
            let mut fresh_ids = || OperationId(random().map_or_else(|_| wall_ms(), u64::from_ne_bytes));
            let applied = profile.apply(&changes, wall_ms(), &mut fresh_ids).and_then(|stored| {
                let resume = if resets { Some(profile.resume()?) } else { None };
                Ok((stored, resume))
            });
            (applied, changes)
        }));
    }

    fn load(&mut self, load: Load) {
        const ROWS_MAX: usize = 1_024;
        self.loading = Some(self.driving.keeper.start_job(move |profile| {
            let bytes_max = steadfast_proto::session::LOADED_BYTES_MAX;
            let rows = profile.outbox_from(load.after_sequence, bytes_max, ROWS_MAX);
            // A load that gave something may have been cut short by its limits; one more look tells.
            (load.generation, rows.map(|rows| (!rows.is_empty(), rows)).map(|(more, rows)| (rows, more)))
        }));
    }

    async fn close(&mut self) {
        let until = BootClock::now() + CLOSE;
        while self.storing.is_some() {
            self.timer.set(Some(until));
            tokio::select! {
                applied = received(&mut self.storing) => self.handle_applied(applied),
                _ = self.timer.expired() => break,
            }
            if self.unstored.is_none()
                && let Some(changes) = self.session.poll_store(BootClock::now())
            {
                self.store(changes);
            }
        }
        let ended = self.session.status();
        self.session.stop(BootClock::now());
        self.publish_people();
        self.move_bytes(Driver::on_writable);
        self.line = None;
        while let Some(event) = self.session.poll_event() {
            if let Event::Recorded(flight) = event {
                self.keep_flight(&flight);
            }
        }
        if let Some(connecting) = self.connecting.take() {
            connecting.abort();
        }
        self.publish_stopped(ended).await;
    }
}

fn connect(options: &Options) -> JoinHandle<Connected> {
    let server = options.server.trim_start_matches("tcp://").to_owned();
    let options = ConnectOptions { timeout: options.connect_timeout, liveness: options.kernel };
    tokio::spawn(async move { tcp::connect(&server, &options).await })
}

/// The value of a job that runs; never, if none does.
pub(crate) async fn received<T>(job: &mut Option<oneshot::Receiver<T>>) -> T {
    match job {
        None => pending().await,
        Some(receiver) => match receiver.await {
            Ok(value) => {
                *job = None;
                value
            }
            // The profile's thread is gone: the client is being dropped.
            Err(_) => {
                *job = None;
                pending().await
            }
        },
    }
}

async fn joined<T>(task: &mut Option<JoinHandle<T>>) -> T {
    match task {
        None => pending().await,
        Some(handle) => match handle.await {
            Ok(value) => {
                *task = None;
                value
            }
            Err(error) => {
                tracing::error!(%error, "a try ended without a result");
                *task = None;
                pending().await
            }
        },
    }
}

/// An answer as it goes through the profile to another process.
fn text_of_answer(answer: Result<Answered, RequestError>) -> String {
    let text = answer.map(|answered| answered.to_json().unwrap_or_default());
    text.unwrap_or_else(|error| (error as i32).to_string())
}

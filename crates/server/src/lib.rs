//! Steadfast's server: listeners, one driver a connection, the sequencer, the store's readers, shutdown.
//!
//! What a connection or an operation means is decided in the pure core ([`steadfast_proto::hub`]); this crate brings
//! bytes, time, randomness and the disk.

mod chunks;
mod config;
mod door;
mod error;
mod flight;
mod link;
mod listen;
mod mailbox;
mod people;
mod reading;
mod recorder;
mod sequencer;
mod shared;
mod throttle;
pub mod turn;

pub use config::{CATCHUPS_MAX, Config, HANDSHAKE_TIMEOUT, Limits, SignUpPolicy};
pub use error::ServeError;
pub use flight::{End, EndedBy, Flight, Stream, Traffic, Who, flights};

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use steadfast_net::clock::{BootClock, Timers, TimersTask};
use steadfast_net::{descriptors, tcp};
use steadfast_proto::ids::{LogId, Term};
use steadfast_proto::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use door::Door;
use reading::Reading;
use recorder::{Recorder, Writing};
use sequencer::Sequencer;
use shared::{Services, Shared};

/// How long clients get to hear that the server goes.
const DRAIN: Duration = Duration::from_secs(3);
/// How long the disk gets after that, from the same moment on.
const STOP: Duration = Duration::from_millis(4_500);
/// Descriptors that the store and the recorder may come to need while connections hold all others.
const RESERVED_DESCRIPTORS: u64 = 32;
/// What is taken to be open where the system does not tell.
const OPEN_DESCRIPTORS: u64 = 64;

/// A server that is set up and not running yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    sequencer: Sequencer,
    reading: Reading,
    writing: Writing,
    timers_task: TimersTask,
    draining: watch::Sender<bool>,
}

impl Server {
    /// Opens the store in `data` and listens on the addresses. Needs a tokio runtime.
    pub fn start(data: &Path, listen: &[SocketAddr], config: Config) -> Result<Self, ServeError> {
        // Ports first: a second server on the same port should hear of the port, not of the directory.
        let listeners = listen
            .iter()
            .map(|&address| tcp::listen(address).map_err(|error| ServeError::listen(address, &error)))
            .collect::<Result<Vec<_>, _>>()?;
        let (log_id, term) = (LogId(random()?), Term(u64::from_ne_bytes(random()?)));
        let (store, hub) = turn::recover(data, log_id, config.ring_bytes_max)?;
        let (timers, timers_task) = Timers::spawn().map_err(|error| ServeError::System(error.to_string()))?;
        let (draining, drain) = watch::channel(false);
        let reading = Reading::start(&store, &config.limits)?;
        let (recorder, writing) = Recorder::start(data)?;
        let connections_max = within_descriptors(config.limits.connections_max, listeners.len())?;
        let door = Door::new(&config.limits, connections_max, listeners.len());
        let services = Services { config, timers, reads: reading.queue(), door, recorder, draining: drain };
        let (shared, sequencer) = sequencer::start(store, hub, term, services)?;
        Ok(Self { listeners, shared, sequencer, reading, writing, timers_task, draining })
    }

    /// The addresses that it listens on, with their real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop` ends; then tells the clients, finishes what was taken, and closes the store. An error is
    /// one that the store can't go on after.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            tasks.spawn(listen::accept(listener, Arc::clone(&self.shared)));
        }
        tasks.spawn(people::beat(Arc::clone(&self.shared)));
        let mut failed = self.sequencer.failed();
        tokio::select! {
            () = stop => tracing::info!("stopping: telling the clients"),
            _ = failed.wait_for(Option::is_some) => tracing::error!("the store failed: stopping"),
        }
        self.draining.send_replace(true);
        let (started, timers) = (BootClock::now(), self.shared.services.timers.clone());
        while let Some(Some(ended)) = within(&timers, started + DRAIN, tasks.join_next()).await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a task of the server panicked");
            }
        }
        drop(tasks);
        let failure = failed.borrow().clone();
        self.sequencer.stop();
        self.reading.stop();
        self.shared.services.recorder.stop();
        let (sequencer, reading, writing) = (self.sequencer, self.reading, self.writing);
        let joined = tokio::task::spawn_blocking(move || {
            let panicked = sequencer.join();
            reading.join();
            writing.join();
            panicked
        });
        let panicked = match within(&timers, started + STOP, joined).await {
            Some(joined) => joined.unwrap_or(true),
            // Nobody knows when such a disk goes on. What it was at was not acknowledged, and its senders have it: to
            // leave it is what a killed server does, and the next one finds the log as that would.
            None => {
                tracing::warn!("the disk does not finish in time: what it was at was not acknowledged to anybody");
                false
            }
        };
        if let Err(error) = self.timers_task.stop().await {
            tracing::warn!(%error, "the timers had ended early");
        }
        let panicked = panicked.then(|| ServeError::System("a thread of the store panicked".to_owned()));
        failure.or(panicked).map_or(Ok(()), Err)
    }
}

/// What comes of it, unless the deadline comes first. Needs no descriptor: there may be none left.
async fn within<T>(timers: &Timers, deadline: Instant, done: impl Future<Output = T>) -> Option<T> {
    let mut timer = timers.register();
    timer.set(Some(deadline));
    tokio::select! {
        biased;
        done = done => Some(done),
        _ = timer.expired() => None,
    }
}

/// As many connections as may be, and as many as the process may have descriptors for: at the system's own limit a
/// connection would take the descriptor that the store needs.
fn within_descriptors(connections_max: u32, listeners: usize) -> Result<u32, ServeError> {
    let open = descriptors::open_now().unwrap_or(OPEN_DESCRIPTORS);
    let others = open + RESERVED_DESCRIPTORS + (listeners * listen::TURNED_AWAY_MAX) as u64;
    let allowed = descriptors::allow(others + u64::from(connections_max));
    let allowed = allowed.map_err(|error| ServeError::System(error.to_string()))?;
    let room = u32::try_from(allowed.saturating_sub(others)).unwrap_or(u32::MAX).min(connections_max);
    if room == 0 {
        return Err(ServeError::Descriptors { allowed, needed: others + 1 });
    }
    if room < connections_max {
        tracing::warn!(
            "this process may have {allowed} files open: it takes {room} connections and not {connections_max}; raise \
             the limit (ulimit -n, or LimitNOFILE= of a systemd unit), or set --connections-max to {room}"
        );
    }
    Ok(room)
}

fn random<const N: usize>() -> Result<[u8; N], ServeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::System(error.to_string()))?;
    Ok(bytes)
}

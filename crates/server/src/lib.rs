//! Steadfast's server: listeners, one driver a connection, the sequencer, the store's readers, shutdown.
//!
//! What a connection or an operation means is decided in the pure core ([`steadfast_proto::hub`]); this crate brings
//! bytes, time, randomness and the disk.

mod chunks;
mod error;
mod link;
mod listen;
mod mailbox;
mod reading;
mod sequencer;
mod shared;
mod submission;

pub use error::ServeError;
pub use shared::{Config, SignUpPolicy};

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use steadfast_net::clock::{BootClock, Timers, TimersTask};
use steadfast_net::tcp;
use steadfast_proto::ids::{LogId, Term};
use steadfast_proto::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use reading::Reading;
use sequencer::Sequencer;
use shared::Shared;

/// How long clients get to hear that the server goes.
const DRAIN: Duration = Duration::from_secs(3);

/// A server that is set up and not running yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    sequencer: Sequencer,
    reading: Reading,
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
        let (store, hub) = sequencer::recover(data, log_id, config.ring_bytes_max)?;
        let (timers, timers_task) = Timers::spawn().map_err(|error| ServeError::System(error.to_string()))?;
        let (draining, drain) = watch::channel(false);
        let reading = Reading::start(&store)?;
        let (shared, sequencer) = sequencer::start(store, hub, term, config, timers, reading.queue(), drain)?;
        Ok(Self { listeners, shared, sequencer, reading, timers_task, draining })
    }

    /// The addresses that it listens on, with their real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop` ends; then tells the clients, finishes what was taken, and closes the store. An error is
    /// one that the store can't go on after.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(listen::accept(listener, Arc::clone(&self.shared)));
        }
        let mut failed = self.sequencer.failed();
        tokio::select! {
            () = stop => tracing::info!("stopping: telling the clients"),
            _ = failed.wait_for(Option::is_some) => tracing::error!("the store failed: stopping"),
        }
        self.draining.send_replace(true);
        let deadline = BootClock::now() + DRAIN;
        while let Some(ended) = join_before(&mut accepting, deadline).await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a listener panicked");
            }
        }
        drop(accepting);
        let failure = failed.borrow().clone();
        let panicked = self.sequencer.stop().await;
        self.reading.stop().await;
        if let Err(error) = self.timers_task.stop().await {
            tracing::warn!(%error, "the timers had ended early");
        }
        let panicked = panicked.then(|| ServeError::System("a thread of the store panicked".to_owned()));
        failure.or(panicked).map_or(Ok(()), Err)
    }
}

/// The next task that ended, unless the deadline comes first.
async fn join_before(tasks: &mut JoinSet<()>, deadline: Instant) -> Option<Result<(), tokio::task::JoinError>> {
    let mut timer = steadfast_net::clock::BootTimer::new().ok()?;
    timer.within(deadline, tasks.join_next()).await.ok().flatten()
}

fn random<const N: usize>() -> Result<[u8; N], ServeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::System(error.to_string()))?;
    Ok(bytes)
}

//! Taking connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steadfast_net::clock::BootClock;
use steadfast_net::tcp;
use steadfast_proto::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::link;
use crate::shared::Shared;

/// How long accepting rests when the process has no descriptor left.
const REST: Duration = Duration::from_millis(200);

/// Accepts until the server drains, then waits for its connections to end.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut links = JoinSet::new();
    let mut draining = shared.draining.clone();
    let mut rest = shared.timers.register();
    loop {
        let full = shared.connections.load(Ordering::Relaxed) >= shared.config.connections_max;
        // Another listener's connections end without waking this one.
        if full && rest.deadline().is_none() {
            rest.set(Some(BootClock::now() + REST));
        }
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => break,
            Some(ended) = links.join_next(), if !links.is_empty() => report(ended),
            accepted = listener.accept(), if !full && rest.deadline().is_none() => match accepted {
                Ok((stream, peer)) => take(&mut links, &shared, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "can't accept for now");
                    rest.set(Some(BootClock::now() + REST));
                }
            },
            _ = rest.expired() => rest.set(None),
        }
    }
    drop(listener);
    while let Some(ended) = links.join_next().await {
        report(ended);
    }
}

fn take(links: &mut JoinSet<()>, shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    match tcp::configure(&stream, &shared.config.kernel) {
        Ok(applied) => tracing::debug!(%peer, %applied, "accepted"),
        // A socket that died between accept and here, or a kernel without an option: the heartbeat stands alone.
        Err(error) => tracing::warn!(%peer, %error, "the kernel's keepalive could not be set"),
    }
    shared.connections.fetch_add(1, Ordering::Relaxed);
    links.spawn(link::run(stream, peer, Arc::clone(shared)));
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

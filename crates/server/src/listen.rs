//! Taking connections, and turning newcomers away where there is no room for them.
//!
//! Who is turned away hears it, with a time to come back at: left in the kernel's backlog he would wait for an answer
//! that does not come, and his program could not tell a full server from a dead line. That costs one frame and a moment
//! of a socket. Only a few are told at once; the others wait in the backlog for their turn.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use steadfast_net::clock::BootClock;
use steadfast_net::driver::{Core, Driver};
use steadfast_net::tcp::{self, Applied};
use steadfast_proto::codec;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{Bye, ByeReason, frame::Kind};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::door::{Refused, Slot};
use crate::link::{self, Accepted};
use crate::mailbox::Mailbox;
use crate::shared::Shared;
use crate::throttle::Throttle;

/// How long accepting rests when the system refuses, and how often strangers who hold the last slots are hurried.
const REST: Duration = Duration::from_millis(200);
/// Newcomers of one listener that are told at once that there is no room.
pub(crate) const TURNED_AWAY_MAX: usize = 32;
/// When they should come back, and how far they are spread.
const RETRY_MS: std::ops::Range<u32> = 2_000..6_000;

/// One listener and its connections.
struct Listener {
    shared: Arc<Shared>,
    links: JoinSet<()>,
    turned_away: JoinSet<()>,
    /// Leave to take the next one.
    slot: Option<Slot>,
    /// What the kernel applied to the last one: the same for all, as a rule.
    applied: Option<Arc<Applied>>,
    full: Throttle,
    refusing: bool,
}

/// Accepts until the server drains, then waits for its connections to end.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut draining = shared.services.draining.clone();
    let mut rest = shared.services.timers.register();
    let door = Arc::clone(&shared.services.door);
    let mut here = Listener::new(shared);
    loop {
        let resting = rest.deadline().is_some();
        let ready = here.slot.is_some() && here.turned_away.len() < TURNED_AWAY_MAX && !resting;
        if here.slot.is_none() && !resting {
            rest.set(Some(BootClock::now() + REST));
        }
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => break,
            Some(ended) = here.links.join_next(), if !here.links.is_empty() => report(ended),
            Some(ended) = here.turned_away.join_next(), if !here.turned_away.is_empty() => report(ended),
            slot = door.slot(), if here.slot.is_none() => {
                here.slot = Some(slot);
                rest.set(None);
            }
            accepted = listener.accept(), if ready => {
                if here.take(accepted) == Next::Rest {
                    rest.set(Some(BootClock::now() + REST));
                }
            }
            _ = rest.expired() => {
                rest.set(None);
                if here.slot.is_none() {
                    door.hurry(BootClock::now());
                }
            }
        }
    }
    drop(listener);
    drop(here.slot);
    while let Some(ended) = here.links.join_next().await {
        report(ended);
    }
    while let Some(ended) = here.turned_away.join_next().await {
        report(ended);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Accept,
    Rest,
}

impl Listener {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            links: JoinSet::new(),
            turned_away: JoinSet::new(),
            slot: None,
            applied: None,
            full: Throttle::default(),
            refusing: false,
        }
    }

    fn take(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) -> Next {
        match accepted {
            Ok((stream, peer)) => {
                self.refusing = false;
                self.let_in(stream, peer);
                Next::Accept
            }
            // It went before it was taken: that says nothing about the next one (accept(2)).
            Err(error)
                if [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset].contains(&error.kind()) =>
            {
                Next::Accept
            }
            Err(error) => {
                if !self.refusing {
                    tracing::warn!(%error, "the system gives no connection: newcomers wait");
                }
                self.refusing = true;
                Next::Rest
            }
        }
    }

    fn let_in(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Some(slot) = self.slot.take() else { return };
        let (mailbox, now) = (Arc::<Mailbox>::default(), BootClock::now());
        let services = &self.shared.services;
        match services.door.enter(slot, peer.ip(), &mailbox, now) {
            Ok(pass) => {
                let kernel = self.configure(&stream, peer);
                let accepted = Accepted { peer, at: now, kernel, mailbox, pass };
                self.links.spawn(link::run(stream, accepted, Arc::clone(&self.shared)));
            }
            Err(refused) => {
                if let Some(times) = self.full.count() {
                    tracing::warn!(%peer, times, "turned away: {refused}");
                }
                self.turned_away.spawn(turn_away(stream, peer, refused, Arc::clone(&self.shared)));
            }
        }
    }

    fn configure(&mut self, stream: &TcpStream, peer: SocketAddr) -> Option<Arc<Applied>> {
        match tcp::configure(stream, &self.shared.services.config.kernel) {
            Ok(applied) => {
                tracing::info!(%peer, kernel = %applied, "accepted");
                let same = self.applied.take().filter(|last| **last == applied);
                self.applied = Some(same.unwrap_or_else(|| Arc::new(applied)));
                self.applied.clone()
            }
            // A socket that died between accept and here, or a kernel without an option: the heartbeat stands alone.
            Err(error) => {
                tracing::warn!(%peer, %error, "accepted, but the kernel's keepalive could not be set");
                None
            }
        }
    }
}

/// Says that there is no room.
async fn turn_away(stream: TcpStream, peer: SocketAddr, refused: Refused, shared: Arc<Shared>) {
    // They came together: by their ports they come back one after the other.
    let spread = u32::from(peer.port()) * 61 % (RETRY_MS.end - RETRY_MS.start);
    let bye = Bye {
        reason: ByeReason::Overloaded.into(),
        text: refused.to_string(),
        retry_after_ms: RETRY_MS.start + spread,
    };
    let mut words = Words(Vec::new());
    codec::encode_kind(Kind::Bye(bye), &mut words.0);
    link::farewell(&mut Driver::new(stream), &mut words, &shared.services.timers).await;
}

/// All that is said to somebody who is turned away.
struct Words(Vec<u8>);

impl Core for Words {
    fn handle_bytes(&mut self, _: Instant, _: &[u8]) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_line(&mut self, _: u64, _: Option<u64>) {}
    fn poll_transmit(&mut self, _: Instant, out: &mut Vec<u8>) {
        out.append(&mut self.0);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

//! The line of one client: a box on loopback between it and the server, which cuts what it carries at a random byte.
//! The client knows nothing of it: it is used as any program would use it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast_net::clock::{BootClock, BootTimer};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::relay::{read, write_all};

const READ_BYTES: usize = 16 * 1024;
/// A cut comes behind fewer bytes than this, counted from its moment on.
const CUT_WITHIN_BYTES: u64 = 4_096;
/// And no later than this, on a line that carries less.
const CUT_WITHIN: Duration = Duration::from_millis(300);
/// How long a stall may last: below and above the bound after which a client gives its line up.
const STALL_MAX_MS: u64 = 5_000;
/// How long a listener that the system refuses a connection rests.
const REST: Duration = Duration::from_millis(100);

/// What a cut does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Both sides get a reset.
    Reset,
    /// Both sides get an end in good order.
    Close,
    /// What is sent is swallowed, and nobody is told.
    Silence,
    /// Nothing comes for a while; then all of it.
    Stall,
}

const CUTS: [Cut; 4] = [Cut::Reset, Cut::Close, Cut::Silence, Cut::Stall];

/// Which directions a cut concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    Both,
    ToServer,
    ToClient,
}

const WAYS: [Ways; 3] = [Ways::Both, Ways::ToServer, Ways::ToClient];

/// How often each kind of cut was made, over all lines.
#[derive(Debug, Default)]
pub(super) struct Cuts([AtomicU64; CUTS.len()]);

/// When lines are cut.
#[derive(Clone, Debug)]
pub(super) struct Cutting {
    /// Each line once in about this time.
    pub(super) every: Duration,
    /// Whether they are.
    pub(super) armed: watch::Receiver<bool>,
    pub(super) cuts: Arc<Cuts>,
}

impl Cuts {
    fn count(&self, cut: Cut) {
        self.0[cut as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn all(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn words(&self) -> String {
        let of = |cut: Cut| self.0[cut as usize].load(Ordering::Relaxed);
        let (resets, closes) = (of(Cut::Reset), of(Cut::Close));
        let (silences, stalls) = (of(Cut::Silence), of(Cut::Stall));
        format!("{} cuts: {resets} resets, {closes} closed, {silences} silent, {stalls} stalled", self.all())
    }
}

/// A line that listens on loopback. What it carries ends when it is dropped.
#[derive(Debug)]
pub(super) struct Line {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Line {
    pub(super) async fn open(server: String, cutting: Cutting) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, rest) = (listener.local_addr()?, BootTimer::new()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, server, cutting, rest));
        Ok(Self { address, tasks })
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(listener: TcpListener, server: String, cutting: Cutting, mut rest: BootTimer) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if rest.deadline().is_none() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(connect(client, server.clone(), cutting.clone()));
                }
                Err(_) => rest.set(Some(BootClock::now() + REST)),
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = rest.expired() => rest.set(None),
        }
    }
}

async fn connect(client: TcpStream, server: String, cutting: Cutting) {
    // Without the server, or a timer, there is nothing to carry: the client finds its connection closed.
    let (Ok(server), Ok(timer)) = (TcpStream::connect(&server).await, BootTimer::new()) else { return };
    // A small frame must not wait here for an acknowledgement; where that can't be switched off it is only slower.
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    carry(client, server, cutting, timer).await;
}

/// What a direction does with the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// So many more, and then none.
    Closing(u64),
    Shut,
    Swallowing,
}

/// Carries a connection both ways until it ends, and cuts it.
async fn carry(client: TcpStream, server: TcpStream, cutting: Cutting, mut timer: BootTimer) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (mut to_client, mut to_server) = (Some(to_client), Some(to_server));
    let (up, down) = (watch::Sender::new(Gate::Open), watch::Sender::new(Gate::Open));
    let reset = {
        let both = async {
            tokio::join!(
                carry_one_way(&from_client, &mut to_server, &up),
                carry_one_way(&from_server, &mut to_client, &down)
            );
        };
        tokio::select! {
            () = both => false,
            reset = cut(&up, &down, cutting, &mut timer) => reset,
        }
    };
    if reset {
        // Closed with this, a socket sends a reset; where it can't be set the connection is closed all the same.
        from_client.as_ref().set_zero_linger().ok();
        from_server.as_ref().set_zero_linger().ok();
        to_client.into_iter().chain(to_server).for_each(OwnedWriteHalf::forget);
    }
}

/// Cuts the line from time to time. Returns when it is over, and whether with a reset.
async fn cut(
    up: &watch::Sender<Gate>,
    down: &watch::Sender<Gate>,
    mut cutting: Cutting,
    timer: &mut BootTimer,
) -> bool {
    let mut random = fastrand::Rng::new();
    loop {
        let armed = cutting.armed.wait_for(|armed| *armed).await.is_ok();
        // Half of it to one and a half.
        timer.set(Some(BootClock::now() + cutting.every.mul_f64(0.5 + random.f64())));
        if !armed || timer.expired().await.is_err() {
            // Nobody cuts any more: the connection ends by itself.
            return std::future::pending().await;
        }
        let drawn = (random.choice(CUTS), random.choice(WAYS));
        let (Some(cut), Some(ways), true) = (drawn.0, drawn.1, *cutting.armed.borrow()) else { continue };
        let gates: &[&watch::Sender<Gate>] = match ways {
            Ways::Both => &[up, down],
            Ways::ToServer => &[up],
            Ways::ToClient => &[down],
        };
        for gate in gates {
            gate.send_replace(Gate::Closing(random.u64(..CUT_WITHIN_BYTES)));
        }
        let mut first = gates[0].subscribe();
        let shut = first.wait_for(|gate| *gate == Gate::Shut);
        // Time may be up before the bytes have come, or the timer broken: it is cut now in any case.
        timer.within(BootClock::now() + CUT_WITHIN, shut).await.map(drop).ok();
        cutting.cuts.count(cut);
        let set = |state| {
            for gate in gates {
                gate.send_replace(state);
            }
        };
        match cut {
            Cut::Reset => return true,
            Cut::Close => return false,
            Cut::Silence => {
                set(Gate::Swallowing);
                return std::future::pending().await;
            }
            Cut::Stall => {
                set(Gate::Shut);
                timer.set(Some(BootClock::now() + Duration::from_millis(random.u64(..STALL_MAX_MS))));
                // A timer that broke shortens the stall.
                timer.expired().await.ok();
                set(Gate::Open);
            }
        }
    }
}

/// Carries until the sender ends, and tells the receiver, unless everything is swallowed.
async fn carry_one_way(from: &OwnedReadHalf, to: &mut Option<OwnedWriteHalf>, gate: &watch::Sender<Gate>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(read @ 1..) = read(from, &mut buffer).await {
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let allowed = pass(gate, rest.len()).await;
            let Some(to) = to.as_ref().filter(|_| *gate.borrow() != Gate::Swallowing) else { break };
            if write_all(to, &rest[..allowed]).await.is_err() {
                return;
            }
            rest = &rest[allowed..];
        }
    }
    let swallowing = *gate.borrow() == Gate::Swallowing;
    match to.take() {
        // Dropped, it would tell the other side that nothing more comes.
        Some(to) if swallowing => to.forget(),
        Some(_) | None => {}
    }
}

/// Waits until something may pass, or everything is swallowed; how many of these bytes.
async fn pass(gate: &watch::Sender<Gate>, bytes: usize) -> usize {
    let mut changed = gate.subscribe();
    // The gate outlives this, so that waiting can't fail.
    changed.wait_for(|gate| *gate != Gate::Shut).await.map(drop).ok();
    let mut allowed = bytes;
    gate.send_if_modified(|gate| {
        let Gate::Closing(left) = *gate else { return false };
        allowed = bytes.min(usize::try_from(left).unwrap_or(usize::MAX));
        *gate = match left - allowed as u64 {
            0 => Gate::Shut,
            left => Gate::Closing(left),
        };
        true
    });
    allowed
}

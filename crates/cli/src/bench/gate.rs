//! A box on the line between a client and the server, which can swallow everything from one moment on: both sides' own
//! systems find nothing wrong with it.

use std::io;
use std::net::SocketAddr;

use steadfast_net::clock::{BootClock, Instant};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::relay::{read, write_all};

const READ_BYTES: usize = 16 * 1024;

/// See the module's documentation. Its connections go when it is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    address: SocketAddr,
    /// How often the line was cut: a connection of an earlier count carries nothing.
    cuts: watch::Sender<u32>,
    /// Of the cut of this number: when the server let its side go.
    let_go: watch::Receiver<(u32, Option<Instant>)>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A gate on loopback before this server.
    pub(super) async fn open(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cuts, told_cuts) = watch::channel(0);
        let (told_let_go, let_go) = watch::channel((0, None));
        let task = tokio::spawn(serve(listener, server, told_cuts, told_let_go));
        Ok(Self { address, cuts, let_go, task })
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the connection that there is carries nothing. New ones do.
    pub(super) fn cut(&self) -> Instant {
        self.cuts.send_modify(|cuts| *cuts += 1);
        BootClock::now()
    }

    /// When the server let go of the connection that was cut last.
    pub(super) async fn let_go(&self) -> Option<Instant> {
        let cut = *self.cuts.borrow();
        let mut let_go = self.let_go.clone();
        let told = let_go.wait_for(|&(number, at)| number == cut && at.is_some()).await;
        told.ok().and_then(|told| told.1)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    server: String,
    cuts: watch::Receiver<u32>,
    let_go: watch::Sender<(u32, Option<Instant>)>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Without the server there is nothing to carry: the client finds its connection closed.
                if let Ok((client, _)) = accepted && let Ok(server) = TcpStream::connect(&server).await {
                    connections.spawn(carry(client, server, cuts.clone(), let_go.clone()));
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Carries a connection both ways until it ends. After a cut it reads on: what ends then is told to nobody else.
async fn carry(
    client: TcpStream,
    server: TcpStream,
    cuts: watch::Receiver<u32>,
    let_go: watch::Sender<(u32, Option<Instant>)>,
) {
    // A small frame must not wait here for an acknowledgement; where that can't be switched off it is only slower.
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let number = *cuts.borrow();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_cut = || *cuts.borrow() != number;
    let down = async {
        let ended = carry_one_way(from_server, to_client, is_cut).await;
        if is_cut() {
            let_go.send_replace((number + 1, Some(ended)));
        }
    };
    tokio::join!(carry_one_way(from_client, to_server, is_cut), down);
}

/// Gives when the sender ended. The receiver is told, unless the line is cut.
async fn carry_one_way(from: OwnedReadHalf, to: OwnedWriteHalf, is_cut: impl Fn() -> bool) -> Instant {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(read @ 1..) = read(&from, &mut buffer).await {
        if !is_cut() && write_all(&to, &buffer[..read]).await.is_err() {
            break;
        }
    }
    let ended = BootClock::now();
    if is_cut() {
        // Dropped, it would tell the other side that nothing more comes.
        to.forget();
    }
    ended
}

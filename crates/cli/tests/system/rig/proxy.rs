//! A box between a client and the server. It forwards bytes late, slowly, or not at all; it loses or spoils some; it
//! counts connections. TCP stays healthy on both of its sides, whatever it does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Random, Stopwatch, pause};

const READ_BYTES: usize = 16 * 1024;
/// Reads that wait for their moment, in one direction of one connection.
const READS_WAITING_MAX: usize = 64;
const LOOK: Duration = Duration::from_millis(5);
/// A connection that the client has closed is known to be closed after this long.
const CLOSING: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Default)]
pub(crate) struct Way {
    delay_ms: Mutex<Option<(u64, u64)>>,
    frozen: AtomicBool,
    reads_to_lose: AtomicUsize,
    bits_to_flip: AtomicUsize,
    carried_bytes: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    server: String,
    up: Way,
    down: Way,
    random: Mutex<Random>,
    /// Connections are taken, and that is all.
    mute: AtomicBool,
    stopped: AtomicBool,
    open: Mutex<Vec<Arc<Connection>>>,
    accepted: AtomicUsize,
    overlapping: AtomicUsize,
}

#[derive(Debug)]
struct Connection {
    client: TcpStream,
    server: Option<TcpStream>,
    client_closed: AtomicBool,
}

impl Proxy {
    /// A proxy on loopback before this server.
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        listener.set_nonblocking(true).expect("it is a socket");
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            up: Way::default(),
            down: Way::default(),
            random: Mutex::new(Random::new()),
            mute: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            open: Mutex::default(),
            accepted: AtomicUsize::new(0),
            overlapping: AtomicUsize::new(0),
        });
        let theirs = Arc::clone(&shared);
        let listener = std::thread::spawn(move || accept(&listener, &theirs));
        Self { address, shared, listener: Some(listener) }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From the client to the server.
    pub(crate) fn up(&self) -> &Way {
        &self.shared.up
    }

    /// From the server to the client.
    pub(crate) fn down(&self) -> &Way {
        &self.shared.down
    }

    pub(crate) fn delay_ms(&self, from: u64, to: u64) {
        for way in [self.up(), self.down()] {
            *way.delay_ms.lock().expect("nobody panicked") = Some((from, to));
        }
    }

    /// Nothing gets through, and nobody is told; what waits is carried later.
    pub(crate) fn freeze(&self) {
        self.up().frozen.store(true, Ordering::Relaxed);
        self.down().frozen.store(true, Ordering::Relaxed);
    }

    pub(crate) fn thaw(&self) {
        self.up().frozen.store(false, Ordering::Relaxed);
        self.down().frozen.store(false, Ordering::Relaxed);
    }

    /// Whether new connections are taken and left alone.
    pub(crate) fn set_mute(&self, mute: bool) {
        self.shared.mute.store(mute, Ordering::Relaxed);
    }

    /// Ends all connections in good order, with a FIN to both sides.
    pub(crate) fn close_all(&self) {
        for connection in self.shared.open.lock().expect("nobody panicked").iter() {
            connection.shut();
        }
    }

    /// Connections taken so far.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that came while the client had another one.
    pub(crate) fn overlapping(&self) -> usize {
        self.shared.overlapping.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thaw();
        if let Some(listener) = self.listener.take() {
            listener.join().expect("the listener does not panic");
        }
    }
}

impl Way {
    /// The next read is thrown away: on a quiet line that is a whole number of frames.
    pub(crate) fn lose_next(&self) {
        self.reads_to_lose.fetch_add(1, Ordering::Relaxed);
    }

    /// The last byte of the next read comes with another bit.
    pub(crate) fn flip_next(&self) {
        self.bits_to_flip.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn carried_bytes(&self) -> u64 {
        self.carried_bytes.load(Ordering::Relaxed)
    }

    /// What is forwarded of a read; nothing, if it is lost.
    fn spoil(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let take_one = |count: &AtomicUsize| {
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
        };
        if take_one(&self.reads_to_lose) {
            return Vec::new();
        }
        if let Some(last) = bytes.last_mut()
            && take_one(&self.bits_to_flip)
        {
            *last ^= 1;
        }
        bytes
    }

    fn delay(&self, random: &Mutex<Random>) -> Duration {
        let range = *self.delay_ms.lock().expect("nobody panicked");
        range.map_or(Duration::ZERO, |(from, to)| random.lock().expect("nobody panicked").between_ms(from, to))
    }
}

impl Connection {
    fn shut(&self) {
        // Either may be closed already.
        self.client.shutdown(Shutdown::Both).ok();
        if let Some(server) = &self.server {
            server.shutdown(Shutdown::Both).ok();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    while !shared.stopped.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((client, _)) => take(client, shared, &mut threads),
            Err(_) => pause(LOOK),
        }
    }
    for connection in shared.open.lock().expect("nobody panicked").iter() {
        connection.shut();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("a direction does not panic"));
}

fn take(client: TcpStream, shared: &Arc<Shared>, threads: &mut Vec<JoinHandle<()>>) {
    shared.accepted.fetch_add(1, Ordering::Relaxed);
    let started = Stopwatch::start();
    let is_open = |connection: &Arc<Connection>| !connection.client_closed.load(Ordering::Relaxed);
    while shared.open.lock().expect("nobody panicked").iter().any(is_open) {
        if started.elapsed() > CLOSING {
            shared.overlapping.fetch_add(1, Ordering::Relaxed);
            break;
        }
        pause(LOOK);
    }
    client.set_nonblocking(false).expect("it is a socket");
    // Where it can't be switched off the line is only slower.
    client.set_nodelay(true).ok();
    let mute = shared.mute.load(Ordering::Relaxed);
    let server = if mute { None } else { TcpStream::connect(&shared.server).ok() };
    if !mute && server.is_none() {
        // As a balancer does whose server is gone.
        return;
    }
    if let Some(server) = &server {
        server.set_nodelay(true).ok();
    }
    let connection = Arc::new(Connection { client, server, client_closed: AtomicBool::new(false) });
    shared.open.lock().expect("nobody panicked").push(Arc::clone(&connection));
    for up in [true, false] {
        let (sender, receiver) = sync_channel(READS_WAITING_MAX);
        let (there, around) = (Arc::clone(&connection), Arc::clone(shared));
        threads.push(std::thread::spawn(move || read(&there, &around, up, &sender)));
        let (there, around) = (Arc::clone(&connection), Arc::clone(shared));
        threads.push(std::thread::spawn(move || write(&there, &around, up, &receiver)));
    }
}

/// What came, and when it is due after a start that both ends of the queue know.
type Due = (Stopwatch, Duration, Vec<u8>);

fn read(connection: &Connection, shared: &Shared, up: bool, queue: &SyncSender<Due>) {
    let way = if up { &shared.up } else { &shared.down };
    let from = if up { Some(&connection.client) } else { connection.server.as_ref() };
    let mut buffer = vec![0; READ_BYTES];
    while let Some(mut from) = from {
        let Ok(read @ 1..) = from.read(&mut buffer) else { break };
        let bytes = way.spoil(buffer[..read].to_vec());
        if queue.send((Stopwatch::start(), way.delay(&shared.random), bytes)).is_err() {
            break;
        }
    }
    if up {
        connection.client_closed.store(true, Ordering::Relaxed);
    }
}

fn write(connection: &Connection, shared: &Shared, up: bool, queue: &Receiver<Due>) {
    let way = if up { &shared.up } else { &shared.down };
    let to = if up { connection.server.as_ref() } else { Some(&connection.client) };
    // Without a server there is nobody to write to, and nothing comes from there.
    let Some(mut to) = to.filter(|_| connection.server.is_some()) else { return };
    // Order is kept: what came later waits for what came before.
    while let Ok((came, delay, bytes)) = queue.recv() {
        pause(delay.saturating_sub(came.elapsed()));
        while way.frozen.load(Ordering::Relaxed) && !shared.stopped.load(Ordering::Relaxed) {
            pause(LOOK);
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
        way.carried_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    // The other side may be gone, too.
    to.shutdown(Shutdown::Write).ok();
}

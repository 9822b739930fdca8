//! Hostile clients, many at once, each with an address of its own among the loopback's: what they do, and how often.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast_net::clock::{BootClock, TimerHandle, Timers};
use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::wire::{self, frame::Kind, op::Body};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How long somebody rests whom the system gave no connection.
const REST: Duration = Duration::from_millis(100);
/// The device whose secret somebody tries to guess.
pub(crate) const KNOWN: u64 = 1 << 40;
const DRIP: Duration = Duration::from_secs(1);
/// What a client that is admitted leaves of a frame: below what a server takes.
const HALF_PARTS: usize = 7;
const PART_BYTES: usize = 16_384;
/// Pings, or acknowledgements, of one write.
const PINGS: u64 = 64;

/// What a hostile client does, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Never says a byte.
    Silent,
    /// Says Hello, a byte a second.
    Dripping,
    /// Announces a part of the largest size, sends almost all of it at once and then a byte a second.
    Announcing,
    /// Sends what is no frame, or a wrong one, and comes back as soon as it is sent away.
    Malformed,
    /// Signs up as a new device of a new name, and goes.
    SigningUp,
    /// Logs in as a device that is known, with a secret that is wrong.
    WrongSecret,
    /// Is admitted, and sends most of a frame that never ends.
    HalfAFrame,
    /// Is admitted, asks for pages of a room and reads nothing.
    Pages(u64),
    /// Is admitted, and pings as fast as it can; reads what comes.
    Pings,
    /// The same, and reads nothing.
    PingsUnread,
    /// Is admitted, and acknowledges as fast as it can.
    Acks,
    /// Connects and goes at once.
    Passing,
}

#[derive(Debug, Default)]
struct Counts {
    connected: AtomicU64,
    ended: AtomicU64,
    admitted: AtomicU64,
    sent: AtomicU64,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Connections.
    pub(crate) connected: u64,
    /// Those that ended in good order.
    pub(crate) ended: u64,
    /// Times that somebody was admitted.
    pub(crate) admitted: u64,
    /// Frames that were sent behind Hello.
    pub(crate) sent: u64,
}

/// See the module's documentation. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Flood {
    _runtime: Runtime,
    counts: Arc<Counts>,
}

impl Flood {
    /// So many hostile clients at a time.
    pub(crate) fn start(server: &str, attack: Attack, clients: u64) -> Self {
        let server: SocketAddr = server.parse().expect("an address");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        let counts = Arc::<Counts>::default();
        let theirs = Arc::clone(&counts);
        runtime.spawn(async move {
            // The task of the timers ends with the runtime.
            let (timers, _task) = Timers::spawn().expect("a timer");
            let mut all = JoinSet::new();
            for number in 1..=clients {
                let counts = Arc::clone(&theirs);
                let hostile = Hostile { server, attack, number, times: 0, counts, timer: timers.register() };
                all.spawn(hostile.run());
            }
            while all.join_next().await.is_some() {}
        });
        Self { _runtime: runtime, counts }
    }

    pub(crate) fn counted(&self) -> Counted {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { connected, ended, admitted, sent } = &*self.counts;
        Counted { connected: of(connected), ended: of(ended), admitted: of(admitted), sent: of(sent) }
    }
}

/// A Hello of the device of this number.
pub(crate) fn hello(name: &str, device: u64, secret: u8, idle_bound_ms: u32) -> Kind {
    Kind::Hello(wire::Hello {
        version_min: 1,
        version_max: 1,
        idle_bound_ms,
        window_bytes: 65_536,
        credentials: Some(wire::Credentials {
            name: name.to_owned(),
            device_id: (u128::from(device) << 8 | 1).to_be_bytes().to_vec().into(),
            secret: vec![secret; 32].into(),
            account: device,
        }),
        incarnation: Some(wire::Incarnation { process_start_ms: 1, process: 1, link: 1 }),
        ..wire::Hello::default()
    })
}

pub(crate) fn encoded(kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_kind(kind, &mut bytes);
    bytes
}

struct Hostile {
    server: SocketAddr,
    attack: Attack,
    number: u64,
    times: u64,
    counts: Arc<Counts>,
    timer: TimerHandle,
}

impl Hostile {
    async fn run(mut self) {
        loop {
            self.times += 1;
            match self.connect().await {
                Ok(stream) => {
                    self.counts.connected.fetch_add(1, Ordering::Relaxed);
                    // Whatever it was that ended it: it comes back.
                    if self.behave(&stream).await.is_ok() {
                        self.counts.ended.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(_) => self.rest(REST).await,
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        // 127.1.0.0 to 127.1.15.255: no address is full because of one of them.
        let [_, _, _, _, _, _, high, low] = (self.number % 4_096).to_be_bytes();
        socket.bind(([127, 1, high, low], 0).into())?;
        socket.connect(self.server).await
    }

    async fn rest(&mut self, time: Duration) {
        self.timer.set(Some(BootClock::now() + time));
        self.timer.expired().await.expect("the timers run");
    }

    /// Does what it does until the server ends the connection, or it goes itself.
    async fn behave(&mut self, stream: &TcpStream) -> io::Result<()> {
        match self.attack {
            Attack::Silent => drain(stream).await,
            Attack::Dripping => {
                let hello = encoded(hello("dripping", self.number, 1, 15_000));
                self.drip(stream, &hello).await
            }
            Attack::Announcing => {
                let mut part = vec![0x85, 0x80, 0x01, 0x04];
                part.resize(PART_BYTES - 100, b'x');
                write(stream, &part).await?;
                self.drip(stream, &[b'x'; 100]).await
            }
            Attack::Malformed => {
                write(stream, malformed(self.number + self.times)).await?;
                drain(stream).await
            }
            Attack::SigningUp => {
                let number = self.number << 32 | self.times;
                self.log_in(stream, hello(&format!("new{number}"), number, 1, 15_000)).await
            }
            Attack::WrongSecret => {
                write(stream, &encoded(hello("known", KNOWN, 9, 15_000))).await?;
                drain(stream).await
            }
            Attack::HalfAFrame => {
                self.be_admitted(stream).await?;
                write(stream, &half_a_frame()).await?;
                drain(stream).await
            }
            Attack::Pages(room) => {
                self.be_admitted(stream).await?;
                for number in 1.. {
                    let history = wire::History { number, room, from_sequence: 1, to_sequence: u64::from(u32::MAX) };
                    self.send(stream, &encoded(Kind::History(history)), 1).await?;
                }
                Ok(())
            }
            Attack::Pings => {
                self.be_admitted(stream).await?;
                tokio::select! {
                    ended = drain(stream) => ended,
                    ended = self.ping(stream) => ended,
                }
            }
            Attack::PingsUnread => {
                self.be_admitted(stream).await?;
                self.ping(stream).await
            }
            Attack::Acks => {
                self.be_admitted(stream).await?;
                let ack = encoded(Kind::Ack(wire::Ack::default()));
                loop {
                    self.send(stream, &ack.repeat(PINGS as usize), PINGS).await?;
                }
            }
            Attack::Passing => Ok(()),
        }
    }

    /// A byte a second.
    async fn drip(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            write(stream, std::slice::from_ref(byte)).await?;
            self.timer.set(Some(BootClock::now() + DRIP));
            tokio::select! {
                ended = drain(stream) => return ended,
                _ = self.timer.expired() => {}
            }
        }
        drain(stream).await
    }

    fn hello(&self) -> Kind {
        hello(&format!("hostile{}", self.number), self.number, 1, 15_000)
    }

    async fn be_admitted(&self, stream: &TcpStream) -> io::Result<()> {
        self.log_in(stream, self.hello()).await
    }

    /// Returns when it is admitted.
    async fn log_in(&self, stream: &TcpStream, hello: Kind) -> io::Result<()> {
        write(stream, &encoded(hello)).await?;
        let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 4_096]);
        loop {
            let read = read(stream, &mut buffer).await?;
            decoder.push(&buffer[..read]);
            while let Some(received) = decoder.next_frame().map_err(io::Error::other)? {
                match received.kind {
                    Kind::Welcome(_) => {
                        self.counts.admitted.fetch_add(1, Ordering::Relaxed);
                        return Ok(());
                    }
                    Kind::Bye(bye) => return Err(io::Error::other(bye.text)),
                    _ => {}
                }
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn ping(&self, stream: &TcpStream) -> io::Result<()> {
        // What the peer counts of it: Hello came before, and then these.
        let (mut frames, mut bytes) = (1, encoded(self.hello()).len() as u64);
        loop {
            let mut pings = Vec::new();
            for _ in 0..PINGS {
                let before = pings.len();
                let ping = wire::Ping { number: 1, frames_before: frames, bytes_before: bytes };
                codec::encode_kind(Kind::Ping(ping), &mut pings);
                frames += 1;
                bytes += (pings.len() - before) as u64;
            }
            self.send(stream, &pings, PINGS).await?;
        }
    }

    async fn send(&self, stream: &TcpStream, bytes: &[u8], frames: u64) -> io::Result<()> {
        write(stream, bytes).await?;
        self.counts.sent.fetch_add(frames, Ordering::Relaxed);
        // The others of the flood have their turn.
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// One of several wrong beginnings of a line.
fn malformed(which: u64) -> &'static [u8] {
    // Of PROTOCOL.md's vectors: a length of 1 MiB, one that is not minimal, a wrong checksum, an unknown header bit, an
    // unknown kind, a body that is cut short, and what is no frame at all.
    const ALL: [&[u8]; 7] = [
        &[0x80, 0x80, 0x40],
        &[0x8c, 0x00, 0x00, 0x22, 0x05, 0x08, 0xac, 0x02, 0x10, 0x05, 0x25, 0xb0, 0x32, 0xc4],
        &[0x0c, 0x00, 0x22, 0x05, 0x08, 0xac, 0x02, 0x10, 0x05, 0xe4, 0xed, 0x1e, 0xe4],
        &[0x07, 0x08, 0x22, 0x00, 0x24, 0x1e, 0xf8, 0x31],
        &[0x08, 0x00, 0xca, 0x03, 0x00, 0x6f, 0x4e, 0x8e, 0x8f],
        &[0x07, 0x00, 0x22, 0x05, 0xfd, 0x34, 0x58, 0x3c],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    ALL[(which % ALL.len() as u64) as usize]
}

/// The first parts of a message that is longer than they are.
fn half_a_frame() -> Vec<u8> {
    let body = vec![b'x'; (HALF_PARTS + 1) * PART_BYTES].into();
    let send = Body::Send(wire::Send { room: None, body, content_type: String::new() });
    let whole = encoded(Kind::Op(wire::Op { sequence: 1, id: 1, body: Some(send), ..wire::Op::default() }));
    let mut rest = &whole[..];
    for _ in 0..HALF_PARTS {
        (_, rest) = codec::first_part(rest);
    }
    whole[..whole.len() - rest.len()].to_vec()
}

async fn drain(stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    while read(stream, &mut buffer).await? > 0 {}
    Ok(())
}

async fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

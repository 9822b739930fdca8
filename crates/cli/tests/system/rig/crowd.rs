//! Many clients in one thread: real sessions over real sockets, each with a profile in memory.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use steadfast_net::clock::BootClock;
use steadfast_proto::ids::{AccountId, DeviceId};
use steadfast_proto::session::{Cause, Change, Event, Identity, Resume, Session, Settings, State, Stored};
use steadfast_proto::wire::{self, Op, RoomRef, op::Body, room_ref::By};

use super::{Stopwatch, pause};

/// One of the crowd, in a room of its own.
struct Client {
    session: Session,
    stream: Option<TcpStream>,
    out: Vec<u8>,
    /// Operations without an outcome, in order.
    outbox: VecDeque<Op>,
    last_sequence: u64,
    position: u64,
    dropped: Option<Cause>,
}

pub(crate) struct Crowd {
    address: String,
    clients: Vec<Client>,
}

impl Crowd {
    pub(crate) fn new(count: usize, address: &str) -> Self {
        let clients = (0..count).map(Client::new).collect();
        Self { address: address.to_owned(), clients }
    }

    /// Everybody queues one message.
    pub(crate) fn send(&mut self) {
        self.clients.iter_mut().for_each(Client::queue_message);
    }

    /// Runs until nobody waits for an outcome.
    pub(crate) fn run_until_settled(&mut self, bound: Duration) -> Duration {
        let started = Stopwatch::start();
        while self.clients.iter().any(|client| !client.outbox.is_empty()) {
            let waiting = self.clients.iter().filter(|client| !client.outbox.is_empty()).count();
            assert!(started.elapsed() < bound, "{waiting} still wait after {bound:?}");
            for client in &mut self.clients {
                client.turn(&self.address);
            }
            pause(Duration::from_millis(1));
        }
        started.elapsed()
    }

    /// Runs for a while, whatever happens.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let started = Stopwatch::start();
        while started.elapsed() < time {
            for client in &mut self.clients {
                client.turn(&self.address);
            }
            pause(Duration::from_millis(1));
        }
    }

    /// How many are online.
    pub(crate) fn online(&self) -> usize {
        self.clients.iter().filter(|client| client.session.status().state == State::Online).count()
    }

    /// Why lines were lost, of all who lost one.
    pub(crate) fn drops(&self) -> Vec<&Cause> {
        self.clients.iter().filter_map(|client| client.dropped.as_ref()).collect()
    }
}

impl Client {
    fn new(number: usize) -> Self {
        let id = number as u64 + 1;
        let identity = Identity {
            name: format!("sender{number}"),
            device_id: DeviceId(u128::from(id).to_be_bytes()),
            secret: [7; 32],
            account: AccountId(id),
        };
        let resume = Resume {
            identity,
            log_id: None,
            place: None,
            told: None,
            confirmed_through: 0,
            recounts: false,
            rooms: Vec::new(),
            terms: Vec::new(),
        };
        let settings = Settings { process: id, process_start_ms: 1, jitter_seed: id, ..Settings::default() };
        let session = Session::new(settings, resume);
        let mut client = Self {
            session,
            stream: None,
            out: Vec::new(),
            outbox: VecDeque::new(),
            last_sequence: 0,
            position: 0,
            dropped: None,
        };
        client.queue(Body::Enter(wire::Enter { name: format!("room{number}") }));
        client
    }

    fn queue(&mut self, body: Body) {
        self.last_sequence += 1;
        let (sequence, device) = (self.last_sequence, self.session.identity().account.0);
        let id = device << 32 | sequence;
        let op = Op { sequence, id, confirmed_through: 0, composed_at_ms: 0, body: Some(body) };
        self.outbox.push_back(op);
        self.session.handle_appended();
    }

    fn queue_message(&mut self) {
        // The room is called after the operation that made it.
        let room = self.session.identity().account.0 << 32 | 1;
        let room = Some(RoomRef { by: Some(By::Room(room)) });
        self.queue(Body::Send(wire::Send { room, body: vec![b'x'; 100].into(), content_type: String::new() }));
    }

    fn turn(&mut self, address: &str) {
        self.serve_events(address);
        self.read();
        let now = BootClock::now();
        if self.session.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.session.handle_timeout(now);
        }
        while let Some(changes) = self.session.poll_store(now) {
            let stored = self.store(changes);
            self.session.handle_stored(now, &stored, None);
        }
        self.serve_events(address);
        self.write();
    }

    fn serve_events(&mut self, address: &str) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connect => match TcpStream::connect(address) {
                    Ok(stream) => {
                        stream.set_nonblocking(true).expect("it is a socket");
                        self.stream = Some(stream);
                        self.session.handle_opened(BootClock::now());
                    }
                    Err(error) => {
                        self.session.handle_open_failed(BootClock::now(), steadfast_net::cause::of_io(&error));
                    }
                },
                Event::Close => self.stream = None,
                Event::Load(load) => {
                    let rows = self.outbox.iter().filter(|op| op.sequence > load.after_sequence).cloned().collect();
                    self.session.handle_loaded(BootClock::now(), load.generation, rows, false);
                }
                Event::Recorded(flight) => self.dropped = flight.loss.map(|loss| loss.cause).or(self.dropped.take()),
                Event::StatusChanged | Event::Answered { .. } => {}
            }
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while let Some(stream) = &mut self.stream {
            match stream.read(&mut buffer) {
                Ok(0) => self.lose(Cause::ClosedByPeer),
                Ok(read) => self.session.handle_bytes(BootClock::now(), &buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => self.lose(steadfast_net::cause::of_io(&error)),
            }
        }
    }

    fn write(&mut self) {
        while let Some(stream) = &mut self.stream {
            if self.out.is_empty() {
                self.session.poll_transmit(BootClock::now(), &mut self.out);
            }
            if self.out.is_empty() {
                return;
            }
            match stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => self.lose(steadfast_net::cause::of_io(&error)),
            }
        }
    }

    fn lose(&mut self, cause: Cause) {
        self.stream = None;
        self.out.clear();
        self.session.handle_lost(BootClock::now(), cause);
    }

    fn store(&mut self, changes: Vec<Change>) -> Stored {
        for change in changes {
            match change {
                Change::Entry(entry) => {
                    self.position = entry.position;
                    self.outbox.retain(|op| op.id != entry.id);
                }
                Change::Outcome(outcome) => {
                    assert_eq!(outcome.refusal, 0, "{outcome:?}");
                    self.outbox.retain(|op| op.id != outcome.id);
                }
                Change::FirstHeads { as_of: position, .. } | Change::Through { position } => self.position = position,
                Change::Welcomed { .. } | Change::Page(_) => {}
                Change::Diverged { .. } | Change::Renumbered { .. } => panic!("there is one history"),
            }
        }
        let confirmed_through = self.outbox.front().map_or(self.last_sequence, |op| op.sequence - 1);
        Stored { position: self.position, confirmed_through, entered: Vec::new() }
    }
}

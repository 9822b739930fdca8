//! The world: its clock, its lines, and what is due when. It decides nothing; it carries.

use std::collections::BTreeMap;

use steadfast_proto::ids::RoomId;
use steadfast_proto::session::{Cause, Load, Session};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::History;

use crate::client::Client;
use crate::pipe::{Latency, Piece, Pipe};
use crate::random::Random;
use crate::server::Server;

/// What a moment may hold before the world counts as standing still.
const STEPS_AT_ONE_MOMENT_MAX: usize = 20_000;
/// The wall clock when the world began, Unix milliseconds.
const WALL_START_MS: u64 = 1_700_000_000_000;

/// What happens later.
#[derive(Debug)]
pub(crate) enum Task {
    Opened { client: usize, attempt: u64 },
    Loaded { client: usize, process: u64, load: Load },
    Stored { client: usize, process: u64 },
    StartClient { client: usize },
    StartServer,
    Admit { wire: u64 },
    Synced { run: u64 },
    Committed { run: u64 },
    Chunks { wire: u64, rooms: Vec<RoomId>, after: u64 },
    Page { wire: u64, asked: History },
    Tick { run: u64 },
}

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) client: usize,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
}

/// How the world behaves; the seed draws the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) latency: Latency,
    /// A line made now carries no more than this, each way.
    pub(crate) bytes_per_second: Option<u64>,
    /// Each side's socket holds so many bytes.
    pub(crate) socket_bytes: usize,
    /// Bytes arrive in pieces of this size at most.
    pub(crate) piece_bytes_max: usize,
    /// How long a client's disk takes for a batch, at most.
    pub(crate) client_sync_ms_max: u64,
    /// How long the server's disk takes for a batch, at most.
    pub(crate) server_sync_ms_max: u64,
    pub(crate) window_bytes: u32,
    pub(crate) ring_bytes_max: usize,
    /// What one read of the log gives, about.
    pub(crate) read_bytes_max: usize,
}

impl Weather {
    /// A good line and quick disks.
    pub(crate) const FAIR: Weather = Weather {
        latency: Latency { from_ms: 1, to_ms: 5 },
        bytes_per_second: None,
        socket_bytes: 64 * 1024,
        piece_bytes_max: usize::MAX,
        client_sync_ms_max: 2,
        server_sync_ms_max: 2,
        window_bytes: 64 * 1024,
        ring_bytes_max: 1024 * 1024,
        read_bytes_max: 64 * 1024,
    };

    /// Any: slow lines and disks, small windows and rings.
    pub(crate) fn any(random: &mut Random) -> Weather {
        Weather {
            latency: Latency { from_ms: 1, to_ms: [2, 30, 350][random.below(3)] },
            bytes_per_second: None,
            socket_bytes: [4 * 1024, 64 * 1024][random.below(2)],
            piece_bytes_max: [60, 1_000, 10_000, usize::MAX][random.below(4)],
            client_sync_ms_max: [1, 20, 400][random.below(3)],
            server_sync_ms_max: [1, 20, 400][random.below(3)],
            window_bytes: [16 * 1024, 64 * 1024][random.below(2)],
            ring_bytes_max: [0, 1_000, 20_000, 1024 * 1024][random.below(4)],
            read_bytes_max: [200, 3_000, 64 * 1024][random.below(3)],
        }
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) clients: Vec<Client>,
    pub(crate) server: Server,
    pub(crate) wires: BTreeMap<u64, Wire>,
    /// The server's process stands still: it reads nothing, and its deadlines pass.
    server_frozen: bool,
    tasks: BTreeMap<(Instant, u64), Task>,
    numbers: u64,
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        let mut random = Random::new(seed);
        let server = Server::new(&mut random);
        let now = Instant::from_nanos(1_000_000_000_000);
        let (wires, tasks) = (BTreeMap::new(), BTreeMap::new());
        let clients = Vec::new();
        let mut world = Self { now, random, weather, clients, server, wires, server_frozen: false, tasks, numbers: 0 };
        world.start_server();
        world
    }

    /// A world with any weather.
    pub(crate) fn any(seed: u64) -> Self {
        let weather = Weather::any(&mut Random::new(seed ^ 0x77));
        Self::new(seed, weather)
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        WALL_START_MS + self.now.as_nanos() / 1_000_000
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn later(&mut self, after: Duration, task: Task) {
        let number = self.number();
        self.tasks.insert((self.now + after, number), task);
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Runs until the condition holds, for the duration at most; says whether it does.
    pub(crate) fn run_until(&mut self, duration: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + duration;
        let mut steps = 0;
        while !done(self) {
            let Some(at) = self.next_moment().filter(|&at| at <= end) else {
                self.now = end;
                return done(self);
            };
            steps = if at > self.now { 0 } else { steps + 1 };
            assert!(steps < STEPS_AT_ONE_MOMENT_MAX, "the world spins at {:?}: {:?}", self.now, self.timers());
            self.now = self.now.max(at);
            self.step();
        }
        true
    }

    /// Cuts the line of a client: each direction silently, loudly, or (if the other one is cut) not at all.
    pub(crate) fn cut_any(&mut self, client: usize) {
        let (up, down) = [(true, true), (true, false), (false, true)][self.random.below(3)];
        let loud = self.random.percent(50);
        self.cut(client, up, down, loud);
    }

    pub(crate) fn cut(&mut self, client: usize, up: bool, down: bool, loud: bool) {
        let Some(wire) = self.clients[client].wire.and_then(|wire| self.wires.get_mut(&wire)) else { return };
        if up {
            wire.up.cut(self.now, loud, &mut self.random);
        }
        if down {
            wire.down.cut(self.now, loud, &mut self.random);
        }
    }

    /// The server's process is stopped, or goes on. Its disk must be at rest.
    pub(crate) fn freeze_server(&mut self, frozen: bool) {
        self.server_frozen = frozen;
        if !frozen && self.random.percent(50) {
            self.run_server_timers();
        }
    }

    /// A client's process is stopped, or goes on; then what it looks at first is chance. Its disk must be at rest.
    pub(crate) fn freeze_client(&mut self, client: usize, frozen: bool) {
        self.clients[client].frozen = frozen;
        if !frozen && self.random.percent(50) {
            self.client_timer(client);
        }
    }

    pub(crate) fn push(&mut self, wire: u64, up: bool, mut bytes: &[u8]) {
        let Some(there) = self.wires.get_mut(&wire) else { return };
        let pipe = if up { &mut there.up } else { &mut there.down };
        while !bytes.is_empty() {
            let most = bytes.len().min(self.weather.piece_bytes_max);
            let size = if self.weather.piece_bytes_max == usize::MAX { most } else { self.random.between(1, most) };
            let (piece, rest) = bytes.split_at(size);
            pipe.push(self.now, self.weather.latency.draw(&mut self.random), piece);
            bytes = rest;
        }
    }

    pub(crate) fn end_pipe(&mut self, wire: u64, up: bool, reset: bool) {
        let at = self.now + self.weather.latency.draw(&mut self.random);
        let Some(there) = self.wires.get_mut(&wire) else { return };
        if up { there.up.end(at, reset) } else { there.down.end(at, reset) }
    }

    fn timers(&self) -> Vec<String> {
        let clients = self.clients.iter().map(|c| format!("{:?}", c.session.as_ref().map(Session::poll_timeout)));
        clients.chain(self.server.conns.values().map(|conn| format!("{:?}", conn.core.poll_timeout()))).collect()
    }

    fn next_moment(&self) -> Option<Instant> {
        let task = self.tasks.keys().next().map(|&(at, _)| at);
        let arrivals = self.wires.values().flat_map(|wire| {
            let up = wire.up.next_arrival().filter(|_| !self.server_frozen);
            [up, wire.down.next_arrival().filter(|_| !self.clients[wire.client].frozen)]
        });
        let awake = self.clients.iter().filter(|client| !client.frozen);
        let clients = awake.filter_map(|client| client.session.as_ref()?.poll_timeout());
        let conns = self.server.conns.values().filter(|_| !self.server_frozen);
        let conns = conns.map(|conn| conn.core.poll_timeout().0);
        let timers = clients.map(|(at, _)| at).chain(conns);
        arrivals.flatten().chain(timers).chain(task).min()
    }

    fn step(&mut self) {
        if let Some((&key, _)) = self.tasks.first_key_value()
            && key.0 <= self.now
            && let Some(task) = self.tasks.remove(&key)
        {
            return self.run(task);
        }
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for wire in wires {
            if !self.server_frozen {
                self.arrive(wire, true);
            }
            if self.wires.get(&wire).is_some_and(|wire| !self.clients[wire.client].frozen) {
                self.arrive(wire, false);
            }
        }
        for client in 0..self.clients.len() {
            if !self.clients[client].frozen {
                self.client_timer(client);
            }
        }
        if !self.server_frozen {
            self.run_server_timers();
        }
    }

    fn run_server_timers(&mut self) {
        let conns: Vec<u64> = self.server.conns.keys().copied().collect();
        for wire in conns {
            self.server_timer(wire);
        }
    }

    fn arrive(&mut self, wire: u64, up: bool) {
        while let Some(there) = self.wires.get_mut(&wire) {
            let pipe = if up { &mut there.up } else { &mut there.down };
            let client = there.client;
            let Some(piece) = pipe.take(self.now) else { return };
            match (up, piece) {
                (true, Piece::Bytes(bytes)) => self.server_bytes(wire, &bytes),
                (true, Piece::End { .. }) => self.server_lost(wire),
                (false, Piece::Bytes(bytes)) => self.client_bytes(client, wire, &bytes),
                (false, Piece::End { reset }) => {
                    let cause = if reset { Cause::Reset } else { Cause::ClosedByPeer };
                    self.client_lost(client, wire, cause);
                }
            }
            // What was taken makes room for more.
            if up {
                self.drive_client(client);
            } else {
                self.drive_conn(wire);
            }
            self.forget_wire(wire);
        }
    }

    /// A line that nobody holds any more is gone.
    fn forget_wire(&mut self, wire: u64) {
        let Some(there) = self.wires.get(&wire) else { return };
        let held = self.clients[there.client].wire == Some(wire) || self.server.conns.contains_key(&wire);
        if !held {
            self.wires.remove(&wire);
        }
    }

    fn run(&mut self, task: Task) {
        match task {
            Task::Opened { client, attempt } => self.client_opened(client, attempt),
            Task::Loaded { client, process, load } => self.client_loaded(client, process, load),
            Task::Stored { client, process } => self.client_stored(client, process),
            Task::StartClient { client } => self.start_client(client),
            Task::StartServer => self.start_server(),
            Task::Admit { wire } => self.server_admit(wire),
            Task::Synced { run } => self.server_synced(run),
            Task::Committed { run } => self.server_committed(run),
            Task::Chunks { wire, rooms, after } => self.server_chunks(wire, &rooms, after),
            Task::Page { wire, asked } => self.server_page(wire, &asked),
            Task::Tick { run } => self.server_tick(run),
        }
    }
}

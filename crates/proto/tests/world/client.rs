//! One client: its profile, which survives it, and its session, which does not.

use std::collections::BTreeMap;

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, DeviceId, OperationId};
use steadfast_proto::session::{Cause, Change, Event, Flight, Identity, Load, Reply, Request, Session, Settings};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, Op, RoomRef, op::Body};

use crate::pipe::Pipe;
use crate::profile::Profile;
use crate::sim::{Task, Wire, World};

/// Rows that one load gives, at most.
const LOAD_ROWS_MAX: usize = 40;

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) profile: Profile,
    pub(crate) session: Option<Session>,
    pub(crate) wire: Option<u64>,
    /// The try to connect that is under way.
    attempt: Option<u64>,
    process: u64,
    storing: Option<Vec<Change>>,
    /// Its disk takes nothing for now.
    pub(crate) stalled: bool,
    /// Its process stands still: it reads nothing, and its deadlines pass.
    pub(crate) frozen: bool,
    /// What the process was told since it started.
    pub(crate) answered: BTreeMap<u32, Result<Reply, wire::RequestError>>,
    pub(crate) drops: Vec<(Instant, Cause)>,
    /// When it began to connect, each time.
    pub(crate) tries: Vec<Instant>,
    /// What the flight recorder said last of each link of this process.
    pub(crate) flights: BTreeMap<u64, Flight>,
    /// All operations that `append` accepted, in order.
    pub(crate) made: Vec<OperationId>,
}

impl World {
    /// A client whose process runs, under an account's name.
    pub(crate) fn add_client(&mut self, name: &str) -> usize {
        let identity = Identity {
            name: name.to_owned(),
            device_id: DeviceId(self.random.bytes()),
            secret: self.random.bytes(),
            account: AccountId(self.random.next()),
        };
        self.add_profile(Profile::new(identity), Vec::new())
    }

    /// A client that runs on this profile.
    pub(crate) fn add_profile(&mut self, profile: Profile, made: Vec<OperationId>) -> usize {
        self.clients.push(Client {
            profile,
            session: None,
            wire: None,
            attempt: None,
            process: 0,
            storing: None,
            stalled: false,
            frozen: false,
            answered: BTreeMap::new(),
            drops: Vec::new(),
            tries: Vec::new(),
            flights: BTreeMap::new(),
            made,
        });
        let client = self.clients.len() - 1;
        self.start_client(client);
        client
    }

    pub(crate) fn start_client(&mut self, client: usize) {
        if self.clients[client].session.is_some() {
            return;
        }
        let settings = Settings {
            window_bytes: self.weather.window_bytes,
            process_start_ms: self.wall_ms(),
            process: self.random.next(),
            jitter_seed: self.random.next(),
            ..Settings::default()
        };
        let number = self.number();
        let there = &mut self.clients[client];
        there.session = Some(Session::new(settings, there.profile.resume()));
        there.process = number;
        there.answered.clear();
        there.flights.clear();
        self.drive_client(client);
    }

    /// The process is killed: what its disk had not synced is gone.
    pub(crate) fn crash_client(&mut self, client: usize) {
        let there = &mut self.clients[client];
        there.session = None;
        there.storing = None;
        there.attempt = None;
        if let Some(wire) = there.wire.take() {
            // The machine may go down with it, and say nothing.
            if self.random.percent(50) {
                self.end_pipe(wire, true, true);
            }
        }
    }

    /// Accepts an operation into the outbox.
    pub(crate) fn append(&mut self, client: usize, body: Body) -> OperationId {
        let id = OperationId(self.random.next());
        let composed_at_ms = self.wall_ms();
        let there = &mut self.clients[client];
        there.profile.append(id, composed_at_ms, body);
        there.made.push(id);
        if let Some(session) = &mut there.session {
            session.handle_appended();
        }
        self.drive_client(client);
        id
    }

    pub(crate) fn enter(&mut self, client: usize, name: &str) -> OperationId {
        self.append(client, Body::Enter(wire::Enter { name: name.to_owned() }))
    }

    pub(crate) fn send(&mut self, client: usize, room: RoomRef, body_bytes: usize) -> OperationId {
        let body = Bytes::from(vec![b'x'; body_bytes]);
        self.append(client, Body::Send(wire::Send { room: Some(room), body, content_type: String::new() }))
    }

    /// Sends into the room that an operation of this client enters.
    pub(crate) fn send_entered(&mut self, client: usize, entering: OperationId, body_bytes: usize) -> OperationId {
        let room = self.clients[client].profile.room_of(entering);
        self.send(client, room, body_bytes)
    }

    /// Changes something about a running client's session, and lets it act.
    pub(crate) fn tell(&mut self, client: usize, command: impl FnOnce(&mut Session)) {
        command(self.clients[client].session.as_mut().expect("the process runs"));
        self.drive_client(client);
    }

    pub(crate) fn ask(&mut self, client: usize, request: Request) -> Option<u32> {
        let number = self.clients[client].session.as_mut()?.ask(request);
        self.drive_client(client);
        Some(number)
    }

    pub(crate) fn client_opened(&mut self, client: usize, attempt: u64) {
        let there = &mut self.clients[client];
        if there.attempt != Some(attempt) {
            return;
        }
        there.attempt = None;
        let Some(session) = &mut there.session else { return };
        if self.server.is_up() {
            let wire = attempt;
            let pipe = || Pipe::new(self.weather.socket_bytes, self.weather.bytes_per_second, self.now);
            self.wires.insert(wire, Wire { client, up: pipe(), down: pipe() });
            there.wire = Some(wire);
            session.handle_opened(self.now);
            self.server_accept(wire);
        } else {
            session.handle_open_failed(self.now, Cause::Refused);
        }
        self.drive_client(client);
    }

    pub(crate) fn client_loaded(&mut self, client: usize, process: u64, load: Load) {
        let there = &mut self.clients[client];
        if there.process != process {
            return;
        }
        let Some(session) = &mut there.session else { return };
        let mut rows: Vec<Op> = there
            .profile
            .outbox
            .range(load.after_sequence + 1..)
            .take(LOAD_ROWS_MAX + 1)
            .map(|(_, op)| op.clone())
            .collect();
        let more = rows.len() > LOAD_ROWS_MAX;
        rows.truncate(LOAD_ROWS_MAX);
        session.handle_loaded(self.now, load.generation, rows, more);
        self.drive_client(client);
    }

    pub(crate) fn client_stored(&mut self, client: usize, process: u64) {
        let there = &mut self.clients[client];
        if there.process != process {
            return;
        }
        let (Some(session), Some(batch)) = (&mut there.session, there.storing.take()) else { return };
        let resets = batch.iter().any(|change| matches!(change, Change::Diverged { .. } | Change::NewDevice { .. }));
        let stored = there.profile.commit(batch);
        session.handle_stored(self.now, &stored, resets.then(|| there.profile.resume()));
        self.drive_client(client);
    }

    pub(crate) fn client_bytes(&mut self, client: usize, wire: u64, bytes: &[u8]) {
        let there = &mut self.clients[client];
        if there.wire == Some(wire)
            && let Some(session) = &mut there.session
        {
            session.handle_bytes(self.now, bytes);
            self.drive_client(client);
        }
    }

    pub(crate) fn client_lost(&mut self, client: usize, wire: u64, cause: Cause) {
        let there = &mut self.clients[client];
        if there.wire == Some(wire) {
            there.wire = None;
            if let Some(session) = &mut there.session {
                session.handle_lost(self.now, cause);
            }
            self.end_pipe(wire, true, true);
            self.drive_client(client);
        }
    }

    pub(crate) fn client_timer(&mut self, client: usize) {
        let there = &mut self.clients[client];
        if let Some(session) = &mut there.session
            && session.poll_timeout().is_some_and(|(at, _)| at <= self.now)
        {
            let wire = there.wire.and_then(|wire| self.wires.get(&wire));
            if let Some((queued_bytes, rate)) = wire.and_then(|wire| wire.up.line()) {
                session.handle_line(queued_bytes, rate);
            }
            session.handle_timeout(self.now);
            self.drive_client(client);
        }
    }

    /// Serves a session until it wants nothing more for now.
    pub(crate) fn drive_client(&mut self, client: usize) {
        while self.client_stores(client) | self.client_transmits(client) | self.client_events(client) {}
    }

    fn client_events(&mut self, client: usize) -> bool {
        let mut any = false;
        while let Some(event) = self.clients[client].session.as_mut().and_then(Session::poll_event) {
            any = true;
            self.client_event(client, event);
        }
        any
    }

    fn client_event(&mut self, client: usize, event: Event) {
        let process = self.clients[client].process;
        match event {
            Event::Connect => {
                let attempt = self.number();
                self.clients[client].attempt = Some(attempt);
                self.clients[client].tries.push(self.now);
                let after = self.weather.latency.draw(&mut self.random) * 2;
                self.later(after, Task::Opened { client, attempt });
            }
            Event::Close => {
                self.clients[client].attempt = None;
                if let Some(wire) = self.clients[client].wire.take() {
                    self.end_pipe(wire, true, false);
                }
            }
            Event::Load(load) => {
                let after = self.random.ms(0, 3);
                self.later(after, Task::Loaded { client, process, load });
            }
            Event::NeedDevice => {
                let (device, secret) = (DeviceId(self.random.bytes()), self.random.bytes());
                if let Some(session) = &mut self.clients[client].session {
                    session.handle_new_device(device, secret);
                }
            }
            Event::Answered { number, result } => {
                self.clients[client].answered.insert(number, result);
            }
            Event::Recorded(flight) => self.clients[client].record(*flight),
            Event::StatusChanged => {}
        }
    }

    fn client_stores(&mut self, client: usize) -> bool {
        let there = &mut self.clients[client];
        if there.stalled {
            return false;
        }
        let Some(batch) = there.session.as_mut().and_then(|session| session.poll_store(self.now)) else { return false };
        there.storing = Some(batch);
        let process = there.process;
        let after = self.random.ms(0, self.weather.client_sync_ms_max) + Duration::from_micros(1);
        self.later(after, Task::Stored { client, process });
        true
    }

    fn client_transmits(&mut self, client: usize) -> bool {
        let mut any = false;
        while let Some(wire) = self.clients[client].wire
            && self.wires.get(&wire).is_some_and(|wire| wire.up.has_room())
        {
            let Some(session) = &mut self.clients[client].session else { return any };
            let mut out = Vec::new();
            session.poll_transmit(self.now, &mut out);
            if out.is_empty() {
                return any;
            }
            self.push(wire, true, &out);
            any = true;
        }
        any
    }
}

impl Client {
    fn record(&mut self, flight: Flight) {
        let known = self.flights.get(&flight.link).is_some_and(|known| known.loss.is_some());
        if let Some(loss) = flight.loss.as_ref().filter(|_| !known) {
            self.drops.push((loss.at, loss.cause.clone()));
        }
        self.flights.insert(flight.link, flight);
    }
}

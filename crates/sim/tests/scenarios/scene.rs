//! A simulated world for scenarios that are written by hand: who is there, what they do, and what came of it, asked of
//! the real profiles and the real log.

mod noting;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::session::{Cause, Flight, Identity, Reply, Request, Session};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{Entry, RequestError};
use steadfast_sim::oracle::Log;
use steadfast_sim::plan::{DevicePlan, Plan, VersionPlan, Ways, WeatherPlan};
use steadfast_sim::random::Random;
use steadfast_sim::world::copies::{copy_files, put_back};
use steadfast_sim::world::machine::Machine;
use steadfast_store::profile::{Fresh, NewBody, NewOp, Profile, SettledOutcome, StoredMessage, Target};

use crate::weather::any_weather;

/// Who looks at a disk whose own processes may run or not. Numbers that no machine gives.
const LOOKING: u64 = u64::MAX - 1;
/// Longer than any scenario.
const LONG: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
/// The server's wall clock is set now and then, so far at most.
const WALL_SWING_MS: usize = 3_000;

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) sim: steadfast_sim::world::World,
    /// For the scenario's own choices.
    pub(crate) random: Random,
    pub(crate) clients: Vec<Client>,
    /// A server's crash cuts some lines without a word.
    server_wall_ms: i64,
}

/// What is noted of a device from what was seen of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// When it lost its links, and why.
    pub(crate) drops: Vec<(Instant, Cause)>,
    /// All operations that its outbox accepted, in order.
    pub(crate) made: Vec<OperationId>,
    /// What batches of changes said of its history.
    pub(crate) history: History,
    /// Operations that wait, until something is stored or appended.
    waiting: Cell<Option<u64>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Where the device's stream begins.
    pub(crate) base: Option<u64>,
    /// The common position of each parting of histories.
    pub(crate) commons: Vec<u64>,
    pub(crate) set_back: usize,
    /// Operations that a history accepted which was given up.
    pub(crate) lost: BTreeSet<OperationId>,
}

/// A copy of a profile, and what was known of it then.
pub(crate) struct ProfileCopy {
    files: PathBuf,
    client: Client,
}

/// A copy of the server's files.
pub(crate) struct ServerCopy {
    files: PathBuf,
    pub(crate) head: u64,
}

impl World {
    pub(crate) fn new(seed: u64, weather: WeatherPlan) -> Self {
        let plan = Plan { seed, devices: Vec::new(), weather, steps: Vec::new() };
        let mut sim = steadfast_sim::world::World::new(&plan);
        sim.load_rows_max = 40;
        Self { sim, random: Random::new(seed), clients: Vec::new(), server_wall_ms: 0 }
    }

    /// A world with any weather.
    pub(crate) fn any(seed: u64) -> Self {
        Self::new(seed, any_weather(&mut Random::new(seed ^ 0x77)))
    }

    pub(crate) fn now(&self) -> Instant {
        self.sim.now
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Runs until the condition holds, for the duration at most; says whether it does.
    pub(crate) fn run_until(&mut self, duration: Duration, done: impl Fn(&World) -> bool) -> bool {
        self.set_server_clock();
        let end = self.now() + duration;
        self.note();
        while !done(self) {
            let goes_on = self.sim.run_step(end);
            self.note();
            if !goes_on {
                return done(self);
            }
        }
        true
    }

    fn set_server_clock(&mut self) {
        let swing = self.random.below(WALL_SWING_MS) as i64;
        self.sim.server.machine.set_wall(-swing - self.server_wall_ms);
        self.server_wall_ms = -swing;
    }

    // ---- devices

    /// A device whose process runs, under an account's name.
    pub(crate) fn add_client(&mut self, name: &str) -> usize {
        self.add_client_of(name, VersionPlan::Ours)
    }

    /// The same, of another version.
    pub(crate) fn add_client_of(&mut self, name: &str, version: VersionPlan) -> usize {
        self.clients.push(Client::default());
        self.sim.add_named(name, &DevicePlan { account: 0, version })
    }

    pub(crate) fn start_client(&mut self, client: usize) {
        self.sim.start_device(client);
    }

    pub(crate) fn start_client_later(&mut self, after: Duration, client: usize) {
        self.sim.start_device_later(after, client);
    }

    /// The process is killed: what its disk had not synced is gone.
    pub(crate) fn crash_client(&mut self, client: usize) {
        // The machine may go down with it, and say nothing.
        if let Some(wire) = self.wire(client).filter(|_| self.random.percent(50)) {
            self.sim.cut(wire, Ways::Both, false);
        }
        self.sim.kill_device(client, false);
        self.note();
    }

    /// The process is stopped, or goes on.
    pub(crate) fn freeze_client(&mut self, client: usize, frozen: bool) {
        freeze(&mut self.sim.devices[client].machine, self.sim.now, frozen);
    }

    pub(crate) fn freeze_server(&mut self, frozen: bool) {
        freeze(&mut self.sim.server.machine, self.sim.now, frozen);
    }

    /// Nothing of what arrives is stored, or it is again.
    pub(crate) fn stall(&mut self, client: usize, stalled: bool) {
        self.sim.devices[client].stalled = stalled;
        self.sim.drive_device(client);
    }

    pub(crate) fn session(&self, client: usize) -> Option<&Session> {
        self.sim.devices[client].process.as_ref().map(|process| &process.session)
    }

    /// Changes something about a running client's session, and lets it act.
    pub(crate) fn tell(&mut self, client: usize, command: impl FnOnce(&mut Session, Instant)) {
        assert!(self.session(client).is_some(), "the process runs");
        self.sim.tell(client, command);
        self.note();
    }

    pub(crate) fn ask(&mut self, client: usize, request: Request) -> Option<u32> {
        self.sim.ask(client, request)
    }

    pub(crate) fn answer(&self, client: usize, number: u32) -> Option<&Result<Reply, RequestError>> {
        self.sim.devices[client].process.as_ref()?.answered.get(&number)
    }

    /// What the flight recorder said last of each link of the process.
    pub(crate) fn flights(&self, client: usize) -> &BTreeMap<u64, Flight> {
        &self.sim.devices[client].process.as_ref().expect("the process runs").flights
    }

    /// What the client's clock shows.
    pub(crate) fn clock(&self, client: usize) -> Instant {
        self.sim.devices[client].machine.clock(self.sim.now)
    }

    // ---- lines

    pub(crate) fn wire(&self, client: usize) -> Option<u64> {
        self.sim.devices[client].line
    }

    /// Bytes that went up and down a line that somebody holds.
    pub(crate) fn carried(&self, wire: u64) -> [u64; 2] {
        self.sim.lines.get(&wire).map_or([0; 2], |line| [line.up.carried(), line.down.carried()])
    }

    /// Bytes that are under way, up and down.
    pub(crate) fn under_way(&self, wire: u64) -> [u64; 2] {
        self.sim.lines.get(&wire).map_or([0; 2], |line| [line.up.in_flight() as u64, line.down.in_flight() as u64])
    }

    /// Cuts the line of a client: each direction silently, loudly, or (if the other one is cut) not at all.
    pub(crate) fn cut_any(&mut self, client: usize) {
        let (up, down) = [(true, true), (true, false), (false, true)][self.random.below(3)];
        let loud = self.random.percent(50);
        self.cut(client, up, down, loud);
    }

    pub(crate) fn cut(&mut self, client: usize, up: bool, down: bool, loud: bool) {
        let ways = match (up, down) {
            (true, true) => Ways::Both,
            (true, false) => Ways::Up,
            (false, true) => Ways::Down,
            (false, false) => return,
        };
        if let Some(wire) = self.wire(client) {
            self.sim.cut(wire, ways, loud);
        }
    }

    // ---- operations

    /// Accepts an operation into the outbox.
    pub(crate) fn append(&mut self, client: usize, body: NewBody) -> OperationId {
        self.append_all(client, vec![body])[0]
    }

    /// The same, as one batch.
    pub(crate) fn append_all(&mut self, client: usize, bodies: Vec<NewBody>) -> Vec<OperationId> {
        let count = bodies.len();
        let ids = if self.session(client).is_some() {
            self.sim.queue(client, bodies)
        } else {
            self.append_offline(client, bodies)
        };
        assert_eq!(ids.len(), count, "the outbox takes it");
        self.clients[client].made.extend(&ids);
        self.clients[client].waiting.set(None);
        self.note();
        ids
    }

    /// As a program does that is started for it alone.
    fn append_offline(&mut self, client: usize, bodies: Vec<NewBody>) -> Vec<OperationId> {
        let (random, composed_at_ms) = (&mut self.random, 1_700_000_000_000);
        let new = |body| NewOp {
            id: OperationId(random.number()),
            enter_id: OperationId(random.number()),
            composed_at_ms,
            body,
            key: None,
        };
        let items: Vec<NewOp> = bodies.into_iter().map(new).collect();
        self.with_own_profile(client, |profile| profile.append(&items).expect("there is room"));
        items.iter().map(|item| item.id).collect()
    }

    pub(crate) fn enter(&mut self, client: usize, name: &str) -> OperationId {
        self.append(client, NewBody::Enter { name: name.to_owned() })
    }

    pub(crate) fn send(&mut self, client: usize, room: RoomId, body_bytes: usize) -> OperationId {
        self.append(client, message(Target::Room(room), body_bytes))
    }

    /// Sends into the room that an operation of this client enters.
    pub(crate) fn send_entered(&mut self, client: usize, entering: OperationId, body_bytes: usize) -> OperationId {
        self.append(client, message(Target::By(entering), body_bytes))
    }

    /// The same so many times, in one batch.
    pub(crate) fn send_many(&mut self, client: usize, entering: OperationId, count: usize, body_bytes: usize) {
        self.append_all(client, vec![message(Target::By(entering), body_bytes); count]);
    }

    // ---- profiles

    /// Reads in the profile, as its process or as one that looks.
    fn with_profile<T>(&self, client: usize, read: impl FnOnce(&Profile) -> T) -> T {
        match &self.sim.devices[client].process {
            Some(process) => {
                let machine = &self.sim.devices[client].machine;
                machine.run(process.number, || read(&process.profile)).expect("nothing dies here")
            }
            None => self.with_own_profile(client, |profile| read(profile)),
        }
    }

    fn with_own_profile<T>(&self, client: usize, run: impl FnOnce(&mut Profile) -> T) -> T {
        let device = &self.sim.devices[client];
        let opened = device.machine.run(LOOKING, || {
            // Somebody else's secret would be of use to nobody: the profile is there already.
            let fresh = Fresh {
                device_id: steadfast_proto::ids::DeviceId([0; 16]),
                secret: [0; 32],
                account: steadfast_proto::ids::AccountId(0),
            };
            let mut profile = Profile::open(device.machine.directory(), &device.name, Some(&fresh));
            run(profile.as_mut().expect("a profile can be opened"))
        });
        opened.expect("nothing dies here")
    }

    pub(crate) fn identity(&self, client: usize) -> Identity {
        self.with_profile(client, Profile::identity).expect("the profile can be read")
    }

    pub(crate) fn position(&self, client: usize) -> u64 {
        let place = self.with_profile(client, Profile::place).expect("the profile can be read");
        place.map_or(0, |place| place.position)
    }

    /// Operations that wait.
    pub(crate) fn waiting(&self, client: usize) -> u64 {
        if let Some(waiting) = self.clients[client].waiting.get() {
            return waiting;
        }
        let (waiting, _) = self.with_profile(client, Profile::outbox_size).expect("the profile can be read");
        self.clients[client].waiting.set(Some(waiting));
        waiting
    }

    pub(crate) fn outcomes(&self, client: usize, ids: &[OperationId]) -> Vec<Option<SettledOutcome>> {
        self.with_profile(client, |profile| profile.outcomes(ids)).expect("the profile can be read")
    }

    pub(crate) fn outcome(&self, client: usize, id: OperationId) -> Option<SettledOutcome> {
        self.outcomes(client, &[id])[0]
    }

    /// All that it holds, by room.
    pub(crate) fn messages(&self, client: usize) -> Vec<StoredMessage> {
        self.with_profile(client, |profile| {
            let rooms = profile.rooms().expect("the profile can be read");
            let of = |room| profile.messages(room, 0, usize::MAX).expect("the profile can be read");
            rooms.into_iter().flat_map(|info| of(info.room)).collect()
        })
    }

    pub(crate) fn aside(&self, client: usize) -> Vec<StoredMessage> {
        let aside = self.with_profile(client, |profile| profile.aside(usize::MAX)).expect("the profile can be read");
        aside.into_iter().map(|aside| aside.message).collect()
    }

    /// Copies the profile of a process that does not run.
    pub(crate) fn copy_profile(&mut self, client: usize) -> ProfileCopy {
        let directory = self.sim.devices[client].machine.directory().to_owned();
        let files = self.copy(&directory);
        ProfileCopy { files, client: self.clients[client].clone() }
    }

    /// Puts it back; what was noted of the profile goes with it.
    pub(crate) fn restore_profile(&mut self, client: usize, copy: &ProfileCopy) {
        put_back(&copy.files, &self.sim.devices[client].machine);
        self.clients[client].made = copy.client.made.clone();
        self.clients[client].history = copy.client.history.clone();
        self.clients[client].waiting.set(None);
    }

    fn copy(&mut self, from: &Path) -> PathBuf {
        let to = self.sim.directory().join(format!("copy-of-a-scenario{}", self.random.number()));
        copy_files(from, &to);
        to
    }

    // ---- the server

    pub(crate) fn start_server(&mut self) {
        self.sim.start_server();
    }

    pub(crate) fn start_server_later(&mut self, after: Duration) {
        self.sim.start_server_later(after);
    }

    /// The process is gone, and what it had not synced. Some hear of it.
    pub(crate) fn crash_server(&mut self) {
        for client in 0..self.clients.len() {
            if let Some(wire) = self.wire(client) {
                let loud = self.random.percent(50);
                self.sim.cut(wire, Ways::Down, loud);
            }
        }
        self.sim.kill_server(false);
    }

    pub(crate) fn set_disk_full(&mut self, full: bool) {
        self.sim.server.machine.disk().set_full(full);
    }

    /// Whether the server has a connection on that line.
    pub(crate) fn server_holds(&self, wire: u64) -> bool {
        self.sim.server.holds(wire)
    }

    pub(crate) fn log(&self) -> Vec<Entry> {
        let machine = &self.sim.server.machine;
        let log = machine.run(LOOKING, || Log::read(machine.directory())).expect("nothing dies here");
        log.expect("the log can be read").entries().to_vec()
    }

    pub(crate) fn head(&self) -> u64 {
        match self.sim.server.hub() {
            Some(hub) => hub.state().head(),
            None => self.log().len() as u64,
        }
    }

    pub(crate) fn copy_server(&mut self) -> ServerCopy {
        let (directory, head) = (self.sim.server.machine.directory().to_owned(), self.log().len() as u64);
        ServerCopy { files: self.copy(&directory), head }
    }

    /// Puts it back. The server may not run.
    pub(crate) fn restore_server(&mut self, copy: &ServerCopy) {
        assert!(!self.sim.server.is_up(), "a log is put back while it is in use");
        put_back(&copy.files, &self.sim.server.machine);
    }
}

fn freeze(machine: &mut Machine, now: Instant, frozen: bool) {
    if frozen { machine.sleep(now + LONG) } else { machine.rouse(now) }
}

pub(crate) fn message(to: Target, body_bytes: usize) -> NewBody {
    NewBody::Send { to, body: Bytes::from(vec![b'x'; body_bytes]), content_type: String::new() }
}

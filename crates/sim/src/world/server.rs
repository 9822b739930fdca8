//! The server: its log, the hub, its connections, and the sequencer's turns.

use std::collections::{BTreeMap, VecDeque};

use steadfast_proto::hub::connection::{Admission, Ending, Event, check_hello};
use steadfast_proto::hub::{Answer, Connection, Hub, PEOPLE_TICK, ReaderId, SignUp};
use steadfast_proto::ids::{AccountId, LogId, Term};
use steadfast_proto::link::{self, LinkError};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{ByeReason, Hello, Hold, HoldCause};
use steadfast_server::turn::{self, Submission, Submitted};
use steadfast_store::server::{OpenError, Reader, Store};

use super::bites;
use super::machine::Machine;
use super::observed::Observed;
use super::sequencer::Batch;
use super::{Task, World};
use crate::plan::{Machine as Whose, VersionPlan};
use crate::random::Random;
use crate::vfs::Death;

/// When a server that ended is started again by whoever looks after it.
pub(super) const RESTART: Duration = Duration::from_secs(2);
/// As in the server's own connections.
const DRAINING_RETRY_MS: u32 = 500;
const OVERLOADED_RETRY_MS: u32 = 100;

/// See the module's documentation.
#[derive(Debug)]
pub struct Server {
    /// What it runs on.
    pub machine: Machine,
    pub(super) running: Option<Running>,
    pub(super) conns: BTreeMap<u64, Conn>,
    /// Counts its lives.
    pub(super) run: u64,
    log_id: LogId,
    /// Operations that may wait for a turn.
    pub queue_max: usize,
    /// What its `Welcome` asks of clients that lose it without a word.
    pub return_spread_ms: u32,
    /// Batches that its disk had no room for.
    pub refused_batches: usize,
    /// Links that were told to wait from another operation on than the next one of their device.
    pub holds_beside_the_next: usize,
    /// Reads of the log that connections asked for.
    pub reads: usize,
}

/// What dies with the process.
pub(super) struct Running {
    pub(super) process: u64,
    pub(super) store: Store,
    pub(super) reader: Reader,
    pub(super) hub: Hub,
    pub(super) queue: VecDeque<Submission<u64>>,
    pub(super) batch: Option<Batch>,
    ticking: bool,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) core: Connection,
    sign_up: Option<SignUp>,
    pub(super) admitted: Option<AccountId>,
    ending: Option<Ending>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("process", &self.process).field("batch", &self.batch).finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(machine: Machine, random: &mut Random) -> Self {
        Self {
            machine,
            running: None,
            conns: BTreeMap::new(),
            run: 0,
            log_id: LogId(random.bytes()),
            queue_max: usize::MAX,
            return_spread_ms: 0,
            refused_batches: 0,
            holds_beside_the_next: 0,
            reads: 0,
        }
    }

    /// Whether its process runs.
    pub fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// What it knows, while it runs.
    pub fn hub(&self) -> Option<&Hub> {
        self.running.as_ref().map(|running| &running.hub)
    }

    /// Whether it has this line.
    pub fn holds(&self, line: u64) -> bool {
        self.conns.contains_key(&line)
    }

    /// Connections that it has.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// The silence after which a connection's peer counts as dead, as it says; by the server's clock.
    pub fn bound_of(&self, line: u64) -> Option<Duration> {
        self.conns.get(&line).map(|conn| conn.core.link().liveness().bound_in_force())
    }

    /// Readers that the hub has.
    pub fn readers(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.hub.readers())
    }

    /// Operations that wait for a turn.
    pub fn waiting(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.queue.len())
    }

    fn conn_of(&self, reader: ReaderId) -> Option<u64> {
        self.conns.iter().find(|(_, conn)| conn.core.reader() == Some(reader)).map(|(&line, _)| line)
    }

    pub(super) fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        if self.machine.asleep_until().is_some() {
            return None;
        }
        let due = self.conns.values().map(|conn| conn.core.poll_timeout().0).min()?;
        Some(self.machine.fires(self.machine.when(due), now).0)
    }
}

impl World {
    /// Opens the log under a new term.
    pub fn start_server(&mut self) {
        if self.server.is_up() {
            return;
        }
        let server = &mut self.server;
        let process = server.machine.new_process();
        let (wall_ms, term) = (server.machine.wall_ms(self.now), Term(server.machine.random.number()));
        let (log_id, ring_bytes_max) = (server.log_id, self.weather.ring_bytes_max);
        let opened = server.machine.run(process, || {
            let (mut store, mut hub) = turn::recover(server.machine.directory(), log_id, ring_bytes_max)?;
            turn::begin(&mut store, &mut hub, term, wall_ms)?;
            let reader = store.reader()?;
            Ok((store, hub, reader))
        });
        match opened {
            Err(death) => self.server_died(death, RESTART),
            Ok(Ok((store, hub, reader))) => {
                let queue = VecDeque::new();
                self.server.running = Some(Running { process, store, reader, hub, queue, batch: None, ticking: false });
                self.server.run += 1;
                self.see(Observed::ServerStarted);
            }
            Ok(Err(error)) => {
                use steadfast_server::ServeError;
                if matches!(
                    error,
                    ServeError::Open(OpenError::Damaged { .. } | OpenError::Emptied { .. }) | ServeError::BadRow(_)
                ) {
                    self.see(Observed::Contradiction { whose: "the server".to_owned(), text: error.to_string() });
                }
                self.later(RESTART, Task::StartServer);
            }
        }
    }

    /// The process is gone; with the power also what it had not synced.
    pub fn kill_server(&mut self, power: bool) {
        let running = self.server.running.take();
        if power {
            self.server.machine.disk().cut_power();
        } else if let Some(running) = &running {
            self.server.machine.kill(running.process);
        }
        drop(running);
        for line in std::mem::take(&mut self.server.conns).into_keys() {
            if power {
                self.silence(line);
            } else {
                self.end_pipe(line, false, true);
            }
            self.forget_line(line);
        }
    }

    pub(super) fn server_died(&mut self, death: Death, back: Duration) {
        self.note_death(Whose::Server, death);
        self.kill_server(death == Death::Power);
        self.later(back, Task::StartServer);
    }

    /// It ends as it is told to: its clients hear of it, and what was decided is finished.
    pub fn drain_server(&mut self, back: Duration) {
        let lines: Vec<u64> = self.server.conns.keys().copied().collect();
        for line in lines {
            let spread = self.server.machine.random.below(1_000) as u32;
            self.refuse(line, ByeReason::Draining, "the server stops", DRAINING_RETRY_MS + spread);
        }
        let lines: Vec<u64> = std::mem::take(&mut self.server.conns).into_keys().collect();
        for line in lines {
            self.end_pipe(line, false, false);
            self.forget_line(line);
        }
        if let Some(running) = self.server.running.take() {
            let process = running.process;
            if let Err(death) = self.server.machine.run(process, || drop(running)) {
                self.note_death(Whose::Server, death);
                if death == Death::Power {
                    self.server.machine.disk().cut_power();
                }
            }
        }
        self.later(back, Task::StartServer);
    }

    // ---- connections

    pub(crate) fn server_accept(&mut self, line: u64) {
        let clock = self.server.machine.clock(self.now);
        let core = Connection::new(link::ACTIVE_BOUND, link::IDLE_BOUND, clock);
        self.server.conns.insert(line, Conn { core, sign_up: None, admitted: None, ending: None });
    }

    pub(crate) fn server_bytes(&mut self, line: u64, bytes: &[u8]) {
        let clock = self.server.machine.clock(self.now);
        if let Some(there) = self.lines.get_mut(&line) {
            there.heard = self.now;
        }
        if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
            conn.core.handle_bytes(clock, bytes, &mut running.hub);
            self.drive_conn(line);
        }
    }

    pub(crate) fn server_lost(&mut self, line: u64) {
        let Some(conn) = self.server.conns.remove(&line) else { return };
        if let (Some(reader), Some(running)) = (conn.core.reader(), &mut self.server.running) {
            running.hub.detach(reader);
        }
        self.end_pipe(line, false, true);
    }

    pub(super) fn server_timers(&mut self) {
        let clock = self.server.machine.clock(self.now);
        if let Some(due) = self.server.conns.values().map(|conn| conn.core.poll_timeout().0).min() {
            let late = self.server.machine.fires(self.server.machine.when(due), self.now).1;
            if late && due <= clock {
                self.bites.meet("late timers", Whose::Server);
            }
        }
        self.server.machine.fired();
        let lines: Vec<u64> = self.server.conns.keys().copied().collect();
        for line in lines {
            let measured = self.lines.get(&line).and_then(|line| line.down.line());
            if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running)
                && conn.core.poll_timeout().0 <= clock
            {
                if let Some((queued_bytes, rate)) = measured {
                    conn.core.handle_line(queued_bytes, rate);
                }
                let machine = &mut self.server.machine;
                machine.overslept_barely = machine.oversleeps_barely(self.now, conn.core.poll_timeout().0);
                conn.core.handle_timeout(clock, &mut running.hub);
                self.drive_conn(line);
                self.server.machine.overslept_barely = false;
            }
        }
    }

    /// Serves a connection until it wants nothing more for now.
    pub(crate) fn drive_conn(&mut self, line: u64) {
        while self.conn_transmits(line) | self.conn_events(line) {}
        let ended = self.server.conns.get_mut(&line).and_then(|conn| conn.ending.take());
        if let Some(ending) = ended {
            self.server.conns.remove(&line);
            self.see_ending(line, &ending);
            self.end_pipe(line, false, false);
        }
    }

    /// Whether it found fault with the line or with what came by it.
    fn see_ending(&mut self, line: u64, ending: &Ending) {
        let disturbed = match ending {
            Ending::Found(LinkError::Silent { .. } | LinkError::WokeFromSleep) => {
                self.may_be_silent(line, Whose::Server)
            }
            Ending::Found(LinkError::Codec(_) | LinkError::Hole { .. })
            | Ending::Said { reason: ByeReason::ProtocolError, .. } => self.was_disturbed(line),
            Ending::Found(_) | Ending::Said { .. } | Ending::Heard(_) => return,
        };
        if let Some(device) = self.lines.get(&line).map(|line| line.device) {
            self.see(Observed::LetGo { device, disturbed });
        }
    }

    fn conn_transmits(&mut self, line: u64) -> bool {
        let clock = self.server.machine.clock(self.now);
        let mut any = false;
        while let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
            let has_room = self.lines.get(&line).is_some_and(|line| line.down.has_room());
            let mut out = Vec::new();
            if has_room || conn.ending.is_some() {
                conn.core.poll_transmit(clock, &mut running.hub, &mut out);
            }
            if out.is_empty() {
                break;
            }
            self.push(line, false, &out);
            any = true;
        }
        any
    }

    fn conn_events(&mut self, line: u64) -> bool {
        let mut any = false;
        while let Some(event) = self.server.conns.get_mut(&line).and_then(|conn| conn.core.poll_event()) {
            any = true;
            let after = self.server.machine.random.ms(0, 4);
            match event {
                Event::Greeted(hello) => self.greet(line, &hello),
                Event::Submit(op) => {
                    let is_full = self.server.waiting() >= self.server.queue_max;
                    let Some(conn) = self.server.conns.get_mut(&line) else { continue };
                    let origin = conn.core.origin();
                    if is_full {
                        let cause = HoldCause::Overloaded.into();
                        let hold = Hold { from_sequence: op.sequence, cause, retry_after_ms: OVERLOADED_RETRY_MS };
                        conn.core.handle_answers(vec![Answer::Hold(hold)]);
                    } else {
                        self.submit(line, Submitted::Op(origin, op));
                    }
                }
                Event::ReadChunks { rooms, after: place } => {
                    self.later(after, Task::Chunks { line, rooms, after: place });
                }
                Event::ReadHistory(asked) => self.later(after, Task::Page { line, asked }),
                Event::Evict(reader) => {
                    if let Some(older) = self.server.conn_of(reader) {
                        self.wake(older);
                    }
                }
                Event::Watching => {
                    if let Some(running) = &mut self.server.running
                        && !std::mem::replace(&mut running.ticking, true)
                    {
                        self.later(PEOPLE_TICK, Task::Tick { run: self.server.run });
                    }
                }
                Event::Close(ending) => {
                    if let Some(conn) = self.server.conns.get_mut(&line) {
                        conn.ending = Some(ending);
                    }
                }
            }
        }
        any
    }

    fn greet(&mut self, line: u64, hello: &Hello) {
        let device = self.lines.get(&line).map_or(VersionPlan::Ours, |line| self.devices[line.device].version);
        let versions = [device, self.weather.server_version];
        for (version, effect) in [(VersionPlan::Older, bites::OLDER), (VersionPlan::Newer, bites::NEWER)] {
            if versions.contains(&version) {
                self.bites.saw(effect);
            }
        }
        let hello = &between(hello, device, self.weather.server_version);
        let greeting = match check_hello(hello) {
            Ok(greeting) => greeting,
            Err((reason, text)) => return self.refuse(line, reason, text, 0),
        };
        let sign_up = SignUp {
            name: greeting.name.clone(),
            device_id: greeting.device_id,
            // A world needs no hash.
            secret_hash: greeting.secret,
            account: greeting.account,
        };
        let Some(conn) = self.server.conns.get_mut(&line) else { return };
        conn.core.handle_greeting(hello, greeting, link::ACTIVE_BOUND);
        let state = self.server.running.as_ref().map(|running| running.hub.state());
        match state.and_then(|state| state.device(sign_up.device_id)) {
            Some(known) if known.secret_hash == sign_up.secret_hash => {
                conn.admitted = Some(known.account);
                let after = self.server.machine.random.ms(0, 3);
                self.later(after, Task::Admit { line });
            }
            Some(_) => self.refuse(line, ByeReason::CredentialsRefused, "name and secret do not fit", 0),
            None => {
                conn.sign_up = Some(sign_up.clone());
                self.submit(line, Submitted::SignUp(sign_up));
            }
        }
    }

    pub(crate) fn server_admit(&mut self, line: u64) {
        let (clock, now_ms) = (self.server.machine.clock(self.now), self.server.machine.wall_ms(self.now));
        let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) else { return };
        let Some(account) = conn.admitted else { return };
        let mut out = Vec::new();
        let admission = Admission { account, return_spread_ms: self.server.return_spread_ms, now_ms };
        conn.core.handle_admitted(clock, &admission, &mut running.hub, &mut out);
        self.push(line, false, &out);
        self.drive_conn(line);
    }

    /// Ends a connection, and says why.
    pub fn refuse(&mut self, line: u64, reason: ByeReason, text: &str, retry_after_ms: u32) {
        if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
            conn.core.refuse(reason, text, retry_after_ms, &mut running.hub);
            self.drive_conn(line);
        }
    }

    fn wake(&mut self, line: u64) {
        if let (Some(conn), Some(running)) = (self.server.conns.get_mut(&line), &mut self.server.running) {
            conn.core.handle_woken(&mut running.hub);
            self.drive_conn(line);
        }
    }

    pub(super) fn wake_all(&mut self, woken: &[ReaderId]) {
        for &reader in woken {
            if let Some(line) = self.server.conn_of(reader) {
                self.wake(line);
            }
        }
    }

    pub(crate) fn server_tick(&mut self, run: u64) {
        if self.server.run != run {
            return;
        }
        let Some(running) = &mut self.server.running else { return };
        let tick = running.hub.tick_people();
        running.ticking = tick.watched;
        if tick.watched {
            self.later(PEOPLE_TICK, Task::Tick { run });
        }
        self.wake_all(&tick.woken);
    }
}

/// What a side of another version would say or understand.
fn between(hello: &Hello, device: VersionPlan, server: VersionPlan) -> Hello {
    let mut hello = hello.clone();
    for side in [device, server] {
        match side {
            // What a newer one says is on the line itself.
            VersionPlan::Ours | VersionPlan::Newer => {}
            VersionPlan::Older => hello.features = 0,
        }
    }
    hello
}

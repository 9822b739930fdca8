//! The server: the hub, its connections, and a sequencer that stores before it answers.

use std::collections::{BTreeMap, VecDeque};

use steadfast_proto::hub::connection::{Admission, Event, check_hello};
use steadfast_proto::hub::{Answer, Changes, Connection, Hub, Origin, PEOPLE_TICK, ReaderId, SignUp};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, RoomId, Term};
use steadfast_proto::link;
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{ByeReason, History, Hold, HoldCause, Op};

use crate::disk::Disk;
use crate::random::Random;
use crate::sim::{Task, World};

/// How long a device waits when the disk is full.
const DISK_FULL_RETRY_MS: u32 = 100;
/// How long a device waits when too much waits for the sequencer.
const OVERLOADED_RETRY_MS: u32 = 50;

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) core: Connection,
    sign_up: Option<SignUp>,
    admitted: Option<AccountId>,
    closing: bool,
}

#[derive(Debug)]
enum Submitted {
    SignUp(SignUp),
    Op(Origin, Box<Op>),
}

#[derive(Debug)]
enum Decided {
    SignUp(Result<AccountId, ()>),
    Op(DeviceId, u64, Answer),
}

#[derive(Debug)]
struct Batch {
    changes: Changes,
    decided: Vec<(u64, Decided)>,
    full: bool,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) disk: Disk,
    pub(crate) hub: Option<Hub>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    /// Counts the server's lives.
    run: u64,
    queue: VecDeque<(u64, Submitted)>,
    batch: Option<Batch>,
    /// The disk takes nothing, and the batches that it refused.
    pub(crate) disk_full: bool,
    pub(crate) refused_batches: usize,
    /// Whether a refused batch is answered with the first operation that was in it, whatever is known of it.
    pub(crate) holds_name_any: bool,
    /// Operations that may wait for the sequencer.
    pub(crate) queue_max: usize,
    /// Reads of the log that connections asked for.
    pub(crate) reads: usize,
    /// Whether the hub is ticked for who watches.
    ticking: bool,
    /// It is of a version that knows of no optional feature.
    pub(crate) is_old: bool,
    /// What its `Welcome` asks of clients that lose it without a word.
    pub(crate) return_spread_ms: u32,
}

impl Server {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            disk: Disk::empty(LogId(random.bytes())),
            hub: None,
            conns: BTreeMap::new(),
            run: 0,
            queue: VecDeque::new(),
            batch: None,
            disk_full: false,
            refused_batches: 0,
            holds_name_any: false,
            queue_max: usize::MAX,
            reads: 0,
            ticking: false,
            is_old: false,
            return_spread_ms: 0,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.hub.is_some()
    }

    fn conn_of(&self, reader: ReaderId) -> Option<u64> {
        self.conns.iter().find(|(_, conn)| conn.core.reader() == Some(reader)).map(|(&wire, _)| wire)
    }
}

impl World {
    /// Opens the log under a new term.
    pub(crate) fn start_server(&mut self) {
        if self.server.is_up() {
            return;
        }
        let mut hub = Hub::new(self.server.disk.state(), self.weather.ring_bytes_max);
        let mut draft = hub.draft(self.wall_ms());
        draft.open_term(Term(self.random.next()));
        let changes = draft.finish();
        self.server.disk.store(&changes, &mut self.random);
        hub.commit(&changes);
        self.server.hub = Some(hub);
        self.server.ticking = false;
        self.server.run += 1;
    }

    /// The process is gone, and what it had not synced.
    pub(crate) fn crash_server(&mut self) {
        self.server.hub = None;
        self.server.queue.clear();
        self.server.batch = None;
        for wire in std::mem::take(&mut self.server.conns).into_keys() {
            let loud = self.random.percent(50);
            if let Some(there) = self.wires.get_mut(&wire) {
                there.down.cut(self.now, loud, &mut self.random);
            }
        }
    }

    pub(crate) fn server_accept(&mut self, wire: u64) {
        let core = Connection::new(link::ACTIVE_BOUND, link::IDLE_BOUND, self.now);
        self.server.conns.insert(wire, Conn { core, sign_up: None, admitted: None, closing: false });
    }

    pub(crate) fn server_bytes(&mut self, wire: u64, bytes: &[u8]) {
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) {
            conn.core.handle_bytes(self.now, bytes, hub);
            self.drive_conn(wire);
        }
    }

    pub(crate) fn server_lost(&mut self, wire: u64) {
        let Some(conn) = self.server.conns.remove(&wire) else { return };
        if let (Some(reader), Some(hub)) = (conn.core.reader(), &mut self.server.hub) {
            hub.detach(reader);
        }
        self.end_pipe(wire, false, true);
    }

    pub(crate) fn server_timer(&mut self, wire: u64) {
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub)
            && conn.core.poll_timeout().0 <= self.now
        {
            if let Some((queued_bytes, rate)) = self.wires.get(&wire).and_then(|wire| wire.down.line()) {
                conn.core.handle_line(queued_bytes, rate);
            }
            conn.core.handle_timeout(self.now, hub);
            self.drive_conn(wire);
        }
    }

    /// Serves a connection until it wants nothing more for now.
    pub(crate) fn drive_conn(&mut self, wire: u64) {
        while self.conn_transmits(wire) | self.conn_events(wire) {}
        if self.server.conns.get(&wire).is_some_and(|conn| conn.closing) {
            self.server.conns.remove(&wire);
            self.end_pipe(wire, false, false);
        }
    }

    fn conn_transmits(&mut self, wire: u64) -> bool {
        let mut any = false;
        while let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) {
            let has_room = self.wires.get(&wire).is_some_and(|wire| wire.down.has_room());
            let mut out = Vec::new();
            if has_room || conn.closing {
                conn.core.poll_transmit(self.now, hub, &mut out);
            }
            if out.is_empty() {
                break;
            }
            self.push(wire, false, &out);
            any = true;
        }
        any
    }

    fn conn_events(&mut self, wire: u64) -> bool {
        let mut any = false;
        while let Some(event) = self.server.conns.get_mut(&wire).and_then(|conn| conn.core.poll_event()) {
            any = true;
            let after = self.random.ms(0, 4);
            match event {
                Event::Greeted(hello) => self.greet(wire, &hello),
                Event::Submit(op) => self.submit_op(wire, op),
                Event::ReadChunks { rooms, after: place } => {
                    self.later(after, Task::Chunks { wire, rooms, after: place });
                }
                Event::ReadHistory(asked) => self.later(after, Task::Page { wire, asked }),
                Event::Evict(reader) => {
                    if let Some(older) = self.server.conn_of(reader) {
                        self.wake(older);
                    }
                }
                Event::Watching => {
                    if !std::mem::replace(&mut self.server.ticking, true) {
                        self.later(PEOPLE_TICK, Task::Tick { run: self.server.run });
                    }
                }
                Event::Close(_) => {
                    if let Some(conn) = self.server.conns.get_mut(&wire) {
                        conn.closing = true;
                    }
                }
            }
        }
        any
    }

    fn greet(&mut self, wire: u64, hello: &steadfast_proto::wire::Hello) {
        let features = if self.server.is_old { 0 } else { hello.features };
        let hello = &steadfast_proto::wire::Hello { features, ..hello.clone() };
        let greeting = check_hello(hello).expect("our own Hello is in form");
        let sign_up = SignUp {
            name: greeting.name.clone(),
            device_id: greeting.device_id,
            // A world needs no hash.
            secret_hash: greeting.secret,
            account: greeting.account,
        };
        let Some(conn) = self.server.conns.get_mut(&wire) else { return };
        conn.core.handle_greeting(hello, greeting, link::ACTIVE_BOUND);
        let known = self.server.hub.as_ref().and_then(|hub| hub.state().device(sign_up.device_id));
        match known {
            Some(device) => {
                assert_eq!(device.secret_hash, sign_up.secret_hash, "a device has one secret");
                conn.admitted = Some(device.account);
                let after = self.random.ms(0, 3);
                self.later(after, Task::Admit { wire });
            }
            None => {
                conn.sign_up = Some(sign_up.clone());
                self.submit(wire, Submitted::SignUp(sign_up));
            }
        }
    }

    pub(crate) fn server_admit(&mut self, wire: u64) {
        let now_ms = self.wall_ms();
        let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) else { return };
        let Some(account) = conn.admitted else { return };
        let mut out = Vec::new();
        let admission = Admission { account, return_spread_ms: self.server.return_spread_ms, now_ms };
        conn.core.handle_admitted(self.now, &admission, hub, &mut out);
        self.push(wire, false, &out);
        self.drive_conn(wire);
    }

    pub(crate) fn wake(&mut self, wire: u64) {
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) {
            conn.core.handle_woken(hub);
            self.drive_conn(wire);
        }
    }

    pub(crate) fn server_tick(&mut self, run: u64) {
        let Some(hub) = self.server.hub.as_mut().filter(|_| self.server.run == run) else { return };
        let tick = hub.tick_people();
        self.server.ticking = tick.watched;
        if tick.watched {
            self.later(PEOPLE_TICK, Task::Tick { run });
        }
        self.wake_all(&tick.woken);
    }

    // ---- the sequencer

    fn submit_op(&mut self, wire: u64, op: Box<Op>) {
        let Some(conn) = self.server.conns.get_mut(&wire) else { return };
        if self.server.queue.len() >= self.server.queue_max {
            let cause = HoldCause::Overloaded.into();
            let hold = Hold { from_sequence: op.sequence, cause, retry_after_ms: OVERLOADED_RETRY_MS };
            return conn.core.handle_answers(vec![Answer::Hold(hold)]);
        }
        let origin = conn.core.origin();
        self.submit(wire, Submitted::Op(origin, op));
    }

    fn submit(&mut self, wire: u64, what: Submitted) {
        self.server.queue.push_back((wire, what));
        self.sequence();
    }

    /// Decides what has gathered, if nothing is being stored.
    fn sequence(&mut self) {
        if self.server.batch.is_some() || self.server.queue.is_empty() {
            return;
        }
        // The wall clock is set now and then.
        let wall_ms = self.wall_ms() - self.random.next() % 3_000;
        let count = self.random.between(1, self.server.queue.len());
        let Some(hub) = &self.server.hub else { return };
        let mut draft = hub.draft(wall_ms);
        let mut decided = Vec::new();
        for (wire, what) in self.server.queue.drain(..count) {
            match what {
                Submitted::SignUp(sign_up) => {
                    decided.push((wire, Decided::SignUp(draft.sign_up(&sign_up).map_err(|_| ()))));
                }
                Submitted::Op(origin, op) => {
                    let answer = draft.apply(origin, &op);
                    decided.push((wire, Decided::Op(origin.device, op.sequence, answer)));
                }
            }
        }
        let changes = draft.finish();
        let full = self.server.disk_full && !changes.entries.is_empty();
        self.server.refused_batches += usize::from(full);
        self.server.batch = Some(Batch { changes, decided, full });
        let after = self.random.ms(0, self.weather.server_sync_ms_max) + Duration::from_micros(1);
        self.later(after, Task::Synced { run: self.server.run });
    }

    pub(crate) fn server_synced(&mut self, run: u64) {
        if self.server.run != run {
            return;
        }
        let Some(batch) = &self.server.batch else { return };
        if !batch.full && !batch.changes.entries.is_empty() {
            self.server.disk.store(&batch.changes, &mut self.random);
        }
        let after = self.random.ms(0, 2);
        self.later(after, Task::Committed { run });
    }

    pub(crate) fn server_committed(&mut self, run: u64) {
        if self.server.run != run {
            return;
        }
        let (Some(batch), Some(hub)) = (self.server.batch.take(), &mut self.server.hub) else { return };
        let mut woken = Vec::new();
        if !batch.full {
            woken = hub.commit(&batch.changes);
        }
        let answers = if batch.full { self.hold_all(batch.decided) } else { self.answers(batch.decided) };
        // Entries and answers may overtake each other.
        let answers_first = self.random.percent(50);
        if answers_first {
            answers.into_iter().for_each(|(wire, answers)| self.server_answers(wire, answers));
            self.wake_all(&woken);
        } else {
            self.wake_all(&woken);
            answers.into_iter().for_each(|(wire, answers)| self.server_answers(wire, answers));
        }
        self.sequence();
    }

    fn wake_all(&mut self, woken: &[ReaderId]) {
        for &reader in woken {
            if let Some(wire) = self.server.conn_of(reader) {
                self.wake(wire);
            }
        }
    }

    fn answers(&mut self, decided: Vec<(u64, Decided)>) -> BTreeMap<u64, Vec<Answer>> {
        let mut answers: BTreeMap<u64, Vec<Answer>> = BTreeMap::new();
        for (wire, decided) in decided {
            match decided {
                Decided::SignUp(result) => {
                    if let Some(conn) = self.server.conns.get_mut(&wire) {
                        conn.admitted = Some(result.expect("nobody takes another's id"));
                        self.later(Duration::ZERO, Task::Admit { wire });
                    }
                }
                Decided::Op(_, _, answer) => answers.entry(wire).or_default().push(answer),
            }
        }
        answers
    }

    /// The disk was full: everybody in the batch waits.
    fn hold_all(&mut self, decided: Vec<(u64, Decided)>) -> BTreeMap<u64, Vec<Answer>> {
        let mut answers: BTreeMap<u64, Vec<Answer>> = BTreeMap::new();
        for (wire, decided) in decided {
            match decided {
                Decided::SignUp(_) => self.refuse(wire),
                Decided::Op(device, sequence, _) => {
                    let stored = self.server.hub.as_ref().and_then(|hub| hub.state().device(device));
                    let next = stored.map_or(0, |device| device.last_sequence) + 1;
                    let from_sequence = if self.server.holds_name_any { sequence } else { next };
                    let cause = HoldCause::DiskFull.into();
                    let hold = Hold { from_sequence, cause, retry_after_ms: DISK_FULL_RETRY_MS };
                    answers.entry(wire).or_insert_with(|| vec![Answer::Hold(hold)]);
                }
            }
        }
        answers
    }

    fn refuse(&mut self, wire: u64) {
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) {
            conn.core.refuse(ByeReason::Overloaded, "no room for a new device now", 1_000, hub);
            self.drive_conn(wire);
        }
    }

    pub(crate) fn server_answers(&mut self, wire: u64, answers: Vec<Answer>) {
        if let Some(conn) = self.server.conns.get_mut(&wire) {
            conn.core.handle_answers(answers);
            self.drive_conn(wire);
        }
    }

    // ---- reads

    pub(crate) fn server_chunks(&mut self, wire: u64, rooms: &[RoomId], after: u64) {
        self.server.reads += 1;
        let (chunks, through) = self.server.disk.chunks_for(rooms, after, self.weather.read_bytes_max);
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &mut self.server.hub) {
            conn.core.handle_chunks(&chunks, through, hub);
            self.drive_conn(wire);
        }
    }

    pub(crate) fn server_page(&mut self, wire: u64, asked: &History) {
        let room = RoomId(asked.room);
        let (chunks, _) = self.server.disk.chunks_for(&[room], 0, usize::MAX);
        if let (Some(conn), Some(hub)) = (self.server.conns.get_mut(&wire), &self.server.hub) {
            conn.core.handle_history(asked, &chunks, hub);
            self.drive_conn(wire);
        }
    }
}

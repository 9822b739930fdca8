//! Connections to one hub whose clients say anything at any time, and the sequencer's turns: no bytes make it panic or
//! spin; the log stays dense, whatever is decided; nobody is sent what they may not see, everybody is sent all that
//! they may, in order and within their credit; and each operation is answered.

mod acting;
mod audience;
mod conn;

use std::collections::BTreeMap;

use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::connection::{Admission, Event, StoredChunk, check_hello};
use steadfast_proto::hub::{Answer, Changes, Hub, NewEntry, SignUp, State};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, RoomId, Term};
use steadfast_proto::link;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, Entry, frame::Kind};

use crate::script::Script;
use crate::speech::{LOGS, Standing, TERMS};
use audience::Audience;
use conn::Conn;

/// What one moment may hold before a connection counts as spinning.
const STEPS_AT_ONE_MOMENT_MAX: usize = 10_000;
/// Who the devices belong to.
const OWNERS: [(&str, u64); 4] = [("ann", 0xa1), ("ann", 0xa1), ("bob", 0xa2), ("cid", 0xa3)];

/// Plays an input.
pub fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let mut world = World::new(&mut script);
    while !script.is_over() {
        world.act(&mut script);
    }
    world.come_to_rest();
}

/// A server's core, its connections, and what was stored.
struct World {
    now: Instant,
    hub: Hub,
    /// All entries, by position, as they are stored and as they read.
    log: Vec<NewEntry>,
    entries: Vec<Entry>,
    rooms: BTreeMap<u64, u64>,
    audience: Audience,
    /// The rows of the state, by table and key, as they are stored.
    rows: BTreeMap<(u8, Vec<u8>), (steadfast_proto::hub::RowKind, Vec<u8>)>,
    conns: BTreeMap<u64, Conn>,
    conns_made: u64,
    queue: Vec<(u64, Submitted)>,
    ticking: bool,
    /// What operations were called lately.
    ids: Vec<u64>,
    /// The device that speaks.
    speaking: usize,
}

enum Submitted {
    SignUp(SignUp),
    Op(Box<wire::Op>),
}

impl Standing for World {
    fn position(&self) -> u64 {
        self.hub.state().head()
    }
    fn room_sequence(&self, room: u64) -> u64 {
        self.rooms.get(&room).copied().unwrap_or(0)
    }
    fn operation(&self) -> u64 {
        self.hub.state().device(device(self.speaking)).map_or(0, |device| device.last_sequence)
    }
    fn ids(&self) -> &[u64] {
        &self.ids
    }
}

fn device(number: usize) -> DeviceId {
    DeviceId([number as u8; 16])
}

impl World {
    fn new(script: &mut Script<'_>) -> Self {
        let ring_bytes_max = script.one_of(&[1 << 20, 0, 400, 4_000]);
        let mut world = Self {
            now: Instant::from_nanos(1_000_000_000_000),
            hub: Hub::new(State::empty(LogId(LOGS[0])), ring_bytes_max),
            log: Vec::new(),
            entries: Vec::new(),
            rooms: BTreeMap::new(),
            audience: Audience::default(),
            rows: BTreeMap::new(),
            conns: BTreeMap::new(),
            conns_made: 0,
            queue: Vec::new(),
            ticking: false,
            ids: Vec::new(),
            speaking: 0,
        };
        world.begin_term(TERMS[0]);
        world
    }

    fn begin_term(&mut self, term: u64) {
        let mut draft = self.hub.draft(1);
        draft.open_term(Term(term));
        let changes = draft.finish();
        self.commit(&changes);
    }

    /// Decides what waits, up to so many.
    fn take_turn(&mut self, count: usize) {
        let gathered: Vec<_> = self.queue.drain(..count.min(self.queue.len())).collect();
        let mut draft = self.hub.draft(1);
        let mut told = Vec::new();
        for (from, what) in gathered {
            match what {
                Submitted::SignUp(sign_up) => told.push((from, Err(draft.sign_up(&sign_up).ok()))),
                Submitted::Op(op) => {
                    // Who is gone by now has an origin all the same.
                    let origin = self.conns.get(&from).map(|conn| conn.origin);
                    let Some(origin) = origin else { continue };
                    told.push((from, Ok(draft.apply(origin, &op))));
                }
            }
        }
        let changes = draft.finish();
        self.commit(&changes);
        for (from, answer) in told {
            match answer {
                Ok(answer) => self.tell(from, answer),
                Err(Some(account)) => self.admit(from, account),
                Err(None) => self.with(from, |conn, world| {
                    conn.core.refuse(wire::ByeReason::CredentialsRefused, "refused", 0, &mut world.hub);
                }),
            }
        }
    }

    fn commit(&mut self, changes: &Changes) {
        for new in &changes.entries {
            self.check_entry(new);
        }
        for row in changes.rows() {
            self.rows.insert((row.kind as u8, row.key), (row.kind, row.value));
        }
        let woken = self.hub.commit(changes);
        assert_eq!(self.hub.state().head(), self.log.len() as u64, "positions are dense");
        for (&room, &last) in &self.rooms {
            let head = self.hub.state().room(RoomId(room)).map_or(0, |room| room.head_sequence);
            assert_eq!(head, last, "the head of room {room:x}");
        }
        for entry in &self.entries[self.entries.len() - changes.entries.len()..] {
            self.audience.agrees(self.hub.state(), entry);
        }
        for reader in woken {
            let conn = self.conns.iter().find(|(_, conn)| conn.core.reader() == Some(reader)).map(|(&id, _)| id);
            self.with(conn.expect("who is woken is there"), |conn, world| conn.core.handle_woken(&mut world.hub));
        }
    }

    fn check_entry(&mut self, new: &NewEntry) {
        assert_eq!(new.position, self.log.len() as u64 + 1, "positions are dense");
        let mut decoder = Decoder::default();
        decoder.push(&new.unit);
        let Ok(Some(Kind::Entry(entry))) = decoder.next_frame().map(|r| r.map(|r| r.kind)) else {
            panic!("an entry can't be read again")
        };
        assert!(!decoder.is_within_part());
        let room = new.room.map_or((0, 0), |(room, sequence)| (room.0, sequence));
        assert_eq!((entry.position, (entry.room, entry.room_sequence)), (new.position, room));
        if new.room.is_some() {
            let last = self.rooms.entry(entry.room).or_insert(0);
            *last += 1;
            assert_eq!(entry.room_sequence, *last, "the sequence of room {:x} is dense", entry.room);
        }
        self.audience.follow(&entry);
        self.entries.push(entry);
        self.log.push(new.clone());
    }

    fn tell(&mut self, from: u64, answer: Answer) {
        self.with(from, |conn, _| {
            conn.answers += 1;
            if let Answer::Outcome(outcome) = answer {
                conn.outcomes.push_back(outcome);
            }
            conn.core.handle_answers(vec![answer]);
        });
    }

    fn admit(&mut self, to: u64, account: AccountId) {
        self.with(to, |conn, world| {
            let mut out = Vec::new();
            let admission = Admission { account, return_spread_ms: 0, now_ms: 1 };
            conn.core.handle_admitted(world.now, &admission, &mut world.hub, &mut out);
            (conn.account, conn.origin) = (account.0, conn.core.origin());
            conn.sent(&out, world);
        });
    }

    /// Does something with a connection, if it is there still, and what its shell does then.
    fn with(&mut self, number: u64, act: impl FnOnce(&mut Conn, &mut World)) {
        let Some(mut conn) = self.conns.remove(&number) else { return };
        act(&mut conn, self);
        let closes = self.handle_events(number, &mut conn);
        conn.origin = conn.core.origin();
        if closes {
            conn.transmit(self, usize::MAX);
            assert!(conn.core.reader().is_none(), "a closed connection reads");
        } else {
            self.conns.insert(number, conn);
        }
    }

    /// Says whether the connection is to be closed.
    fn handle_events(&mut self, number: u64, conn: &mut Conn) -> bool {
        let mut closes = false;
        while let Some(event) = conn.core.poll_event() {
            match event {
                Event::Greeted(hello) => self.greet(number, conn, &hello),
                Event::Submit(op) => {
                    conn.submitted += 1;
                    if self.ids.len() < 64 {
                        self.ids.push(op.id);
                    }
                    self.queue.push((number, Submitted::Op(op)));
                }
                Event::ReadChunks { .. } | Event::ReadHistory(_) => conn.reads.push_back(event),
                Event::Evict(reader) => {
                    let older = self.conns.iter().find(|(_, other)| other.core.reader() == Some(reader));
                    if let Some(older) = older.map(|(&older, _)| older) {
                        self.with(older, |older, world| older.core.handle_woken(&mut world.hub));
                        assert!(!self.conns.contains_key(&older), "an older link of the device stays");
                    }
                }
                Event::Watching => self.ticking = true,
                Event::Close(_) => closes = true,
            }
        }
        closes
    }

    fn greet(&mut self, number: u64, conn: &mut Conn, hello: &wire::Hello) {
        let greeting = match check_hello(hello) {
            Ok(greeting) => greeting,
            Err((reason, text)) => return conn.core.refuse(reason, text, 0, &mut self.hub),
        };
        conn.place = hello.place.as_ref().map(|place| place.position);
        let sign_up = SignUp {
            name: greeting.name.clone(),
            device_id: greeting.device_id,
            secret_hash: greeting.secret,
            account: greeting.account,
        };
        conn.core.handle_greeting(hello, greeting, link::ACTIVE_BOUND);
        self.queue.push((number, Submitted::SignUp(sign_up)));
    }

    /// A read of the log that a connection asked for.
    fn answer_read(&mut self, script: &mut Script<'_>, number: u64) {
        let (count, fails, flips) = (1 + script.below(12), script.once_in(16), script.once_in(24));
        self.with(number, |conn, world| match conn.reads.pop_front() {
            Some(Event::ReadChunks { .. }) if fails => conn.core.handle_chunks_busy(),
            Some(Event::ReadChunks { after, .. }) => {
                let (chunk, through) = world.chunk(after, count, flips.then(|| script.below(400)));
                conn.core.handle_chunks(&chunk, through, &mut world.hub);
            }
            Some(Event::ReadHistory(asked)) if fails => conn.core.handle_history_failed(asked.number),
            Some(Event::ReadHistory(asked)) => {
                let wanted = |entry: &&Entry| entry.room == asked.room && entry.room_sequence >= asked.from_sequence;
                let first = world.entries.iter().find(wanted).map(|entry| entry.position);
                let flip = flips.then(|| script.below(400));
                let (chunk, _) = first.map_or_else(Default::default, |first| world.chunk(first - 1, count, flip));
                conn.core.handle_history(&asked, &chunk, &world.hub);
            }
            Some(_) | None => {}
        });
    }

    /// So many entries behind a position, and how far they go; one bit of them may be wrong.
    fn chunk(&self, after: u64, count: usize, flip: Option<usize>) -> (Vec<StoredChunk>, u64) {
        let from = usize::try_from(after).map_or(self.log.len(), |after| after.min(self.log.len()));
        let through = (from + count).min(self.log.len());
        let entries = &self.log[from..through];
        let mut frames: Vec<u8> = entries.iter().flat_map(|entry| entry.unit.to_vec()).collect();
        if let Some(at) = flip
            && let Some(byte) = frames.get_mut(at)
        {
            *byte ^= 1 << (at % 8);
        }
        let chunk = (!entries.is_empty()).then(|| StoredChunk {
            first_position: from as u64 + 1,
            count: entries.len() as u32,
            frames: frames.into(),
        });
        (chunk.into_iter().collect(), through as u64)
    }

    /// Everything that waits is done: what was decided has been told, and the state can be read back from its rows.
    fn come_to_rest(&mut self) {
        let mut nothing = Script::new(&[]);
        for _ in 0..STEPS_AT_ONE_MOMENT_MAX {
            let mut any = !self.queue.is_empty();
            self.take_turn(usize::MAX);
            for number in self.conns.keys().copied().collect::<Vec<_>>() {
                any |= self.conns[&number].reads.front().is_some();
                self.answer_read(&mut nothing, number);
                self.with(number, |conn, world| {
                    let all = Kind::Ack(wire::Ack { position: 0, stream_bytes: conn.stream_bytes });
                    if conn.core.reader().is_some() {
                        conn.hear(&crate::speech::bytes_of(all), world);
                    }
                    any |= conn.transmit(world, usize::MAX);
                });
            }
            if !any {
                return self.judge();
            }
        }
        panic!("the server never comes to rest");
    }

    fn judge(&self) {
        for conn in self.conns.values() {
            if conn.core.reader().is_some() {
                assert_eq!(conn.submitted, conn.answers, "an operation has no answer");
                assert!(conn.outcomes.is_empty(), "outcomes were not sent: {:?}", conn.outcomes);
                // What half a frame stands before is not heard, and so nothing is acknowledged.
                if !conn.unknown_credit {
                    self.has_everything(conn, self.hub.state().head());
                }
            }
        }
        let state = self.hub.state();
        let mut again = State::empty(state.log_id());
        // As a store gives them: table by table, each in order of its keys.
        for (kind, value) in self.rows.values() {
            again.restore_row(*kind, value).expect("what was stored can be read");
        }
        again.restore_log(state.terms().to_vec(), state.head(), 1);
        assert_eq!(format!("{again:?}"), format!("{state:?}"), "the state as its rows tell it");
    }

    /// Everything up to the position that a connection may see was sent to it.
    fn has_everything(&self, conn: &Conn, position: u64) {
        let place = conn.began_at;
        let seen = |entry: &&Entry| {
            entry.position > place
                && entry.position <= position
                && self.audience.sees(conn.account, entry.room, entry.position)
        };
        let expected: Vec<u64> = self.entries.iter().filter(seen).map(|entry| entry.position).collect();
        let sent: Vec<u64> = conn.entries.iter().copied().take_while(|&sent| sent <= position).collect();
        assert_eq!(sent, expected, "what account {:x} was sent from {place} to {position}", conn.account);
    }
}

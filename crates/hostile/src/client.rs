//! A session whose server says anything at any time, over a profile that is real: no bytes make it panic, spin, send
//! more than it may, acknowledge what is not stored, or store what its profile has to refuse for another reason than
//! the server's fault.

mod acting;
mod watching;

use std::collections::{BTreeMap, VecDeque};

use steadfast_proto::ids::{AccountId, DeviceId, LogId, OperationId, RoomId, Term};
use steadfast_proto::session::{Begin, Change, Event, Load, Session, Settings, State};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, entry::What, frame::Kind};
use steadfast_store::profile::{ApplyError, Fresh, MemoryProfile, ProfileStore};

use crate::script::Script;
use crate::speech::{ACCOUNTS, LOGS, Standing, TERMS};
use watching::Watching;

/// What one moment may hold before the session counts as spinning.
const STEPS_AT_ONE_MOMENT_MAX: usize = 10_000;
/// Rows that one load gives, at most.
const ROWS_MAX: usize = 1_024;
const LOADED_BYTES_MAX: usize = 256 * 1_024;
/// What the profile holds.
const MESSAGES_BYTES_MAX: u64 = 256 * 1_024;
/// The window that is asked for, and so the most of entries that may wait to be stored, but for one entry.
const WINDOW_BYTES: u32 = 16 * 1_024;

/// Plays an input.
pub fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let mut client = Client::new(&mut script);
    client.settle();
    while !script.is_over() {
        client.act(&mut script);
        client.settle();
    }
}

/// A client, and what its shell and its server know.
struct Client {
    now: Instant,
    session: Session,
    profile: MemoryProfile,
    /// Whether a connection is being opened, or is open.
    connecting: bool,
    open: bool,
    loads: VecDeque<Load>,
    storing: Option<Vec<Change>>,
    /// It heard what can't be, and keeps still until the user wants otherwise.
    refused: bool,
    drawn: u64,
    server: Server,
    watching: Watching,
}

/// Where a server that means well would stand.
#[derive(Default)]
struct Server {
    place: u64,
    rooms: BTreeMap<u64, u64>,
    operation: u64,
    ids: Vec<u64>,
    /// Operations that came and were not answered.
    due: VecDeque<(u64, u64)>,
    /// Requests that came and were not answered.
    asked: VecDeque<Kind>,
}

impl Standing for Server {
    fn position(&self) -> u64 {
        self.place
    }
    fn room_sequence(&self, room: u64) -> u64 {
        self.rooms.get(&room).copied().unwrap_or(0)
    }
    fn operation(&self) -> u64 {
        self.operation
    }
    fn ids(&self) -> &[u64] {
        &self.ids
    }
}

impl Server {
    /// It says this.
    fn note(&mut self, kind: &Kind) {
        match kind {
            Kind::Entry(entry) => {
                self.place = entry.position;
                self.rooms.insert(entry.room, entry.room_sequence);
            }
            Kind::Heads(heads) => {
                self.place = heads.as_of;
                self.rooms.extend(heads.rooms.iter().map(|head| (head.room, head.room_sequence)));
            }
            Kind::Through(through) => self.place = through.position,
            _ => {}
        }
    }
}

impl Client {
    fn new(script: &mut Script<'_>) -> Self {
        let fresh = Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(ACCOUNTS[0]) };
        let mut profile = MemoryProfile::new("ann", &fresh, MESSAGES_BYTES_MAX).expect("a name");
        if script.once_in(2) {
            let mut no_ids = || OperationId(0);
            profile.apply(&past(), 1, &mut no_ids).expect("an honest server's changes");
        }
        let resume = profile.resume().expect("it is in memory");
        let settings = Settings {
            window_bytes: WINDOW_BYTES,
            begin: script.one_of(&[Begin::Connect, Begin::Connect, Begin::Stopped, Begin::AskLogin]),
            reconnect: !script.once_in(8),
            auto_login: !script.once_in(4),
            process: 1,
            process_start_ms: 1,
            ..Settings::default()
        };
        Self {
            now: Instant::from_nanos(1_000_000_000_000),
            session: Session::new(settings, resume),
            profile,
            connecting: false,
            open: false,
            loads: VecDeque::new(),
            storing: None,
            refused: false,
            drawn: 0,
            server: Server::default(),
            watching: Watching::default(),
        }
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let id = 0x100 + self.drawn;
        self.server.ids.push(id);
        id
    }

    /// What a shell does after each call: events, the next batch, what is to leave, and deadlines that have come.
    fn settle(&mut self) {
        for _ in 0..STEPS_AT_ONE_MOMENT_MAX {
            let mut any = self.handle_events();
            any |= self.take_batch();
            if let Some((at, _)) = self.session.poll_timeout()
                && at <= self.now
            {
                self.session.handle_timeout(self.now);
                any = true;
            }
            if !any {
                return self.look();
            }
        }
        panic!("the session spins: {:?}, {:?}", self.session.status(), self.session.poll_timeout());
    }

    fn handle_events(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.session.poll_event() {
            any = true;
            match event {
                Event::Connect => {
                    assert!(!self.open, "a second connection is wanted beside the first");
                    self.connecting = true;
                }
                Event::Close => {
                    self.transmit(usize::MAX);
                    (self.connecting, self.open) = (false, false);
                }
                Event::Load(load) => self.loads.push_back(load),
                Event::Answered { number, result } => self.watching.answered(number, result.as_ref().ok()),
                Event::Recorded(flight) => assert!(flight.link > 0),
                Event::StatusChanged => {}
            }
        }
        any
    }

    fn take_batch(&mut self) -> bool {
        if self.storing.is_some() {
            return false;
        }
        let Some(batch) = self.session.poll_store(self.now) else { return false };
        assert!(!batch.is_empty(), "nothing is to be stored");
        self.watching.batch(&batch);
        self.storing = Some(batch);
        true
    }

    /// The profile takes the batch, or refuses what the server said.
    fn store(&mut self) {
        let Some(batch) = self.storing.take() else { return };
        let resets = batch.iter().any(Change::resets);
        let drawn = &mut self.drawn;
        let mut fresh_ids = || {
            *drawn += 1;
            OperationId(0x100 + *drawn)
        };
        match self.profile.apply(&batch, 1, &mut fresh_ids) {
            Ok(stored) => {
                let place = self.profile.place().expect("it is in memory").map_or(0, |place| place.position);
                assert_eq!(stored.position, place);
                let resume = resets.then(|| self.profile.resume().expect("what was stored can be read"));
                self.session.handle_stored(self.now, &stored, resume);
            }
            Err(ApplyError::Profile(error)) => panic!("bytes of a peer broke the profile: {error}"),
            Err(error @ ApplyError::AnotherLog { .. }) => {
                panic!("the session let through what it can tell by itself: {error}")
            }
            Err(error @ ApplyError::NotWelcomed) if !self.watching.has_diverged() => {
                panic!("the session let through what it can tell by itself: {error}")
            }
            Err(
                // Its history parted from the very term under which it goes on.
                ApplyError::NotWelcomed
                | ApplyError::OutOfOrder { .. }
                | ApplyError::Backwards { .. }
                | ApplyError::StrangePage { .. }
                | ApplyError::NotAPosition { .. },
            ) => {
                self.session.handle_store_refused(self.now);
                assert_eq!(self.session.status().state, State::Stopped);
                self.refused = true;
            }
        }
    }

    /// Lets so many pieces leave.
    fn transmit(&mut self, pieces_max: usize) {
        for _ in 0..pieces_max.min(STEPS_AT_ONE_MOMENT_MAX) {
            let (mut out, online) = (Vec::new(), self.session.status().state == State::Online);
            self.session.poll_transmit(self.now, &mut out);
            if out.is_empty() {
                return;
            }
            assert!(self.open, "bytes leave without a connection");
            let place = self.profile.place().expect("it is in memory").map_or(0, |place| place.position);
            for kind in self.watching.sent(&out, online, place) {
                match kind {
                    Kind::Op(op) => {
                        self.server.operation = op.sequence;
                        self.server.due.push_back((op.sequence, op.id));
                    }
                    Kind::History(_) | Kind::Sync(_) | Kind::Members(_) | Kind::Rooms(_) => {
                        self.server.asked.push_back(kind);
                    }
                    _ => {}
                }
            }
        }
        assert!(pieces_max < STEPS_AT_ONE_MOMENT_MAX, "it never stops sending");
    }

    /// What holds at every moment.
    fn look(&self) {
        let status = self.session.status();
        let deadline = self.session.poll_timeout();
        assert!(deadline.is_none_or(|(at, _)| at > self.now), "a deadline that came is still there: {deadline:?}");
        match status.state {
            State::Online => assert!(self.open && status.bound.is_some() && status.cause.is_none(), "{status:?}"),
            State::Connecting => assert!(self.open || self.connecting, "{status:?}"),
            State::Offline => assert!(status.asks_login || status.next_try.is_some(), "{status:?}"),
            State::Stopped => assert!(!self.open && status.next_try.is_none(), "{status:?}"),
        }
        assert!(!self.open || deadline.is_some(), "nothing would find this line dead");
        assert_eq!(status.next_try.is_some(), status.state == State::Offline && !status.asks_login, "{status:?}");
        assert!(status.bound.is_none_or(|bound| bound <= Duration::from_secs(3_600)), "{status:?}");
        let rooms: Vec<_> = self.session.people().rooms().collect();
        assert!(rooms.len() <= 16 && rooms.iter().all(|(_, people)| people.len() <= 100));
        let stored = self.profile.place().expect("it is in memory").map_or(0, |place| place.position);
        if self.storing.is_none() && !self.refused {
            assert_eq!(status.position, stored, "what arrived is stored by now");
        }
    }
}

/// What a profile may have lived through before.
fn past() -> Vec<Change> {
    let joined = |position, room: u64, sequence| {
        let what = What::Joined(wire::Joined {
            account: ACCOUNTS[0],
            name: "ann".to_owned(),
            room_name: "lobby".to_owned(),
            kind: wire::RoomKind::Public.into(),
            ..wire::Joined::default()
        });
        let (account, id) = (ACCOUNTS[0], 0x100 + position);
        Change::Entry(wire::Entry {
            position,
            room,
            room_sequence: sequence,
            account,
            id,
            what: Some(what),
            ..wire::Entry::default()
        })
    };
    let welcomed = |term| Change::Welcomed {
        log_id: LogId(LOGS[0]),
        term: Term(term),
        account: AccountId(ACCOUNTS[0]),
        name: "ann".to_owned(),
    };
    let account_room = wire::Head { room: ACCOUNTS[0], kind: 4, room_sequence: 1, ..wire::Head::default() };
    vec![
        welcomed(TERMS[0]),
        Change::FirstHeads { as_of: 2, rooms: vec![account_room] },
        joined(5, 0x101, 1),
        welcomed(TERMS[1]),
        joined(9, 0x102, 4),
    ]
}

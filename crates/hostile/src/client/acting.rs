//! What happens to a session, by script: bytes, time, answers of the shell, the user's wishes.

use super::*;
use crate::speech::{self, bytes_of, sealed};
use steadfast_proto::session::{Cause, Request};
use steadfast_store::profile::{AppendError, NewBody, NewOp, Target};

/// Pauses: within a moment, a ping's, a bound's, a backoff's, a night.
const PAUSES_MS: [u64; 10] = [0, 1, 30, 260, 999, 3_001, 11_000, 15_000, 60_000, 30_000_000];

impl Client {
    pub(super) fn act(&mut self, script: &mut Script<'_>) {
        match script.below(32) {
            0..=2 => self.open(script),
            3..=6 => self.say(speech::any(script, &self.server, true)),
            7..=9 => self.go_on_well(script),
            10 | 11 => self.answer(script),
            12 => {
                let bytes = sealed(script.below(8) as u8, script.bytes(200));
                self.hear(&bytes);
            }
            13 => {
                let bytes = script.bytes(64);
                self.hear(bytes);
            }
            14 | 15 => self.let_time_pass(script),
            16..=18 => self.store(),
            19 | 20 => self.load(script),
            21..=23 => self.append(script),
            24..=26 => self.transmit(script.one_of(&[1, 2, 100_000])),
            27 => self.lose(script),
            28 => self.session.handle_line(script.number(), script.once_in(2).then(|| script.number())),
            _ => self.wish(script),
        }
    }

    /// The connection is there, or can't be made, or the script wants it where it is already.
    fn open(&mut self, script: &mut Script<'_>) {
        if !self.connecting {
            return;
        }
        self.connecting = false;
        if script.once_in(8) {
            return self.session.handle_open_failed(self.now, Cause::Refused);
        }
        self.open = true;
        self.watching.opened();
        self.session.handle_opened(self.now);
        let resume = self.profile.resume().expect("it is in memory");
        let rooms = resume.rooms.iter().map(|&(room, last)| (room.0, last.unwrap_or(0)));
        let (ids, place) = (std::mem::take(&mut self.server.ids), resume.place.map_or(0, |place| place.position));
        let operation = resume.confirmed_through;
        self.server = Server { place, rooms: rooms.collect(), operation, ids, ..Server::default() };
        // An honest beginning is the way to all that comes behind it.
        if !script.once_in(4) {
            self.transmit(100_000);
            self.say(Kind::Welcome(wire::Welcome {
                version: 1,
                features: 1,
                log_id: LOGS[0].to_vec().into(),
                term: script.one_of(&TERMS),
                account: ACCOUNTS[0],
                name: "ann".to_owned(),
                window_bytes: WINDOW_BYTES,
                return_spread_ms: 0,
                now_ms: 1,
                last_sequence: if script.once_in(4) { script.number() } else { operation },
            }));
        }
    }

    fn say(&mut self, kind: Kind) {
        self.server.note(&kind);
        self.hear(&bytes_of(kind));
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.open {
            // What is of the entries lane in them is not more than all of them.
            self.watching.came(bytes.len());
            self.session.handle_bytes(self.now, bytes);
        }
    }

    /// What a server says that has something to tell.
    fn go_on_well(&mut self, script: &mut Script<'_>) {
        let next = self.server.place.saturating_add(1);
        let known: Vec<u64> = self.server.rooms.keys().copied().collect();
        match script.below(4) {
            0 => self.say(Kind::Through(wire::Through { position: next, number: 0 })),
            1 => {
                let heads = known.iter().map(|&room| wire::Head { room, ..wire::Head::default() });
                let rooms = heads.collect();
                self.say(Kind::Heads(wire::Heads { as_of: self.server.place, rooms, more: false }));
            }
            _ => {
                let mut entry = speech::entry(script, &self.server);
                (entry.position, entry.from) = (next, "bob".to_owned());
                if !known.is_empty() && !script.once_in(3) {
                    entry.room = script.one_of(&known);
                    entry.room_sequence = self.server.room_sequence(entry.room).saturating_add(1);
                }
                self.say(Kind::Entry(entry));
            }
        }
    }

    /// What a server says to what it was asked: the outcome of an operation, a page, a Through.
    fn answer(&mut self, script: &mut Script<'_>) {
        if let Some(asked) = self.server.asked.pop_front() {
            return self.answer_request(script, asked);
        }
        let Some((sequence, id)) = self.server.due.pop_front() else { return };
        let next = self.server.place.saturating_add(1);
        match script.below(6) {
            0..=2 => {
                let outcome = wire::Outcome { sequence, id, ..speech::outcome(script, &self.server) };
                self.say(Kind::Outcomes(wire::Outcomes { outcomes: vec![outcome] }));
            }
            3 => {
                let entry = speech::entry(script, &self.server);
                let (account, position) = (ACCOUNTS[0], next);
                self.say(Kind::Entry(wire::Entry { position, account, id, sequence, ..entry }));
            }
            4 => self.say(Kind::Settled(wire::Settled { sequence, last_sequence: script.near(sequence) })),
            _ => {
                let hold = wire::Hold { from_sequence: sequence, cause: script.below(8) as i32, retry_after_ms: 500 };
                self.say(Kind::Hold(hold));
            }
        }
    }

    fn answer_request(&mut self, script: &mut Script<'_>, asked: Kind) {
        let place = self.server.place;
        self.say(match asked {
            Kind::Sync(sync) => Kind::Through(wire::Through { position: place, number: sync.number }),
            Kind::History(history) => {
                let mut sequence = history.from_sequence;
                let entries = (0..script.below(4)).map(|_| {
                    let entry = speech::entry(script, &self.server);
                    let (room, room_sequence) = (history.room, sequence);
                    sequence = sequence.saturating_add(1);
                    wire::Entry { room, room_sequence, position: place.saturating_sub(script.below(9) as u64), ..entry }
                });
                let (number, room, entries) = (history.number, history.room, entries.collect());
                Kind::HistoryPage(wire::HistoryPage { number, room, as_of: place, entries, next_sequence: 0 })
            }
            Kind::Members(members) => {
                Kind::MembersPage(wire::MembersPage { number: members.number, ..wire::MembersPage::default() })
            }
            Kind::Rooms(rooms) => {
                Kind::RoomsPage(wire::RoomsPage { number: rooms.number, ..wire::RoomsPage::default() })
            }
            other => other,
        });
    }

    /// To the next deadline, behind it, or for a while.
    fn let_time_pass(&mut self, script: &mut Script<'_>) {
        let due = self.session.poll_timeout().map(|(at, _)| at);
        let pause = Duration::from_millis(script.one_of(&PAUSES_MS));
        self.now = match (script.below(3), due) {
            (0, Some(due)) => self.now.max(due),
            (1, Some(due)) => self.now.max(due) + pause,
            (_, _) => self.now + pause,
        };
        self.session.handle_timeout(self.now);
    }

    fn load(&mut self, script: &mut Script<'_>) {
        let Some(load) = self.loads.pop_front() else { return };
        let rows_max = script.one_of(&[ROWS_MAX, 1, 3]);
        let rows = self.profile.outbox_from(load.after_sequence, LOADED_BYTES_MAX, rows_max);
        let rows = rows.expect("it is in memory");
        let more = !rows.is_empty();
        self.session.handle_loaded(self.now, load.generation, rows, more);
    }

    fn append(&mut self, script: &mut Script<'_>) {
        let count = script.one_of(&[1, 1, 1, 2, 5, 40, 700]);
        let body = self.new_body(script);
        let ops: Vec<NewOp> = (0..count)
            .map(|_| NewOp {
                id: OperationId(self.draw()),
                enter_id: OperationId(self.draw()),
                composed_at_ms: 1,
                body: body.clone(),
                key: None,
            })
            .collect();
        match self.profile.append(&ops) {
            Ok(_) => self.session.handle_appended(),
            Err(AppendError::Profile(error)) => panic!("an operation broke the profile: {error}"),
            Err(_) => {}
        }
    }

    fn new_body(&mut self, script: &mut Script<'_>) -> NewBody {
        let to = match script.below(4) {
            0 => Target::Public(script.text()),
            1 => Target::Direct(script.text()),
            2 => Target::By(OperationId(speech::id(script, &self.server))),
            _ => Target::Room(RoomId(speech::room(script, &self.server))),
        };
        match script.below(8) {
            0 => NewBody::Enter { name: script.text() },
            1 => NewBody::Leave { room: to },
            2 => NewBody::Direct { name: script.text() },
            3 => NewBody::CreatePrivate { name: script.text() },
            4 => NewBody::Add { room: to, name: script.text() },
            5 => NewBody::Remove { room: to, name: script.text() },
            _ => NewBody::Send { to, body: script.body().into(), content_type: String::new() },
        }
    }

    fn lose(&mut self, script: &mut Script<'_>) {
        if self.open {
            self.open = false;
            self.session.handle_lost(self.now, script.one_of(&[Cause::Reset, Cause::ClosedByPeer, Cause::TimedOut]));
        }
    }

    fn wish(&mut self, script: &mut Script<'_>) {
        let room = RoomId(speech::room(script, &self.server));
        match script.below(12) {
            0 => self.session.stop(self.now),
            1 => self.session.resume(),
            2 => self.session.try_now(),
            3 => self.session.log_in(),
            4 => self.session.set_reconnect(script.once_in(2)),
            5 => self.session.set_auto_login(script.once_in(2)),
            6 => self.session.handle_network_changed(self.now),
            7 => self.session.watch(&[room, RoomId(ACCOUNTS[0])]),
            8 => self.session.type_in(self.now, room),
            9 => {
                if let Some(number) = self.watching.oldest() {
                    self.session.cancel(number);
                    self.watching.cancelled(number);
                }
            }
            _ => {
                let request = match script.below(4) {
                    0 => Request::Sync,
                    1 => Request::Members { room, after: AccountId(0) },
                    2 => Request::Rooms { after: script.text() },
                    _ => Request::History { room, from_sequence: script.number(), to_sequence: script.number() },
                };
                let number = self.session.ask(request.clone());
                self.watching.asked(number, &request);
            }
        }
    }
}

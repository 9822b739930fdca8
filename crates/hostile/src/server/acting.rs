//! What clients do, by script, and what time does.

use super::*;
use crate::speech::{self, sealed};

/// Connections at once.
const CONNS_MAX: usize = 6;
/// Pauses: within a moment, a look at people's, a bound's, a night.
const PAUSES_MS: [u64; 7] = [0, 1, 100, 1_000, 3_001, 14_100, 40_000_000];

impl World {
    pub(super) fn act(&mut self, script: &mut Script<'_>) {
        let Some(number) = self.conn(script) else { return self.accept(script) };
        match script.below(32) {
            0 | 1 => self.accept(script),
            2..=8 => {
                let kind = speech::any(script, self, false);
                self.with(number, |conn, world| conn.say(kind, world));
            }
            9..=12 => {
                let op = speech::op(script, self);
                self.with(number, |conn, world| conn.say(Kind::Op(op), world));
            }
            13 => {
                let bytes = sealed(script.below(8) as u8, script.bytes(200));
                self.with(number, |conn, world| conn.hear(&bytes, world));
            }
            14 => {
                let bytes = script.bytes(64);
                self.with(number, |conn, world| conn.hear(bytes, world));
            }
            15 | 16 => self.with(number, |conn, world| {
                if conn.core.reader().is_some() {
                    conn.say(Kind::Ack(wire::Ack { position: 1, stream_bytes: conn.stream_bytes }), world);
                }
            }),
            17..=20 => self.take_turn(1 + script.below(8)),
            21..=23 => {
                let pieces_max = script.one_of(&[1, 2, 9_999]);
                self.with(number, |conn, world| {
                    conn.transmit(world, pieces_max);
                });
            }
            24 | 25 => self.answer_read(script, number),
            26 | 27 => self.let_time_pass(script),
            28 => self.lose(number),
            29 => self.tick(),
            30 => {
                let (bytes, rate) = (script.number(), script.once_in(2).then(|| script.number()));
                self.with(number, |conn, _| conn.core.handle_line(bytes, rate));
            }
            _ if script.once_in(16) => self.restart(script),
            _ => self.with(number, |conn, world| {
                conn.transmit(world, 9_999);
            }),
        }
    }

    fn conn(&mut self, script: &mut Script<'_>) -> Option<u64> {
        let numbers: Vec<u64> = self.conns.keys().copied().collect();
        if numbers.is_empty() {
            return None;
        }
        let number = script.one_of(&numbers);
        self.speaking = self.conns[&number].device;
        Some(number)
    }

    /// A client connects; mostly it greets as one should.
    fn accept(&mut self, script: &mut Script<'_>) {
        if self.conns.len() == CONNS_MAX {
            return;
        }
        self.conns_made += 1;
        let (number, device_number) = (self.conns_made, script.below(OWNERS.len()));
        let conn = Conn::new(device_number, self);
        self.conns.insert(number, conn);
        if !script.once_in(8) {
            let hello = self.hello(script, device_number);
            self.with(number, |conn, world| conn.say(Kind::Hello(hello), world));
            if !script.once_in(8) {
                self.take_turn(usize::MAX);
            }
        }
    }

    fn hello(&self, script: &mut Script<'_>, device_number: usize) -> wire::Hello {
        let (name, account) = OWNERS[device_number];
        let (state, place) = (self.hub.state(), script.below(4));
        let at = |position| wire::Place { position, term: state.term().0 };
        let place = match place {
            0 => None,
            1 => Some(at(state.head())),
            2 => Some(at(script.below(state.head() as usize + 1) as u64)),
            _ => Some(at(script.near(state.head()))),
        };
        // A place of an earlier term is held as well as one of this.
        let place = place.map(|place| {
            let of = state.terms().iter().rev().find(|&&(_, first)| first <= place.position);
            wire::Place { term: of.map_or(place.term, |&(term, _)| term.0), ..place }
        });
        wire::Hello {
            version_min: 1,
            version_max: 1,
            features: 1,
            log_id: speech::log(script),
            place,
            told: place,
            credentials: Some(wire::Credentials {
                name: name.to_owned(),
                device_id: device(device_number).0.to_vec().into(),
                secret: vec![1; 32].into(),
                account,
            }),
            incarnation: Some(speech::incarnation(script)),
            idle_bound_ms: 15_000,
            window_bytes: script.one_of(&[0, 20_000, 1 << 18]),
            ..wire::Hello::default()
        }
    }

    fn let_time_pass(&mut self, script: &mut Script<'_>) {
        let due = self.conns.values().map(|conn| conn.core.poll_timeout().0).min();
        let pause = Duration::from_millis(script.one_of(&PAUSES_MS));
        self.now = match (script.below(2), due) {
            (0, Some(due)) => self.now.max(due),
            (_, _) => self.now + pause,
        };
        for number in self.conns.keys().copied().collect::<Vec<_>>() {
            for steps in 0.. {
                let Some(conn) = self.conns.get(&number).filter(|conn| conn.core.poll_timeout().0 <= self.now) else {
                    break;
                };
                assert!(steps < 8, "a deadline that came is still there: {:?}", conn.core.poll_timeout());
                self.with(number, |conn, world| conn.core.handle_timeout(world.now, &mut world.hub));
                if steps > 4 {
                    // It may be a ping that has to leave.
                    self.with(number, |conn, world| {
                        conn.transmit(world, 9_999);
                    });
                }
            }
        }
    }

    fn lose(&mut self, number: u64) {
        if let Some(conn) = self.conns.remove(&number)
            && let Some(reader) = conn.core.reader()
        {
            self.hub.detach(reader);
        }
    }

    fn tick(&mut self) {
        let tick = self.hub.tick_people();
        assert!(self.ticking || !tick.watched, "somebody watches, and nobody was told");
        self.ticking = tick.watched;
        for reader in tick.woken {
            let woken = self.conns.iter().find(|(_, conn)| conn.core.reader() == Some(reader));
            let woken = woken.map(|(&number, _)| number).expect("who is woken is there");
            self.with(woken, |conn, world| {
                conn.core.handle_woken(&mut world.hub);
                conn.transmit(world, 9_999);
            });
        }
    }

    /// The server ends without a word, and begins with what it stored.
    fn restart(&mut self, script: &mut Script<'_>) {
        (self.conns, self.queue, self.ticking) = (BTreeMap::new(), Vec::new(), false);
        let state = self.hub.state();
        let mut again = State::empty(state.log_id());
        for (kind, value) in self.rows.values() {
            again.restore_row(*kind, value).expect("what was stored can be read");
        }
        again.restore_log(state.terms().to_vec(), state.head(), 1);
        self.hub = Hub::new(again, script.one_of(&[1 << 20, 0, 400]));
        self.begin_term(TERMS[0] + 1 + self.hub.state().terms().len() as u64);
    }
}

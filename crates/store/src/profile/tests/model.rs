//! Random histories against a small model of the outbox: what was queued waits or has an outcome, in order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// By one of two processes.
    Append { second: bool, count: u64 },
    /// The server decides the next ones that wait and tells so.
    Outcomes { count: usize, refuse: bool },
    /// The server decides the next one that waits, and the entry comes first.
    Entry,
    /// Both processes end and start again; in memory, both handles are given up for others.
    Restart,
    /// The server was restored from a backup from so many operations ago.
    Restored { lost: u64 },
    /// The server has so many more operations than this profile ever numbered.
    SetBack { ahead: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), 1..5_u64).prop_map(|(second, count)| Step::Append { second, count }),
        3 => (1..4_usize, any::<bool>()).prop_map(|(count, refuse)| Step::Outcomes { count, refuse }),
        3 => Just(Step::Entry),
        1 => Just(Step::Restart),
        1 => (0..6_u64).prop_map(|lost| Step::Restored { lost }),
        1 => (0u64..3).prop_map(|ahead| Step::SetBack { ahead }),
    ]
}

struct World {
    kept: Kept,
    profiles: [Box<dyn ProfileStore>; 2],
    /// The ids that wait, by sequence.
    waits: BTreeMap<u64, u64>,
    /// Their positions.
    settled: BTreeMap<u64, u64>,
    next_sequence: u64,
    next_id: u64,
    position: u64,
    room_sequence: u64,
    term: u64,
}

impl World {
    fn new(kept: Kept) -> World {
        let profiles = [kept.in_lobby(), kept.open()];
        World {
            kept,
            profiles,
            waits: BTreeMap::new(),
            settled: BTreeMap::new(),
            next_sequence: 1,
            next_id: 1,
            position: 10,
            room_sequence: 3,
            term: 1,
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append { second, count } => {
                let ops: Vec<NewOp> = (0..count).map(|index| say(self.next_id + index, lobby())).collect();
                let queued = self.profiles[usize::from(second)].append(&ops).expect("queued");
                for queued in queued {
                    assert_eq!(queued.sequence, self.next_sequence);
                    self.waits.insert(queued.sequence, queued.id.0);
                    self.next_sequence += 1;
                }
                self.next_id += count;
            }
            Step::Outcomes { count, refuse } => {
                let next: Vec<(u64, u64)> =
                    self.waits.iter().take(count).map(|(&sequence, &id)| (sequence, id)).collect();
                let changes: Vec<Change> =
                    next.iter().map(|&(sequence, id)| self.decide(sequence, id, refuse)).collect();
                self.apply(&changes);
            }
            Step::Entry => {
                let Some((sequence, id)) = self.waits.pop_first() else {
                    return;
                };
                self.position += 1;
                self.room_sequence += 1;
                self.settled.insert(id, self.position);
                let entry = wire::Entry { id, sequence, ..message(self.position, LOBBY, self.room_sequence, ANN) };
                self.apply(&[Change::Entry(entry), accepted(sequence, id, self.position, LOBBY)]);
            }
            Step::Restart => self.profiles = [self.kept.open(), self.kept.open()],
            Step::Restored { lost } => self.restore(lost),
            Step::SetBack { ahead } => {
                let kept_through = self.next_sequence - 1 + ahead;
                self.renumber(0, kept_through);
                self.apply(&[Change::Renumbered { kept_through, set_back: true }]);
            }
        }
    }

    fn decide(&mut self, sequence: u64, id: u64, refuse: bool) -> Change {
        self.position += 1;
        self.waits.remove(&sequence);
        self.settled.insert(id, self.position);
        if refuse {
            refused(sequence, id, self.position, wire::Refusal::NotAllowed)
        } else {
            accepted(sequence, id, self.position, LOBBY)
        }
    }

    /// To a state of before the last operations; never of before the first contact.
    fn restore(&mut self, lost: u64) {
        let common = self.position.saturating_sub(lost).max(10);
        let first_waiting = self.waits.keys().next().copied().unwrap_or(self.next_sequence);
        let last_sequence = (first_waiting - 1).saturating_sub(lost);
        let held: Vec<u64> = held(&*self.profiles[0], LOBBY);
        let kept = self.profiles[0].messages(LOBBY, 0, usize::MAX).expect("messages");
        self.room_sequence = kept
            .iter()
            .filter(|message| message.position <= common)
            .map(|message| message.room_sequence)
            .max()
            .unwrap_or(3);
        self.position = common;
        self.renumber(last_sequence, last_sequence);
        self.term += 1;
        self.apply(&[
            welcomed(self.term),
            Change::Diverged { common, last_sequence },
            Change::Renumbered { kept_through: last_sequence, set_back: false },
        ]);
        assert!(held.starts_with(&self::held(&*self.profiles[0], LOBBY)));
    }

    fn renumber(&mut self, behind: u64, from: u64) {
        let later: Vec<u64> = self.waits.split_off(&(behind + 1)).into_values().collect();
        self.waits.extend((from + 1..).zip(later.iter().copied()));
        self.next_sequence = from + 1 + later.len() as u64;
    }

    fn apply(&mut self, changes: &[Change]) {
        let stored = apply(&mut *self.profiles[0], changes);
        let first_waiting = self.waits.keys().next().copied().unwrap_or(self.next_sequence);
        assert_eq!(stored.confirmed_through, first_waiting - 1);
        assert!(stored.position <= self.position);
    }

    fn check(&mut self) {
        for profile in &mut self.profiles {
            let expected: Vec<(u64, u64)> = self.waits.iter().map(|(&sequence, &id)| (sequence, id)).collect();
            assert_eq!(sequences_and_ids(&**profile), expected);
            let (rows, bytes) = profile.outbox_size().expect("a size");
            assert_eq!((rows, bytes == 0), (self.waits.len() as u64, self.waits.is_empty()));
            let ids: Vec<OperationId> = (1..self.next_id).map(OperationId).collect();
            let outcomes = profile.outcomes(&ids).expect("outcomes");
            for (id, outcome) in ids.iter().zip(outcomes) {
                assert_eq!(outcome.map(|outcome| outcome.position), self.settled.get(&id.0).copied());
            }
            let room = profile.room(LOBBY).expect("read").expect("known");
            assert_eq!((room.member, room.last), (true, Some(self.room_sequence)));
            assert_eq!(profile.missing(LOBBY, 4, self.room_sequence), Ok(None));
            let resume = profile.resume().expect("a resume");
            assert!(resume.place.expect("a place").position <= resume.told.expect("told").position);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_queued_waits_in_order_or_has_its_outcome(steps in prop::collection::vec(step(), 1..40)) {
        for kept in Kept::all() {
            let mut world = World::new(kept);
            for step in &steps {
                world.run(step);
                world.check();
            }
        }
    }
}

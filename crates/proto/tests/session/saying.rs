//! A server that says what is not due: the link ends.

use steadfast_proto::session::{Change, State};
use steadfast_proto::wire::{self, Outcome, frame::Kind};

use crate::line::{Line, ROOM, message, welcome};

/// What servers say, but for Welcome and Bye.
fn things_said() -> [Kind; 9] {
    [
        message(1, 10),
        Kind::Heads(wire::Heads { as_of: 99, ..wire::Heads::default() }),
        Kind::Through(wire::Through { position: 99, number: 0 }),
        Kind::Gap(wire::Gap { room: ROOM, from_sequence: 5, to_sequence: 6, ..wire::Gap::default() }),
        Kind::Outcomes(wire::Outcomes { outcomes: vec![outcome(1)] }),
        Kind::Hold(wire::Hold { from_sequence: 1, cause: 1, retry_after_ms: u32::MAX }),
        Kind::Settled(wire::Settled { sequence: 1, last_sequence: 1 }),
        Kind::HistoryPage(wire::HistoryPage { number: 1, room: ROOM, ..wire::HistoryPage::default() }),
        Kind::Diverged(wire::Diverged::default()),
    ]
}

fn outcome(sequence: u64) -> Outcome {
    Outcome { sequence, id: sequence + 10, position: 50 + sequence, ..Outcome::default() }
}

#[test]
fn who_has_not_welcomed_us_has_nothing_to_say_to_us() {
    for kind in things_said() {
        let mut line = Line::greeting();
        line.say(kind.clone());
        assert!(line.broken_rule().is_some(), "{kind:?}");
        assert_eq!((line.stored(), line.session.status().held), (vec![], None), "{kind:?}");
    }
}

#[test]
fn who_has_another_history_has_nothing_to_say_before_ours_went_back() {
    for kind in [things_said().to_vec(), vec![welcome()]].concat() {
        let mut line = Line::online();
        line.say(Kind::Diverged(wire::Diverged { last_sequence: 0, ..wire::Diverged::default() }));
        assert_eq!(line.session.status().state, State::Online);
        line.say(kind.clone());
        assert!(line.broken_rule().is_some(), "{kind:?}");
        let batch = line.session.poll_store(line.now).expect("the divergence alone");
        assert!(matches!(batch[..], [Change::Diverged { .. }]), "{batch:?}");
    }
}

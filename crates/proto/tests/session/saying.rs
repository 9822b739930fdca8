//! A server that says what is not due, or more than was let: the link ends, or nothing is made of it. What waits for
//! the client's disk is bounded, however long that stands still.

use steadfast_proto::session::{Change, State, WINDOW_BYTES};
use steadfast_proto::wire::{self, Outcome, frame::Kind};

use crate::line::{Line, PLACE, ROOM, message, op, welcome};

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

fn outcomes(batch: &[Change]) -> Vec<u64> {
    let outcomes = batch.iter().filter_map(|change| match change {
        Change::Outcome(outcome) => Some(outcome.sequence),
        _ => None,
    });
    outcomes.collect()
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

#[test]
fn entries_beyond_the_window_end_the_line_and_one_that_is_larger_than_it_does_not() {
    let mut line = Line::online();
    line.say(message(1, WINDOW_BYTES as usize + 1));
    assert_eq!((line.session.status().position, line.broken_rule()), (PLACE + 1, None), "nothing was unacknowledged");
    line.say(message(2, 10));
    assert!(line.broken_rule().is_some());

    // What is stored makes room again.
    let mut line = Line::online();
    for n in 1..=40 {
        line.say(message(n, 20_000));
        line.stored();
    }
    assert_eq!((line.session.status().position, line.broken_rule()), (PLACE + 40, None));
    let before = (41..).take_while(|&n| {
        line.say(message(n, 20_000));
        line.broken_rule().is_none()
    });
    assert_eq!(before.count(), WINDOW_BYTES as usize / 20_100);
}

#[test]
fn an_outcome_is_stored_once_and_only_of_what_left_on_this_link() {
    let mut line = Line::with_outbox(vec![op(1, 10), op(2, 10)]);
    assert_eq!(line.carry().1.len(), 2);
    let said = [0, 1, 1, 3, 1_025, 2, 1].map(outcome).to_vec();
    line.say(Kind::Outcomes(wire::Outcomes { outcomes: said }));
    assert_eq!(outcomes(&line.stored()), [1, 2]);
    line.say(Kind::Outcomes(wire::Outcomes { outcomes: vec![outcome(2), outcome(1)] }));
    assert_eq!(line.stored(), [], "they are stored");
    assert_eq!(line.broken_rule(), None);
}

#[test]
fn an_outcome_that_comes_behind_a_hold_of_its_operation_counts() {
    let mut line = Line::with_outbox(vec![op(1, 10), op(2, 10)]);
    assert_eq!(line.carry().1.len(), 2);
    line.say(Kind::Hold(wire::Hold { from_sequence: 1, cause: 1, retry_after_ms: 1_000 }));
    line.say(Kind::Outcomes(wire::Outcomes { outcomes: vec![outcome(1), outcome(2)] }));
    assert_eq!(outcomes(&line.stored()), [1, 2]);
}

#[test]
fn of_a_thousand_times_that_all_has_come_one_is_stored() {
    let mut line = Line::online();
    for position in 0..1_000 {
        line.say(Kind::Through(wire::Through { position: PLACE + position, number: 0 }));
    }
    assert_eq!(line.stored(), [Change::Through { position: PLACE + 999 }]);
    // An entry between two stays between them.
    line.say(Kind::Through(wire::Through { position: PLACE + 999, number: 0 }));
    let Kind::Entry(entry) = message(1, 10) else { unreachable!() };
    line.say(Kind::Entry(wire::Entry { position: PLACE + 1_000, ..entry }));
    line.say(Kind::Through(wire::Through { position: PLACE + 1_001, number: 0 }));
    let [Change::Through { position: 1_019 }, Change::Entry(_), Change::Through { position: 1_021 }] =
        line.stored()[..]
    else {
        panic!("another order")
    };
}

#[test]
fn a_gap_in_a_room_that_is_not_ours_begins_nothing() {
    let mut line = Line::online();
    line.say(Kind::Gap(wire::Gap { room: 77, from_sequence: 1, to_sequence: 6, ..wire::Gap::default() }));
    let Kind::Entry(entry) = message(1, 10) else { unreachable!() };
    line.say(Kind::Entry(wire::Entry { room: 77, room_sequence: 7, ..entry }));
    assert_eq!(line.stored(), []);
    assert_eq!(line.session.status().cause, Some(steadfast_proto::session::Cause::Hole));
}

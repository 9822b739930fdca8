//! Answers to requests: each fits its request and comes once, whatever the server says.

use steadfast_proto::ids::{AccountId, RoomId};
use steadfast_proto::session::Request;
use steadfast_proto::wire::{self, RequestError, frame::Kind};

use crate::line::{Line, PLACE, ROOM, op};

/// An answer of each kind, and the request that it fits.
fn answers(number: u32) -> [(Kind, Request); 4] {
    let (room, after) = (RoomId(ROOM), AccountId(0));
    [
        (Kind::Through(wire::Through { position: PLACE, number }), Request::Sync),
        (
            Kind::HistoryPage(wire::HistoryPage { number, room: ROOM, ..wire::HistoryPage::default() }),
            Request::History { room, from_sequence: 1, to_sequence: 2 },
        ),
        (
            Kind::MembersPage(wire::MembersPage { number, room: ROOM, ..wire::MembersPage::default() }),
            Request::Members { room, after },
        ),
        (
            Kind::RoomsPage(wire::RoomsPage { number, ..wire::RoomsPage::default() }),
            Request::Rooms { after: String::new() },
        ),
    ]
}

fn failed(number: u32) -> Kind {
    Kind::Failed(wire::Failed { number, error: RequestError::Busy.into(), text: String::new() })
}

fn syncs(kinds: &[Kind]) -> Vec<u32> {
    let syncs = kinds.iter().filter_map(|kind| match kind {
        Kind::Sync(sync) => Some(sync.number),
        _ => None,
    });
    syncs.collect()
}

#[test]
fn an_answer_that_does_not_fit_its_request_ends_the_line_and_the_request_stays_open() {
    for (number, (_, request)) in answers(0).into_iter().enumerate() {
        for (other, (answer, _)) in answers(1).into_iter().enumerate() {
            let mut line = Line::online();
            assert_eq!(line.session.ask(request.clone()), 1);
            assert_eq!(line.carry().1.len(), 1);
            line.say(answer.clone());
            line.stored();
            let expected =
                if number == other { (None, vec![1]) } else { (Some("a request has another's answer"), vec![]) };
            assert_eq!((line.broken_rule(), line.answers()), expected, "{request:?} is answered by {answer:?}");
        }
    }
}

#[test]
fn what_nobody_asked_is_not_answered() {
    for answer in [answers(1).map(|(answer, _)| answer).to_vec(), vec![failed(1)]].concat() {
        let mut line = Line::online();
        line.say(answer.clone());
        line.stored();
        assert_eq!((line.broken_rule(), line.answers()), (None, vec![]), "{answer:?}");
    }
}

#[test]
fn a_profile_that_was_put_back_asks_again_until_it_is_told_what_it_missed() {
    let mut line = Line::with_outbox(vec![op(1, 10)]);
    assert_eq!(line.carry().1.len(), 1);
    line.say(Kind::Settled(wire::Settled { sequence: 1, last_sequence: 4 }));
    for _ in 0..3 {
        let asked = syncs(&line.carry().1);
        assert_eq!(asked.len(), 1, "it asks what it missed");
        line.say(failed(asked[0]));
        assert_eq!((line.broken_rule(), line.answers()), (None, vec![]), "that was no request of the program's");
    }
}

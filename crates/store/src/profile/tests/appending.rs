use steadfast_proto::wire::op::Body;
use steadfast_proto::wire::room_ref::By;

use super::*;

#[test]
fn sequences_are_dense_though_two_profiles_append_in_turn() {
    in_both(|kept| {
        let mut first = kept.in_lobby();
        let mut second = kept.open();
        for round in 0..10 {
            let queued = first.append(&[say(2 * round + 1, lobby())]).expect("queued");
            assert_eq!(queued[0].sequence, 2 * round + 1);
            let queued = second.append(&[say(2 * round + 2, lobby())]).expect("queued");
            assert_eq!(queued[0].sequence, 2 * round + 2);
        }
        let expected: Vec<_> = (1..=20).map(|number| (number, number)).collect();
        assert_eq!(sequences_and_ids(&*first), expected);
        assert_eq!(sequences_and_ids(&*second), expected);
    });
}

#[test]
fn sequences_are_dense_though_four_threads_append_at_once() {
    in_both(|kept| {
        let profile = kept.in_lobby();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let mut profile = kept.open();
                scope.spawn(move || {
                    for number in 0..25 {
                        profile.append(&[say(1_000 * (thread + 1) + number, lobby())]).expect("queued");
                    }
                });
            }
        });
        let sequences: Vec<u64> = waiting(&*profile).iter().map(|op| op.sequence).collect();
        assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
    });
}

#[test]
fn messages_to_a_public_room_that_nobody_knows_yet_enter_it_once() {
    in_both(|kept| {
        let mut profile = kept.open();
        let queued = profile.append(&[say(1, lobby()), say(2, lobby())]).expect("queued");
        assert_eq!(queued.iter().map(|queued| queued.sequence).collect::<Vec<_>>(), [2, 3]);
        profile.append(&[say(3, Target::Public("LOBBY".to_owned()))]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!(ops[0].body, Some(Body::Enter(wire::Enter { name: "lobby".to_owned() })));
        assert_eq!(ops[0].id, 0x1_0001);
        assert_eq!(ops.len(), 4);
        for op in &ops[1..] {
            assert_eq!(goes_to(op), Some(By::EnteredBy(0x1_0001)));
        }
    });
}

#[test]
fn a_message_to_a_public_room_that_we_are_in_goes_to_its_id() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, Target::Public("lobby".to_owned()))]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!(ops.len(), 1);
        assert_eq!(goes_to(&ops[0]), Some(By::Room(LOBBY.0)));
    });
}

#[test]
fn after_a_leave_that_waits_a_message_enters_the_room_again() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let leave = op(1, NewBody::Leave { room: lobby() });
        profile.append(&[leave, say(2, lobby()), say(3, lobby())]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!(
            ops[0].body,
            Some(Body::Leave(wire::Leave { room: Some(wire::RoomRef { by: Some(By::Room(LOBBY.0)) }) }))
        );
        assert!(matches!(ops[1].body, Some(Body::Enter(_))));
        assert_eq!(goes_to(&ops[2]), Some(By::EnteredBy(0x1_0002)));
        assert_eq!(goes_to(&ops[3]), Some(By::EnteredBy(0x1_0002)));
        profile.append(&[op(4, NewBody::Leave { room: lobby() }), say(5, lobby())]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!(
            ops[4].body,
            Some(Body::Leave(wire::Leave { room: Some(wire::RoomRef { by: Some(By::EnteredBy(0x1_0002)) }) }))
        );
        assert_eq!(goes_to(&ops[6]), Some(By::EnteredBy(0x1_0005)));
    });
}

#[test]
fn a_message_to_a_room_that_was_left_enters_it_again() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        apply(&mut *profile, &[Change::Entry(left(11, LOBBY, 4, ANN))]);
        profile.append(&[say(1, lobby())]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!((ops.len(), goes_to(&ops[1])), (2, Some(By::EnteredBy(0x1_0001))));
    });
}

#[test]
fn entering_a_room_that_we_are_in_is_queued_all_the_same() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[op(1, NewBody::Enter { name: "lobby".to_owned() })]).expect("queued");
        assert_eq!(sequences_and_ids(&*profile), [(1, 1)]);
    });
}

#[test]
fn an_operation_may_address_the_room_that_one_before_it_makes() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let make = op(1, NewBody::CreatePrivate { name: "den".to_owned() });
        let by = || Target::By(OperationId(1));
        let add = op(2, NewBody::Add { room: by(), name: "bob".to_owned() });
        profile.append(&[make, add, say(3, by())]).expect("queued");
        assert_eq!(goes_to(&waiting(&*profile)[2]), Some(By::EnteredBy(1)));
        let den = RoomId(0xd0);
        apply(&mut *profile, &[accepted(1, 1, 11, den)]);
        profile.append(&[say(4, by())]).expect("queued");
        let ops = waiting(&*profile);
        assert_eq!(
            ops[0].body,
            Some(Body::Add(wire::Add {
                room: Some(wire::RoomRef { by: Some(By::Room(den.0)) }),
                name: "bob".to_owned()
            }))
        );
        assert_eq!(goes_to(&ops[1]), Some(By::Room(den.0)));
        assert_eq!(goes_to(&ops[2]), Some(By::Room(den.0)), "the operation was settled before this one was queued");
    });
}

#[test]
fn an_operation_that_this_profile_never_saw_can_not_be_referred_to() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let error = profile.append(&[say(1, lobby()), say(2, Target::By(OperationId(77)))]);
        assert_eq!(error, Err(AppendError::UnknownOperation { by: OperationId(77) }));
        assert!(waiting(&*profile).is_empty());
    });
}

#[test]
fn a_line_of_a_key_is_stored_once_and_tells_its_outcome() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let queued = profile.append(&[say_keyed(1, 1, 0xaa), say_keyed(2, 2, 0xbb)]).expect("queued");
        assert!(queued.iter().all(|queued| queued.already.is_none()));
        apply(&mut *profile, &[accepted(1, 1, 11, LOBBY)]);
        let again =
            profile.append(&[say_keyed(3, 1, 0xaa), say_keyed(4, 2, 0xbb), say_keyed(5, 3, 0xcc)]).expect("queued");
        let outcome = SettledOutcome { sequence: 1, position: 11, room: Some(LOBBY), refusal: None };
        assert_eq!(again[0], Queued { sequence: 1, id: OperationId(1), already: Some(outcome) });
        assert_eq!(again[1], Queued { sequence: 2, id: OperationId(2), already: None });
        assert_eq!(again[2], Queued { sequence: 3, id: OperationId(5), already: None });
        assert_eq!(sequences_and_ids(&*profile), [(2, 2), (3, 5)]);
        assert_eq!(profile.outcomes(&[OperationId(1), OperationId(2)]), Ok(vec![Some(outcome), None]));
        let waiting = [1, 2, 3].map(|id| profile.is_waiting(OperationId(id)));
        assert_eq!(waiting, [Ok(false), Ok(true), Ok(false)], "settled, waiting, never queued");
    });
}

#[test]
fn another_text_under_the_same_key_and_line_is_refused_and_nothing_is_queued() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say_keyed(1, 1, 0xaa)]).expect("queued");
        let error = profile.append(&[say(2, lobby()), say_keyed(3, 1, 0xbb)]);
        assert_eq!(error, Err(AppendError::KeyMismatch { line: 1 }));
        assert_eq!(sequences_and_ids(&*profile), [(1, 1)]);
    });
}

#[test]
fn a_full_outbox_takes_none_of_a_batch() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let many: Vec<NewOp> = (1..OUTBOX_ROWS_MAX).map(|id| say(id, Target::Room(LOBBY))).collect();
        profile.append(&many).expect("one less than the limit");
        let (rows, bytes) = profile.outbox_size().expect("a size");
        assert_eq!(rows, OUTBOX_ROWS_MAX - 1);
        let error = profile.append(&[say(200_001, lobby()), say(200_002, lobby())]);
        assert_eq!(error, Err(AppendError::Full { rows, bytes }));
        assert_eq!(profile.outbox_size(), Ok((rows, bytes)));
        assert_eq!(profile.append(&[say(200_003, lobby())]).expect("one fits")[0].sequence, OUTBOX_ROWS_MAX);
    });
}

#[test]
fn what_no_frame_can_carry_is_refused() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let body = Bytes::from(vec![0; usize::try_from(OP_BYTES_MAX).expect("it fits")]);
        let large = op(1, NewBody::Send { to: lobby(), body, content_type: String::new() });
        assert!(matches!(profile.append(&[large]), Err(AppendError::TooLarge { index: 0, .. })));
        let error = profile.append(&[say(1, lobby()), say(2, Target::Public("no spaces".to_owned()))]);
        assert!(matches!(error, Err(AppendError::NameInvalid { index: 1, .. })));
        assert!(waiting(&*profile).is_empty());
    });
}

#[test]
fn the_outbox_is_read_in_pieces_and_always_gives_one() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&(1..=10).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        let read = |after, bytes, rows| {
            let ops = profile.outbox_from(after, bytes, rows).expect("the outbox");
            ops.iter().map(|op| op.sequence).collect::<Vec<_>>()
        };
        assert_eq!(read(0, usize::MAX, 3), [1, 2, 3]);
        assert_eq!(read(3, 0, 100), [4]);
        assert_eq!(read(9, usize::MAX, 100), [10]);
        assert!(read(10, usize::MAX, 100).is_empty());
        assert!(read(u64::MAX, usize::MAX, 100).is_empty());
        assert!(read(0, 120, 100).len() < 10);
    });
}

#[test]
fn a_conversation_is_opened_by_its_first_message_and_by_no_other() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let bob = || Target::Direct("Bob".to_owned());
        profile.append(&[say(20, bob()), say(21, Target::Direct("bob".to_owned()))]).expect("queued");
        profile.append(&[say(22, bob())]).expect("queued");
        // The opening, and three messages that refer to it.
        assert_eq!(sequences_and_ids(&*profile), [(1, 20 + 0x1_0000), (2, 20), (3, 21), (4, 22)]);
        let opened = Some(wire::room_ref::By::EnteredBy(20 + 0x1_0000));
        assert!(waiting(&*profile)[1..].iter().all(|op| goes_to(op) == opened), "{:?}", waiting(&*profile));
        let room = RoomId(0xd1);
        let what = wire::Joined {
            account: ANN.0,
            name: "ann".to_owned(),
            kind: RoomKind::Direct.into(),
            other: BOB.0,
            other_name: "bob".to_owned(),
            ..wire::Joined::default()
        };
        apply(&mut *profile, &[by(20 + 0x1_0000, entry(11, room, 1, ANN, Said::Joined(what)))]);
        profile.append(&[say(23, bob())]).expect("queued");
        let to_room = Some(wire::room_ref::By::Room(room.0));
        assert!(waiting(&*profile).iter().all(|op| goes_to(op) == to_room), "{:?}", waiting(&*profile));
    });
}

#[test]
fn what_makes_no_sense_outside_a_room_enters_none() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let outside = |queued: Result<Vec<Queued>, AppendError>| {
            queued == Err(AppendError::NotInRoom { name: "hall".to_owned() })
        };
        let hall = || Target::Public("hall".to_owned());
        assert!(outside(profile.append(&[op(20, NewBody::Leave { room: hall() })])));
        let cid = || "cid".to_owned();
        assert!(outside(profile.append(&[op(20, NewBody::Add { room: hall(), name: cid() })])));
        assert!(outside(profile.append(&[op(20, NewBody::Remove { room: hall(), name: cid() })])));
        assert!(waiting(&*profile).is_empty());
        // Where its entering waits it can be left, and then not once more.
        profile.append(&[op(21, NewBody::Enter { name: "hall".to_owned() })]).expect("queued");
        profile.append(&[op(22, NewBody::Leave { room: hall() })]).expect("queued");
        assert!(outside(profile.append(&[op(23, NewBody::Leave { room: hall() })])));
    });
}

use steadfast_proto::ids::Place;
use steadfast_proto::wire::room_ref::By;

use super::*;

fn place(position: u64, term: u64) -> Place {
    Place { position, term: Term(term) }
}

#[test]
fn first_heads_give_the_place_and_where_the_rooms_stand() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let resume = profile.resume().expect("a resume");
        assert_eq!(resume.log_id, Some(LOG));
        assert_eq!((resume.place, resume.told), (Some(place(10, 1)), Some(place(10, 1))));
        assert_eq!(resume.rooms, [(LOBBY, Some(3))]);
        assert_eq!(resume.terms, [(Term(1), 10)]);
    });
}

#[test]
fn another_log_is_refused_and_changes_nothing() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let before = profile.resume();
        let other = LogId([8; 16]);
        let welcomed = Change::Welcomed { log_id: other, term: Term(2), account: ANN, name: "ann".to_owned() };
        let error = profile.apply(&[Change::Through { position: 11 }, welcomed], 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::AnotherLog { stored: LOG, found: other }));
        assert_eq!(profile.resume(), before);
    });
}

#[test]
fn the_account_is_the_one_that_the_server_names() {
    in_both(|kept| {
        let mut profile = kept.open();
        let welcome = Change::Welcomed { log_id: LOG, term: Term(1), account: BOB, name: "Ann".to_owned() };
        apply(&mut *profile, &[welcome]);
        let identity = profile.identity().expect("an identity");
        assert_eq!((identity.account, identity.name.as_str()), (BOB, "Ann"));
    });
}

#[test]
fn an_entry_is_stored_with_the_place() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let stored = apply(
            &mut *profile,
            &[Change::Entry(message(11, LOBBY, 4, BOB)), Change::Entry(message(15, LOBBY, 5, BOB))],
        );
        assert_eq!(stored.position, 15);
        assert_eq!(profile.place(), Ok(Some(place(15, 1))));
        assert_eq!(profile.resume().expect("a resume").rooms, [(LOBBY, Some(5))]);
        let messages = profile.messages(LOBBY, 0, 10).expect("messages");
        assert_eq!((messages[0].position, messages[0].author.as_str(), messages[0].account), (11, "bob", BOB));
        assert_eq!(messages[1].what, What::Message { body: Bytes::from("at 15"), content_type: String::new() });
    });
}

#[test]
fn an_entry_that_is_not_the_next_of_its_room_stops_the_whole_batch() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let batch = [Change::Entry(message(11, LOBBY, 4, BOB)), Change::Entry(message(12, LOBBY, 6, BOB))];
        let error = profile.apply(&batch, 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::OutOfOrder { room: LOBBY, expected: Some(5), found: 6 }));
        assert!(held(&*profile, LOBBY).is_empty());
        assert_eq!(profile.place(), Ok(Some(place(10, 1))));
        let unknown = profile.apply(&[Change::Entry(message(11, RoomId(5), 1, BOB))], 0, &mut fresh_ids());
        assert_eq!(unknown, Err(ApplyError::OutOfOrder { room: RoomId(5), expected: None, found: 1 }));
    });
}

#[test]
fn the_place_never_goes_back() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let error = profile.apply(&[Change::Entry(message(10, LOBBY, 4, BOB))], 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::Backwards { place: 10, found: 10 }));
        assert_eq!(apply(&mut *profile, &[Change::Through { position: 20 }]).position, 20);
        assert_eq!(apply(&mut *profile, &[Change::Through { position: 15 }]).position, 20);
    });
}

#[test]
fn a_number_that_no_log_reaches_ends_in_an_error() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        for change in [
            Change::Through { position: u64::MAX },
            Change::Entry(wire::Entry { position: u64::MAX, ..message(11, LOBBY, 4, BOB) }),
            Change::Entry(message(11, LOBBY, u64::MAX, BOB)),
            Change::Entry(joined(11, RoomId(5), u64::MAX, ANN, "x")),
            Change::Diverged { common: 0, last_sequence: u64::MAX },
        ] {
            let error = profile.apply(std::slice::from_ref(&change), 0, &mut fresh_ids());
            assert!(
                matches!(error, Err(ApplyError::NotAPosition { .. } | ApplyError::OutOfOrder { .. })),
                "{change:?}"
            );
        }
    });
}

#[test]
fn what_a_stranger_put_into_an_entry_is_stored_whatever_it_is() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let strange = wire::Entry {
            id: u64::MAX,
            sequence: u64::MAX,
            at_ms: u64::MAX,
            composed_at_ms: u64::MAX,
            from: "\0\u{202e}".to_owned(),
            what: None,
            ..message(11, LOBBY, 4, AccountId(u64::MAX))
        };
        apply(&mut *profile, &[Change::Entry(strange)]);
        let stored = &profile.messages(LOBBY, 0, 1).expect("messages")[0];
        assert_eq!((stored.composed_at_ms, stored.sequence, stored.what.clone()), (u64::MAX, u64::MAX, What::Other));
        assert_eq!(stored.author, "\0\u{202e}");
    });
}

#[test]
fn positions_are_told_under_the_term_of_their_link() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        apply(&mut *profile, &[accepted(9, 9, 40, LOBBY), welcomed(2), Change::Through { position: 20 }]);
        let resume = profile.resume().expect("a resume");
        assert_eq!(resume.place, Some(place(20, 2)));
        assert_eq!(
            resume.told,
            Some(place(40, 1)),
            "an outcome tells a position, though its operation is not ours any more"
        );
        assert_eq!(resume.terms, [(Term(1), 40), (Term(2), 20)]);
        apply(&mut *profile, &[welcomed(1), Change::Through { position: 30 }]);
        assert_eq!(profile.resume().expect("a resume").terms, [(Term(1), 40), (Term(2), 20)]);
    });
}

#[test]
fn nothing_is_told_before_a_link_was_accepted() {
    in_both(|kept| {
        let mut profile = kept.open();
        let error = profile.apply(&[Change::Through { position: 1 }], 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::NotWelcomed));
    });
}

#[test]
fn the_outcome_of_an_enter_rewrites_what_refers_to_it() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let hall = || Target::Public("hall".to_owned());
        profile.append(&[say(1, hall()), say(2, lobby()), say(3, hall())]).expect("queued");
        let room = RoomId(0xfe);
        let stored = apply(&mut *profile, &[accepted(1, 0x1_0001, 11, room)]);
        assert_eq!(stored.entered, [(OperationId(0x1_0001), room)]);
        assert_eq!(stored.confirmed_through, 1);
        let targets: Vec<_> = waiting(&*profile).iter().map(goes_to).collect();
        assert_eq!(targets, [Some(By::Room(room.0)), Some(By::Room(LOBBY.0)), Some(By::Room(room.0))]);
        assert_eq!(profile.room_by_name("hall"), Ok(None), "the entry makes the room");
    });
}

#[test]
fn what_refers_to_a_refused_enter_is_left_to_the_server() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, Target::Public("hall".to_owned()))]).expect("queued");
        let stored = apply(&mut *profile, &[refused(1, 0x1_0001, 11, wire::Refusal::NotAllowed)]);
        assert!(stored.entered.is_empty());
        assert_eq!(goes_to(&waiting(&*profile)[0]), Some(By::EnteredBy(0x1_0001)));
    });
}

#[test]
fn ones_own_join_makes_the_room_and_settles_the_enter() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, Target::Public("hall".to_owned()))]).expect("queued");
        let hall = RoomId(0xfe);
        let stored = apply(&mut *profile, &[by(0x1_0001, joined(11, hall, 8, ANN, "Hall"))]);
        assert_eq!(stored.entered, [(OperationId(0x1_0001), hall)]);
        assert_eq!(goes_to(&waiting(&*profile)[0]), Some(By::Room(hall.0)));
        let room = profile.room_by_name("hall").expect("read").expect("known");
        assert_eq!(
            (room.room, room.name.as_str(), room.member, room.base, room.last),
            (hall, "Hall", true, 7, Some(8))
        );
        assert_eq!(
            profile.outcomes(&[OperationId(0x1_0001)]).expect("read")[0].map(|outcome| outcome.room),
            Some(Some(hall))
        );
    });
}

#[test]
fn the_entry_in_the_account_room_settles_with_the_room_that_it_names() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, Target::Public("hall".to_owned()))]).expect("queued");
        let hall = RoomId(0xfe);
        let added = wire::Added { room: hall.0, room_name: "Hall".to_owned(), kind: RoomKind::Public.into() };
        let stored = apply(&mut *profile, &[by(0x1_0001, entry(11, ANN.room(), 6, ANN, Said::Added(added)))]);
        assert_eq!(stored.entered, [(OperationId(0x1_0001), hall)]);
        assert_eq!(goes_to(&waiting(&*profile)[0]), Some(By::Room(hall.0)));
        let account_room = profile.room(ANN.room()).expect("read").expect("made when it was first seen");
        assert_eq!((account_room.base, account_room.last), (5, Some(6)));
    });
}

#[test]
fn ones_own_message_that_came_back_leaves_the_outbox_and_its_outcome_comes_late() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby()), say(2, lobby())]).expect("queued");
        let stored = apply(&mut *profile, &[by(1, message(11, LOBBY, 4, ANN))]);
        assert_eq!(stored.confirmed_through, 1);
        assert_eq!(sequences_and_ids(&*profile), [(2, 2)]);
        let before = profile.outcomes(&[OperationId(1)]);
        let stored = apply(&mut *profile, &[accepted(1, 1, 11, LOBBY)]);
        assert_eq!(stored.confirmed_through, 1);
        assert_eq!(profile.outcomes(&[OperationId(1)]), before);
        assert_eq!(apply(&mut *profile, &[by(2, message(12, LOBBY, 5, ANN))]).confirmed_through, 2);
    });
}

#[test]
fn somebody_elses_entry_with_the_id_of_ours_leaves_the_outbox_alone() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        apply(&mut *profile, &[by(1, message(11, LOBBY, 4, BOB))]);
        assert_eq!(sequences_and_ids(&*profile), [(1, 1)]);
    });
}

#[test]
fn ones_own_message_that_a_page_brings_back_leaves_the_outbox() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        let entries = vec![wire::Entry { id: 1, ..message(11, LOBBY, 4, ANN) }];
        let page = wire::HistoryPage { room: LOBBY.0, entries, ..wire::HistoryPage::default() };
        assert_eq!(apply(&mut *profile, &[Change::Page(page)]).confirmed_through, 1);
    });
}

#[test]
fn an_outcome_counts_only_with_its_sequence() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        let stored = apply(&mut *profile, &[accepted(2, 1, 11, LOBBY), accepted(1, 2, 12, LOBBY)]);
        assert_eq!(stored.confirmed_through, 0);
        assert_eq!(sequences_and_ids(&*profile), [(1, 1)]);
    });
}

#[test]
fn a_refused_message_is_told_and_its_text_is_kept() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby()), say(2, lobby())]).expect("queued");
        let stored = apply(&mut *profile, &[refused(1, 1, 11, wire::Refusal::NotAMember)]);
        assert_eq!(stored.confirmed_through, 1);
        let notices = profile.notices_after(0).expect("notices");
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].kind, NoticeKind::Refused { operation: OperationId(1) });
        assert_eq!(notices[0].text, "the server refused a message to the room \"Lobby\": you are not a member");
        assert!(profile.notices_after(notices[0].number).expect("notices").is_empty());
        let kept = profile.refused(OperationId(1)).expect("read").expect("kept");
        assert_eq!((kept.body.as_ref(), kept.room, kept.sequence), (b"text 1".as_slice(), Some(LOBBY), 1));
        let refusal = profile.outcomes(&[OperationId(1)]).expect("outcomes")[0].expect("settled").refusal;
        assert_eq!(refusal, Some(wire::Refusal::NotAMember as i32));
    });
}

#[test]
fn a_refusal_that_only_a_newer_server_knows_is_a_refusal() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        let outcome = wire::Outcome { sequence: 1, id: 1, position: 11, room: 0, refusal: 99 };
        apply(&mut *profile, &[Change::Outcome(outcome)]);
        assert_eq!(profile.outcomes(&[OperationId(1)]).expect("outcomes")[0].expect("settled").refusal, Some(99));
    });
}

#[test]
fn what_another_process_appends_is_never_counted_as_confirmed() {
    in_both(|kept| {
        let mut driver = kept.in_lobby();
        let mut sender = kept.open();
        driver.append(&[say(1, lobby())]).expect("queued");
        sender.append(&[say(2, lobby())]).expect("queued");
        let stored = apply(&mut *driver, &[accepted(1, 1, 11, LOBBY)]);
        assert_eq!(stored.confirmed_through, 1, "2 was never sent");
        assert_eq!(driver.resume().expect("a resume").confirmed_through, 1);
        assert_eq!(apply(&mut *driver, &[accepted(2, 2, 12, LOBBY)]).confirmed_through, 2);
        sender.append(&[say(3, lobby())]).expect("queued");
        assert_eq!(apply(&mut *driver, &[Change::Through { position: 13 }]).confirmed_through, 2);
    });
}

#[test]
fn a_direct_conversation_has_the_others_name() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let both = |account: AccountId, other: AccountId| wire::Joined {
            account: account.0,
            name: if account == ANN { "ann" } else { "bob" }.to_owned(),
            other: other.0,
            other_name: if other == ANN { "ann" } else { "bob" }.to_owned(),
            kind: RoomKind::Direct.into(),
            ..wire::Joined::default()
        };
        let by_us = entry(11, RoomId(21), 1, ANN, Said::Joined(both(ANN, BOB)));
        let by_bob = entry(12, RoomId(22), 1, BOB, Said::Joined(both(BOB, ANN)));
        apply(&mut *profile, &[Change::Entry(by_us), Change::Entry(by_bob)]);
        for room in [RoomId(21), RoomId(22)] {
            assert_eq!(profile.room(room).expect("read").expect("known").name, "bob");
        }
    });
}

#[test]
fn leaving_and_being_removed_end_the_membership_and_joining_again_renews_it() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        apply(&mut *profile, &[Change::Entry(left(11, LOBBY, 4, BOB))]);
        assert!(profile.room(LOBBY).expect("read").expect("known").member, "that was Bob");
        apply(&mut *profile, &[Change::Entry(left(12, LOBBY, 5, ANN))]);
        assert!(!profile.room(LOBBY).expect("read").expect("known").member);
        assert!(profile.resume().expect("a resume").rooms.is_empty());
        apply(
            &mut *profile,
            &[Change::Entry(joined(20, LOBBY, 9, ANN, "Lobby")), Change::Entry(message(21, LOBBY, 10, BOB))],
        );
        let room = profile.room(LOBBY).expect("read").expect("known");
        assert_eq!((room.member, room.base, room.last), (true, 8, Some(10)));
        let removed = Said::Removed(wire::Removed { room: LOBBY.0 });
        apply(&mut *profile, &[Change::Entry(entry(22, ANN.room(), 3, BOB, removed))]);
        assert!(!profile.room(LOBBY).expect("read").expect("known").member);
    });
}

#[test]
fn a_page_fills_holes_and_the_stream_has_the_last_word() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let page = |entries: Vec<wire::Entry>| {
            Change::Page(wire::HistoryPage { room: LOBBY.0, as_of: 99, entries, ..wire::HistoryPage::default() })
        };
        apply(&mut *profile, &[page(vec![message(7, LOBBY, 2, BOB), message(13, LOBBY, 4, BOB)])]);
        assert_eq!(held(&*profile, LOBBY), [2, 4]);
        assert_eq!(profile.resume().expect("a resume").told, Some(place(13, 1)), "what a page brought was told");
        apply(&mut *profile, &[Change::Entry(message(12, LOBBY, 4, BOB)), page(vec![message(13, LOBBY, 4, BOB)])]);
        assert_eq!(profile.messages(LOBBY, 4, 1).expect("messages")[0].position, 12);
        let error = profile.apply(&[page(vec![message(14, RoomId(5), 1, BOB)])], 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::StrangePage { page: LOBBY, entry: RoomId(5) }));
    });
}

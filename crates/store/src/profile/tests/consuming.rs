use super::*;

fn at(position: u64, rewinds: u64) -> StreamPlace {
    StreamPlace { position, rewinds }
}

#[test]
fn a_place_is_kept_for_each_name_and_never_goes_back() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        assert_eq!(profile.consumer("printer"), Ok(None));
        profile.set_consumer("printer", at(12, 0)).expect("noted");
        profile.set_consumer("mailer", at(11, 0)).expect("noted");
        profile.set_consumer("printer", at(10, 0)).expect("noted");
        drop(profile);
        let profile = kept.open();
        assert_eq!(profile.consumer("printer"), Ok(Some(at(12, 0))));
        assert_eq!(profile.consumer("mailer"), Ok(Some(at(11, 0))));
        assert_eq!(profile.consumer("reader"), Ok(None));
    });
}

#[test]
fn a_name_has_one_consumer_at_a_time() {
    in_both(|kept| {
        let (profile, other) = (kept.in_lobby(), kept.open());
        let claim = profile.claim_consumer("printer").expect("an answer").expect("it is free");
        assert!(profile.claim_consumer("printer").expect("an answer").is_none(), "claimed through the same handle");
        assert!(other.claim_consumer("printer").expect("an answer").is_none(), "claimed through another one");
        assert!(other.claim_consumer("mailer").expect("an answer").is_some());
        drop(claim);
        assert!(other.claim_consumer("printer").expect("an answer").is_some());
    });
}

#[test]
fn a_divergence_sets_places_back_until_they_go_on_from_there() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let entries = (11..=20).map(|position| Change::Entry(message(position, LOBBY, position - 7, BOB)));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        profile.set_consumer("printer", at(20, 0)).expect("noted");
        profile.set_consumer("mailer", at(13, 0)).expect("noted");
        apply(&mut *profile, &[welcomed(2), Change::Diverged { common: 15, last_sequence: 0 }]);
        let place = |profile: &dyn ProfileStore, name| {
            let kept = profile.consumer(name).expect("read").expect("it has one");
            (kept.position, profile.set_back(kept).expect("read"))
        };
        let (kept, now) = place(&*profile, "printer");
        assert_eq!((kept, now.position), (20, 15), "it is told apart from one that never was beyond");
        assert_eq!(place(&*profile, "mailer").1.position, 13);
        assert!(now.rewinds > 0);
        assert_eq!(profile.set_back(now), Ok(now), "it goes back once");
        assert_eq!(profile.set_back(at(20, now.rewinds + 1)), Ok(now), "a place of another profile knows nothing");
        // What was read before and is noted after does not take it beyond.
        profile.set_consumer("printer", at(19, 0)).expect("noted");
        assert_eq!(place(&*profile, "printer"), (20, now));
        profile.set_consumer("printer", at(16, now.rewinds)).expect("noted");
        assert_eq!(place(&*profile, "printer"), (16, at(16, now.rewinds)));
    });
}

#[test]
fn the_stays_in_a_room_are_told_in_their_order() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let entries = [message(11, LOBBY, 4, BOB), left(12, LOBBY, 5, ANN), joined(20, LOBBY, 9, ANN, "Lobby")];
        apply(&mut *profile, &entries.map(Change::Entry));
        let stay = |base, from_position, until_position| Stay { base, from_position, until_position };
        assert_eq!(profile.stays(LOBBY), Ok(vec![stay(3, 10, Some(12)), stay(8, 20, None)]));
        assert_eq!(profile.stays(RoomId(1)), Ok(vec![]));
    });
}

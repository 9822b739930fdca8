use steadfast_proto::wire::room_ref::By;

use super::*;

/// The server's history holds operations up to this one, of which this profile knows no more.
fn set_back(kept_through: u64) -> Change {
    Change::Renumbered { kept_through, set_back: true }
}

#[test]
fn what_did_not_come_back_to_a_profile_that_was_set_back_is_numbered_behind_what_was_sent_since() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&(1..=6).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        apply(&mut *profile, &[accepted(1, 1, 11, LOBBY)]);
        // After the copy was made 2 and 4 had been sent; they come back while this device catches up.
        apply(&mut *profile, &[by(2, message(12, LOBBY, 4, ANN)), by(4, message(13, LOBBY, 5, ANN))]);
        let stored = apply(&mut *profile, &[set_back(9)]);
        assert_eq!(sequences_and_ids(&*profile), [(10, 3), (11, 5), (12, 6)]);
        assert_eq!((stored.confirmed_through, stored.position), (9, 13));
        let notices = profile.notices_after(0).expect("notices");
        assert_eq!(notices[0].kind, NoticeKind::SetBack { waiting: 3 });
        assert_eq!(profile.append(&[say(7, lobby())]).expect("queued")[0].sequence, 13);
    });
}

#[test]
fn nothing_that_waits_keeps_a_number_that_was_used_before_the_profile_was_set_back() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&(1..=3).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        let stored = apply(&mut *profile, &[set_back(2)]);
        assert_eq!(sequences_and_ids(&*profile), [(3, 1), (4, 2), (5, 3)]);
        assert_eq!(stored.confirmed_through, 2);
    });
}

#[test]
fn references_between_waiting_operations_outlast_new_numbers() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby()), say(2, Target::Public("hall".to_owned()))]).expect("queued");
        apply(&mut *profile, &[by(1, message(11, LOBBY, 4, ANN)), set_back(7)]);
        let ops = waiting(&*profile);
        assert_eq!((ops[0].sequence, ops[0].id), (8, 0x1_0002));
        assert_eq!((ops[1].sequence, goes_to(&ops[1])), (9, Some(By::EnteredBy(0x1_0002))));
    });
}

#[test]
fn an_empty_outbox_goes_on_behind_what_was_sent_since() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        apply(&mut *profile, &[by(1, message(11, LOBBY, 4, ANN)), set_back(7)]);
        assert_eq!(profile.append(&[say(2, lobby())]).expect("queued")[0].sequence, 8);
    });
}

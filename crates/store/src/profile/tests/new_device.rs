use steadfast_proto::wire::room_ref::By;

use super::*;

fn new_device() -> Change {
    Change::NewDevice { device_id: DeviceId([5; 16]), secret: [6; 32] }
}

#[test]
fn a_profile_that_was_rolled_back_goes_on_as_a_new_device_with_what_did_not_come_back() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&(1..=6).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        apply(&mut *profile, &[accepted(1, 1, 11, LOBBY)]);
        // Before the copy was made 2 and 4 had been sent; they come back while this device catches up.
        apply(&mut *profile, &[by(2, message(12, LOBBY, 4, ANN)), by(4, message(13, LOBBY, 5, ANN))]);
        let stored = apply(&mut *profile, &[new_device()]);
        assert_eq!(sequences_and_ids(&*profile), [(1, 3), (2, 5), (3, 6)]);
        assert_eq!(stored.confirmed_through, 0);
        assert_eq!(stored.position, 13, "the place is the old device's: everything up to it is stored");
        let identity = profile.identity().expect("an identity");
        assert_eq!((identity.device_id, identity.secret, identity.account), (DeviceId([5; 16]), [6; 32], ANN));
        let notices = profile.notices_after(0).expect("notices");
        assert_eq!(notices[0].kind, NoticeKind::NewDevice { waiting: 3 });
        assert_eq!(profile.append(&[say(7, lobby())]).expect("queued")[0].sequence, 4);
    });
}

#[test]
fn references_between_waiting_operations_outlast_a_new_device() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby()), say(2, Target::Public("hall".to_owned()))]).expect("queued");
        apply(&mut *profile, &[by(1, message(11, LOBBY, 4, ANN)), new_device()]);
        let ops = waiting(&*profile);
        assert_eq!((ops[0].sequence, ops[0].id), (1, 0x1_0002));
        assert_eq!((ops[1].sequence, goes_to(&ops[1])), (2, Some(By::EnteredBy(0x1_0002))));
    });
}

#[test]
fn a_new_device_with_an_empty_outbox_begins_at_one() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&[say(1, lobby())]).expect("queued");
        apply(&mut *profile, &[by(1, message(11, LOBBY, 4, ANN)), new_device()]);
        assert_eq!(profile.append(&[say(2, lobby())]).expect("queued")[0].sequence, 1);
    });
}

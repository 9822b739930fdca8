use super::*;

fn ids(profile: &dyn ProfileStore, room: &PendingIn) -> Vec<u64> {
    let pending = profile.pending(room, u64::MAX, usize::MAX).expect("pending");
    assert!(pending.is_sorted_by_key(|op| op.sequence));
    pending.iter().map(|op| op.id.0).collect()
}

fn public(name: &str) -> PendingIn {
    PendingIn::Public(name.to_owned())
}

#[test]
fn what_waits_for_a_room_that_is_not_entered_yet_is_found_by_its_name() {
    in_both(|kept| {
        let mut profile = kept.open();
        profile.append(&[say(1, lobby()), say(2, Target::Public("hall".to_owned())), say(3, lobby())]).expect("queued");
        assert_eq!(ids(&*profile, &public("LOBBY")), [0x1_0001, 1, 3], "with the operation that enters it");
        assert_eq!(ids(&*profile, &public("hall")), [0x1_0002, 2]);
        assert_eq!(ids(&*profile, &public("nowhere")), []);
        assert_eq!(ids(&*profile, &PendingIn::Direct("lobby".to_owned())), []);
        let pending = profile.pending(&public("lobby"), u64::MAX, 10).expect("pending");
        let what = PendingWhat::Send { body: Bytes::from_static(b"text 3"), content_type: String::new() };
        assert_eq!(pending[0].what, PendingWhat::Enter);
        assert_eq!(pending[2], PendingOp { id: OperationId(3), sequence: 5, composed_at_ms: 1_003, what });
    });
}

#[test]
fn what_waits_for_a_room_is_found_by_its_id_and_by_its_name_until_it_is_settled() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile
            .append(&[say(1, lobby()), say(2, Target::Room(LOBBY)), say(3, Target::Room(RoomId(9)))])
            .expect("queued");
        assert_eq!(ids(&*profile, &PendingIn::Room(LOBBY)), [1, 2]);
        assert_eq!(ids(&*profile, &public("lobby")), [1, 2]);
        assert_eq!(ids(&*profile, &PendingIn::Room(RoomId(9))), [3]);
        apply(&mut *profile, &[accepted(1, 1, 11, LOBBY)]);
        assert_eq!(ids(&*profile, &PendingIn::Room(LOBBY)), [2]);
        apply(&mut *profile, &[by(2, message(12, LOBBY, 4, ANN))]);
        assert_eq!(ids(&*profile, &PendingIn::Room(LOBBY)), []);
    });
}

#[test]
fn what_waits_behind_entering_a_room_again_belongs_to_the_known_room() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let leave = op(1, NewBody::Leave { room: lobby() });
        profile.append(&[leave, say(2, lobby())]).expect("queued");
        for room in [PendingIn::Room(LOBBY), public("lobby")] {
            assert_eq!(ids(&*profile, &room), [1, 0x1_0002, 2], "{room:?}");
        }
        let kinds = profile.pending(&public("lobby"), u64::MAX, 10).expect("pending");
        assert_eq!(kinds[0].what, PendingWhat::Leave);
    });
}

#[test]
fn what_waits_for_a_conversation_or_a_new_room_is_found_before_it_is_there() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let direct = op(1, NewBody::Direct { name: "Bob".to_owned() });
        let make = op(2, NewBody::CreatePrivate { name: "den".to_owned() });
        let by = |id| Target::By(OperationId(id));
        let add = op(5, NewBody::Add { room: by(2), name: "bob".to_owned() });
        profile.append(&[direct, make, say(3, by(1)), say(4, by(2)), add]).expect("queued");
        assert_eq!(ids(&*profile, &PendingIn::Direct("bob".to_owned())), [1, 3]);
        assert_eq!(ids(&*profile, &PendingIn::By(OperationId(2))), [2, 4, 5]);
        let pending = profile.pending(&PendingIn::By(OperationId(2)), u64::MAX, 1).expect("pending");
        assert_eq!(pending[0].what, PendingWhat::Add { name: "bob".to_owned() });
        let den = RoomId(0xd0);
        apply(&mut *profile, &[accepted(1, 1, 11, RoomId(0xb0)), accepted(2, 2, 12, den)]);
        assert_eq!(ids(&*profile, &PendingIn::Room(den)), [4, 5]);
    });
}

#[test]
fn of_many_that_wait_the_last_ones_come_first_page_by_page() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        profile.append(&(1..=10).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        let page = |before, limit| {
            let pending = profile.pending(&PendingIn::Room(LOBBY), before, limit).expect("pending");
            pending.iter().map(|op| op.sequence).collect::<Vec<_>>()
        };
        assert_eq!(page(u64::MAX, 4), [7, 8, 9, 10]);
        assert_eq!(page(7, 4), [3, 4, 5, 6]);
        assert_eq!(page(3, 4), [1, 2]);
        assert_eq!(page(1, 4), []);
    });
}

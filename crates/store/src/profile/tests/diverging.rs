use steadfast_proto::ids::Place;
use steadfast_proto::wire::op::Body;
use steadfast_proto::wire::room_ref::By;

use super::*;
use crate::profile::diverge::UNNUMBERED;

fn place(position: u64, term: u64) -> Option<Place> {
    Some(Place { position, term: Term(term) })
}

fn diverged(common: u64, last_sequence: u64) -> Change {
    Change::Diverged { common, last_sequence }
}

/// All of the other history came.
fn renumbered(kept_through: u64) -> Change {
    Change::Renumbered { kept_through, set_back: false }
}

fn room(profile: &dyn ProfileStore, room: RoomId) -> RoomInfo {
    profile.room(room).expect("read").expect("known")
}

/// In the lobby, with messages 4 ..= 13 at the positions 11 ..= 20; those at 15 and 18 are Ann's.
fn with_ten_messages(kept: &Kept) -> Box<dyn ProfileStore> {
    let mut profile = kept.in_lobby();
    let own = |position| if position == 15 || position == 18 { ANN } else { BOB };
    let entries = (11..=20).map(|position| Change::Entry(message(position, LOBBY, position - 7, own(position))));
    apply(&mut *profile, &entries.collect::<Vec<_>>());
    profile
}

#[test]
fn messages_beyond_the_common_position_are_moved_aside_and_told() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        let stored = apply(&mut *profile, &[diverged(16, 0)]);
        assert_eq!(stored.position, 16);
        assert_eq!(held(&*profile, LOBBY), (4..=9).collect::<Vec<_>>());
        let aside = profile.aside(100).expect("aside");
        assert_eq!(aside.iter().map(|aside| aside.message.position).collect::<Vec<_>>(), [17, 18, 19, 20]);
        assert_eq!((aside[0].moved_at_ms, aside[0].message.author.as_str()), (5_000, "bob"));
        let notices = profile.notices_after(0).expect("notices");
        assert_eq!(notices[0].kind, NoticeKind::MovedAside { messages: 4 });
        assert!(
            notices[0].text.contains("4 entries") && notices[0].text.contains("1 of them yours"),
            "{}",
            notices[0].text
        );
        assert_eq!((room(&*profile, LOBBY).base, room(&*profile, LOBBY).last), (3, Some(9)));
        let resume = profile.resume().expect("a resume");
        assert_eq!((resume.place, resume.told), (place(16, 1), place(16, 1)));
        assert_eq!(resume.terms, [(Term(1), 16)]);
        apply(&mut *profile, &[welcomed(2), Change::Entry(message(17, LOBBY, 10, BOB))]);
        assert_eq!(held(&*profile, LOBBY), (4..=10).collect::<Vec<_>>());
    });
}

#[test]
fn a_divergence_that_is_told_twice_changes_nothing_more() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(&mut *profile, &[diverged(16, 0)]);
        let before = (profile.resume(), profile.notices_after(0));
        apply(&mut *profile, &[diverged(16, 0)]);
        assert_eq!((profile.resume(), profile.notices_after(0)), before);
    });
}

#[test]
fn forty_messages_written_offline_are_renumbered_behind_what_the_server_has() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        profile.append(&(1..=40).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        // 1 ..= 10 were accepted. The server went back to 25, where a copy of this profile had brought it.
        apply(&mut *profile, &(1..=10).map(|id| accepted(id, id, 20 + id, LOBBY)).collect::<Vec<_>>());
        let stored = apply(&mut *profile, &[diverged(20, 25), renumbered(25)]);
        assert_eq!(stored.confirmed_through, 10);
        let expected: Vec<_> = (11..=40).map(|number| (number, number)).collect();
        assert_eq!(sequences_and_ids(&*profile), expected, "11 ..= 25 stay, the others already follow");
        assert_eq!(profile.append(&[say(41, lobby())]).expect("queued")[0].sequence, 41);
    });
}

/// Of a profile and a server that were both put back: what waits may stand in the other history already.
#[test]
fn what_waits_has_no_numbers_before_it_is_known_what_of_it_the_other_history_has() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        profile.append(&(1..=5).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        apply(&mut *profile, &[diverged(20, 2)]);
        let none = |place| UNNUMBERED + place;
        assert_eq!(sequences_and_ids(&*profile), [(1, 1), (2, 2), (none(1), 3), (none(2), 4), (none(3), 5)]);
        assert!(profile.resume().expect("a resume").recounts, "should the process die now");
        let came_back = wire::Entry { id: 4, sequence: 2, ..message(21, LOBBY, 14, ANN) };
        apply(&mut *profile, &[welcomed(2), Change::Entry(came_back)]);
        apply(&mut *profile, &[renumbered(2)]);
        assert_eq!(sequences_and_ids(&*profile), [(1, 1), (2, 2), (3, 3), (4, 5)]);
        assert!(!profile.resume().expect("a resume").recounts);
        assert_eq!(profile.append(&[say(6, lobby())]).expect("queued")[0].sequence, 5);
    });
}

#[test]
fn operations_that_the_server_lost_give_their_sequences_to_those_that_wait() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        profile.append(&(1..=40).map(|id| say(id, lobby())).collect::<Vec<_>>()).expect("queued");
        apply(&mut *profile, &(1..=20).map(|id| accepted(id, id, 20 + id, LOBBY)).collect::<Vec<_>>());
        let stored = apply(&mut *profile, &[diverged(20, 12), renumbered(12)]);
        let expected: Vec<_> = (21..=40).map(|id| (id - 8, id)).collect();
        assert_eq!(sequences_and_ids(&*profile), expected);
        assert_eq!(stored.confirmed_through, 12);
        assert_eq!(profile.outbox_size().expect("a size").0, 20);
        assert_eq!(profile.append(&[say(41, lobby())]).expect("queued")[0].sequence, 33);
    });
}

#[test]
fn a_server_that_is_ahead_of_the_outbox_is_followed() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        profile.append(&[say(1, lobby()), say(2, lobby())]).expect("queued");
        let stored = apply(&mut *profile, &[diverged(20, 7), renumbered(7)]);
        assert_eq!(sequences_and_ids(&*profile), [(1, 1), (2, 2)], "the server says what became of them");
        assert_eq!(stored.confirmed_through, 0);
        assert_eq!(profile.append(&[say(3, lobby())]).expect("queued")[0].sequence, 8);
    });
}

#[test]
fn messages_to_a_public_room_that_is_lost_enter_it_first() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        let hall = RoomId(0xa1);
        apply(&mut *profile, &[Change::Entry(joined(21, hall, 1, ANN, "Hall"))]);
        let to_hall = |id| say(id, Target::Public("hall".to_owned()));
        profile.append(&[to_hall(1), say(2, lobby()), to_hall(3), to_hall(4)]).expect("queued");
        assert_eq!(goes_to(&waiting(&*profile)[2]), Some(By::Room(hall.0)));
        apply(&mut *profile, &[diverged(20, 1), renumbered(1)]);
        let ops = waiting(&*profile);
        assert_eq!(ops.iter().map(|op| op.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(goes_to(&ops[0]), Some(By::Room(hall.0)), "the server has decided about this one");
        assert_eq!((ops[1].id, goes_to(&ops[1])), (2, Some(By::Room(LOBBY.0))));
        assert_eq!(ops[2].body, Some(Body::Enter(wire::Enter { name: "Hall".to_owned() })));
        assert_eq!((ops[3].id, goes_to(&ops[3])), (3, Some(By::EnteredBy(ops[2].id))));
        assert_eq!((ops[4].id, goes_to(&ops[4])), (4, Some(By::EnteredBy(ops[2].id))));
        assert_eq!(profile.outbox_size().expect("a size").0, 5);
        assert_eq!(profile.room_by_name("hall"), Ok(None));
        assert!(profile.notices_after(0).expect("notices")[0].text.ends_with("you are no longer in: Hall"));
        assert_eq!(profile.append(&[to_hall(9)]).expect("queued")[0].sequence, 6, "the Enter that waits is used again");
    });
}

#[test]
fn an_enter_that_waits_already_is_the_way_back() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(&mut *profile, &[Change::Entry(joined(21, RoomId(0xa1), 1, ANN, "Hall"))]);
        let enter = op(1, NewBody::Enter { name: "HALL".to_owned() });
        profile.append(&[enter, say(2, Target::Public("hall".to_owned()))]).expect("queued");
        apply(&mut *profile, &[diverged(20, 0), renumbered(0)]);
        assert_eq!(sequences_and_ids(&*profile), [(1, 1), (2, 2)]);
        assert_eq!(goes_to(&waiting(&*profile)[1]), Some(By::EnteredBy(1)));
    });
}

#[test]
fn what_is_printed_goes_back_with_its_room_and_no_further() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        let other = RoomId(0x0e);
        apply(
            &mut *profile,
            &[Change::Entry(joined(21, other, 1, ANN, "other")), Change::Entry(message(22, LOBBY, 14, BOB))],
        );
        profile.set_printed(LOBBY, 14).expect("set");
        profile.set_printed(other, 1).expect("set");
        apply(&mut *profile, &[diverged(21, 0)]);
        assert_eq!(profile.printed(LOBBY), Ok(Some(13)));
        assert_eq!(profile.printed(other), Ok(Some(1)));
        apply(&mut *profile, &[welcomed(2), Change::Entry(message(22, LOBBY, 14, BOB))]);
        assert_eq!(profile.printed(LOBBY), Ok(Some(13)), "the new 14 is another message");
        assert_eq!(kept.open().printed(LOBBY), Ok(Some(13)));
        profile.messages(LOBBY, 14, 1).expect("read");
        profile.set_printed(LOBBY, 14).expect("set");
        assert_eq!(profile.printed(LOBBY), Ok(Some(14)));
    });
}

#[test]
fn what_was_read_before_histories_parted_and_printed_after_is_printed_again() {
    in_both(|kept| {
        let mut driver = with_ten_messages(kept);
        let tail = kept.open();
        assert_eq!(tail.messages(LOBBY, 0, 100).expect("read").last().expect("some").room_sequence, 13);
        apply(&mut *driver, &[diverged(16, 0), welcomed(2)]);
        apply(
            &mut *driver,
            &(10..=13).map(|sequence| Change::Entry(message(10 + sequence, LOBBY, sequence, BOB))).collect::<Vec<_>>(),
        );
        tail.set_printed(LOBBY, 13).expect("set");
        assert_eq!(tail.printed(LOBBY), Ok(Some(9)));
    });
}

#[test]
fn a_place_behind_the_common_position_stays_where_it_is() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(&mut *profile, &[accepted(1, 1, 50, LOBBY)]);
        let stored = apply(&mut *profile, &[diverged(40, 0)]);
        assert_eq!(stored.position, 20, "21 ..= 40 have yet to come");
        let resume = profile.resume().expect("a resume");
        assert_eq!((resume.place, resume.told), (place(20, 1), place(40, 1)));
        assert_eq!(held(&*profile, LOBBY).len(), 10);
        assert!(profile.notices_after(0).expect("notices").is_empty(), "nothing was lost");
    });
}

#[test]
fn the_place_is_kept_under_a_term_that_the_server_shares() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        // Term 2 went on after 20 and told 30; then the server was restored from a backup of term 1.
        apply(&mut *profile, &[welcomed(2), Change::Through { position: 30 }]);
        apply(&mut *profile, &[diverged(16, 0)]);
        let resume = profile.resume().expect("a resume");
        assert_eq!((resume.place, resume.told), (place(16, 1), place(16, 1)));
        assert_eq!(resume.terms, [(Term(1), 16)]);
        let error = profile.apply(&[Change::Through { position: 17 }], 0, &mut fresh_ids());
        assert_eq!(error, Err(ApplyError::NotWelcomed), "term 2 is not the server's");
    });
}

#[test]
fn the_term_of_the_link_that_told_of_the_divergence_stays() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(&mut *profile, &[welcomed(3), diverged(16, 0), Change::Through { position: 18 }]);
        let resume = profile.resume().expect("a resume");
        assert_eq!((resume.place, resume.told), (place(18, 3), place(18, 3)));
        assert_eq!(resume.terms, [(Term(1), 16), (Term(3), 18)]);
    });
}

#[test]
fn a_room_left_beyond_the_common_position_is_ours_again() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(
            &mut *profile,
            &[Change::Entry(left(21, LOBBY, 14, ANN)), Change::Entry(joined(25, LOBBY, 18, ANN, "Lobby"))],
        );
        assert_eq!(room(&*profile, LOBBY).base, 17);
        apply(&mut *profile, &[diverged(22, 0)]);
        assert!(!room(&*profile, LOBBY).member, "between leaving and joining again");
        assert_eq!(held(&*profile, LOBBY), (4..=14).collect::<Vec<_>>());
        apply(&mut *profile, &[diverged(18, 0)]);
        let room = room(&*profile, LOBBY);
        assert_eq!((room.member, room.base, room.last), (true, 3, Some(11)));
        assert_eq!(profile.resume().expect("a resume").rooms, [(LOBBY, Some(11))]);
        apply(&mut *profile, &[welcomed(2), Change::Entry(message(19, LOBBY, 12, BOB))]);
    });
}

#[test]
fn what_pages_brought_of_the_time_between_two_memberships_is_not_taken_for_the_stream() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        apply(&mut *profile, &[Change::Entry(left(21, LOBBY, 14, ANN))]);
        let entries = vec![message(23, LOBBY, 15, BOB)];
        apply(
            &mut *profile,
            &[Change::Page(wire::HistoryPage { room: LOBBY.0, entries, ..wire::HistoryPage::default() })],
        );
        apply(&mut *profile, &[Change::Entry(joined(25, LOBBY, 16, ANN, "Lobby"))]);
        apply(&mut *profile, &[diverged(24, 0)]);
        assert_eq!((room(&*profile, LOBBY).member, room(&*profile, LOBBY).last), (false, Some(14)));
    });
}

#[test]
fn what_pages_brought_beyond_the_stream_is_not_taken_for_the_stream() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        let entries = vec![message(25, LOBBY, 15, BOB), message(40, LOBBY, 16, BOB)];
        apply(
            &mut *profile,
            &[Change::Page(wire::HistoryPage { room: LOBBY.0, entries, ..wire::HistoryPage::default() })],
        );
        apply(&mut *profile, &[diverged(30, 0)]);
        assert_eq!(held(&*profile, LOBBY).last(), Some(&15));
        assert_eq!(room(&*profile, LOBBY).last, Some(13));
        assert_eq!(profile.place(), Ok(place(20, 1)));
    });
}

#[test]
fn a_room_from_before_the_first_contact_takes_up_anywhere_after_a_divergence_from_before_it() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        profile.append(&[say(1, lobby())]).expect("queued");
        apply(&mut *profile, &[diverged(8, 0)]);
        let unknown = room(&*profile, LOBBY);
        assert_eq!((unknown.member, unknown.last), (false, None));
        assert_eq!(profile.resume().expect("a resume").rooms, [(LOBBY, None)]);
        let ops = waiting(&*profile);
        assert_eq!(
            ops[0].body,
            Some(Body::Enter(wire::Enter { name: "Lobby".to_owned() })),
            "whether we are in it or not"
        );
        apply(
            &mut *profile,
            &[welcomed(2), Change::Entry(message(9, LOBBY, 3, BOB)), Change::Entry(message(12, LOBBY, 4, BOB))],
        );
        let known = room(&*profile, LOBBY);
        assert_eq!((known.member, known.base, known.last), (true, 2, Some(4)));
        // Twice, since histories may part again before anything came.
        for _ in 0..2 {
            apply(&mut *profile, &[diverged(8, 0)]);
            assert_eq!(room(&*profile, LOBBY).last, None);
        }
        apply(&mut *profile, &[welcomed(3), Change::Entry(message(11, LOBBY, 5, BOB))]);
        assert_eq!((room(&*profile, LOBBY).member, room(&*profile, LOBBY).last), (true, Some(5)));
    });
}

#[test]
fn a_room_joined_beyond_the_common_position_needs_another_join() {
    in_both(|kept| {
        let mut profile = with_ten_messages(kept);
        let hall = RoomId(0xa1);
        let entries = vec![message(5, hall, 1, BOB)];
        let page = Change::Page(wire::HistoryPage { room: hall.0, entries, ..wire::HistoryPage::default() });
        apply(&mut *profile, &[Change::Entry(joined(21, hall, 2, ANN, "Hall")), page]);
        apply(&mut *profile, &[diverged(20, 0), welcomed(2)]);
        assert_eq!(held(&*profile, hall), [1], "what both histories hold stays");
        assert!(!room(&*profile, hall).member);
        let error = profile.apply(&[Change::Entry(message(22, hall, 3, BOB))], 0, &mut fresh_ids());
        assert!(matches!(error, Err(ApplyError::OutOfOrder { .. })));
        apply(
            &mut *profile,
            &[Change::Entry(joined(22, hall, 3, ANN, "Hall")), Change::Entry(message(23, hall, 4, BOB))],
        );
        assert_eq!(room(&*profile, hall).last, Some(4));
    });
}

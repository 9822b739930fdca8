//! What only a profile in memory does: it has no room for everything.

use bytes::Bytes;
use steadfast_proto::wire::{self, entry::What as Said};

use super::*;
use crate::profile::outbox::OUTBOX_ROWS_MAX;
use crate::profile::settle::OUTCOMES_MAX;
use crate::profile::tests::*;
use crate::profile::{LineKey, NewBody, NoticeKind, OUTBOX_BYTES_MAX, Target};

const TEXT_BYTES: u64 = 10_000;

/// In the lobby, with room for ten large messages and some.
fn small_profile() -> MemoryProfile {
    let mut profile = MemoryProfile::new("ann", &fresh(), 10 * (TEXT_BYTES + 500)).expect("a profile");
    enter_lobby(&mut profile);
    profile
}

fn large(position: u64, room_sequence: u64) -> wire::Entry {
    let body = Bytes::from(vec![b'x'; usize::try_from(TEXT_BYTES).expect("it fits")]);
    entry(position, LOBBY, room_sequence, BOB, Said::Message(wire::Message { body, content_type: String::new() }))
}

/// The stream brings the entries `sequences` of the lobby; the position is the room sequence + 7.
fn stream(profile: &mut MemoryProfile, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        apply(profile, &[Change::Entry(large(sequence + 7, sequence))]);
    }
}

fn page(sequences: std::ops::RangeInclusive<u64>) -> Change {
    let entries = sequences.map(|sequence| large(sequence + 7, sequence)).collect();
    Change::Page(wire::HistoryPage { room: LOBBY.0, entries, ..wire::HistoryPage::default() })
}

fn lobby_of(profile: &MemoryProfile) -> RoomInfo {
    profile.room(LOBBY).expect("read").expect("known")
}

#[test]
fn what_there_is_no_room_for_is_a_hole_and_the_room_begins_behind_it() {
    let mut profile = small_profile();
    stream(&mut profile, 4..=13);
    assert_eq!(held(&profile, LOBBY), (4..=13).collect::<Vec<_>>());
    assert_eq!(lobby_of(&profile).base, 3);
    stream(&mut profile, 14..=17);
    assert_eq!(held(&profile, LOBBY), (8..=17).collect::<Vec<_>>());
    assert_eq!((lobby_of(&profile).base, lobby_of(&profile).last), (7, Some(17)));
    assert_eq!(profile.missing(LOBBY, 4, 17), Ok(Some((4, 7))));
    let resume = profile.resume().expect("a resume");
    assert_eq!((resume.place.map(|place| place.position), resume.rooms), (Some(24), vec![(LOBBY, Some(17))]));
}

#[test]
fn a_hole_is_filled_by_a_page_which_is_not_the_first_to_go() {
    let mut profile = small_profile();
    stream(&mut profile, 4..=17);
    apply(&mut profile, &[page(4..=7)]);
    assert_eq!(held(&profile, LOBBY), [4, 5, 6, 7, 12, 13, 14, 15, 16, 17], "what came first went");
    assert_eq!(profile.missing(LOBBY, 4, 7), Ok(None));
    assert_eq!(profile.missing(LOBBY, 4, 17), Ok(Some((8, 11))));
    assert_eq!(lobby_of(&profile).base, 11, "behind it nothing is missing");
    stream(&mut profile, 18..=18);
    assert_eq!(profile.missing(LOBBY, 12, 18), Ok(Some((12, 12))));
}

#[test]
fn a_page_that_goes_leaves_the_beginning_of_its_room_alone() {
    let mut profile = small_profile();
    apply(&mut profile, &[page(1..=3)]);
    stream(&mut profile, 4..=12);
    assert_eq!((held(&profile, LOBBY).first(), lobby_of(&profile).base), (Some(&3), 3));
    stream(&mut profile, 13..=14);
    assert_eq!((held(&profile, LOBBY).first(), lobby_of(&profile).base), (Some(&5), 4));
}

#[test]
fn a_message_that_is_dropped_while_its_outcome_is_late_is_settled_all_the_same() {
    let mut profile = small_profile();
    profile.append(&[say(1, lobby())]).expect("queued");
    apply(&mut profile, &[by(1, message(11, LOBBY, 4, ANN))]);
    stream(&mut profile, 5..=20);
    assert!(!held(&profile, LOBBY).contains(&4));
    assert_eq!(apply(&mut profile, &[accepted(1, 1, 11, LOBBY)]).confirmed_through, 1);
    assert!(profile.outcomes(&[OperationId(1)]).expect("read")[0].is_some());
}

#[test]
fn a_divergence_behind_what_was_dropped_goes_on_where_the_stream_stood() {
    let mut profile = small_profile();
    stream(&mut profile, 4..=17);
    // 8 ..= 17 are held, at the positions 15 ..= 24.
    apply(&mut profile, &[Change::Diverged { common: 20, last_sequence: 0 }]);
    assert_eq!(held(&profile, LOBBY), (8..=13).collect::<Vec<_>>());
    assert_eq!((lobby_of(&profile).base, lobby_of(&profile).last), (7, Some(13)));
    apply(&mut profile, &[welcomed(2), Change::Entry(large(21, 14))]);
    // All that is held is beyond it, and the last that was dropped is just before it.
    apply(&mut profile, &[Change::Diverged { common: 14, last_sequence: 0 }]);
    assert!(held(&profile, LOBBY).is_empty());
    assert_eq!((lobby_of(&profile).base, lobby_of(&profile).last), (7, Some(7)));
    apply(&mut profile, &[welcomed(3), Change::Entry(large(15, 8))]);
    assert_eq!(lobby_of(&profile).last, Some(8));
}

#[test]
fn after_a_divergence_from_before_what_was_dropped_the_room_is_taken_up_anywhere_and_what_lies_between_is_a_hole() {
    let mut profile = small_profile();
    stream(&mut profile, 4..=17);
    profile.set_printed(LOBBY, 17).expect("set");
    // The last that was dropped is 7, at the position 14; where the room stood at 12 nobody here knows.
    apply(&mut profile, &[Change::Diverged { common: 12, last_sequence: 0 }]);
    let info = lobby_of(&profile);
    assert_eq!((info.member, info.last), (true, None));
    assert_eq!(profile.resume().expect("a resume").rooms, [(LOBBY, None)]);
    assert_eq!(profile.printed(LOBBY), Ok(Some(0)), "nothing that was printed is known to be there still");
    apply(&mut profile, &[welcomed(2), Change::Entry(large(13, 6))]);
    let info = lobby_of(&profile);
    assert_eq!((info.member, info.base, info.last), (true, 5, Some(6)));
    assert_eq!(profile.missing(LOBBY, 4, 6), Ok(Some((4, 5))));
    apply(&mut profile, &[Change::Diverged { common: 13, last_sequence: 0 }]);
    assert_eq!(lobby_of(&profile).last, Some(6), "what was dropped of the history that is gone says nothing");
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let mut profile = small_profile();
    profile.append(&[say_keyed(1, 1, 0xaa), say(2, Target::Public("hall".to_owned()))]).expect("queued");
    stream(&mut profile, 4..=12);
    let seen = |profile: &mut MemoryProfile| {
        let ops = (sequences_and_ids(profile), profile.outbox_size(), profile.outcomes(&[1, 2].map(OperationId)));
        let told = (profile.resume(), profile.notices_after(0), profile.refused(OperationId(1)), profile.aside(99));
        (ops, told, profile.rooms(), held(profile, LOBBY))
    };
    let before = seen(&mut profile);
    let changes = [
        welcomed(2),
        refused(1, 1, 30, wire::Refusal::NotAllowed),
        accepted(2, 0x1_0002, 31, RoomId(0xfe)),
        Change::Entry(large(32, 13)),
        Change::Entry(joined(33, RoomId(0xfe), 1, ANN, "Hall")),
        Change::Entry(left(34, LOBBY, 14, ANN)),
        page(1..=2),
        Change::Diverged { common: 15, last_sequence: 0 },
        Change::Renumbered { kept_through: 4, set_back: true },
        welcomed(3),
        Change::Entry(message(20, LOBBY, 99, BOB)),
    ];
    let error = profile.apply(&changes, 0, &mut fresh_ids());
    assert_eq!(error, Err(ApplyError::OutOfOrder { room: LOBBY, expected: Some(9), found: 99 }));
    assert_eq!(seen(&mut profile), before);
    let error =
        profile.append(&[say_keyed(3, 2, 0xbb), op(4, NewBody::Leave { room: lobby() }), say_keyed(5, 1, 0xcc)]);
    assert_eq!(error, Err(AppendError::KeyMismatch { line: 1 }));
    assert_eq!(seen(&mut profile), before);
    assert_eq!(profile.append(&[say_keyed(3, 2, 0xcc)]).expect("a new line")[0].already, None);
}

#[test]
fn after_a_batch_that_failed_everything_goes_on_as_if_it_had_not_been_tried() {
    let seen = |fails_first: bool| {
        let mut profile = small_profile();
        let hall = || Target::Public("hall".to_owned());
        profile.append(&[say_keyed(1, 1, 0xaa), say(2, hall()), say(3, hall()), say(4, lobby())]).expect("queued");
        stream(&mut profile, 4..=12);
        let end = Change::Entry(message(99, LOBBY, 99, BOB));
        let changes = [
            accepted(1, 1, 30, LOBBY),
            accepted(2, 0x1_0002, 31, RoomId(0xfe)),
            refused(3, 2, 32, wire::Refusal::NotAllowed),
            Change::Entry(joined(33, RoomId(0xfe), 1, ANN, "Hall")),
            Change::Entry(large(34, 13)),
            Change::Entry(left(35, LOBBY, 14, ANN)),
            page(1..=2),
            Change::Diverged { common: 33, last_sequence: 3 },
        ];
        if fails_first {
            for count in 1..=changes.len() {
                let tried = [&changes[..count], std::slice::from_ref(&end)].concat();
                profile.apply(&tried, 0, &mut fresh_ids()).expect_err("the last one can't be");
            }
            let leave = op(5, NewBody::Leave { room: lobby() });
            let error = profile.append(&[leave, say(6, Target::Public("attic".to_owned())), say_keyed(7, 1, 0xbb)]);
            assert_eq!(error, Err(AppendError::KeyMismatch { line: 1 }));
        }
        apply(&mut profile, &changes);
        let queued = profile.append(&[say(8, hall()), say_keyed(9, 1, 0xaa), say(10, lobby())]);
        let told = (profile.resume(), profile.notices_after(0), profile.refused(OperationId(2)), profile.aside(99));
        let kept = (profile.rooms(), profile.messages(LOBBY, 0, 99), profile.outcomes(&[1, 2, 3].map(OperationId)));
        (queued, waiting(&profile), told, kept)
    };
    assert_eq!(seen(true), seen(false));
}

#[test]
fn outcomes_of_long_ago_are_forgotten() {
    let mut profile = small_profile();
    let outcome = SettledOutcome { sequence: 1, position: 1, room: None, refusal: None };
    (1..=OUTCOMES_MAX + 10).for_each(|id| profile.state().outcomes.keep(OperationId(id), outcome));
    apply(&mut profile, &[Change::Through { position: 11 }]);
    assert_eq!(profile.outcomes(&[10, 11].map(OperationId)), Ok(vec![None, Some(outcome)]));
}

#[test]
fn the_bytes_of_the_outbox_are_bounded_in_memory_as_on_a_disk() {
    let mut profile = small_profile();
    let body = Bytes::from(vec![b'x'; 60_000]);
    let large = |id| op(id, NewBody::Send { to: lobby(), body: body.clone(), content_type: String::new() });
    let full = (1..).find_map(|id| profile.append(&[large(id)]).err());
    let (rows, bytes) = profile.outbox_size().expect("a size");
    assert_eq!(full, Some(AppendError::Full { rows, bytes }));
    assert!(rows < OUTBOX_ROWS_MAX && bytes <= OUTBOX_BYTES_MAX && bytes + 60_064 > OUTBOX_BYTES_MAX, "{rows} {bytes}");
}

#[test]
fn keyed_lines_are_never_forgotten_and_beyond_their_room_none_is_taken() {
    let mut profile = small_profile();
    let keyed = |line: u64| NewOp {
        key: Some(LineKey { key: "k".repeat(1_024 * 1_024), line, hash: [1; 8] }),
        ..say(line, Target::Room(LOBBY))
    };
    let full = (1..).find_map(|line| profile.append(&[keyed(line)]).err());
    assert_eq!(full, Some(AppendError::KeysFull { lines: 15 }));
    assert_eq!(profile.append(&[keyed(1)]).expect("known")[0].id, OperationId(1));
    assert_eq!(sequences_and_ids(&profile).len(), 15, "the one that was not taken is not queued");
    assert_eq!(profile.append(&[say(99, lobby())]).expect("others are")[0].sequence, 16);
}

#[test]
fn the_texts_of_what_was_refused_are_bounded_and_every_refusal_is_told() {
    let mut profile = small_profile();
    let body = Bytes::from(vec![b'x'; 60_000]);
    for id in 1..=400 {
        let body = body.clone();
        profile.append(&[op(id, NewBody::Send { to: lobby(), body, content_type: String::new() })]).expect("queued");
        apply(&mut profile, &[refused(id, id, 10 + id, wire::Refusal::NotAllowed)]);
    }
    assert_eq!(profile.notices_after(0).expect("notices").len(), 400);
    assert_eq!(profile.refused(OperationId(1)), Ok(None));
    let kept = (1..=400).filter(|&id| profile.refused(OperationId(id)).expect("read").is_some()).count();
    assert!((270..=280).contains(&kept), "16 MiB of them: {kept}");
    assert!(profile.refused(OperationId(400)).expect("read").is_some());
}

#[test]
fn what_a_divergence_takes_away_is_counted_though_only_some_of_it_is_kept() {
    let mut profile = MemoryProfile::new("ann", &fresh(), MESSAGES_BYTES_MAX).expect("a profile");
    enter_lobby(&mut profile);
    stream(&mut profile, 4..=2_003);
    apply(&mut profile, &[Change::Diverged { common: 10, last_sequence: 0 }]);
    let notices = profile.notices_after(0).expect("notices");
    assert_eq!(notices[0].kind, NoticeKind::MovedAside { messages: 2_000 });
    let aside = profile.aside(usize::MAX).expect("aside");
    assert_eq!(aside.last().map(|aside| aside.message.room_sequence), Some(2_003));
    assert!((1_550..=1_650).contains(&aside.len()), "16 MiB of them: {}", aside.len());
}

#[test]
fn each_profile_in_memory_is_a_device_of_its_own_and_needs_a_name() {
    let error = MemoryProfile::new("no spaces", &fresh(), MESSAGES_BYTES_MAX).expect_err("no name");
    assert!(matches!(error, ProfileError::NameInvalid { .. }));
    let mut profile = small_profile();
    profile.append(&[say(1, lobby())]).expect("queued");
    let other = MemoryProfile::new("ann", &fresh(), MESSAGES_BYTES_MAX).expect("another");
    assert_eq!((waiting(&profile).len(), waiting(&profile.another()).len(), waiting(&other).len()), (1, 1, 0));
}

#[test]
fn a_change_in_which_a_thread_panicked_is_undone() {
    let mut profile = small_profile();
    profile.append(&[say(1, Target::Public("hall".to_owned())), say(2, lobby())]).expect("queued");
    let before = (sequences_and_ids(&profile), profile.resume());
    let mut another = profile.another();
    let panics = std::thread::spawn(move || {
        let changes = [accepted(1, 0x1_0001, 11, RoomId(0xfe)), Change::Diverged { common: 5, last_sequence: 0 }];
        another.apply(&changes, 0, &mut || panic!("no id can be drawn"))
    });
    assert!(panics.join().is_err());
    assert_eq!((sequences_and_ids(&profile), profile.resume()), before);
}

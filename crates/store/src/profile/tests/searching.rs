use super::*;

const HALL: RoomId = RoomId(0x4a);

fn said(position: u64, room: RoomId, room_sequence: u64, account: AccountId, text: &str) -> Change {
    typed(position, room, room_sequence, account, text.as_bytes(), "")
}

fn typed(position: u64, room: RoomId, sequence: u64, account: AccountId, body: &[u8], content_type: &str) -> Change {
    let body = Bytes::copy_from_slice(body);
    let message = wire::Message { body, content_type: content_type.to_owned() };
    Change::Entry(entry(position, room, sequence, account, Said::Message(message)))
}

/// All steps together, as the positions of what they found.
fn all(profile: &dyn ProfileStore, search: &Search, limit: usize) -> Vec<u64> {
    let (mut from, mut positions) = (SearchFrom::default(), Vec::new());
    loop {
        let step = profile.search(search, from, limit).expect("a step");
        assert!(step.found.len() <= limit);
        positions.extend(step.found.iter().map(|message| message.position));
        match step.next {
            Some(next) => from = next,
            None => return positions,
        }
    }
}

fn found(profile: &dyn ProfileStore, search: &Search) -> Vec<u64> {
    all(profile, search, 100)
}

#[test]
fn messages_in_which_all_words_occur_in_any_case_are_found_newest_first() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let texts = ["The BOAT leaves at nine", "which boat?", "Zoe\u{308}s Boot um NEUN", "nine boats", "nothing"];
        let entries = texts.iter().zip(11..).map(|(text, position)| said(position, LOBBY, position - 7, BOB, text));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        assert_eq!(found(&*profile, &Search::new("boat")), [14, 12, 11]);
        assert_eq!(found(&*profile, &Search::new(" nine  BOAT ")), [14, 11]);
        assert_eq!(found(&*profile, &Search::new("ZOËS neun")), [13]);
        assert_eq!(found(&*profile, &Search::new("boat nowhere")), []);
        assert_eq!(found(&*profile, &Search::new("")), [15, 14, 13, 12, 11]);
    });
}

#[test]
fn a_search_keeps_to_its_room_and_its_author_and_to_text() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let rooms = [
            Change::Entry(joined(11, HALL, 1, ANN, "Boat hall")),
            said(12, HALL, 2, BOB, "a boat"),
            said(13, LOBBY, 4, ANN, "a boat"),
            said(14, LOBBY, 5, BOB, "a boat"),
            typed(15, LOBBY, 6, BOB, b"boat", "image/png"),
            typed(16, LOBBY, 7, BOB, b"boat", "text/markdown"),
            typed(17, LOBBY, 8, BOB, b"boat \xff", ""),
            said(18, HALL, 3, ANN, "a boat"),
        ];
        apply(&mut *profile, &rooms);
        assert_eq!(found(&*profile, &Search::new("boat")), [18, 16, 14, 13, 12]);
        assert_eq!(found(&*profile, &Search::new("boat").in_room(LOBBY)), [16, 14, 13]);
        assert_eq!(found(&*profile, &Search::new("boat").by("BOB")), [16, 14, 12]);
        assert_eq!(found(&*profile, &Search::new("boat").by("ann").in_room(HALL)), [18]);
        assert_eq!(found(&*profile, &Search::new("boat").by("cid")), []);
        assert_eq!(found(&*profile, &Search::new("boat").in_room(RoomId(1))), []);
        for new in Kept::all() {
            assert!(found(&*new.open(), &Search::new("boat")).is_empty());
        }
    });
}

#[test]
fn a_search_in_steps_of_any_size_finds_over_many_rooms_the_same_in_the_same_order() {
    in_both(|kept| {
        let mut profile = kept.open();
        // Rooms at both ends of the order of rows, and runs of messages as they come in life.
        let rooms = [RoomId(1), RoomId(i64::MAX as u64), RoomId(1 << 63), RoomId(u64::MAX), HALL];
        let heads = rooms.iter().map(|room| head(*room, &format!("room{}", room.0), RoomKind::Public, 0)).collect();
        apply(&mut *profile, &[welcomed(1), Change::FirstHeads { as_of: 10, rooms: heads }]);
        let mut sequences = [0; 5];
        let mut entries = Vec::new();
        for position in 11..400 {
            let at = (position * position / 7) as usize % rooms.len();
            sequences[at] += 1;
            let text = if position % 3 == 0 { "a needle" } else { "hay" };
            entries.push(said(position, rooms[at], sequences[at], BOB, text));
        }
        apply(&mut *profile, &entries);
        let expected: Vec<u64> = (11..400).rev().filter(|position| position % 3 == 0).collect();
        for limit in [1, 2, 7, usize::MAX] {
            assert_eq!(all(&*profile, &Search::new("NEEDLE"), limit), expected, "{limit} at a time");
        }
    });
}

#[test]
fn one_step_looks_at_a_bounded_number_of_entries_and_bytes() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let many = SEARCH_ENTRIES_MAX as u64 * 2 + 100;
        let entries = (1..=many).map(|n| said(10 + n, LOBBY, 3 + n, BOB, if n == 1 { "a needle" } else { "hay" }));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let search = Search::new("needle").in_room(LOBBY);
        let mut from = SearchFrom::default();
        for _ in 0..2 {
            let step = profile.search(&search, from, 10).expect("a step");
            assert!(step.found.is_empty());
            from = step.next.expect("more to look at");
        }
        let step = profile.search(&search, from, 10).expect("a step");
        assert_eq!((step.found.len(), step.next), (1, None));

        let body = "x".repeat(64 * 1_024);
        let fit = (SEARCH_BYTES_MAX / body.len()) as u64;
        let entries = (1..=fit + 1).map(|n| said(100_000 + n, LOBBY, 3 + many + n, BOB, &body));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let step = profile.search(&Search::new("x"), SearchFrom::default(), usize::MAX).expect("a step");
        assert_eq!(step.found.len() as u64, fit);
    });
}

#[test]
fn a_search_goes_on_where_it_stopped_though_messages_come_and_a_history_parts_meanwhile() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        apply(&mut *profile, &[Change::Entry(joined(11, HALL, 1, ANN, "hall"))]);
        let entries = (1..=10_u64).flat_map(|n| {
            [said(10 + 2 * n, LOBBY, 3 + n, BOB, "a needle"), said(11 + 2 * n, HALL, 1 + n, BOB, "a needle")]
        });
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let search = Search::new("needle");
        let step = profile.search(&search, SearchFrom::default(), 4).expect("a step");
        assert_eq!(step.found.iter().map(|message| message.position).collect::<Vec<_>>(), [31, 30, 29, 28]);
        apply(&mut *profile, &[said(32, LOBBY, 14, BOB, "a needle")]);
        apply(&mut *profile, &[Change::Diverged { common: 20, last_sequence: 0 }, welcomed(2)]);
        let step = profile.search(&search, step.next.expect("more"), 100).expect("a step");
        let expected: Vec<u64> = (12..=20).rev().collect();
        assert_eq!(step.found.iter().map(|message| message.position).collect::<Vec<_>>(), expected);
    });
}

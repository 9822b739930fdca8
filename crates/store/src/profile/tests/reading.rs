use super::*;

#[test]
fn messages_are_read_in_order_from_anywhere() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let entries = (11..=20).map(|position| Change::Entry(message(position, LOBBY, position - 7, BOB)));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let sequences =
            |messages: Vec<StoredMessage>| messages.iter().map(|message| message.room_sequence).collect::<Vec<_>>();
        assert_eq!(sequences(profile.messages(LOBBY, 6, 3).expect("messages")), [6, 7, 8]);
        assert_eq!(sequences(profile.last_messages(LOBBY, 2).expect("messages")), [12, 13]);
        assert!(profile.messages(LOBBY, u64::MAX, usize::MAX).expect("messages").is_empty());
        assert!(profile.messages(RoomId(1), 0, usize::MAX).expect("messages").is_empty());
    });
}

#[test]
fn the_last_messages_are_messages_and_all_entries_are_entries() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let entries = [message(11, LOBBY, 4, BOB), joined(12, LOBBY, 5, BOB, "Lobby"), left(13, LOBBY, 6, BOB)];
        apply(&mut *profile, &entries.map(Change::Entry));
        assert_eq!(profile.last_messages(LOBBY, 2).expect("messages").len(), 1);
        let all = profile.messages(LOBBY, 0, 10).expect("messages");
        assert_eq!(all[1].what, What::Joined { account: BOB, name: "bob".to_owned() });
        assert_eq!(all[2].what, What::Left { account: BOB, name: String::new() });
    });
}

#[test]
fn every_kind_of_entry_of_the_account_room_is_read_as_it_came() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let added = wire::Added { room: 5, room_name: "den".to_owned(), kind: RoomKind::Private.into() };
        let device = wire::DeviceAdded { device_id: Bytes::from(vec![3; 16]) };
        let strange = wire::DeviceAdded { device_id: Bytes::from(vec![3; 4]) };
        let said = [
            Said::Added(added),
            Said::Removed(wire::Removed { room: 5 }),
            Said::DeviceAdded(device),
            Said::DeviceAdded(strange),
        ];
        let entries = (0..).zip(said).map(|(n, said)| Change::Entry(entry(11 + n, ANN.room(), 1 + n, BOB, said)));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let read = profile.messages(ANN.room(), 0, 10).expect("messages");
        let read: Vec<What> = read.into_iter().map(|message| message.what).collect();
        let device = DeviceId([3; 16]);
        let den = || "den".to_owned();
        let expected = [
            What::Added { room: RoomId(5), name: den() },
            What::Removed { room: RoomId(5) },
            What::DeviceAdded { device },
            What::Other,
        ];
        assert_eq!(read, expected);
    });
}

#[test]
fn the_first_hole_is_found() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let page = |sequences: &[u64]| {
            let entries = sequences.iter().map(|&sequence| message(sequence, LOBBY, sequence, BOB)).collect();
            Change::Page(wire::HistoryPage { room: LOBBY.0, entries, ..wire::HistoryPage::default() })
        };
        assert_eq!(profile.missing(LOBBY, 1, 9), Ok(Some((1, 9))));
        apply(&mut *profile, &[page(&[2, 3, 6])]);
        assert_eq!(profile.missing(LOBBY, 1, 9), Ok(Some((1, 1))));
        assert_eq!(profile.missing(LOBBY, 2, 9), Ok(Some((4, 5))));
        assert_eq!(profile.missing(LOBBY, 6, 9), Ok(Some((7, 9))));
        assert_eq!(profile.missing(LOBBY, 2, 3), Ok(None));
        assert_eq!(profile.missing(LOBBY, 5, 4), Ok(None));
    });
}

#[test]
fn a_room_is_found_by_its_name_in_any_case() {
    in_both(|kept| {
        let mut profile = kept.open();
        let rooms = vec![
            head(RoomId(1), "Zoë", RoomKind::Private, 1),
            head(RoomId(2), "ZOË", RoomKind::Public, 1),
            head(RoomId(3), "lobby", RoomKind::Public, 1),
            head(ANN.room(), "", RoomKind::Account, 2),
        ];
        apply(&mut *profile, &[welcomed(1), Change::FirstHeads { as_of: 10, rooms }]);
        let found = |name: &str| profile.room_by_name(name).expect("read").map(|info| info.room);
        assert_eq!(found("zoë"), Some(RoomId(2)), "public ones first");
        assert_eq!(found("LOBBY"), Some(RoomId(3)));
        assert_eq!((found("nowhere"), found("")), (None, None));
        let of = |kind, name: &str| profile.room_of_kind(kind, name).expect("read").map(|info| info.room);
        assert_eq!((of(RoomKind::Private, "zoë"), of(RoomKind::Public, "zoë")), (Some(RoomId(1)), Some(RoomId(2))));
        assert_eq!((of(RoomKind::Direct, "zoë"), of(RoomKind::Private, "lobby")), (None, None));
        apply(&mut *profile, &[Change::Entry(left(11, RoomId(2), 2, ANN))]);
        let found = |name: &str| profile.room_by_name(name).expect("read").map(|info| info.room);
        assert_eq!(found("zoë"), Some(RoomId(1)), "ours before those we left");
        assert_eq!(profile.rooms().expect("rooms").len(), 4);
    });
}

#[test]
fn what_was_printed_is_kept_and_only_grows() {
    in_both(|kept| {
        let profile = kept.in_lobby();
        assert_eq!(profile.printed(LOBBY), Ok(None));
        profile.set_printed(LOBBY, 3).expect("set");
        profile.set_printed(LOBBY, 2).expect("set");
        assert_eq!(profile.printed(LOBBY), Ok(Some(3)));
        assert_eq!(kept.open().printed(LOBBY), Ok(Some(3)));
    });
}

#[test]
fn the_last_hundred_links_are_kept_and_what_is_known_of_one_replaces_what_was() {
    in_both(|kept| {
        let profile = kept.open();
        let row = |link, json: &str| FlightRow { process: u64::MAX, link, json: json.to_owned() };
        for link in 1..=120 {
            profile.set_flight(&row(link, "{}")).expect("kept");
        }
        let lost = row(119, "{\"loss\":1}");
        profile.set_flight(&lost).expect("kept");
        let other = FlightRow { process: 7, ..row(119, "{}") };
        profile.set_flight(&other).expect("another process has links of its own");
        let flights = kept.open().flights(usize::MAX).expect("flights");
        assert_eq!((flights.len(), flights[0].link), (100, 22));
        assert_eq!(profile.flights(3), Ok(vec![lost, row(120, "{}"), other]));
    });
}

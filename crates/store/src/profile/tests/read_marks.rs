use super::*;

fn said(position: u64, account: AccountId, text: &str) -> Change {
    let message = wire::Message { body: Bytes::copy_from_slice(text.as_bytes()), content_type: String::new() };
    Change::Entry(entry(position, LOBBY, position - 7, account, Said::Message(message)))
}

fn unread(profile: &dyn ProfileStore) -> (u64, bool) {
    let unread = profile.unread(LOBBY, "ann").expect("a count");
    assert!(!unread.more);
    (unread.messages, unread.mentioned)
}

#[test]
fn unread_are_the_messages_of_others_behind_the_mark() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        assert_eq!(unread(&*profile), (0, false));
        let join = Change::Entry(joined(13, LOBBY, 6, BOB, "Lobby"));
        let entries =
            [said(11, BOB, "hi"), said(12, ANN, "ann here"), join, said(14, BOB, "ho"), said(15, BOB, "Ann?")];
        apply(&mut *profile, &entries);
        assert_eq!(unread(&*profile), (3, true), "from this device's first contact on");
        profile.set_read_up_to(LOBBY, 6).expect("set");
        assert_eq!(unread(&*profile), (2, true));
        profile.set_read_up_to(LOBBY, 8).expect("set");
        assert_eq!(unread(&*profile), (0, false));
        assert_eq!(profile.unread(RoomId(77), "ann"), Ok(Unread::default()));
    });
}

#[test]
fn the_read_mark_is_kept_and_only_grows() {
    in_both(|kept| {
        let profile = kept.in_lobby();
        let other = kept.open();
        assert_eq!(profile.read_up_to(LOBBY), Ok(None));
        profile.set_read_up_to(LOBBY, 3).expect("set");
        profile.set_read_up_to(LOBBY, 2).expect("set");
        assert_eq!(other.read_up_to(LOBBY), Ok(Some(3)));
        assert_eq!(kept.open().read_up_to(LOBBY), Ok(Some(3)));
        assert_eq!(profile.printed(LOBBY), Ok(None), "what was printed is another matter");
    });
}

#[test]
fn a_divergence_sets_the_read_mark_back() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        apply(&mut *profile, &(11..=20).map(|position| said(position, BOB, "hi")).collect::<Vec<_>>());
        profile.messages(LOBBY, 0, 100).expect("read");
        profile.set_read_up_to(LOBBY, 13).expect("set");
        apply(&mut *profile, &[Change::Diverged { common: 16, last_sequence: 0 }, welcomed(2)]);
        assert_eq!(profile.read_up_to(LOBBY), Ok(Some(9)));
        apply(&mut *profile, &(17..=19).map(|position| said(position, BOB, "again")).collect::<Vec<_>>());
        assert_eq!(unread(&*profile), (3, false));
        // Read before the histories parted: it counts as far as both go.
        profile.set_read_up_to(LOBBY, 12).expect("set");
        assert_eq!(profile.read_up_to(LOBBY), Ok(Some(9)));
        profile.messages(LOBBY, 0, 100).expect("read");
        profile.set_read_up_to(LOBBY, 12).expect("set");
        assert_eq!(unread(&*profile), (0, false));
    });
}

#[test]
fn a_count_looks_at_a_bounded_number_of_entries_and_says_so() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let many = UNREAD_ENTRIES_MAX + 1;
        let entries = (1..=many).map(|n| said(10 + n, BOB, if n == many { "ann" } else { "hi" }));
        apply(&mut *profile, &entries.collect::<Vec<_>>());
        let all = Unread { messages: UNREAD_ENTRIES_MAX, more: true, mentioned: false };
        assert_eq!(profile.unread(LOBBY, "ann"), Ok(all));
        profile.set_read_up_to(LOBBY, 4).expect("set");
        let rest = Unread { messages: UNREAD_ENTRIES_MAX, more: false, mentioned: true };
        assert_eq!(profile.unread(LOBBY, "ann"), Ok(rest));
    });
}

use super::*;

#[test]
fn a_batch_that_a_crash_cuts_short_leaves_nothing_behind() {
    let (dir, mut profile) = profile_in_lobby();
    profile.append(&[say(1, lobby())]).expect("queued");
    let before = (profile.resume(), sequences_and_ids(&profile), profile.outbox_size());
    let crashed = tempfile::tempdir().expect("a directory");
    {
        // Larger than the page cache, so that pages of the open transaction are in the file when it is copied.
        let body = Bytes::from(vec![b'x'; 60_000]);
        let large = |number: u64| {
            let what = wire::Message { body: body.clone(), content_type: String::new() };
            Change::Entry(entry(10 + number, LOBBY, 3 + number, BOB, wire::entry::What::Message(what)))
        };
        let mut batch: Vec<Change> = vec![accepted(1, 1, 11, LOBBY)];
        batch.extend((1..=300).map(large));
        let mut ids = fresh_ids();
        let transaction = immediate(&mut profile.connection).expect("a transaction");
        apply_within(&mut Rows(&transaction), &batch, 0, &mut ids).expect("applied");
        for file in ["profile.sqlite3", "profile.sqlite3-wal"] {
            std::fs::copy(dir.path().join(file), crashed.path().join(file)).expect("copied");
        }
        let wal = dir.path().join("profile.sqlite3-wal").metadata().expect("a file").len();
        assert!(wal > 1_000_000, "the open transaction is in the log: {wal} bytes");
        // Dropped without a commit, as by a process that ends here.
    }
    drop(profile);
    for dir in [dir.path(), crashed.path()] {
        let mut again = open_in(dir);
        assert_eq!((again.resume(), sequences_and_ids(&again), again.outbox_size()), before);
        assert!(held(&again, LOBBY).is_empty());
    }
}

#[test]
fn the_outcome_of_a_keyed_line_is_known_when_other_outcomes_are_forgotten() {
    let (_dir, mut profile) = profile_in_lobby();
    profile.append(&[say_keyed(1, 1, 0xaa), say(2, lobby())]).expect("queued");
    apply(&mut profile, &[accepted(1, 1, 11, LOBBY), accepted(2, 2, 12, LOBBY)]);
    profile.append(&[say(3, lobby())]).expect("queued");
    apply(&mut profile, &[accepted(3, 3, 13, LOBBY)]);
    let later = "UPDATE outcomes SET number = number + 1000000 WHERE id = 3";
    profile.connection.execute(later, []).expect("as if a million had come between");
    apply(&mut profile, &[Change::Through { position: 14 }]);
    let outcomes = profile.outcomes(&[OperationId(1), OperationId(2), OperationId(3)]).expect("outcomes");
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert!(profile.append(&[say_keyed(4, 1, 0xaa)]).expect("known")[0].already.is_some());
}

#[test]
fn the_bytes_of_the_outbox_are_bounded_and_given_back() {
    let (_dir, mut profile) = profile_in_lobby();
    profile
        .connection
        .execute("UPDATE profile SET outbox_bytes = ?", [i64::try_from(OUTBOX_BYTES_MAX - 100).expect("it fits")])
        .expect("set");
    let error = profile.append(&[say(1, lobby()), say(2, lobby())]);
    assert_eq!(error, Err(AppendError::Full { rows: 0, bytes: OUTBOX_BYTES_MAX - 100 }));
    profile.append(&[say(1, lobby())]).expect("one fits");
    apply(&mut profile, &[accepted(1, 1, 11, LOBBY)]);
    assert_eq!(profile.outbox_size(), Ok((0, OUTBOX_BYTES_MAX - 100)));
}

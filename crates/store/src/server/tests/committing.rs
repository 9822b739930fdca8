//! Commits: whole or not at all, refused if they leave a hole, and a full disk is only a delay.

use super::*;

#[test]
fn a_commit_on_a_full_disk_changes_nothing_and_can_be_repeated_once_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 3);
    let pages: i64 = store.log.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a number");
    limit_pages(&store, pages + 2);

    let put = Put { table: Table::Rooms, key: vec![1], value: vec![2] };
    let large = Commit { chunks: vec![chunk(4, 600, &[(1, 4, 603)])], puts: vec![put], ..Commit::default() };
    assert_eq!(store.commit(&large), Err(CommitError::Full));
    assert_eq!(store.commit(&large), Err(CommitError::Full));
    assert_eq!((store.head(), everything(&store, 1)), (3, vec![1, 2, 3]));
    assert_eq!(rows(&store, Table::Rooms), []);

    limit_pages(&store, 1_000_000);
    assert_eq!(store.commit(&large), Ok(()));
    assert_eq!((store.head(), everything(&store, 1)), (603, vec![1, 2, 3, 4]));
    drop(store);
    let (store, recovered) = open_in(directory.path());
    assert_eq!((recovered.head, everything(&store, 1)), (603, vec![1, 2, 3, 4]));
    assert_eq!(rows(&store, Table::Rooms), [(vec![1], vec![2])]);
}

#[test]
fn a_real_device_that_fills_up_and_is_freed_loses_nothing() {
    let Some(device) = Tmpfs::mount(2 << 20) else { return };
    let filler = device.path().join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).expect("a file that fits");
    let directory = device.path().join("store");
    let (mut store, _) = open_in(&directory);

    let mut committed = 0;
    let refused = loop {
        let next = commit_of(vec![chunk(committed + 1, 1, &[(1, committed + 1, committed + 1)])]);
        match store.commit(&next) {
            Ok(()) => committed += 1,
            Err(error) => break (error, next),
        }
    };
    assert_eq!(refused.0, CommitError::Full);
    assert!(committed > 10);
    assert_eq!(store.commit(&refused.1), Err(CommitError::Full));

    std::fs::remove_file(filler).expect("a file to remove");
    assert_eq!(store.commit(&refused.1), Ok(()));
    commit_singles(&mut store, 5);
    let all: Vec<u64> = (1..=committed + 6).collect();
    assert_eq!(everything(&store, 1), all);
    drop(store);
    assert_eq!(everything(&open_in(&directory).0, 1), all);
}

#[test]
fn a_full_device_for_the_index_leaves_everything_in_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    let rooms: Vec<(u64, u64, u64)> = (1..=2_000).map(|room| (room, 1, 1)).collect();
    store.commit(&commit_of(vec![chunk(1, 2_000, &rooms)])).expect("a commit");
    store.folder.limit_pages(5);
    assert_eq!(store.fold(10_000), Err(FoldError::Full));
    assert_eq!((store.unfolded_entries(), everything(&store, 2_000)), (2_000, vec![1]));

    store.folder.limit_pages(1_000_000);
    assert_eq!(store.fold(10_000), Ok(2_000));
    assert_eq!((store.unfolded_entries(), everything(&store, 2_000)), (0, vec![1]));
}

#[test]
fn after_a_failed_sync_no_commit_is_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    store.sync_failed = true;
    assert_eq!(store.commit(&Commit::default()), Err(CommitError::SyncFailed));
}

#[test]
fn a_failed_write_is_tried_again_once_since_a_quota_may_have_been_raised() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    let write = || rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_WRITE), None);
    assert_eq!(store.failed(write().into()), CommitError::Full);
    commit_singles(&mut store, 1);
    assert_eq!(store.failed(write().into()), CommitError::Full, "the one between them worked");
    assert!(matches!(store.failed(write().into()), CommitError::Other(_)));
}

#[test]
fn a_commit_that_does_not_follow_the_head_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 2);
    let refused = |store: &mut Store, chunks| store.commit(&commit_of(chunks)).expect_err("a hole");
    let hole = refused(&mut store, vec![chunk(4, 1, &[])]);
    assert_eq!(hole, CommitError::NotContiguous { expected: 3, found: 4 });
    let repeat = refused(&mut store, vec![chunk(2, 1, &[])]);
    assert_eq!(repeat, CommitError::NotContiguous { expected: 3, found: 2 });
    let hole_between = refused(&mut store, vec![chunk(3, 2, &[]), chunk(6, 1, &[])]);
    assert_eq!(hole_between, CommitError::NotContiguous { expected: 5, found: 6 });

    let chunks = vec![chunk(3, 1, &[])];
    let early_term = Commit { chunks, new_term: Some((Term(1), 2)), ..Commit::default() };
    let refused = store.commit(&early_term);
    assert_eq!(refused, Err(CommitError::NotContiguous { expected: 3, found: 2 }));
    assert_eq!(store.head(), 2);
}

#[test]
fn a_chunk_that_contradicts_itself_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_in(directory.path());
    let no_entries = chunk(1, 0, &[]);
    let a_room_twice = chunk(1, 2, &[(1, 1, 1), (1, 2, 2)]);
    let more_in_rooms_than_there_is = chunk(1, 2, &[(1, 1, 2), (2, 1, 1)]);
    let backwards = chunk(1, 2, &[(1, 2, 1)]);
    for bad in [no_entries, a_room_twice, more_in_rooms_than_there_is, backwards] {
        assert_eq!(store.commit(&commit_of(vec![bad])), Err(CommitError::BadChunk { position: 1 }));
    }
    assert_eq!(store.head(), 0);
}

fn limit_pages(store: &Store, pages: i64) {
    store.log.pragma_update(None, "max_page_count", pages).expect("a limit");
}

//! Opening: what was committed is found, what can't be trusted is made again or refused.

use super::*;
use crate::sqlite;

#[test]
fn a_store_that_is_opened_again_has_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut store, fresh) = open_in(directory.path());
    assert_eq!(fresh, Recovered { log_id: LOG, terms: vec![], head: 0, last_at_ms: 0 });
    let put = |key: u8, value: u8| Put { table: Table::Devices, key: vec![key], value: vec![value] };
    let first = Commit {
        chunks: vec![chunk(1, 3, &[(1, 1, 2)]), chunk(4, 1, &[(2, 1, 1)])],
        puts: vec![put(2, 1), put(1, 1), put(2, 9)],
        new_term: Some((Term(u64::MAX), 1)),
        last_at_ms: 77,
    };
    store.commit(&first).expect("a commit");
    let second = Commit { new_term: Some((Term(5), 6)), last_at_ms: 78, ..commit_of(vec![chunk(5, 2, &[(1, 3, 4)])]) };
    store.commit(&second).expect("a commit");
    drop(store);

    let (store, recovered) = Store::open(directory.path(), LogId([8; 16])).expect("the same store");
    let terms = vec![(Term(u64::MAX), 1), (Term(5), 6)];
    assert_eq!(recovered, Recovered { log_id: LOG, terms, head: 6, last_at_ms: 78 });
    assert_eq!(rows(&store, Table::Devices), [(vec![1], vec![1]), (vec![2], vec![9])]);
    assert_eq!(rows(&store, Table::Rooms), []);
    assert_eq!((everything(&store, 1), everything(&store, 2), everything(&store, 3)), (vec![1, 5], vec![4], vec![]));
}

#[test]
fn what_a_killed_process_committed_is_found() {
    let (directory, copy) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 4);
    store.fold(2).expect("a fold");
    // The files as a kill leaves them: nothing is copied back from the write-ahead logs.
    for name in ["log.sqlite3", "log.sqlite3-wal", "index.sqlite3", "index.sqlite3-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).expect("a copy");
    }
    let (store, recovered) = open_in(copy.path());
    assert_eq!((recovered.head, store.unfolded_entries()), (4, 2));
    assert_eq!(everything(&store, 1), [1, 2, 3, 4]);
}

#[test]
fn an_index_that_is_missing_or_damaged_is_made_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let index = index_path(directory.path());
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 4);
    store.fold(100).expect("a fold");
    drop(store);

    std::fs::remove_file(&index).expect("an index");
    assert_made_again(directory.path());
    std::fs::write(&index, vec![b'x'; 10_000]).expect("a damaged index");
    assert_made_again(directory.path());
    std::fs::write(&index, []).expect("an empty index");
    assert_made_again(directory.path());
    change(&index, "PRAGMA user_version = 2");
    assert_made_again(directory.path());
    change(&index, "DROP TABLE mark");
    assert_made_again(directory.path());
    let mut pages = std::fs::read(&index).expect("an index");
    pages[4_096..].fill(b'x');
    std::fs::write(&index, pages).expect("an index that is damaged behind its first page");
    assert_made_again(directory.path());
}

#[test]
fn an_index_of_another_history_is_made_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let index = index_path(directory.path());
    let commit = |term, rooms: &[(u64, u64, u64)]| {
        let (mut store, recovered) = open_in(directory.path());
        let position = recovered.head + 1;
        let new_term = Some((Term(term), position));
        store.commit(&Commit { new_term, ..commit_of(vec![chunk(position, 1, rooms)]) }).expect("a commit");
        store.fold(100).expect("a fold");
    };
    commit(1, &[(1, 1, 1)]);
    let backup = std::fs::read(log_path(directory.path())).expect("a backup");
    commit(2, &[(1, 2, 2)]);
    let index_of_lost_history = std::fs::read(&index).expect("an index");

    std::fs::write(log_path(directory.path()), &backup).expect("a restored log");
    assert_eq!(everything(&open_in(directory.path()).0, 1), [1], "the index was ahead of the log");
    commit(3, &[(2, 1, 1)]);
    std::fs::write(&index, index_of_lost_history).expect("an index as long as the log");
    let (store, _) = open_in(directory.path());
    assert_eq!((everything(&store, 1), everything(&store, 2)), (vec![1], vec![2]));
}

#[test]
fn a_second_opening_names_the_process_that_has_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, _) = open_in(directory.path());
    let in_use = OpenError::InUse { directory: directory.path().to_owned(), pid: Some(std::process::id()) };
    assert_eq!(Store::open(directory.path(), LOG).err(), Some(in_use.clone()));

    let (reader, folder) = (store.reader().expect("a reader"), store.folder());
    drop(store);
    assert_eq!(Store::open(directory.path(), LOG).err(), Some(in_use.clone()), "a reader is still there");
    drop(reader);
    assert_eq!(Store::open(directory.path(), LOG).err(), Some(in_use), "a folder is still there");
    drop(folder);
    open_in(directory.path());
}

#[test]
fn a_log_that_another_program_is_copying_back_is_not_believed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = log_path(directory.path());
    let (mut store, _) = open_in(directory.path());
    let reader = sqlite::in_the_way::reader(&path);
    commit_singles(&mut store, 3);
    drop(store);
    let copying = sqlite::in_the_way::Checkpoint::start(&path);
    let refused = Store::open(directory.path(), LOG).err().expect("a refusal");
    let words = refused.to_string();
    assert!(matches!(refused, OpenError::Sqlite { .. }) && words.contains("let that one finish"), "{words}");
    assert!(words.contains(&path.display().to_string()) && !words.contains('\n'), "{words}");
    drop((copying, reader));
    assert_eq!(open_in(directory.path()).1.head, 3);
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(open_in(directory.path()));
    change(&log_path(directory.path()), "PRAGMA user_version = 2");
    let before = std::fs::read(log_path(directory.path())).expect("a file");
    let refused = Store::open(directory.path(), LOG).err();
    assert_eq!(refused, Some(OpenError::Newer { found: 2, ours: 1 }));
    assert_eq!(std::fs::read(log_path(directory.path())).expect("a file"), before);
}

#[test]
fn the_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = log_path(directory.path());
    change(&path, "CREATE TABLE theirs (a)");
    assert_eq!(Store::open(directory.path(), LOG).err(), Some(OpenError::Foreign { path }));
}

#[test]
fn a_process_that_died_while_it_made_the_store_is_no_obstacle() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(sqlite::open(&log_path(directory.path())).expect("an empty database"));
    open_in(directory.path());
}

#[test]
fn a_log_whose_maker_died_in_its_first_transaction_is_made_then() {
    let (making, found) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let path = open::log_path(making.path());
    let connection = Connection::open(&path).expect("a database");
    // Pages are written before their commit, and the journal that takes them back is on the disk.
    let halfway = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000))";
    connection.execute_batch(halfway).expect("half a transaction");
    for suffix in ["", "-journal"] {
        let name = format!("log.sqlite3{suffix}");
        std::fs::copy(making.path().join(&name), found.path().join(&name)).expect("what a dead process leaves");
    }
    assert!(open::log_path(found.path()).metadata().is_ok_and(|found| found.len() > 0));
    let (mut store, recovered) = open_in(found.path());
    assert_eq!(recovered.head, 0);
    commit_singles(&mut store, 1);
}

#[test]
fn a_log_that_is_gone_or_emptied_is_not_made_anew() {
    let gone = |path: &Path| std::fs::remove_file(path).expect("a log");
    let emptied = |path: &Path| std::fs::write(path, []).expect("a log");
    for spoil in [&gone as &dyn Fn(&Path), &emptied] {
        let dir = tempfile::tempdir().expect("a directory");
        drop(open_in(dir.path()));
        let path = log_path(dir.path());
        spoil(&path);
        let before = std::fs::read(&path).ok();
        let error = Store::open(dir.path(), LogId([9; 16])).err();
        assert_eq!(error, Some(OpenError::Emptied { path: path.clone() }));
        assert_eq!(std::fs::read(&path).ok(), before, "nothing was written");
    }
}

#[test]
fn a_log_that_contradicts_itself_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = log_path(directory.path());
    let (mut store, _) = open_in(directory.path());
    commit_singles(&mut store, 3);
    drop(store);
    change(&path, "UPDATE log SET head = 4");
    let refused = Store::open(directory.path(), LOG).err();
    assert_eq!(refused, Some(OpenError::Damaged { path: path.clone(), position: 4 }));
    change(&path, "UPDATE log SET head = 3; UPDATE chunks SET rooms = x'00' WHERE first_position = 2");
    let refused = Store::open(directory.path(), LOG).err();
    assert_eq!(refused, Some(OpenError::Damaged { path, position: 2 }));
}

#[test]
fn a_full_or_read_only_device_is_named() {
    let Some(device) = Tmpfs::mount(256 << 10) else { return };
    let directory = device.path().join("store");
    std::fs::write(device.path().join("filler"), vec![0; 200 << 10]).expect("a file that fits");
    assert!(matches!(Store::open(&directory, LOG), Err(OpenError::Full { .. })));
    device.make_read_only();
    assert!(matches!(Store::open(&directory, LOG), Err(OpenError::ReadOnly { .. })));
    let elsewhere = device.path().join("elsewhere");
    let refused = Store::open(&elsewhere, LOG).err().expect("a refusal");
    assert_eq!(refused, OpenError::ReadOnly { path: elsewhere });
    assert!(!refused.to_string().contains('\n'));
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().expect("a directory");
    let new = directory.path().join("a/b");
    open_in(&new);
    let mode = std::fs::metadata(new).expect("a directory").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// What was folded is not in memory; an index that is made again leaves it there until the next fold.
fn assert_made_again(directory: &Path) {
    let (store, recovered) = open_in(directory);
    assert_eq!((recovered.head, store.unfolded_entries()), (4, 4));
    assert_eq!(store.fold(100), Ok(4));
    assert_eq!(everything(&store, 1), [1, 2, 3, 4]);
    drop(store);
    let (store, _) = open_in(directory);
    assert_eq!((store.unfolded_entries(), everything(&store, 1)), (0, vec![1, 2, 3, 4]));
}

fn change(path: &Path, sql: &str) {
    sqlite::open(path).expect("a database").execute_batch(sql).expect("a change");
}

fn log_path(directory: &Path) -> PathBuf {
    super::super::open::log_path(directory)
}

fn index_path(directory: &Path) -> PathBuf {
    super::super::open::index_path(directory)
}

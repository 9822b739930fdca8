//! An ordinary file system, as long as nothing breaks.

use super::*;

#[test]
fn several_connections_read_and_write_one_database() {
    let machine = Machine::new(1);
    machine.run(|| {
        let directory = machine.directory.path();
        let mut writer = open_database(directory, "FULL").expect("a database");
        let reader = open_database(directory, "FULL").expect("a database");
        let mut other = open_database(directory, "FULL").expect("a database");
        add_rows(&mut writer, 1).expect("rows");
        reader.execute_batch("BEGIN").expect("a transaction");
        assert_eq!(rows(&reader), 1);
        for number in 2..=40 {
            add_rows(if number % 2 == 0 { &mut other } else { &mut writer }, number).expect("rows");
        }
        assert_eq!(rows(&reader), 1, "a reader goes on seeing what it saw");
        reader.execute_batch("COMMIT").expect("its end");
        assert_eq!(rows(&reader), 40);

        writer.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        let refused = add_rows(&mut other, 41).expect_err("one writes at a time");
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
        writer.execute_batch("ROLLBACK").expect("its end");
        add_rows(&mut other, 41).expect("rows");
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = writer.query_row(checkpoint, [], |row| row.get(0)).expect("a checkpoint");
        assert_eq!(busy, 0);
        assert_eq!(rows(&other), 41);
    });
    assert!(!machine.path("database-wal").exists(), "the last one takes the log away");
    assert!(!machine.path("database-shm").exists(), "the shared memory is no file");
    assert_eq!(machine.disk.unsynced_bytes(), 0);
}

#[test]
fn a_database_with_a_rollback_journal_outlasts_power_cuts_too() {
    for_each_seed(0..60, |seed| {
        let mut machine = Machine::new(seed);
        let open = || {
            let connection = Connection::open(machine.path("database"))?;
            // Else the journal's end is not synced, and what was committed last may be undone.
            connection.pragma_update(None, "synchronous", "EXTRA")?;
            connection.pragma_update(None, "cache_size", 4)?;
            connection.execute_batch("CREATE TABLE IF NOT EXISTS things (number INTEGER, part INTEGER, body BLOB)")?;
            Ok::<_, rusqlite::Error>(connection)
        };
        let mut connection = machine.run(open).expect("a database");
        machine.disk.die_in(40 + seed, Death::Power);
        let acknowledged = (1..=100)
            .take_while(|number| machine.run(|| add_rows(&mut connection, *number)).is_ok())
            .last()
            .unwrap_or(0);
        assert!(machine.disk.died().is_some());
        drop(connection);
        machine.next_process();
        let connection = machine.run(|| Connection::open(machine.path("database")).expect("a database"));
        let found = machine.run(|| rows(&connection));
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} of {found}");
    });
}

/// One thread alone uses SQLite here: nextest runs each test in a process of its own.
#[test]
fn one_seed_leaves_the_same_bytes_twice() {
    for kind in SYNCED {
        let run = |seed: u64| {
            let mut machine = Machine::new(seed);
            for life in 0..4 {
                machine.disk.die_in(20 + 30 * life, if life % 2 == 0 { Death::Power } else { Death::Kill });
                if let Ok(mut kept) = machine.open(kind) {
                    let found = machine.added(&kept);
                    for number in found + 1..found + 100 {
                        if machine.add(&mut kept, number).is_err() {
                            break;
                        }
                    }
                }
                machine.next_process();
            }
            (files(machine.directory.path()), machine.disk.bites())
        };
        let (first, second, other) = (run(3), run(3), run(4));
        assert!(first.0.len() >= 2 && first.1.power_cuts == 2);
        assert_eq!(first.1, second.1);
        for ((path, bytes), (_, again)) in first.0.iter().zip(&second.0) {
            assert!(bytes == again, "{kind:?}: {} differs", path.display());
        }
        assert_eq!(first.0.len(), second.0.len());
        assert!(first.0 != other.0, "another seed is another world");
    }
}

#[test]
fn what_is_on_no_simulated_disk_stays_with_the_system() {
    let machine = Machine::new(1);
    machine.disk.set_full(true);
    let elsewhere = tempfile::tempdir().expect("a directory");
    let kept = machine.run(|| Kept::open(Kind::Server, elsewhere.path()));
    let mut kept = kept.expect("a store that no fault of the disk reaches");
    for number in 1..=20 {
        machine.run(|| kept.add(number)).expect("it is added");
    }
    machine.disk.cut_power();
    assert_eq!(kept.added(), 20);
    assert!(elsewhere.path().join("server/log.sqlite3-shm").exists(), "its shared memory is the system's");
}

#[test]
fn machines_in_several_threads_do_not_disturb_each_other() {
    std::thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                let mut machine = Machine::new(seed);
                for life in 0..5 {
                    let mut kept = machine.open(Kind::Server).expect("a store");
                    assert_eq!(machine.added(&kept), life * 20);
                    for number in life * 20 + 1..=(life + 1) * 20 {
                        machine.add(&mut kept, number).expect("it is added");
                    }
                    machine.disk.cut_power();
                    drop(kept);
                    machine.next_process();
                }
                assert_eq!(machine.disk.bites().power_cuts, 5);
            });
        }
    });
}

/// Every file below a directory, in order, by its path in it.
pub(super) fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below it").to_owned();
                found.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

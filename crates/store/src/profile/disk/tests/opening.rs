use super::*;
use crate::DatabaseErrorKind;
use crate::sqlite;
use crate::sqlite::in_the_way;

#[test]
fn a_new_profile_keeps_the_identity_that_it_was_given_first() {
    let (dir, profile) = new_profile();
    let first = profile.identity().expect("an identity");
    assert_eq!((first.name.as_str(), first.device_id, first.account), ("ann", DeviceId([1; 16]), ANN));
    drop(profile);
    let other = Fresh { device_id: DeviceId([9; 16]), secret: [9; 32], account: BOB };
    let again = Profile::open(dir.path(), "ann", Some(&other)).expect("the same profile");
    assert_eq!(again.identity(), Ok(first));
}

#[test]
fn a_profile_of_another_name_is_refused_in_clear_words() {
    let (dir, _profile) = new_profile();
    let error = Profile::open(dir.path(), "bob", Some(&fresh())).expect_err("not Bob's");
    assert!(error.to_string().contains("is the profile of \"ann\", not of \"bob\""), "{error}");
    assert!(Profile::open(dir.path(), "Ann", Some(&fresh())).is_ok(), "names are compared in lower case");
}

#[test]
fn a_name_that_nobody_can_have_makes_no_profile() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = Profile::open(&dir.path().join("p"), "no spaces", Some(&fresh())).expect_err("no name");
    assert!(matches!(error, ProfileError::NameInvalid { .. }));
    assert!(!dir.path().join("p").exists());
}

#[test]
fn looking_for_a_profile_that_is_not_there_makes_none_and_says_what_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("p");
    let error = Profile::open(&path, "ann", None).expect_err("no profile");
    assert_eq!(error, ProfileError::NotThere { dir: path.clone() });
    assert!(error.to_string().ends_with("`steadfast tail` or `send` makes one"), "{error}");
    assert!(!path.exists());
}

#[test]
fn what_a_kill_during_the_first_open_leaves_is_no_profile_until_the_next_open_makes_it() {
    let empty = |path: &Path| std::fs::write(path, []).expect("a file");
    let without_tables = |path: &Path| drop(sqlite::open(path).expect("a database"));
    for leave in [&empty as &dyn Fn(&Path), &without_tables] {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE);
        leave(&path);
        let before = std::fs::read(&path).expect("a file");
        let error = Profile::open(dir.path(), "ann", None).expect_err("no profile");
        assert_eq!(error, ProfileError::NotThere { dir: dir.path().to_owned() });
        assert_eq!(std::fs::read(&path).expect("a file"), before);
        let made = open_in(dir.path()).identity().expect("an identity");
        assert_eq!(made.device_id, fresh().device_id);
    }
}

#[test]
fn a_profile_that_is_there_is_opened_without_a_fresh_identity() {
    let (dir, profile) = new_profile();
    let opened = Profile::open(dir.path(), "ann", None).expect("the profile");
    assert_eq!(opened.identity(), profile.identity());
    drop(profile);
    drop(opened);
    assert!(Profile::open(dir.path(), "ann", None).is_ok(), "also after all have closed it");
}

#[test]
fn a_full_disk_and_one_that_takes_no_writes_are_named_with_what_to_do() {
    let located = |code| {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        ProfileError::from(error).located(Path::new("/p")).to_string()
    };
    let full = "no space left on the disk of /p: free some";
    assert_eq!(located(rusqlite::ffi::SQLITE_FULL), full);
    assert_eq!(located(rusqlite::ffi::SQLITE_IOERR_SHMSIZE), full);
    assert!(located(rusqlite::ffi::SQLITE_READONLY).starts_with("/p can't be written"));
    let io = |kind| ProfileError::Io { path: "/p/open.lock".into(), kind }.located(Path::new("/p")).to_string();
    assert_eq!(io(std::io::ErrorKind::StorageFull), full);
    assert!(io(std::io::ErrorKind::PermissionDenied).starts_with("/p can't be written"));
    let later =
        ProfileError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None));
    assert_eq!(later.to_string(), "the profile's database: no space left on its disk: free some");
}

#[test]
fn a_profile_that_was_emptied_cut_short_or_overwritten_is_refused_unchanged() {
    let emptied = |_: &[u8]| Vec::new();
    let cut_short = |was: &[u8]| was[..was.len() / 2].to_vec();
    let overwritten = |was: &[u8]| vec![b'x'; was.len()];
    for spoil in [&emptied as &dyn Fn(&[u8]) -> Vec<u8>, &cut_short, &overwritten] {
        let (dir, profile) = new_profile();
        drop(profile);
        let path = dir.path().join(FILE);
        let spoilt = spoil(&std::fs::read(&path).expect("a file"));
        std::fs::write(&path, &spoilt).expect("a file");
        for fresh in [None, Some(fresh())] {
            let error = Profile::open(dir.path(), "ann", fresh.as_ref()).expect_err("damaged");
            assert!(matches!(error, ProfileError::Broken { .. }), "{error}");
            assert_eq!(std::fs::read(&path).expect("a file"), spoilt, "nothing was written");
        }
    }
}

#[test]
fn what_an_earlier_process_may_not_have_synced_is_brought_into_the_database_before_anybody_relies_on_it() {
    let relying: [fn(&mut Profile); 3] = [
        |profile| drop(profile.resume().expect("a resume")),
        |profile| drop(profile.append(&[]).expect("nothing to queue")),
        |profile| drop(profile.apply(&[], 1, &mut fresh_ids()).expect("nothing to store")),
    ];
    for rely in relying {
        let (dir, mut killed) = new_profile();
        killed.append(&[say(1, lobby())]).expect("queued");
        let in_the_database_alone = |of: &Path| {
            let alone = tempfile::tempdir().expect("a directory");
            std::fs::copy(of.join(FILE), alone.path().join(FILE)).expect("a copy");
            Profile::open(alone.path(), "ann", None).ok().map(|profile| waiting(&profile).len())
        };
        let left = tempfile::tempdir().expect("a directory");
        for file in [FILE, "profile.sqlite3-wal"] {
            std::fs::copy(dir.path().join(file), left.path().join(file)).expect("a copy");
        }
        let mut profile = open_in(left.path());
        assert_ne!(in_the_database_alone(left.path()), Some(2), "it is in the write-ahead log only");
        rely(&mut profile);
        assert_eq!(in_the_database_alone(left.path()), Some(2), "an Enter and a message");
    }
}

#[test]
fn what_another_process_is_still_syncing_is_not_relied_on() {
    let (dir, mut other) = new_profile();
    let reader = in_the_way::reader(&dir.path().join(FILE));
    other.append(&[say(1, lobby())]).expect("queued");
    let syncing = in_the_way::Checkpoint::start(&dir.path().join(FILE));
    let mut profile = open_in(dir.path());
    let is_busy = |error: &ProfileError| {
        let busy = matches!(error, ProfileError::Database { kind: DatabaseErrorKind::Busy, .. });
        busy && error.is_passing()
    };
    let resumed = profile.resume().map(|_| ());
    assert!(resumed.as_ref().is_err_and(is_busy), "{resumed:?}");
    let queued = profile.append(&[say(2, lobby())]);
    assert!(matches!(&queued, Err(AppendError::Profile(error)) if is_busy(error)), "{queued:?}");
    let applied = profile.apply(&[], 1, &mut fresh_ids());
    assert!(matches!(&applied, Err(ApplyError::Profile(error)) if is_busy(error)), "{applied:?}");
    assert_eq!(waiting(&profile).len(), 2, "an Enter and the message of the other process");

    drop(syncing);
    profile.connection.busy_timeout(std::time::Duration::ZERO).expect("set");
    let queued = profile.append(&[say(2, lobby())]);
    assert!(queued.is_err(), "a reader of what is older keeps it from the database: {queued:?}");
    drop(reader);
    profile.append(&[say(2, lobby())]).expect("queued");
    profile.resume().expect("a resume");
}

#[test]
fn a_resume_settles_in_its_turn_to_write() {
    let (dir, _) = new_profile();
    let (writing, mut profile) = (open_in(dir.path()), open_in(dir.path()));
    let turn = writing.take_turn_to_write().expect("a turn");
    let (done, resumed) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || done.send(profile.resume().map(|_| ())).expect("the test waits"));
        let early = resumed.recv_timeout(std::time::Duration::from_millis(200));
        assert_eq!(early, Err(std::sync::mpsc::RecvTimeoutError::Timeout), "beside a writer nothing is settled");
        drop(turn);
        assert_eq!(resumed.recv().expect("an answer"), Ok(()));
    });
}

fn failure(code: i32) -> ProfileError {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
}

#[test]
fn after_a_failed_sync_or_two_failed_writes_in_a_row_a_profile_takes_no_more() {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};
    for code in [SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE] {
        let (dir, mut profile) = new_profile();
        if code == SQLITE_IOERR_WRITE {
            assert!(profile.failed_write(failure(code)).is_passing(), "a quota may have been raised since");
            assert_eq!(profile.append(&[]), Ok(Vec::new()));
            assert!(profile.failed_write(failure(code)).is_passing(), "the one between them worked");
        }
        let failed = profile.failed_write(failure(code));
        let words = failed.to_string();
        assert!(words.contains(&dir.path().display().to_string()) && words.contains("start again"), "{words}");
        assert!(!failed.is_passing());
        assert_eq!(profile.append(&[]), Err(AppendError::Profile(failed.clone())));
        assert_eq!(profile.apply(&[], 1, &mut || OperationId(1)), Err(ApplyError::Profile(failed)));
    }
    let (_dir, mut profile) = new_profile();
    assert!(profile.failed_write(failure(SQLITE_FULL)).is_passing());
    assert_eq!(profile.append(&[]), Ok(Vec::new()), "a full disk passes");
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_look_into_a_new_directory() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/b");
    open_in(&path);
    assert_eq!(path.metadata().expect("a directory").permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_newer_profile_is_refused_unchanged() {
    let (dir, profile) = new_profile();
    drop(profile);
    let path = dir.path().join(FILE);
    let connection = sqlite::open(&path).expect("a database");
    connection.pragma_update(None, "user_version", 2).expect("written");
    drop(connection);
    let before = std::fs::read(&path).expect("a file");
    let error = Profile::open(dir.path(), "ann", Some(&fresh())).expect_err("newer");
    assert_eq!(error, ProfileError::Newer { path: path.clone(), found: 2, known: 1 });
    assert_eq!(std::fs::read(&path).expect("a file"), before);
}

#[test]
fn the_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = sqlite::open(&dir.path().join(FILE)).expect("a database");
    connection.execute_batch("CREATE TABLE mine (x)").expect("a table");
    drop(connection);
    let error = Profile::open(dir.path(), "ann", Some(&fresh())).expect_err("foreign");
    assert!(matches!(error, ProfileError::Foreign { .. }));
}

#[test]
fn a_new_profile_resumes_with_nothing() {
    let (_dir, mut profile) = new_profile();
    let resume = profile.resume().expect("a resume");
    assert_eq!((resume.log_id, resume.place, resume.told, resume.confirmed_through), (None, None, None, 0));
    assert!(resume.rooms.is_empty() && resume.terms.is_empty());
}

#[test]
fn eight_threads_that_open_a_new_profile_at_once_get_the_same_identity() {
    let dir = tempfile::tempdir().expect("a directory");
    let opened: Vec<DeviceId> = std::thread::scope(|scope| {
        let open = |number: u8| {
            let path = dir.path().join("p");
            let fresh = Fresh { device_id: DeviceId([number; 16]), ..fresh() };
            move || {
                Profile::open(&path, "ann", Some(&fresh))
                    .and_then(|profile| profile.identity())
                    .expect("opened")
                    .device_id
            }
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(open(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(opened.iter().all(|device| *device == opened[0]), "{opened:?}");
}

#[test]
fn the_secret_is_not_shown() {
    let (_dir, mut profile) = new_profile();
    let shown = format!("{:?} {:?}", fresh(), profile.resume().expect("a resume"));
    assert!(!shown.contains("secret"), "{shown}");
}

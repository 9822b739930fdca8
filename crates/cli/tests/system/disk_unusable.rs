//! A directory that can't be used, or files in it that are not what they were: one line says what to do, nothing is
//! written over, and what can be read is read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::rig::{Ended, Process, ROOM, SOON, Server, Tmpfs, World, is_root, lines_of};

#[test]
fn on_a_read_only_mount_nothing_starts_that_writes_and_what_only_reads_goes_on() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let disk = Tmpfs::mount(&world.path("disk"), "32m");
    let mut server = Server::start(world.program(), &disk.path().join("data"), "127.0.0.1:0", &[]);
    let ann = world.device("ann", "disk/ann", server.address());
    let killed = world.device("killed", "disk/killed", server.address());
    let lines = lines_of("ann", 0, 5);
    ann.send_lines(&lines, &[]).expect_code(0);
    assert_eq!(ann.history().texts(), lines);
    // One that leaves its write-ahead log behind.
    let tail = killed.start_tail(&["--follow"]);
    tail.wait_to_print(lines.len(), SOON);
    tail.kill();
    assert!(killed.profile().join("profile.sqlite3-wal").exists());
    server.stop();
    disk.make_read_only();

    for data in ["data", "new"] {
        let ended = serve(&world, &disk.path().join(data));
        let line = ended.only_error();
        assert!(line.contains("can't be written") && line.contains("mount it for writing"), "{line}");
        assert!(ended.out.is_empty(), "it does not say that it listens: {:?}", ended.out);
    }
    let new = world.device("new", "disk/new", server.address());
    for member in [&ann, &new] {
        let ended = member.send_lines(&lines, &[]).expect_code(1);
        let line = ended.only_error();
        assert!(line.contains("can't be written") && line.contains("--profile"), "{line}");
    }
    for member in [&ann, &killed] {
        assert_eq!(member.stored_history().texts(), lines, "{}", member.name);
        let status = member.status();
        assert_eq!((status.text("account"), status.text("state")), (Some(member.name.as_str()), Some("offline")));
    }
    let ended = new.start("history", &["--room", ROOM]).wait(SOON).expect_code(1);
    assert!(ended.only_error().contains("there is no profile"), "{:?}", ended.err);
}

#[test]
fn a_directory_without_permission_and_one_that_is_a_file_are_named_in_one_line() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let forbidden = world.path("forbidden");
    std::fs::create_dir(&forbidden).expect("a directory");
    std::fs::set_permissions(&forbidden, std::fs::Permissions::from_mode(0o555)).expect("its owner may");
    let data = forbidden.display().to_string();
    let serve_there = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let ended = Process::start(&mut world.program().without_override().command(&serve_there)).wait(SOON);
    let ended = ended.expect_code(1);
    let line = ended.only_error();
    assert!(line.contains("can't be written: give it to the user that runs the server"), "{line}");
    let ann = world.device("ann", "forbidden/ann", "127.0.0.1:1").without_override();
    let ended = ann.send_lines(&lines_of("ann", 0, 1), &[]).expect_code(1);
    assert!(ended.only_error().contains("can't be written: allow it"), "{:?}", ended.err);

    let file = world.path("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let line = serve(&world, &file).only_error().to_owned();
    assert!(line.contains("is not a directory: name another one with --data"), "{line}");
    let bob = world.device("bob", "file", "127.0.0.1:1");
    let ended = bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(1);
    assert!(ended.only_error().contains("is not a directory: choose another one with --profile"), "{:?}", ended.err);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "not a directory");
}

#[test]
fn a_damaged_or_newer_store_is_one_line_that_says_what_to_do_and_is_left_as_it_is() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 200), &[]).expect_code(0);
    server.stop();

    let log = server.data().join("log.sqlite3");
    for (spoil, what_to_do) in spoilers() {
        let line = with_spoilt(&log, spoil, || serve(&world, server.data()).only_error().to_owned());
        assert!(line.contains(what_to_do), "{line}");
    }
    let profile = ann.profile().join("profile.sqlite3");
    for (spoil, what_to_do) in spoilers() {
        with_spoilt(&profile, spoil, || {
            let send = ann.send_lines(&lines_of("ann", 200, 1), &[]).expect_code(1);
            assert!(send.only_error().contains(what_to_do), "{:?}", send.err);
            let history = ann.start("history", &["--room", ROOM]).wait(SOON).expect_code(1);
            assert!(history.only_error().contains(what_to_do), "{:?}", history.err);
        });
    }

    // As they were, both go on.
    server.restart();
    ann.send_lines(&lines_of("ann", 200, 1), &[]).expect_code(0);
    world.member("witness", &server).read_from_start().assert_has("ann", &lines_of("ann", 0, 201));
}

/// Changes what a file holds.
type Spoil = fn(&mut Vec<u8>);

/// Ways in which a database changes under us, and what the owner is told to do.
fn spoilers() -> [(Spoil, &'static str); 4] {
    /// Where SQLite keeps the number of the format: <https://www.sqlite.org/fileformat2.html>, `user_version`.
    const VERSION_AT: usize = 63;
    [
        (|bytes| bytes.clear(), "restore it from a backup"),
        (|bytes| bytes.truncate(bytes.len() / 2), "restore it from a backup"),
        (|bytes| bytes.fill(b'x'), "restore it from a backup"),
        (|bytes| bytes[VERSION_AT] += 1, "newer"),
    ]
}

/// Spoils a file, lets something be tried with it, sees that it was left as it was, and puts it back.
fn with_spoilt<T>(path: &Path, spoil: Spoil, tried: impl FnOnce() -> T) -> T {
    let was = std::fs::read(path).expect("a database");
    let mut spoilt = was.clone();
    spoil(&mut spoilt);
    std::fs::write(path, &spoilt).expect("a database");
    let result = tried();
    assert!(std::fs::read(path).expect("a database") == spoilt, "{} was written over", path.display());
    std::fs::write(path, was).expect("a database");
    result
}

fn serve(world: &World, data: &Path) -> Ended {
    let data = data.display().to_string();
    let mut command = world.program().command(&["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    Process::start(&mut command).wait(SOON).expect_code(1)
}

//! A full disk, and calls that fail.

use super::*;

fn store(kept: &mut Kept) -> &mut Store {
    let Kept::Server(store) = kept else { unreachable!("a server") };
    store
}

fn add_all(machine: &Machine, kept: &mut Kept, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        machine.add(kept, number).expect("it is added");
    }
}

#[test]
fn a_full_disk_is_told_as_such_and_when_it_is_freed_the_store_goes_on() {
    for room_bytes in [0, 1, 5_000, 20_000, 100_000] {
        let machine = Machine::new(room_bytes);
        let mut kept = machine.open(Kind::Server).expect("a store");
        add_all(&machine, &mut kept, 1..=3);
        machine.disk.set_room_bytes(Some(room_bytes));
        let mut next = 4;
        let refused = loop {
            match machine.run(|| store(&mut kept).commit(&commit(next))) {
                Ok(()) => next += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, steadfast_store::server::CommitError::Full);
        assert_eq!(machine.added(&kept), next - 1);
        let still = machine.run(|| store(&mut kept).commit(&commit(next)));
        assert_eq!(still, Err(steadfast_store::server::CommitError::Full));
        machine.disk.set_room_bytes(None);
        add_all(&machine, &mut kept, next..=next + 5);
        assert_eq!(machine.added(&kept), next + 5);
        assert!(machine.disk.bites().refused_full >= 2);
    }
}

#[test]
fn a_profile_on_a_full_disk_says_so_and_goes_on_when_it_is_freed() {
    let machine = Machine::new(1);
    let mut kept = machine.open(Kind::Client).expect("a profile");
    add_all(&machine, &mut kept, 1..=3);
    machine.disk.set_full(true);
    // Until the log would have to grow.
    let (next, refused) = (4..).find_map(|number| Some((number, machine.add(&mut kept, number).err()?))).expect("one");
    assert!(refused.contains("DiskFull"), "{refused}");
    assert_eq!(machine.added(&kept), next - 1);
    machine.disk.set_full(false);
    add_all(&machine, &mut kept, next..=next + 20);
    assert_eq!(machine.added(&kept), next + 20);
}

#[test]
fn what_a_failed_sync_left_is_lost_with_the_power_whatever_is_synced_later() {
    let machine = Machine::new(1);
    let path = machine.path("database");
    let connection = machine.run(|| open_database(machine.directory.path(), "FULL").expect("a database"));
    // A log that only grows, so that both transactions lie in it.
    machine.run(|| connection.pragma_update(None, "wal_autocheckpoint", 0).expect("a pragma"));
    let add = |text: &str| machine.run(|| connection.execute("INSERT INTO things VALUES (1, 0, ?1)", [text]));
    add("first").expect("synced");
    machine.disk.fail_syncs(1);
    let failed = add("second").expect_err("its sync fails").sqlite_error().map(|error| error.extended_code);
    assert_eq!(failed, Some(rusqlite::ffi::SQLITE_IOERR_FSYNC));
    // The same frames again, synced this time.
    add("third").expect("synced");
    machine.disk.cut_power();
    drop(connection);
    assert_eq!(machine.disk.bites().failed_syncs, 1);

    let connection = machine.disk.as_process(ProcessId(2), || Connection::open(path).expect("a database"));
    let texts: Vec<String> = machine.disk.as_process(ProcessId(2), || {
        let mut statement = connection.prepare("SELECT body FROM things ORDER BY rowid").expect("SQL");
        let texts = statement.query_map([], |row| row.get(0)).expect("rows");
        texts.collect::<rusqlite::Result<_>>().expect("rows")
    });
    eprintln!("{texts:?}, {:?}", machine.disk.bites());
    assert_eq!(texts[0], "first");
}

#[test]
fn reads_and_writes_fail_as_often_as_they_are_told_to() {
    let machine = Machine::new(1);
    let mut kept = machine.open(Kind::Server).expect("a store");
    add_all(&machine, &mut kept, 1..=3);
    machine.disk.fail_writes(1);
    machine.run(|| store(&mut kept).commit(&commit(4))).expect_err("its first write fails");
    assert_eq!(machine.disk.bites().failed_writes, 1);
    machine.run(|| store(&mut kept).commit(&commit(4))).expect("no other one does");

    let reader = machine.run(|| store(&mut kept).reader().expect("a reader"));
    machine.disk.fail_reads(1);
    machine.run(|| reader.chunks_for(&[RoomId(1)], 0, usize::MAX)).expect_err("its first read fails");
    assert_eq!(machine.disk.bites().failed_reads, 1);
    assert_eq!(machine.run(|| reader.chunks_for(&[RoomId(1)], 0, usize::MAX)).expect("a span").chunks.len(), 4);
}

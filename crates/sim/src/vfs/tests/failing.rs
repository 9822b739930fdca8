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

fn failure(error: &rusqlite::Error) -> Option<std::ffi::c_int> {
    error.sqlite_error().map(|error| error.extended_code)
}

#[test]
fn what_a_failed_sync_left_is_lost_with_the_power_whatever_is_synced_behind_it() {
    let mut machine = Machine::new(1);
    let open = |machine: &Machine| machine.run(|| open_database(machine.directory.path(), "FULL").expect("a database"));
    let mut writer = open(&machine);
    machine.run(|| add_rows(&mut writer, 1)).expect("synced");
    machine.disk.fail_syncs(1);
    let failed = machine.run(|| add_rows(&mut writer, 2)).expect_err("its sync fails");
    assert_eq!(failure(&failed), Some(rusqlite::ffi::SQLITE_IOERR_FSYNC));
    machine.disk.kill(machine.process());
    drop(writer);

    machine.next_process();
    let mut writer = open(&machine);
    assert_eq!(machine.run(|| rows(&writer)), 2, "it looks like the rest");
    machine.run(|| add_rows(&mut writer, 3)).expect("a sync that does not fail");
    machine.disk.cut_power();
    drop(writer);
    let bites = machine.disk.bites();
    assert_eq!((bites.failed_syncs, bites.lost_to_failed_syncs), (1, 1));

    machine.next_process();
    let reader = open(&machine);
    assert_eq!(machine.run(|| rows(&reader)), 1, "a log ends at its first hole");
}

#[test]
fn a_failed_sync_is_told_to_all_who_have_the_file_open_and_once_to_each() {
    let machine = Machine::new(1);
    let open = || open_database(machine.directory.path(), "FULL").expect("a database");
    machine.run(|| {
        let (mut one, mut other) = (open(), open());
        add_rows(&mut one, 1).expect("synced");
        assert_eq!(rows(&other), 1);
        machine.disk.fail_syncs(1);
        let told = |connection: &mut Connection| failure(&add_rows(connection, 2).expect_err("its sync fails"));
        assert_eq!(told(&mut one), Some(rusqlite::ffi::SQLITE_IOERR_FSYNC));
        assert_eq!(told(&mut other), Some(rusqlite::ffi::SQLITE_IOERR_FSYNC));
        add_rows(&mut one, 2).expect("synced");
        add_rows(&mut other, 3).expect("synced");
        add_rows(&mut open(), 4).expect("synced");
    });
}

/// What a failed sync left in the cache looks like the rest to the next process, until the power goes.
#[test]
fn what_the_next_process_believes_after_a_failed_sync_is_there_after_a_power_cut() {
    for kind in [Kind::Server, Kind::Client] {
        for_each_seed(0..40, |seed| {
            let mut machine = Machine::new(seed);
            let mut kept = machine.open(kind).expect("it opens");
            add_all(&machine, &mut kept, 1..=5 + seed % 3);
            machine.disk.fail_syncs(1);
            let mut next = 6 + seed % 3;
            let error = loop {
                match machine.add(&mut kept, next) {
                    Ok(()) => next += 1,
                    Err(error) => break error,
                }
            };
            assert!(error.contains("SyncFailed") || error.contains("DiskFailed"), "{error}");
            assert!(machine.add(&mut kept, next).is_err(), "it takes no more");
            machine.disk.kill(machine.process());
            drop(kept);

            machine.next_process();
            let mut kept = machine.open(kind).expect("the next process");
            let believed = machine.added(&kept);
            assert!((next - 1..=next).contains(&believed));
            let more = seed % 4;
            add_all(&machine, &mut kept, believed + 1..=believed + more);
            machine.disk.cut_power();
            drop(kept);

            machine.next_process();
            let kept = machine.open(kind).expect("after the power cut");
            assert_eq!(machine.added(&kept), believed + more, "{kind:?}, {:?}", machine.disk.bites());
        });
    }
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

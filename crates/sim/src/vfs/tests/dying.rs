//! Death in the midst of a commit, at each of its calls.

use super::*;

/// How the commit of the fourth thing ended whose call number `call` killed; `None`: it has fewer calls.
fn die_at(kind: Kind, death: Death, call: u64, seed: u64) -> Option<u64> {
    let mut machine = Machine::new(seed);
    let mut kept = machine.open(kind).expect("it opens");
    for number in 1..=3 {
        machine.add(&mut kept, number).expect("it is added");
    }
    machine.disk.die_in(call, death);
    let added = machine.add(&mut kept, 4);
    if machine.disk.died().is_none() {
        added.expect("nothing happened to it");
        return None;
    }
    assert!(machine.add(&mut kept, 5).is_err(), "and does nothing more");
    drop(kept);
    machine.next_process();
    let mut kept = machine.open(kind).expect("it opens again");
    let found = machine.added(&kept);
    // What was committed when the log was copied back counts as committed: SQLite does not tell that this failed.
    assert!(added.is_err() || found == 4, "it was acknowledged");
    machine.add(&mut kept, found + 1).expect("it goes on");
    assert_eq!(machine.added(&kept), found + 1);
    Some(found)
}

#[test]
fn death_at_any_call_of_a_commit_leaves_all_of_it_or_nothing() {
    for kind in SYNCED {
        for death in [Death::Kill, Death::Power] {
            let (mut calls, mut nothing, mut all) = (0, 0, 0);
            for call in 0.. {
                let before = nothing + all;
                for seed in 0..3 {
                    match die_at(kind, death, call, call * 100 + seed) {
                        Some(3) => nothing += 1,
                        Some(4) => all += 1,
                        Some(found) => panic!("{kind:?}, {death:?} at call {call}, seed {seed}: {found} are there"),
                        None => break,
                    }
                }
                if nothing + all == before {
                    calls = call;
                    break;
                }
            }
            eprintln!("{kind:?}, {death:?}: {calls} calls a commit; it was there {all} times, {nothing} times not");
            assert!(calls >= 3 && nothing > 0 && all > 0);
        }
    }
}

#[test]
fn a_killed_process_leaves_what_it_wrote_and_holds_nothing() {
    for kind in SYNCED {
        let mut machine = Machine::new(1);
        let mut kept = machine.open(kind).expect("it opens");
        for number in 1..=10 {
            machine.add(&mut kept, number).expect("it is added");
        }
        machine.disk.kill(machine.process());
        let before = contents(&machine);
        assert!(machine.add(&mut kept, 11).is_err());
        drop(kept);
        assert!(contents(&machine) == before, "who is dead does not even clean up");
        assert!(machine.open(kind).is_err(), "nor comes back");

        machine.next_process();
        let mut kept = machine.open(kind).expect("its successor");
        assert_eq!(machine.added(&kept), 10);
        machine.add(&mut kept, 11).expect("what the dead held is free");
    }
}

#[test]
fn a_transaction_that_a_killed_process_had_open_stands_in_nobodys_way() {
    let mut machine = Machine::new(1);
    let mut kept = machine.open(Kind::Database).expect("a database");
    machine.add(&mut kept, 1).expect("it is added");
    let Kept::Database(connection) = &kept else { unreachable!("a database") };
    machine.run(|| connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM things").expect("a transaction"));
    let other = ProcessId(99);
    let mut second = machine.disk.as_process(other, || open_database(machine.directory.path(), "FULL").expect("two"));
    let refused = machine.disk.as_process(other, || add_rows(&mut second, 2)).expect_err("the first one writes");
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));

    machine.disk.kill(machine.process());
    drop(kept);
    machine.next_process();
    machine.disk.as_process(other, || add_rows(&mut second, 2)).expect("nobody writes now");
    assert_eq!(machine.disk.as_process(other, || rows(&second)), 2);
}

/// Every file of the disk.
fn contents(machine: &Machine) -> Vec<(PathBuf, Vec<u8>)> {
    serving::files(machine.directory.path())
}

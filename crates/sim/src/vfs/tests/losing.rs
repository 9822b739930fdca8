//! Power cuts: what was committed stays.

use super::*;
use crate::random::Random;

/// Adds to `kept` until it fails or there are `until`; the number of the last that was acknowledged.
fn add_until(machine: &Machine, kept: &mut Kept, from: u64, until: u64) -> u64 {
    let acknowledged = (from + 1..=until).take_while(|number| machine.add(kept, *number).is_ok());
    acknowledged.last().unwrap_or(from)
}

/// Lives of one machine, each ended by a power cut in the midst of something.
fn live_often(kind: Kind, seed: u64, bites: &mut Vec<Bites>) {
    let mut machine = Machine::new(seed);
    let mut random = Random::new(seed);
    let mut acknowledged = 0;
    for life in 0..5 {
        // The first ones may end while files are made.
        machine.disk.die_in(random.below(if life == 2 { 400 } else { 60 }) as u64, Death::Power);
        match machine.open(kind) {
            Ok(mut kept) => {
                let found = machine.added(&kept);
                assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} of {found}");
                acknowledged = add_until(&machine, &mut kept, found, found + 200);
            }
            Err(error) => assert!(machine.disk.died().is_some(), "it opens after every power cut: {error}"),
        }
        assert_eq!(machine.disk.died(), Some(Died { death: Death::Power, process: Some(machine.process()) }));
        machine.next_process();
    }
    let kept = machine.open(kind).expect("it opens after every power cut");
    let found = machine.added(&kept);
    assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} of {found}");
    drop(kept);
    bites.push(machine.disk.bites());
}

#[test]
fn what_was_committed_is_there_after_a_power_cut() {
    for kind in SYNCED {
        let bites = std::cell::RefCell::new(Vec::new());
        for_each_seed(0..40, |seed| live_often(kind, seed, &mut bites.borrow_mut()));
        let bites = bites.into_inner();
        let sum = |of: fn(&Bites) -> u64| bites.iter().map(of).sum::<u64>();
        let cuts = sum(|bites| bites.power_cuts);
        let took = sum(|bites| bites.power_cuts_that_took_something);
        let (torn, lost) = (sum(|bites| bites.torn_writes), sum(|bites| bites.lost_writes));
        eprintln!("{kind:?}: {took} of {cuts} power cuts took something; {torn} writes torn, {lost} lost");
        assert_eq!(cuts, 200);
        assert!(took > 60 && torn > 10 && lost > 60, "they bite");
    }
}

#[test]
fn without_syncs_a_power_cut_takes_what_was_committed() {
    let mut lost = 0;
    for seed in 0..20 {
        let mut machine = Machine::new(seed);
        let mut kept = machine.open(Kind::UnsyncedDatabase).expect("a database");
        assert_eq!(add_until(&machine, &mut kept, 0, 30), 30);
        machine.disk.cut_power();
        drop(kept);
        machine.next_process();
        let found = machine.run(|| {
            let Ok(connection) = Connection::open(machine.path("database")) else { return None };
            let count =
                connection.query_row("SELECT count(*) FROM things WHERE length(body) > 0", [], |row| row.get(0));
            count.ok()
        });
        lost += u64::from(found != Some(90_i64));
    }
    eprintln!("{lost} of 20 lost something");
    assert!(lost >= 5);
}

#[test]
fn what_is_certain_is_told_before_the_power_is_cut() {
    for_each_seed(0..10, |seed| {
        let machine = Machine::new(seed);
        let mut kept = machine.open(Kind::Database).expect("a database");
        add_until(&machine, &mut kept, 0, 20);
        let Kept::Database(connection) = &kept else { unreachable!("a database") };
        machine.run(|| connection.execute_batch("BEGIN; UPDATE things SET body = zeroblob(9000)").expect("an update"));
        assert!(machine.disk.unsynced_bytes() > 0, "the cache is too small for this transaction");

        // Elsewhere, where nothing is simulated.
        let copy = tempfile::tempdir().expect("a directory");
        machine.disk.durable_copy(copy.path()).expect("a copy");
        assert_eq!(rows(&open_database(copy.path(), "FULL").expect("a database")), 20);
        drop(kept);
    });
}

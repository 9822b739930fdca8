//! Run by hand: `cargo test --release -p steadfast-store speed -- --ignored --nocapture`.
#![expect(clippy::disallowed_methods, reason = "this measures")]

use std::time::Instant;

use super::*;

fn report(what: &str, mut millis: Vec<f64>) {
    millis.sort_by(f64::total_cmp);
    println!(
        "{what}: median {:.2} ms, worst {:.2} ms of {}",
        millis[millis.len() / 2],
        millis[millis.len() - 1],
        millis.len()
    );
}

fn timed<T>(millis: &mut Vec<f64>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    millis.push(start.elapsed().as_secs_f64() * 1_000.0);
    value
}

fn text(id: u64) -> NewOp {
    op(id, NewBody::Send { to: lobby(), body: Bytes::from(vec![b'x'; 100]), content_type: String::new() })
}

#[test]
#[ignore = "measures, for a release build"]
fn batches_of_a_thousand() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let (mut append, mut outbox, mut outcomes, mut entries, mut own) = (vec![], vec![], vec![], vec![], vec![]);
        let (mut position, mut room_sequence) = (10, 3);
        let what = Said::Message(wire::Message { body: Bytes::from(vec![b'x'; 100]), content_type: String::new() });
        // Ids as they are in life: in no order.
        let id = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for round in 0..100_u64 {
            let numbers = || round * 1_000 + 1..=(round + 1) * 1_000;
            let ops: Vec<NewOp> =
                numbers().map(|number| NewOp { id: OperationId(id(number)), ..text(number) }).collect();
            timed(&mut append, || profile.append(&ops)).expect("queued");
            timed(&mut outbox, || profile.outbox_from(round * 1_000, usize::MAX, 1_000)).expect("read");
            let mut stream = |account| {
                position += 1;
                room_sequence += 1;
                entry(position, LOBBY, room_sequence, account, what.clone())
            };
            let theirs: Vec<Change> = (0..1_000).map(|_| Change::Entry(stream(BOB))).collect();
            timed(&mut entries, || profile.apply(&theirs, 0, &mut fresh_ids())).expect("applied");
            if round % 2 == 0 {
                let ours: Vec<Change> = numbers().map(|number| by(id(number), stream(ANN))).collect();
                timed(&mut own, || profile.apply(&ours, 0, &mut fresh_ids())).expect("applied");
            } else {
                let outcome = |number| accepted(number, id(number), position, LOBBY);
                let all: Vec<Change> = numbers().map(outcome).collect();
                timed(&mut outcomes, || profile.apply(&all, 0, &mut fresh_ids())).expect("applied");
            }
        }
        assert!(waiting(&*profile).is_empty());
        report("append of 1,000 operations", append);
        report("outbox_from of 1,000", outbox);
        report("apply of 1,000 entries", entries);
        report("apply of 1,000 own entries", own);
        report("apply of 1,000 outcomes", outcomes);
    });
}

#[test]
#[ignore = "measures, for a release build"]
fn single_ones() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        let (mut append, mut entries) = (vec![], vec![]);
        for number in 1..=1_000_u64 {
            timed(&mut append, || profile.append(&[text(number)])).expect("queued");
            let change = Change::Entry(message(10 + number, LOBBY, 3 + number, BOB));
            timed(&mut entries, || profile.apply(&[change], 0, &mut fresh_ids())).expect("applied");
        }
        report("append of 1", append);
        report("apply of 1", entries);
    });
}

/// A million messages of 100 bytes, of which one in 100,000 has the word: in one room, then spread over a hundred. On a
/// disk: memory holds fewer.
#[cfg(feature = "sqlite")]
#[test]
#[ignore = "measures, for a release build"]
fn a_search_over_a_million_messages() {
    for rooms in [1, 100] {
        let kept = Kept::OnADisk(tempfile::tempdir().expect("a directory"));
        let mut profile = kept.open();
        let heads = (1..=rooms).map(|room| head(RoomId(room), &format!("room{room}"), RoomKind::Public, 0)).collect();
        apply(&mut *profile, &[welcomed(1), Change::FirstHeads { as_of: 10, rooms: heads }]);
        let filler = "lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod ";
        for batch in 0..1_000_u64 {
            let said = |n: u64| {
                let rare = if n.is_multiple_of(100_000) { "Needle" } else { "hay" };
                let body = Bytes::from(format!("{filler} {rare} {n}"));
                let what = Said::Message(wire::Message { body, content_type: String::new() });
                Change::Entry(entry(11 + n, RoomId(1 + n % rooms), 1 + n / rooms, BOB, what))
            };
            apply(&mut *profile, &(batch * 1_000..(batch + 1) * 1_000).map(said).collect::<Vec<_>>());
        }
        let (mut steps, mut from, mut found) = (vec![], Some(SearchFrom::default()), 0);
        while let Some(next) = from {
            let step = timed(&mut steps, || profile.search(&Search::new("needle"), next, 20)).expect("a step");
            found += step.found.len();
            from = step.next;
        }
        assert_eq!(found, 10);
        println!("{rooms} rooms: {:.0} ms for all", steps.iter().sum::<f64>());
        report("one step of a search", steps);
        let mut counts = vec![];
        for room in 1..=rooms {
            timed(&mut counts, || profile.unread(RoomId(room), "ann")).expect("a count");
        }
        report("unread count of a room with all unread", counts);
    }
}

#[test]
#[ignore = "measures, for a release build"]
fn what_waits_for_a_room_beside_a_full_outbox() {
    in_both(|kept| {
        let mut profile = kept.in_lobby();
        for batch in 0..99 {
            profile.append(&(0..1_000).map(|n| text(1 + batch * 1_000 + n)).collect::<Vec<_>>()).expect("queued");
        }
        let (mut none, mut last) = (vec![], vec![]);
        for _ in 0..20 {
            let hall = PendingIn::Public("hall".to_owned());
            timed(&mut none, || profile.pending(&hall, u64::MAX, 200)).expect("pending");
            timed(&mut last, || profile.pending(&PendingIn::Room(LOBBY), u64::MAX, 200)).expect("pending");
        }
        report("pending of a room for which nothing waits, beside 99,000", none);
        report("the last 200 of 99,000", last);
    });
}

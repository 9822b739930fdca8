//! The oracle's checks against a real world that came to rest well, and in which just one thing is wrong: what a log, a
//! profile or the lines say, or what they said before.

use steadfast_proto::ids::OperationId;
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{self, Entry, entry::What as Content};

use super::*;
use crate::plan::{Act, DevicePlan, Plan, Step, VersionPlan, WeatherPlan, What};
use crate::run::rested;
use crate::world::observed::Said as Meant;
use crate::world::tap::Said;

const PRIVATE: usize = 3;

/// Two devices of one account and one of another; a room for all, a private one of both, and one of the first alone.
fn plan() -> Plan {
    let ms = Duration::from_millis;
    let acts = [
        (0, Act::Enter { room: 0 }),
        (1, Act::Enter { room: 0 }),
        (0, Act::Send { room: 0, count: 2, bytes: 40 }),
        (1, Act::Send { room: 0, count: 2, bytes: 40 }),
        (0, Act::CreatePrivate { room: PRIVATE }),
        (0, Act::Send { room: PRIVATE, count: 1, bytes: 40 }),
        (0, Act::Add { room: PRIVATE, account: 1 }),
        (1, Act::Send { room: PRIVATE, count: 2, bytes: 40 }),
        (0, Act::SendTooMuch { room: 0 }),
    ];
    let steps = (1..).zip(acts);
    Plan {
        seed: 7,
        devices: [0, 1, 1].map(|account| DevicePlan { account, version: VersionPlan::Ours }).into(),
        weather: WeatherPlan {
            latency: (ms(1), ms(3)),
            bytes_per_second: None,
            socket_bytes: 64 * 1024,
            piece_bytes_max: usize::MAX,
            device_sync_max: ms(2),
            server_sync_max: ms(2),
            window_bytes: 64 * 1024,
            ring_bytes_max: 1024 * 1024,
            server_version: VersionPlan::Ours,
        },
        steps: steps
            .map(|(second, (device, act))| Step { at: ms(second * 1_000), what: What::Act { device, act } })
            .collect(),
    }
}

fn log_of(world: &mut World) -> Log {
    read_log(world).expect("it can be read")
}

/// The log as it would be if this had been done to it.
fn changed(log: &Log, change: impl FnOnce(&mut Vec<Entry>)) -> Log {
    let mut entries = log.entries().to_vec();
    change(&mut entries);
    Log::of(entries)
}

fn is_message(entry: &&mut Entry) -> bool {
    matches!(entry.what, Some(Content::Message(_)))
}

fn promise_of(checked: Result<(), Broken>) -> Promise {
    let Broken { promise, text } = checked.expect_err("a promise is broken");
    eprintln!("{text}");
    promise
}

/// What each check says of this world with another log than it has.
fn judged(world: &World, oracle: &Oracle, log: &Log) -> Result<(), Broken> {
    log.check()?;
    oracle.ledger.check(world, log)?;
    oracle.wire.check_log(log)?;
    oracle.wire.check_shown(log)?;
    ending::check_profiles(world, log, &oracle.began)
}

#[test]
fn a_log_with_something_wrong_in_it_is_found_out_and_how() {
    let (mut world, oracle) = rested(&plan());
    let log = log_of(&mut world);
    assert_eq!(judged(&world, &oracle, &log), Ok(()));
    let judge = |change: &dyn Fn(&mut Vec<Entry>)| promise_of(judged(&world, &oracle, &changed(&log, change)));
    let nothing = |entry: &mut Entry| (entry.room, entry.room_sequence, entry.id, entry.what) = (0, 0, 0, None);

    assert_eq!(judge(&|entries| nothing(entries.iter_mut().filter(is_message).last().expect("one"))), Promise::Lost);
    let twice = |entries: &mut Vec<Entry>| {
        let again = entries.iter_mut().find(is_message).expect("one").clone();
        let position = entries.len() as u64 + 1;
        let at_ms = entries.last().map_or(0, |last| last.at_ms);
        entries.push(Entry { position, room: 9, room_sequence: 1, at_ms, ..again });
    };
    assert_eq!(judge(&twice), Promise::Doubled);
    let swapped = |entries: &mut Vec<Entry>| {
        let at: Vec<usize> = (0..entries.len())
            .filter(|&index| matches!(entries[index].what, Some(Content::Message(_))) && entries[index].from == "ann")
            .collect();
        let (first, second) = (entries[at[0]].clone(), entries[at[1]].clone());
        (entries[at[0]].id, entries[at[0]].what) = (second.id, second.what);
        (entries[at[1]].id, entries[at[1]].what) = (first.id, first.what);
    };
    assert_eq!(judge(&swapped), Promise::Reordered);
    assert_eq!(judge(&|entries| entries.swap(3, 4)), Promise::Reordered);
    let hole = |entries: &mut Vec<Entry>| entries.iter_mut().filter(is_message).last().expect("one").room_sequence += 1;
    assert_eq!(judge(&hole), Promise::Reordered);
    let altered = |entries: &mut Vec<Entry>| {
        let message = wire::Message { body: "something else".into(), ..Default::default() };
        entries.iter_mut().find(is_message).expect("one").what = Some(Content::Message(message));
    };
    assert_eq!(judge(&altered), Promise::Phantom);
    let anothers =
        |entries: &mut Vec<Entry>| "bob".clone_into(&mut entries.iter_mut().find(is_message).expect("one").from);
    assert_eq!(judge(&anothers), Promise::WrongSender);
    assert_eq!(judge(&|entries| entries.truncate(4)), Promise::AcknowledgedTooEarly);
}

#[test]
fn what_is_shown_to_who_was_no_member_is_found_on_the_way_and_in_the_profile() {
    let (mut world, oracle) = rested(&plan());
    let log = log_of(&mut world);
    let bob = world.devices[1].process.as_ref().expect("it runs").profile.identity().expect("known").account.0;
    // As if the other had never been added.
    let never_added = changed(&log, |entries| {
        for entry in entries.iter_mut() {
            if let Some(Content::Joined(joined)) = &mut entry.what
                && joined.account == bob
                && joined.kind() == wire::RoomKind::Private
            {
                joined.account = 1;
            }
        }
    });
    assert_eq!(promise_of(oracle.wire.check_shown(&never_added)), Promise::Leaked);
    assert_eq!(promise_of(ending::check_profiles(&world, &never_added, &oracle.began)), Promise::Leaked);
}

#[test]
fn a_profile_from_which_something_is_gone_is_found_out() {
    let (mut world, oracle) = rested(&plan());
    let log = log_of(&mut world);
    let there = &world.devices[1].machine;
    let removed = there.run(99, || {
        let profile = rusqlite::Connection::open(there.directory().join("profile.sqlite3"))?;
        profile.execute("DELETE FROM messages WHERE position = (SELECT max(position) FROM messages)", ())
    });
    assert_eq!(removed.expect("nothing dies"), Ok(1));
    let promise = promise_of(ending::check_profiles(&world, &log, &oracle.began));
    assert!(matches!(promise, Promise::HoleNotTold | Promise::Lost), "{promise:?}");
}

#[test]
fn what_was_told_and_is_not_there_after_a_start_was_told_too_early() {
    let (mut world, mut oracle) = rested(&plan());
    let log = log_of(&mut world);
    assert_eq!(oracle.wire.check_log(&log), Ok(()));
    oracle.wire.handle(0, 77, &Said::Welcome { term: 4711, account: 1 });
    assert_eq!(promise_of(oracle.wire.check_log(&log)), Promise::AcknowledgedTooEarly, "a term that is not there");
    oracle.wire.put_back(&log);
    assert_eq!(oracle.wire.check_log(&log), Ok(()), "whoever puts a log back is told so");

    oracle.wire.handle(0, 77, &Said::Acknowledged(1_000));
    assert_eq!(promise_of(oracle.check_started(&mut world, 0)), Promise::AcknowledgedTooEarly);
    oracle.wire.forget(0);
    assert_eq!(oracle.check_started(&mut world, 0), Ok(()));
    oracle.wire.handle(0, 77, &Said::Confirmed(1_000));
    assert_eq!(oracle.wire.check_profile(0, 0, None), Ok(()), "it is not known while what waits has no numbers");
    assert_eq!(promise_of(oracle.check_started(&mut world, 0)), Promise::AcknowledgedTooEarly);
    oracle.wire.forget(0);
    let meant = Meant { body: None, wrong: false };
    oracle.ledger.accepted(0, OperationId(4711), meant, true).expect("it is new");
    assert_eq!(promise_of(oracle.check_started(&mut world, 0)), Promise::Lost);
}

#[test]
fn a_status_that_lies_is_found_on_both_sides() {
    let (mut world, mut oracle) = rested(&plan());
    assert_eq!(oracle.lines.look(&world), Ok(()));
    world.now = world.now + Duration::from_secs(60);
    oracle.lines.look(&world).expect("a line that lives");
    let line = world.devices[0].line.expect("it has one");
    let died = world.now;
    world.lines.get_mut(&line).expect("it is there").dead_since = Some(died);
    let mut look_after = |seconds: u64| {
        world.now = died + Duration::from_secs(seconds);
        oracle.lines.look(&world)
    };
    assert_eq!(look_after(14), Ok(()));
    assert_eq!(promise_of(look_after(16)), Promise::Silent);
    world.devices[0].line = None;
    world.devices[0].process = None;
    let told = oracle.lines.look(&world).expect_err("the server holds it still");
    assert_eq!(told.promise, Promise::Silent);
    assert!(told.text.starts_with("the server"), "{}", told.text);
}

#[test]
fn what_is_not_given_back_and_what_contradicts_itself_is_found() {
    let (mut world, mut oracle) = rested(&plan());
    assert_eq!(ending::check_rest(&world), Ok(()));
    world.devices[2].process = None;
    assert_eq!(promise_of(ending::check_rest(&world)), Promise::Grows);
    world.observed.push(Observed::Contradiction { whose: "device 0".to_owned(), text: "two places".to_owned() });
    assert_eq!(promise_of(oracle.look(&mut world)), Promise::Contradiction);
}

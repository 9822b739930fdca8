//! That each check can fail: a hand-made history that breaks a promise, and the word for it.

use bytes::Bytes;
use steadfast_proto::codec::CodecError;
use steadfast_proto::ids::{AccountId, OperationId, RoomId};
use steadfast_proto::link::LinkError;
use steadfast_proto::session::{Cause, Change};
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{self, Entry, RoomKind, entry::What};
use steadfast_store::profile::{RoomInfo, StoredMessage};

use super::ending::View;
use super::ledger::{Devices, Ledger};
use super::{Broken, Log, Oracle, Promise};
use crate::plan::{Act, DevicePlan, Fault, Machine, Plan, VersionPlan, Ways, draw};
use crate::world::World;
use crate::world::observed::{Observed, Said};

const ANN: u64 = 0xa1;
const ROOM: u64 = 0x10;
const TERM: u64 = 0x7e;

/// Devices that know nothing more; all are Ann's.
struct Quiet;

impl Devices for Quiet {
    fn name(&self, _: usize) -> &str {
        "ann"
    }

    fn is_kept_waiting(&self, _: usize, _: OperationId) -> bool {
        false
    }

    fn has_aside(&self, _: usize, _: OperationId) -> bool {
        false
    }

    fn knows_refused(&self, _: usize, _: OperationId) -> bool {
        false
    }
}

fn entry(position: u64, room: u64, room_sequence: u64, id: u64, what: Option<What>) -> Entry {
    let (account, from) = (ANN, "ann".to_owned());
    Entry { position, room, room_sequence, account, from, id, what, ..Entry::default() }
}

fn message(position: u64, room_sequence: u64, id: u64) -> Entry {
    let body = wire::Message { body: body(id), content_type: String::new() };
    entry(position, ROOM, room_sequence, id, Some(What::Message(body)))
}

fn joined(position: u64, room_sequence: u64, account: u64) -> Entry {
    let kind = RoomKind::Private.into();
    let joined = wire::Joined { account, kind, ..wire::Joined::default() };
    entry(position, ROOM, room_sequence, 0, Some(What::Joined(joined)))
}

fn opened(position: u64) -> Entry {
    entry(position, 0, 0, 0, Some(What::TermOpened(wire::TermOpened { term: TERM })))
}

fn body(id: u64) -> Bytes {
    Bytes::from(format!("message {id}"))
}

fn ledger(accepted: &[u64]) -> Ledger {
    let mut ledger = Ledger::default();
    for &id in accepted {
        let said = Said { body: Some(body(id)), wrong: false };
        ledger.accepted(0, OperationId(id), said, true).expect("ids differ");
    }
    ledger
}

/// Ann is in the room; then come these.
fn log(entries: impl IntoIterator<Item = Entry>) -> Log {
    Log::of([opened(1), joined(2, 1, ANN)].into_iter().chain(entries).collect())
}

fn promise<T: std::fmt::Debug>(judged: Result<T, Broken>) -> Option<Promise> {
    judged.err().map(|broken| broken.promise)
}

fn judged(accepted: &[u64], entries: impl IntoIterator<Item = Entry>) -> Option<Promise> {
    promise(ledger(accepted).check(&Quiet, &log(entries)))
}

#[test]
fn what_is_nowhere_twice_out_of_order_made_up_or_altered_is_found() {
    assert_eq!(judged(&[5, 6], [message(3, 2, 5), message(4, 3, 6)]), None);
    assert_eq!(judged(&[5, 6], [message(3, 2, 5)]), Some(Promise::Lost));
    assert_eq!(judged(&[5], [message(3, 2, 5), message(4, 3, 5)]), Some(Promise::Doubled));
    assert_eq!(judged(&[5, 6], [message(3, 2, 6), message(4, 3, 5)]), Some(Promise::Reordered));
    assert_eq!(judged(&[5], [message(3, 2, 5), message(4, 3, 6)]), Some(Promise::Phantom));
    let altered = Entry { id: 5, ..message(3, 2, 9) };
    assert_eq!(judged(&[5], [altered]), Some(Promise::Phantom));
    let said_twice = [message(3, 2, 5), Entry { id: 6, ..message(4, 3, 5) }];
    assert_eq!(judged(&[5, 6], said_twice), Some(Promise::Phantom));
    let of_bob = Entry { from: "bob".to_owned(), ..message(3, 2, 5) };
    assert_eq!(judged(&[5], [of_bob]), Some(Promise::WrongSender));
}

#[test]
fn a_refusal_that_nobody_was_told_and_one_that_did_not_happen_are_found() {
    let refused = || [entry(3, 0, 0, 5, None)];
    assert_eq!(judged(&[5], refused()), Some(Promise::HoleNotTold));
    let mut told = ledger(&[5]);
    let refusal = wire::Refusal::NotAMember.into();
    told.applied(0, &[Change::Outcome(wire::Outcome { id: 5, position: 3, refusal, ..wire::Outcome::default() })]);
    assert_eq!(promise(told.check(&Quiet, &log(refused()))), None);
    let mut wrong = Ledger::default();
    let said = Said { body: Some(body(5)), wrong: true };
    wrong.accepted(0, OperationId(5), said, true).expect("the first");
    assert_eq!(promise(wrong.check(&Quiet, &log([message(3, 2, 5)]))), Some(Promise::Phantom));
}

#[test]
fn holes_in_positions_and_rooms_and_time_that_goes_back_are_found() {
    let check = |entries: Vec<Entry>| promise(log(entries).check());
    assert_eq!(check(vec![message(3, 2, 5)]), None);
    assert_eq!(check(vec![message(4, 2, 5)]), Some(Promise::Reordered));
    assert_eq!(check(vec![message(3, 3, 5)]), Some(Promise::Reordered));
    let later = Entry { at_ms: 9, ..message(3, 2, 5) };
    assert_eq!(check(vec![later, Entry { at_ms: 8, ..message(4, 3, 6) }]), Some(Promise::Reordered));
}

fn stored(entry: &Entry) -> StoredMessage {
    StoredMessage {
        room: RoomId(entry.room),
        room_sequence: entry.room_sequence,
        position: entry.position,
        account: AccountId(entry.account),
        author: entry.from.clone(),
        id: OperationId(entry.id),
        sequence: entry.sequence,
        at_ms: entry.at_ms,
        composed_at_ms: 0,
        what: steadfast_store::profile::What::Message { body: body(entry.id), content_type: String::new() },
    }
}

fn room(base: u64, last: u64) -> RoomInfo {
    let (name, kind) = ("room".to_owned(), RoomKind::Private);
    RoomInfo { room: RoomId(ROOM), name, kind, member: true, base, last: Some(last), readable_from: 1 }
}

#[test]
fn a_profile_with_a_hole_with_less_with_more_and_with_what_is_not_for_it_is_found() {
    let (first, second) = (message(3, 2, 5), message(4, 3, 6));
    let log = log([first.clone(), second.clone()]);
    let (by_room, audience) = (log.by_room(), log.audience());
    let view = |account| View { number: 0, account, began: 0, is_behind: false, log: &by_room, audience: &audience };
    let [first, second] = [stored(&first), stored(&second)];
    assert_eq!(promise(view(ANN).check_message(&first)), None);
    assert_eq!(promise(view(0xb0).check_message(&first)), Some(Promise::Leaked));
    let unknown = StoredMessage { room_sequence: 9, ..first.clone() };
    assert_eq!(promise(view(ANN).check_message(&unknown)), Some(Promise::Phantom));
    let moved = StoredMessage { position: 4, ..first.clone() };
    assert_eq!(promise(view(ANN).check_message(&moved)), Some(Promise::Phantom));
    assert_eq!(promise(view(ANN).check_room(&room(1, 3), &[first.clone(), second.clone()])), None);
    assert_eq!(promise(view(ANN).check_room(&room(1, 3), &[second])), Some(Promise::HoleNotTold));
    assert_eq!(promise(view(ANN).check_room(&room(1, 2), &[first])), Some(Promise::Lost));
    assert_eq!(promise(view(ANN).check_all_rooms(&[], 4)), Some(Promise::Lost));
}

#[test]
fn a_line_that_is_given_up_for_nothing_is_found_on_both_sides() {
    let now = Instant::from_nanos(1);
    let mut lines = super::Lines::default();
    let lost = |disturbed| Observed::Lost { device: 0, cause: Cause::Silent { for_ms: 3_000 }, disturbed };
    assert_eq!(promise(lines.handle(now, &lost(true))), None);
    assert_eq!(promise(lines.handle(now, &lost(false))), Some(Promise::FalseAlarm));
    let slept = Observed::Lost { device: 0, cause: Cause::WokeFromSleep, disturbed: false };
    assert_eq!(promise(lines.handle(now, &slept)), Some(Promise::FalseAlarm));
    let cause = Cause::from(LinkError::Codec(CodecError::BadChecksum));
    let contradicted = Observed::Lost { device: 0, cause, disturbed: false };
    assert_eq!(promise(lines.handle(now, &contradicted)), Some(Promise::FalseAlarm));
    assert_eq!(promise(lines.handle(now, &Observed::ProfileRestored { device: 0 })), None);
    assert_eq!(promise(lines.handle(now, &contradicted)), None);
    assert_eq!(promise(lines.handle(now, &slept)), Some(Promise::FalseAlarm));
    assert_eq!(promise(lines.handle(now, &Observed::LetGo { device: 0, disturbed: false })), Some(Promise::FalseAlarm));
}

/// A world with one device that is online.
fn one_online() -> (World, Oracle) {
    let devices = vec![DevicePlan { account: 0, version: VersionPlan::Ours }];
    let plan = Plan { devices, steps: Vec::new(), ..draw(1) };
    let (mut world, mut oracle) = (World::new(&plan), Oracle::default());
    world.act(0, &Act::Enter { room: 0 });
    world.run_for(Duration::from_secs(5));
    assert!(world.devices[0].is_online());
    assert_eq!(promise(oracle.look(&mut world)), None);
    (world, oracle)
}

#[test]
fn a_device_that_gives_up_a_good_line_of_its_own_accord_is_found() {
    let (mut world, mut oracle) = one_online();
    world.run_for(Duration::from_secs(60));
    assert_eq!(promise(oracle.look(&mut world)), None);
    let there = &mut world.devices[0];
    let clock = there.machine.clock(world.now);
    // As if it could not read what came.
    there.process.as_mut().expect("it runs").session.handle_bytes(clock, &[0xff; 64]);
    world.drive_device(0);
    assert_eq!(promise(oracle.look(&mut world)), Some(Promise::FalseAlarm));
}

#[test]
fn a_server_that_gives_up_a_good_line_for_what_came_by_it_is_found() {
    let (mut world, mut oracle) = one_online();
    world.run_for(Duration::from_secs(60));
    assert_eq!(promise(oracle.look(&mut world)), None);
    let line = world.devices[0].line.expect("it is online");
    world.server_bytes(line, &[0xff; 64]);
    assert_eq!(promise(oracle.look(&mut world)), Some(Promise::FalseAlarm));
}

#[test]
fn a_sleep_is_an_excuse_for_the_other_end_that_gives_the_line_up_and_none_for_its_own() {
    let (mut world, _) = one_online();
    world.run_for(Duration::from_secs(60));
    let line = world.devices[0].line.expect("it is online");
    let excused = |world: &World| [Machine::Server, Machine::Device(0)].map(|end| world.may_be_silent(line, end));
    assert_eq!(excused(&world), [false, false]);
    world.fail(&Fault::Sleep { whose: Machine::Device(0), lasts: Duration::from_secs(5) });
    assert_eq!(excused(&world), [true, false]);
    world.fail(&Fault::Silence { device: 0, ways: Ways::Up });
    assert_eq!(excused(&world), [true, true]);
}

#[test]
fn a_device_whose_lines_die_young_is_tried_often_enough_to_tell_and_not_too_often() {
    let (mut world, mut oracle) = one_online();
    let lasts = Duration::from_secs(120);
    world.fail(&Fault::Flap { device: 0, after: Duration::from_millis(900), lasts });
    world.run_for(lasts);
    assert_eq!(promise(oracle.look(&mut world)), None);
    let bites = world.settled_bites();
    assert!(bites.kinds().any(|kind| kind == ("lines that die young", 1, 1)));
    let tries = world.devices[0].tries.iter().flatten().count();
    assert!(tries > 5, "{tries} tries");
    assert_eq!(promise(super::Lines::check_tries(&world)), None);
}

#[test]
fn a_status_that_says_online_long_after_its_line_died_is_found() {
    let (mut world, mut oracle) = one_online();
    world.fail(&Fault::Silence { device: 0, ways: Ways::Both });
    assert_eq!(promise(oracle.look(&mut world)), None);
    // Time passes, and nothing is done in the world.
    world.now = world.now + Duration::from_secs(16);
    assert_eq!(promise(oracle.look(&mut world)), Some(Promise::Silent));
}

#[test]
fn a_device_that_tries_without_a_pause_is_found() {
    let (mut world, _) = one_online();
    assert_eq!(promise(super::Lines::check_tries(&world)), None);
    let now = world.now;
    let often = (0..40).map(|number| now + Duration::from_secs(number));
    world.devices[0].tries.push(often.collect());
    assert_eq!(promise(super::Lines::check_tries(&world)), Some(Promise::Herd));
}

#[test]
fn a_device_that_has_neither_what_it_accepted_nor_its_outcome_is_found() {
    let (mut world, mut oracle) = one_online();
    let said = Said { body: None, wrong: false };
    world.observed.push(Observed::Accepted { device: 0, id: OperationId(4_711), said });
    world.observed.push(Observed::DeviceStarted { device: 0 });
    assert_eq!(promise(oracle.look(&mut world)), Some(Promise::Lost));
}

//! `apply` against a naive model: any operations by any devices, in batches that are stored or thrown away.

mod model;

use std::collections::BTreeMap;

use model::{Happened, Model};
use proptest::prelude::*;
use steadfast_proto::codec::Decoder;
use steadfast_proto::hub::{Answer, Changes, Hub, Origin, RowKind, SignUp, State};
use steadfast_proto::ids::{AccountId, DeviceId, LogId, RoomId, Term};
use steadfast_proto::wire::{self, Entry, Op, Refusal, RoomRef, entry::What, frame::Kind, op::Body, room_ref::By};

const LOG: LogId = LogId([7; 16]);
const NAMES: [&str; 6] = ["ann", "Ann", "BOB", "bob", "cy", "no name"];
const ROOMS: [&str; 4] = ["lobby", "Lobby", "den", ""];

/// Raw choices; what they mean depends on what is there when they are made.
#[derive(Clone, Debug)]
struct Step {
    device: u8,
    kind: u8,
    name: usize,
    room: usize,
    back: u64,
    confirm: u64,
    id: u64,
}

#[derive(Clone, Debug)]
struct Batch {
    steps: Vec<Step>,
    thrown_away: bool,
    now_ms: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = (0_u64..12, 0_u64..8, 1_u64..u64::MAX);
    let step = (0_u8..5, any::<u8>(), 0..NAMES.len(), 0_usize..20, numbers).prop_map(
        |(device, kind, name, room, (back, confirm, id))| Step { device, kind, name, room, back, confirm, id },
    );
    proptest::collection::vec(step, 1..16)
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = (steps(), any::<bool>(), 1_000_u64..2_000);
    let batch = batch.prop_map(|(steps, thrown_away, now_ms)| Batch { steps, thrown_away, now_ms });
    proptest::collection::vec(batch, 1..14)
}

/// What a step asks for.
#[derive(Clone, Debug)]
enum Asked {
    SignUp(SignUp),
    Op(DeviceId, Op),
}

#[derive(Clone, Debug, PartialEq)]
enum Answered {
    SignUp(Result<u64, Refusal>),
    Op(Answer),
}

fn device_id(number: u8) -> DeviceId {
    DeviceId([number; 16])
}

/// The one link of a device.
fn origin(number: u8) -> Origin {
    Origin { device: device_id(number), link: u64::from(number) + 1 }
}

fn sign_up(device: u8, name: usize) -> SignUp {
    // An account's id is drawn by its device.
    let account = AccountId(100 + u64::from(device));
    SignUp { name: NAMES[name].to_owned(), device_id: device_id(device), secret_hash: [device; 32], account }
}

fn room_ref(step: &Step, model: &Model) -> Option<RoomRef> {
    let (rooms, private) = (model.rooms(), model.private_rooms());
    let (_, known) = model.device(device_id(step.device));
    let by = match step.room {
        0 => return None,
        1 => By::Room(step.id),
        2..=5 => By::Room(*rooms.get(step.room % rooms.len().max(1))?),
        6..=13 => By::Room(*private.get(step.room % private.len().max(1))?),
        _ => By::EnteredBy(known.values().nth(step.room % known.len().max(1)).copied().unwrap_or(step.id)),
    };
    Some(RoomRef { by: Some(by) })
}

fn asked(step: &Step, model: &Model) -> Asked {
    if step.kind < 30 {
        return Asked::SignUp(sign_up(step.device, step.name));
    }
    let room = || room_ref(step, model);
    let name = NAMES[step.name].to_owned();
    let room_name = ROOMS[step.name % ROOMS.len()].to_owned();
    let body = match step.kind % 16 {
        0..=3 => Body::Send(wire::Send { room: room(), body: vec![step.kind; 9].into(), content_type: String::new() }),
        4..=5 => Body::Enter(wire::Enter { name: room_name }),
        6..=7 => Body::CreatePrivate(wire::CreatePrivate { name: room_name }),
        8 => Body::Direct(wire::Direct { name }),
        9..=11 => Body::Add(wire::Add { room: room(), name }),
        12..=13 => Body::Remove(wire::Remove { room: room(), name }),
        _ => Body::Leave(wire::Leave { room: room() }),
    };
    let (last, known) = model.device(device_id(step.device));
    let (sequence, id) = match step.back {
        // A repeat, with its own id or another.
        0 | 1 => {
            let sequence = last.saturating_sub(step.confirm).max(1);
            (sequence, known.get(&sequence).copied().filter(|_| step.back == 0).unwrap_or(step.id))
        }
        2 => (last + 2 + step.confirm, step.id),
        // An id that some room has.
        3 => (last + 1, model.rooms().get(step.room).copied().unwrap_or(step.id)),
        _ => (last + 1, step.id),
    };
    let confirmed_through = last.saturating_sub(step.confirm * 2);
    Asked::Op(device_id(step.device), Op { sequence, id, confirmed_through, composed_at_ms: 5, body: Some(body) })
}

/// Each device has a link of its own in each round.
fn decide(hub: &Hub, asked: &[Asked], now_ms: u64, round: u64) -> (Vec<Answered>, Changes) {
    let mut draft = hub.draft(now_ms);
    let answers = asked
        .iter()
        .map(|asked| match asked {
            Asked::SignUp(sign_up) => Answered::SignUp(draft.sign_up(sign_up).map(|account| account.0)),
            Asked::Op(device, op) => {
                Answered::Op(draft.apply(Origin { device: *device, link: round * 1_000 + u64::from(device.0[0]) }, op))
            }
        })
        .collect();
    (answers, draft.finish())
}

fn expect(model: &mut Model, asked: &Asked) -> Answered {
    match asked {
        Asked::SignUp(sign_up) => Answered::SignUp(model.sign_up(sign_up)),
        Asked::Op(device, op) => Answered::Op(model.apply(*device, op)),
    }
}

/// What is on the disk.
#[derive(Default)]
struct Disk {
    rows: BTreeMap<(u8, Vec<u8>), (RowKind, Vec<u8>)>,
    terms: Vec<(Term, u64)>,
    entries: Vec<Entry>,
}

impl Disk {
    fn store(&mut self, changes: &Changes) {
        for row in changes.rows() {
            self.rows.insert((row.kind as u8, row.key), (row.kind, row.value));
        }
        if let (Some(term), Some(first)) = (changes.term, changes.entries.first()) {
            self.terms.push((term, first.position));
        }
        let mut decoder = Decoder::default();
        for new in &changes.entries {
            decoder.push(&new.unit);
            match decoder.next_frame().expect("our own frames are good").map(|received| received.kind) {
                Some(Kind::Entry(entry)) => {
                    let room = new.room.map_or((0, 0), |(room, sequence)| (room.0, sequence));
                    assert_eq!((new.position, room), (entry.position, (entry.room, entry.room_sequence)));
                    self.entries.push(entry);
                }
                other => panic!("{other:?} is no entry"),
            }
        }
    }

    fn hub(&self) -> Hub {
        let mut state = State::empty(LOG);
        // In any order: here the last first.
        for (kind, value) in self.rows.values().rev() {
            state.restore_row(*kind, value).expect("our own rows can be read");
        }
        let last_at_ms = self.entries.last().map_or(0, |entry| entry.at_ms);
        state.restore_log(self.terms.clone(), self.entries.len() as u64, last_at_ms);
        Hub::new(state, 1_000)
    }
}

fn name_of(what: Option<&What>) -> &'static str {
    match what {
        None => "nothing",
        Some(What::Message(_)) => "Message",
        Some(What::Joined(_)) => "Joined",
        Some(What::Left(_)) => "Left",
        Some(What::Added(_)) => "Added",
        Some(What::Removed(_)) => "Removed",
        Some(What::DeviceAdded(_)) => "DeviceAdded",
        Some(What::TermOpened(_)) => "TermOpened",
    }
}

/// The whole log is what the model says, and each entry is seen by whom the model says.
fn check_log(disk: &Disk, hub: &Hub, model: &Model) {
    assert_eq!(hub.state().head(), model.log.len() as u64);
    let mut last_at_ms = 0;
    for ((index, entry), happened) in disk.entries.iter().enumerate().zip(&model.log) {
        assert_eq!(entry.position, index as u64 + 1, "positions are dense");
        assert!(entry.at_ms >= last_at_ms, "time went back at {}", entry.position);
        last_at_ms = entry.at_ms;
        let audience = model.accounts().into_iter();
        let sees = |account: &u64| hub.state().sees(AccountId(*account), RoomId(entry.room), entry.position);
        let decided = Happened {
            room: entry.room,
            room_sequence: entry.room_sequence,
            account: entry.account,
            id: entry.id,
            what: name_of(entry.what.as_ref()),
            audience: audience.filter(sees).collect(),
        };
        assert_eq!(&decided, happened, "at {}", entry.position);
    }
}

/// A hub and a model with an open log and three people.
fn opened(disk: &mut Disk) -> (Hub, Model) {
    let (mut hub, mut model) = (disk.hub(), Model::default());
    let mut draft = hub.draft(1_500);
    draft.open_term(Term(9));
    model.open_term();
    for (device, name) in [(0, 0), (1, 2), (2, 4)] {
        draft.sign_up(&sign_up(device, name)).expect("nobody has this name");
        model.sign_up(&sign_up(device, name)).expect("nobody has this name");
    }
    let changes = draft.finish();
    disk.store(&changes);
    hub.commit(&changes);
    (hub, model)
}

fn run(batches: &[Batch]) {
    let mut disk = Disk::default();
    let (mut hub, mut model) = opened(&mut disk);
    for (number, batch) in batches.iter().enumerate() {
        for (account, device) in model.link() {
            let incarnation = wire::Incarnation { link: number as u64 + 1, ..wire::Incarnation::default() };
            hub.attach(account, device, incarnation, None).expect("a newer link");
        }
        let mut ahead = model.clone();
        let (mut wanted, mut expected) = (Vec::new(), Vec::new());
        for step in &batch.steps {
            let asked = asked(step, &ahead);
            expected.push(expect(&mut ahead, &asked));
            wanted.push(asked);
        }
        let (answers, changes) = decide(&hub, &wanted, batch.now_ms, number as u64);
        for (index, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
            assert_eq!(answer, expected, "to {:?}", wanted[index]);
        }
        // Decided again, and decided by a server that was started from the disk: the same, to the byte.
        for other in [&hub, &disk.hub()] {
            let (again, same) = decide(other, &wanted, batch.now_ms, number as u64);
            assert_eq!(again, answers);
            assert_eq!(same.entries, changes.entries);
            assert_eq!(same.rows(), changes.rows());
        }
        if !batch.thrown_away {
            disk.store(&changes);
            hub.commit(&changes);
            model = ahead;
        }
        check_log(&disk, &hub, &model);
        check_log(&disk, &disk.hub(), &model);
        assert_eq!(format!("{:?}", hub.state()), format!("{:?}", disk.hub().state()), "the state as its rows tell it");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_asked_in_whatever_batches_is_decided_as_the_model_says_and_the_same_again(batches in batches()) {
        run(&batches);
    }
}

fn op(sequence: u64, confirmed_through: u64, body: Body) -> Op {
    Op { sequence, id: 1_000 + sequence, confirmed_through, composed_at_ms: 5, body: Some(body) }
}

fn enter(name: &str) -> Body {
    Body::Enter(wire::Enter { name: name.to_owned() })
}

#[test]
fn a_repeat_gets_the_same_answer_until_it_is_confirmed_and_is_settled_from_then_on() {
    let (hub, _) = opened(&mut Disk::default());
    let mut draft = hub.draft(0);
    let first = draft.apply(origin(0), &op(1, 0, enter("lobby")));
    let refused = draft.apply(origin(0), &op(2, 0, enter("")));
    assert!(matches!(refused, Answer::Outcome(outcome) if outcome.refusal() == Refusal::NameInvalid));
    assert_eq!(draft.apply(origin(0), &op(2, 0, enter(""))), refused);
    // What it asks for now counts for nothing: the number is used up.
    assert_eq!(draft.apply(origin(0), &op(2, 0, enter("den"))), refused);
    assert_eq!(draft.apply(origin(0), &op(1, 0, enter("lobby"))), first);
    let settled = Answer::Settled(wire::Settled { sequence: 1, last_sequence: 2 });
    assert_eq!(draft.apply(origin(0), &op(1, 1, enter("lobby"))), settled);
    // This link is of a profile that was rolled back: nothing more is taken from it.
    let settled = |sequence| Answer::Settled(wire::Settled { sequence, last_sequence: 2 });
    assert_eq!(draft.apply(origin(0), &op(2, 1, enter(""))), settled(2));
    assert_eq!(draft.apply(origin(0), &op(3, 1, enter("den"))), settled(3));
}

#[test]
fn an_operation_behind_a_gap_changes_nothing() {
    let (hub, _) = opened(&mut Disk::default());
    let mut draft = hub.draft(0);
    let hold = wire::Hold { from_sequence: 1, cause: wire::HoldCause::Gap.into(), retry_after_ms: 0 };
    assert_eq!(draft.apply(origin(0), &op(2, 0, enter("lobby"))), Answer::Hold(hold));
    assert_eq!(draft.finish().entries, []);
}

#[test]
fn two_who_enter_one_name_in_other_letters_are_in_one_room() {
    let (hub, _) = opened(&mut Disk::default());
    let mut draft = hub.draft(0);
    let room = |answer: Answer| match answer {
        Answer::Outcome(outcome) => outcome.room,
        other => panic!("{other:?}"),
    };
    let here = room(draft.apply(origin(0), &op(1, 0, enter("Zoë"))));
    let mut second = op(1, 0, enter("ZOE\u{308}"));
    second.id = 77;
    assert_eq!(room(draft.apply(origin(1), &second)), here);
}

#[test]
fn of_a_room_that_everybody_left_no_more_is_known_than_after_a_restart() {
    let mut disk = Disk::default();
    let (mut hub, _) = opened(&mut disk);
    let mut draft = hub.draft(0);
    let Answer::Outcome(entered) = draft.apply(origin(0), &op(1, 0, enter("lobby"))) else { panic!("no outcome") };
    let room = Some(RoomRef { by: Some(By::Room(entered.room)) });
    draft.apply(origin(0), &op(2, 0, Body::Leave(wire::Leave { room })));
    let changes = draft.finish();
    disk.store(&changes);
    hub.commit(&changes);
    assert_eq!(hub.state().member_count(RoomId(entered.room)), 0);
    assert_eq!(format!("{:?}", hub.state()), format!("{:?}", disk.hub().state()));
}

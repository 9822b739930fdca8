//! PROTOCOL.md is true: its vectors, lanes, causes and limits are those of the code.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use steadfast_proto::codec::{self, CodecError};
use steadfast_proto::session::cause::{NextStep, PeerReason, ProtocolFault};
use steadfast_proto::session::{Cause, Schedule};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::*;
use steadfast_proto::{hub, link, names, session};

use document::*;
use frame::Kind;

const WIRE: &str = include_str!("../../../../proto/steadfast/v1/wire.proto");

#[test]
fn every_whole_frame_of_the_document_is_what_the_code_encodes_and_decodes() {
    let built: BTreeMap<_, _> =
        [handshake(), line(), operations(), entries(), requests(), people()].into_iter().flatten().collect();
    let told: BTreeMap<_, _> = vectors("Whole frames").into_iter().map(|v| (v.name.clone(), v)).collect();
    assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<_>>(), built.keys().copied().collect());
    for (name, kind) in built {
        let vector = &told[name];
        assert_eq!(hex(&encode(kind.clone())), hex(&vector.bytes), "{name}");
        assert_eq!(decode(&vector.bytes), Ok(Some(kind.clone())), "{name}");
        assert!(vector.meaning.starts_with(codec::name_of(&kind)), "{name} is a {}", codec::name_of(&kind));
    }
}

#[test]
fn every_malformed_vector_gives_the_error_that_the_document_names() {
    let told = vectors("Malformed");
    let names: BTreeSet<&str> = told.iter().map(|vector| error_named(&vector.meaning)).collect();
    let checked = ["BadBody", "BadChecksum", "BadHeader", "BadLength", "UnknownKind", "WrongLane"];
    assert_eq!(names, checked.into(), "TooLarge needs a megabyte: tests/codec.rs has it");
    for vector in told {
        let error = decode(&vector.bytes).expect_err(&vector.name);
        assert_eq!(name_of_error(&error), error_named(&vector.meaning), "{}", vector.name);
    }
}

#[test]
fn the_errors_of_the_codec_are_those_of_the_table_of_checks() {
    let table = table("Frames");
    let checks = table.iter().filter(|row| row.len() == 2).map(|row| row[1].as_str());
    let all = [
        CodecError::BadLength,
        CodecError::BadChecksum,
        CodecError::BadHeader(0),
        CodecError::TooLarge,
        CodecError::BadBody,
        CodecError::BadBody,
        CodecError::UnknownKind(0),
        CodecError::WrongLane { kind: "", lane: codec::Lane::Control },
    ];
    assert!(checks.eq(all.iter().map(name_of_error)));
}

#[test]
fn the_two_part_frame_has_the_lengths_headers_and_checksums_told() {
    let block = block("A frame in two parts");
    let mut body = from_hex(&block.lines().skip(1).collect::<String>());
    body.resize(body.len() + 20_000, 0x5a);
    assert!(DOCUMENT.contains(&format!("{} bytes together", grouped(body.len() as u64))));
    let mut bytes = Vec::new();
    for row in table("A frame in two parts") {
        let rest = body.split_off(number(&row[3]) as usize);
        bytes.extend([from_hex(&row[1]), from_hex(&row[2]), body, from_hex(&row[4])].concat());
        body = rest;
    }
    assert!(body.is_empty(), "the parts hold the whole body");
    assert!(bytes == encode(two_part_entry()));
    assert_eq!(decode(&bytes), Ok(Some(two_part_entry())));
}

#[test]
fn the_lanes_table_holds_every_kind_on_its_lane() {
    let mut told = BTreeMap::new();
    for row in table("Lanes") {
        told.extend(row[2].split(", ").map(|kind| (kind.to_owned(), (row[0].clone(), number(&row[1])))));
    }
    let kinds = every_kind();
    let in_file = WIRE.lines().skip_while(|line| !line.contains("oneof kind")).skip(1);
    let in_file = in_file.take_while(|line| line.contains('=')).filter_map(|line| line.split_whitespace().next());
    assert_eq!(kinds.iter().map(codec::name_of).collect::<BTreeSet<_>>(), in_file.collect());
    assert_eq!(told.len(), kinds.len());
    for kind in &kinds {
        let lane = codec::lane_of(kind);
        let expected = (format!("{lane:?}").to_lowercase(), lane as u64);
        assert_eq!(told.get(codec::name_of(kind)), Some(&expected), "{}", codec::name_of(kind));
    }
}

#[test]
fn the_causes_table_holds_every_cause_and_what_follows_from_it() {
    let told: BTreeMap<_, _> = table("Causes").into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    let code: BTreeMap<_, _> = every_cause(0).iter().zip(every_cause(5_000)).map(follow).collect();
    assert_eq!(told, code);
}

#[test]
fn every_reason_of_a_farewell_is_in_its_table() {
    let rows = table("Handshake");
    let reasons = rows.iter().filter(|row| ["client", "server"].contains(&row[1].as_str()));
    let told: BTreeSet<_> = reasons.map(|row| format!("BYE_REASON_{}", row[0])).collect();
    let code = every_reason().map(|reason| reason.as_str_name().to_owned());
    assert_eq!(told, code.filter(|name| name != "BYE_REASON_UNSPECIFIED").collect());
}

#[test]
fn every_limit_of_the_document_is_the_constant_that_it_names() {
    let rows = table("Limits");
    let mut public = public_limits();
    for row in &rows {
        let [limit, value, _, constant, file] = &row[..] else { panic!("five columns: {row:?}") };
        let told: Vec<u64> = value.split(" to ").map(number).collect();
        match public.remove(&(constant.as_str(), file.as_str())) {
            Some(code) => assert_eq!(told, [code], "{limit}"),
            None => assert_eq!(told, constant_in_source(file, constant), "{limit}"),
        }
    }
    assert!(public.is_empty(), "not in the document: {public:?}");
}

// ---- what the vectors mean

type Built = Vec<(&'static str, Kind)>;

const LOBBY: u64 = 0x1111_2222_3333_4444;

fn handshake() -> Built {
    let log_id = || bytes(0xc0, 16);
    let place = Place { position: 300, term: 0x0102_0304_0506_0708 };
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        log_id: log_id(),
        place: Some(place),
        told: Some(Place { position: 301, ..place }),
        confirmed_through: 4,
        credentials: Some(Credentials {
            name: "ann".into(),
            device_id: bytes(0x10, 16),
            secret: bytes(0x20, 32),
            account: 0xa1,
        }),
        incarnation: Some(Incarnation { process_start_ms: 1_700_000_000_000, process: 0xbeef, link: 2 }),
        idle_bound_ms: 15_000,
        active_bound_ms: 3_000,
        window_bytes: 262_144,
        program: "x/1".into(),
        ..Hello::default()
    };
    let welcome = Welcome {
        version: 1,
        log_id: log_id(),
        term: 0x0102_0304_0506_0708,
        account: 0xa1,
        name: "ann".into(),
        window_bytes: 262_144,
        now_ms: 1_700_000_000_500,
        last_sequence: 4,
        ..Welcome::default()
    };
    let term = |term, first_position| TermStart { term, first_position };
    let terms = vec![term(0x01, 1), term(0x09, 51)];
    let bye = Bye { reason: ByeReason::Draining.into(), text: "the server stops".into(), retry_after_ms: 500 };
    vec![
        ("hello", Kind::Hello(hello)),
        ("welcome", Kind::Welcome(welcome)),
        ("diverged", Kind::Diverged(Diverged { log_id: log_id(), terms, last_sequence: 3, head: 60 })),
        ("continue", Kind::Continue(Continue { position: 50, confirmed_through: 3 })),
        ("bye", Kind::Bye(bye)),
    ]
}

fn line() -> Built {
    vec![
        ("ack", Kind::Ack(Ack { position: 300, stream_bytes: 5 })),
        ("ping", Kind::Ping(Ping { number: 1, frames_before: 3, bytes_before: 500 })),
        ("pong", Kind::Pong(Pong { number: 1, frames_before: 0, bytes_before: 0 })),
    ]
}

fn operations() -> Built {
    let op = |sequence, id, body| Op { sequence, id, confirmed_through: 4, composed_at_ms: 1_700_000_000_000, body };
    let enter = op::Body::Enter(Enter { name: "lobby".into() });
    let send =
        |by| op::Body::Send(Send { room: Some(RoomRef { by: Some(by) }), body: "hello".into(), ..Send::default() });
    let accepted = Outcome { sequence: 5, id: LOBBY, position: 302, room: LOBBY, refusal: 0 };
    let refusal = Refusal::NotAMember.into();
    let refused = Outcome { sequence: 6, id: 0x0c, position: 304, room: 0, refusal };
    let hold = Hold { from_sequence: 6, cause: HoldCause::DiskFull.into(), retry_after_ms: 1_000 };
    vec![
        ("op_enter", Kind::Op(op(5, LOBBY, Some(enter)))),
        ("op_send_entered_by", Kind::Op(op(6, 0x0c, Some(send(room_ref::By::EnteredBy(LOBBY)))))),
        ("op_send_room", Kind::Op(op(6, 0x0c, Some(send(room_ref::By::Room(LOBBY)))))),
        ("outcomes", Kind::Outcomes(Outcomes { outcomes: vec![accepted, refused] })),
        ("hold", Kind::Hold(hold)),
        ("settled", Kind::Settled(Settled { sequence: 5, last_sequence: 7 })),
    ]
}

fn entries() -> Built {
    let message = Message { body: "hello".into(), content_type: String::new() };
    let joined = Joined {
        account: 0xa1,
        name: "ann".into(),
        room_name: "lobby".into(),
        kind: RoomKind::Public.into(),
        ..Joined::default()
    };
    let entry = |position, room_sequence, id, what| Entry {
        position,
        room: LOBBY,
        room_sequence,
        account: 0xa1,
        from: "ann".into(),
        id,
        sequence: room_sequence + 4,
        at_ms: 1_700_000_000_600,
        composed_at_ms: 1_700_000_000_000,
        what: Some(what),
    };
    let name = "lobby".into();
    let head = Head { room: LOBBY, name, kind: RoomKind::Public.into(), room_sequence: 2, readable_from: 1 };
    vec![
        ("entry_joined", Kind::Entry(entry(302, 1, LOBBY, entry::What::Joined(joined)))),
        ("entry_message", Kind::Entry(entry(304, 2, 0x0c, entry::What::Message(message)))),
        ("heads", Kind::Heads(Heads { as_of: 310, rooms: vec![head], more: false })),
        ("through", Kind::Through(Through { position: 310, number: 7 })),
    ]
}

fn requests() -> Built {
    let history = History { number: 8, room: LOBBY, from_sequence: 1, to_sequence: 50 };
    let page = HistoryPage { number: 8, room: LOBBY, as_of: 310, ..HistoryPage::default() };
    let text = "too many requests are open".into();
    vec![
        ("sync", Kind::Sync(Sync { number: 7 })),
        ("history", Kind::History(history)),
        ("history_page_empty", Kind::HistoryPage(page)),
        ("failed", Kind::Failed(Failed { number: 9, error: RequestError::Busy.into(), text })),
    ]
}

fn people() -> Built {
    let member = Member { account: 0xa1, name: "ann".into(), online: true, delivered: 304 };
    let members = vec![member];
    let page = MembersPage { number: 10, room: LOBBY, as_of: 310, total: 2, members, next_after: 0xa1 };
    let room = PublicRoom { room: LOBBY, name: "lobby".into(), members: 2, room_sequence: 2 };
    let told = Signal {
        room: LOBBY,
        account: 0xa1,
        name: "ann".into(),
        presence: Presence::Online.into(),
        typing_ms: 4_900,
        delivered: 304,
        as_of: 310,
    };
    vec![
        ("members", Kind::Members(Members { number: 10, room: LOBBY, after_account: 0 })),
        ("members_page", Kind::MembersPage(page)),
        ("rooms", Kind::Rooms(Rooms { number: 11, after_name: "attic".into() })),
        ("rooms_page", Kind::RoomsPage(RoomsPage { number: 11, rooms: vec![room], more: false })),
        ("watch", Kind::Watch(Watch { rooms: vec![LOBBY, 0x4c] })),
        ("signal", Kind::Signal(told)),
        ("signal_of_a_client", Kind::Signal(Signal { room: LOBBY, ..Signal::default() })),
    ]
}

fn two_part_entry() -> Kind {
    let message = Message { body: vec![0x5a; 20_000].into(), content_type: String::new() };
    Kind::Entry(Entry {
        position: 9,
        room: 0x4c,
        room_sequence: 5,
        account: 0xa1,
        id: 0x0c,
        sequence: 7,
        what: Some(entry::What::Message(message)),
        ..Entry::default()
    })
}

/// `count` bytes that rise by one from `first`.
fn bytes(first: u8, count: u8) -> prost::bytes::Bytes {
    (first..first + count).collect::<Vec<u8>>().into()
}

// ---- what the code has

fn every_kind() -> Vec<Kind> {
    vec![
        Kind::Entry(Entry::default()),
        Kind::Op(Op::default()),
        Kind::Outcomes(Outcomes::default()),
        Kind::Ack(Ack::default()),
        Kind::Ping(Ping::default()),
        Kind::Pong(Pong::default()),
        Kind::Through(Through::default()),
        Kind::Hello(Hello::default()),
        Kind::Welcome(Welcome::default()),
        Kind::Diverged(Diverged::default()),
        Kind::Continue(Continue::default()),
        Kind::Bye(Bye::default()),
        Kind::Heads(Heads::default()),
        Kind::Gap(Gap::default()),
        Kind::Hold(Hold::default()),
        Kind::Settled(Settled::default()),
        Kind::History(History::default()),
        Kind::HistoryPage(HistoryPage::default()),
        Kind::Failed(Failed::default()),
        Kind::Cancel(Cancel::default()),
        Kind::Sync(Sync::default()),
        Kind::Members(Members::default()),
        Kind::MembersPage(MembersPage::default()),
        Kind::Rooms(Rooms::default()),
        Kind::RoomsPage(RoomsPage::default()),
        Kind::Watch(Watch::default()),
        Kind::Signal(Signal::default()),
    ]
}

fn every_reason() -> impl Iterator<Item = ByeReason> {
    (0..).map_while(|n| ByeReason::try_from(n).ok())
}

/// One cause of each name; those that can carry a wait carry this one.
fn every_cause(retry_after_ms: u32) -> Vec<Cause> {
    let mut all = vec![Cause::Refused];
    while let Some(next) = all.last().and_then(after) {
        all.push(next);
    }
    all.extend(every_reason().map(|reason| Cause::from_bye(reason, retry_after_ms)));
    all
}

/// The next cause in the order of the enum that a `Bye` does not tell. Has no `_`: a new cause must be put in.
fn after(cause: &Cause) -> Option<Cause> {
    Some(match cause {
        Cause::Refused => Cause::Unreachable,
        Cause::Unreachable => Cause::NetworkDown,
        Cause::NetworkDown => Cause::NameNotFound,
        Cause::NameNotFound => Cause::AddressInvalid,
        Cause::AddressInvalid => Cause::Reset,
        Cause::Reset => Cause::Aborted,
        Cause::Aborted => Cause::TimedOut,
        Cause::TimedOut => Cause::ConnectTimedOut,
        Cause::ConnectTimedOut => Cause::Tls,
        Cause::Tls => Cause::LocalFault,
        Cause::LocalFault => Cause::Other { os_code: None },
        Cause::Other { .. } => Cause::Silent { for_ms: 3_000 },
        Cause::Silent { .. } => Cause::WokeFromSleep,
        Cause::WokeFromSleep => Cause::Hole,
        Cause::Hole => Cause::ProtocolError(ProtocolFault::Codec(CodecError::BadChecksum)),
        Cause::ProtocolError(_) => Cause::HandshakeTimedOut,
        Cause::HandshakeTimedOut => Cause::AnotherServer,
        Cause::AnotherServer => Cause::StoppedByUser,
        Cause::StoppedByUser => Cause::Renumbered,
        Cause::Renumbered => Cause::ClosedByPeer,
        Cause::Bye { reason, .. } => match reason {
            PeerReason::Unspecified
            | PeerReason::Stopped
            | PeerReason::Silent
            | PeerReason::Hole
            | PeerReason::ProtocolError
            | PeerReason::HandshakeTimedOut => return None,
        },
        Cause::ClosedByPeer
        | Cause::Draining { .. }
        | Cause::Overloaded { .. }
        | Cause::Superseded
        | Cause::TakenOver
        | Cause::CredentialsRefused
        | Cause::VersionUnsupported
        | Cause::SignupClosed
        | Cause::NameInvalid => return None,
    })
}

/// The name of a cause and the document's words for what follows: without a wait and with one of five seconds.
fn follow((without, with): (&Cause, Cause)) -> (String, String) {
    let words = match (without.next_step(), with.next_step()) {
        (NextStep::Backoff, NextStep::Wait { ms: 5_000 }) => "wait or backoff",
        (NextStep::Backoff, NextStep::Backoff) => "backoff",
        (NextStep::Now, NextStep::Now) => "now",
        (NextStep::AskUser, NextStep::AskUser) => "ask the user",
        (NextStep::Never, NextStep::Never) => "never",
        other => panic!("{without:?}: the document has no words for {other:?}"),
    };
    (without.name().to_owned(), words.to_owned())
}

fn public_limits() -> BTreeMap<(&'static str, &'static str), u64> {
    let Schedule::Exponential { base, cap } = Schedule::default() else { panic!("the default is exponential") };
    [
        (("PART_BODY_BYTES_MAX", "codec/mod.rs"), codec::PART_BODY_BYTES_MAX as u64),
        (("FRAME_BODY_BYTES_MAX", "codec/mod.rs"), codec::FRAME_BODY_BYTES_MAX as u64),
        (("BODY_BYTES_MAX", "hub/apply.rs"), hub::BODY_BYTES_MAX as u64),
        (("CONTENT_TYPE_BYTES_MAX", "hub/apply.rs"), hub::CONTENT_TYPE_BYTES_MAX as u64),
        (("NAME_BYTES_MAX", "names.rs"), names::NAME_BYTES_MAX as u64),
        (("OPERATIONS_IN_FLIGHT_MAX", "session/outbox.rs"), session::OPERATIONS_IN_FLIGHT_MAX),
        (("WINDOW_BYTES", "session/settings.rs"), session::WINDOW_BYTES.into()),
        (("IDLE_BOUND", "link/liveness.rs"), ms(link::IDLE_BOUND)),
        (("ACTIVE_BOUND", "link/liveness.rs"), ms(link::ACTIVE_BOUND)),
        (("HANDSHAKE_TIMEOUT", "link/mod.rs"), ms(link::HANDSHAKE_TIMEOUT)),
        (("RETRY_AFTER_MAX_MS", "session/cause.rs"), session::cause::RETRY_AFTER_MAX_MS.into()),
        (("Schedule::default().base", "session/settings.rs"), ms(base)),
        (("Schedule::default().cap", "session/settings.rs"), ms(cap)),
    ]
    .into()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("limits are short")
}

/// A private constant, as its line in the source says: a number or both ends of a range; durations in milliseconds.
fn constant_in_source(file: &str, constant: &str) -> Vec<u64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let start = format!("const {constant}: ");
    let line = source.lines().find(|line| line.contains(&start)).unwrap_or_else(|| panic!("no {constant} in {file}"));
    let (_, value) = line.split_once(" = ").expect("a constant has a value");
    value.trim_end_matches(';').split("..=").map(product).collect()
}

/// `16 * 1024`, or `Duration::from_secs(10)`.
fn product(expression: &str) -> u64 {
    let (factor, numbers) = match expression.trim_end_matches(')').split_once('(') {
        Some(("Duration::from_secs", seconds)) => (1_000, seconds),
        Some(("Duration::from_millis", millis)) => (1, millis),
        Some(other) => panic!("can't read {other:?}"),
        None => (1, expression),
    };
    numbers.split('*').map(|n| number(n.trim())).product::<u64>() * factor
}

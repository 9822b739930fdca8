//! What a session may do, by what it does: what leaves, what is to be stored, what is answered.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use steadfast_proto::codec::Decoder;
use steadfast_proto::session::{Change, OPERATIONS_IN_FLIGHT_MAX, Reply, Request};
use steadfast_proto::wire::frame::Kind;

use super::WINDOW_BYTES;

/// What may leave before Welcome, besides Hello.
const FIRST_FLIGHT_BYTES_MAX: u64 = 64 * 1_024;
/// Frames that say where it stands and wait for the disk, at most: each is worth at least this many bytes of window.
const STREAM_FRAME_BYTES_MIN: usize = 6;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Watching {
    decoder: Decoder,
    greeted: bool,
    said_bye: bool,
    /// The histories parted on this link.
    diverged: bool,
    first_flight_bytes: u64,
    /// Bytes of the entries lane that came on this link, and those that were acknowledged.
    stream_bytes: u64,
    acknowledged: u64,
    /// Requests of the program that wait for an answer, and those that it gave up.
    open: BTreeMap<u32, Request>,
    cancelled: BTreeSet<u32>,
}

impl Watching {
    /// A new link.
    pub(super) fn opened(&mut self) {
        let (open, cancelled) = (std::mem::take(&mut self.open), std::mem::take(&mut self.cancelled));
        *self = Self { open, cancelled, ..Self::default() };
    }

    /// The server sent this on the entries lane.
    pub(super) fn came(&mut self, bytes: usize) {
        self.stream_bytes += bytes as u64;
    }

    pub(super) fn has_diverged(&self) -> bool {
        self.diverged
    }

    pub(super) fn asked(&mut self, number: u32, request: &Request) {
        assert!(number != 0 && self.open.insert(number, request.clone()).is_none(), "request {number} is open already");
    }

    pub(super) fn cancelled(&mut self, number: u32) {
        self.open.remove(&number);
        self.cancelled.insert(number);
    }

    /// The oldest request that waits.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.open.keys().next().copied()
    }

    /// Each request has one answer, of its kind.
    pub(super) fn answered(&mut self, number: u32, reply: Option<&Reply>) {
        let Some(request) = self.open.remove(&number) else {
            // What it brought may be stored after it was given up.
            return assert!(self.cancelled.remove(&number), "nobody asked {number}");
        };
        let fits = match reply {
            None => true,
            Some(Reply::Done) => matches!(request, Request::Sync | Request::History { .. }),
            Some(Reply::Members(_)) => matches!(request, Request::Members { .. }),
            Some(Reply::Rooms(_)) => matches!(request, Request::Rooms { .. }),
        };
        assert!(fits, "{request:?} is answered by {reply:?}");
    }

    /// What leaves; gives its frames.
    pub(super) fn sent(&mut self, out: &[u8], online: bool, stored: u64) -> Vec<Kind> {
        assert!(!self.said_bye, "something follows Bye");
        self.decoder.push(out);
        let mut kinds = Vec::new();
        while let Some(received) = self.decoder.next_frame().expect("our own frames are good") {
            self.one(&received.kind, received.wire_bytes, online, stored);
            kinds.push(received.kind);
        }
        kinds
    }

    fn one(&mut self, kind: &Kind, wire_bytes: u64, online: bool, stored: u64) {
        assert_eq!(matches!(kind, Kind::Hello(_)), !self.greeted, "Hello comes first, and once: {kind:?}");
        self.greeted = true;
        match kind {
            Kind::Op(op) => {
                assert!(op.sequence > 0 && op.id != 0 && op.body.is_some(), "{op:?}");
                let ahead = op.sequence.checked_sub(op.confirmed_through);
                assert!(ahead.is_some_and(|ahead| (1..=OPERATIONS_IN_FLIGHT_MAX).contains(&ahead)), "{op:?}");
                if !online {
                    self.first_flight_bytes += wire_bytes;
                    assert!(self.first_flight_bytes <= FIRST_FLIGHT_BYTES_MAX, "the first flight is too long");
                }
            }
            Kind::Ack(ack) => {
                assert!(ack.stream_bytes <= self.stream_bytes, "more is acknowledged than came");
                assert!(ack.stream_bytes >= self.acknowledged, "an acknowledgement is taken back");
                assert!(ack.position <= stored, "{ack:?} is said, and {stored} is stored");
                self.acknowledged = ack.stream_bytes;
            }
            Kind::Bye(_) => self.said_bye = true,
            Kind::History(_)
            | Kind::Sync(_)
            | Kind::Members(_)
            | Kind::Rooms(_)
            | Kind::Watch(_)
            | Kind::Continue(_) => {
                assert!(online, "{kind:?} waits for Welcome");
            }
            Kind::Hello(_) | Kind::Ping(_) | Kind::Pong(_) | Kind::Signal(_) => {}
            Kind::Welcome(_)
            | Kind::Diverged(_)
            | Kind::Entry(_)
            | Kind::Heads(_)
            | Kind::Gap(_)
            | Kind::Through(_)
            | Kind::Outcomes(_)
            | Kind::Hold(_)
            | Kind::Settled(_)
            | Kind::HistoryPage(_)
            | Kind::MembersPage(_)
            | Kind::RoomsPage(_)
            | Kind::Failed(_)
            | Kind::Cancel(_) => panic!("a client said {kind:?}"),
        }
    }

    /// What is to be stored together is bounded by the window and by what the client asked for.
    pub(super) fn batch(&mut self, batch: &[Change]) {
        self.diverged |= batch.iter().any(|change| matches!(change, Change::Diverged { .. }));
        let (mut entries, mut entry_bytes, mut outcomes, mut pages, mut others) = (0, 0, 0, 0, 0);
        for change in batch {
            match change {
                Change::Entry(entry) => (entries, entry_bytes) = (entries + 1, entry_bytes + entry.encoded_len()),
                Change::Outcome(_) => outcomes += 1,
                Change::Page(_) => pages += 1,
                Change::Welcomed { .. }
                | Change::FirstHeads { .. }
                | Change::Through { .. }
                | Change::Diverged { .. }
                | Change::Renumbered { .. } => others += 1,
            }
        }
        assert!(entries <= 1 || entry_bytes <= WINDOW_BYTES as usize, "{entries} entries of {entry_bytes} bytes wait");
        let in_flight = OPERATIONS_IN_FLIGHT_MAX as usize;
        assert!(outcomes <= 2 * in_flight, "{outcomes} outcomes wait");
        assert!(pages <= 64, "{pages} pages wait");
        assert!(others <= WINDOW_BYTES as usize / STREAM_FRAME_BYTES_MIN, "{others} changes wait");
    }
}

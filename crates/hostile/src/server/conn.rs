//! A connection, what was sent to it, and what it may be sent.

use std::collections::VecDeque;

use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::hub::connection::Event;
use steadfast_proto::hub::{Connection, Origin};
use steadfast_proto::link;
use steadfast_proto::wire::{self, frame::Kind};

use super::{STEPS_AT_ONE_MOMENT_MAX, World, device};

/// What one call gives, about: what it begins with fits in one part.
const TRANSMIT_BYTES_MAX: usize = 2 * 16_400;
/// Entries of one page, but for one that is larger.
const PAGE_BYTES_MAX: usize = 64 * 1_024;

/// See the module's documentation.
pub(super) struct Conn {
    pub(super) core: Connection,
    /// The device that is behind it, if it greets well.
    pub(super) device: usize,
    /// As of its last word.
    pub(super) origin: Origin,
    pub(super) account: u64,
    /// The place that it named, and where its stream began.
    pub(super) place: Option<u64>,
    pub(super) began_at: u64,
    pub(super) reads: VecDeque<Event>,
    pub(super) submitted: usize,
    pub(super) answers: usize,
    /// Outcomes that are to be sent.
    pub(super) outcomes: VecDeque<wire::Outcome>,
    /// Positions that were sent.
    pub(super) entries: Vec<u64>,
    /// Bytes of the entries lane that were sent, and those that were acknowledged.
    pub(super) stream_bytes: u64,
    acknowledged: u64,
    window_bytes: u64,
    /// Raw bytes came: what they acknowledged is not known.
    pub(super) unknown_credit: bool,
    decoder: Decoder,
    said_bye: bool,
}

impl Conn {
    pub(super) fn new(device_number: usize, world: &World) -> Self {
        let core = Connection::new(link::ACTIVE_BOUND, link::IDLE_BOUND, world.now);
        Self {
            core,
            device: device_number,
            origin: Origin { device: device(device_number), link: 0 },
            account: 0,
            place: None,
            began_at: 0,
            reads: VecDeque::new(),
            submitted: 0,
            answers: 0,
            outcomes: VecDeque::new(),
            entries: Vec::new(),
            stream_bytes: 0,
            acknowledged: 0,
            window_bytes: 0,
            unknown_credit: false,
            decoder: Decoder::default(),
            said_bye: false,
        }
    }

    /// The client says this.
    pub(super) fn say(&mut self, kind: Kind, world: &mut World) {
        match &kind {
            Kind::Ack(ack) if ack.stream_bytes <= self.stream_bytes && self.core.reader().is_some() => {
                self.acknowledged = self.acknowledged.max(ack.stream_bytes);
            }
            _ => {}
        }
        let goes_on = match &kind {
            Kind::Continue(go_on) => Some(go_on.position),
            _ => None,
        };
        let begins = self.take(&crate::speech::bytes_of(kind), world);
        assert!(!begins || self.place == goes_on, "it reads on from {:?}, and named {goes_on:?}", self.place);
    }

    /// Bytes that may say anything.
    pub(super) fn hear(&mut self, bytes: &[u8], world: &mut World) {
        self.unknown_credit = true;
        self.take(bytes, world);
    }

    /// Says whether a `Continue` in it made it begin to read.
    fn take(&mut self, bytes: &[u8], world: &mut World) -> bool {
        let read_already = self.core.reader().is_some();
        self.core.handle_bytes(world.now, bytes, &mut world.hub);
        let begins = self.core.reader().filter(|_| !read_already);
        if let Some(reader) = begins {
            self.place = Some(world.hub.place(reader));
        }
        begins.is_some()
    }

    /// Lets so many pieces leave; says whether any did.
    pub(super) fn transmit(&mut self, world: &mut World, pieces_max: usize) -> bool {
        for piece in 0..pieces_max.min(STEPS_AT_ONE_MOMENT_MAX) {
            let mut out = Vec::new();
            self.core.poll_transmit(world.now, &mut world.hub, &mut out);
            if out.is_empty() {
                return piece > 0;
            }
            assert!(out.len() <= TRANSMIT_BYTES_MAX, "{} bytes at once", out.len());
            self.sent(&out, world);
        }
        assert!(pieces_max < STEPS_AT_ONE_MOMENT_MAX, "it never stops sending");
        true
    }

    /// What left.
    pub(super) fn sent(&mut self, out: &[u8], world: &World) {
        self.decoder.push(out);
        while let Some(received) = self.decoder.next_frame().expect("our own frames are good") {
            assert!(!self.said_bye, "something follows Bye");
            let before = self.stream_bytes;
            if codec::lane_of(&received.kind) == codec::Lane::Entries {
                self.stream_bytes += received.wire_bytes;
            }
            self.one(received.kind, received.wire_bytes, before, world);
        }
    }

    fn one(&mut self, kind: Kind, wire_bytes: u64, before: u64, world: &World) {
        let audience = &world.audience;
        match kind {
            Kind::Welcome(welcome) => {
                self.window_bytes = welcome.window_bytes.into();
                self.account = welcome.account;
            }
            Kind::Heads(heads) => {
                // Who has no place begins where these say.
                self.began_at = self.place.unwrap_or(heads.as_of);
                for head in heads.rooms {
                    assert!(audience.was_member(self.account, head.room), "a room that is not theirs: {head:?}");
                }
            }
            Kind::Entry(entry) => {
                let unacknowledged = before - self.acknowledged.min(before);
                let fits = unacknowledged == 0 || unacknowledged + wire_bytes <= self.window_bytes;
                assert!(fits || self.unknown_credit, "{unacknowledged} bytes wait and {wire_bytes} are sent");
                assert_eq!(world.entries.get(entry.position as usize - 1), Some(&entry), "nobody said this");
                let seen = audience.sees(self.account, entry.room, entry.position);
                assert!(seen, "account {:x} is sent {entry:?}", self.account);
                assert!(
                    entry.position > self.entries.last().copied().unwrap_or(self.began_at),
                    "sent twice: {entry:?}"
                );
                self.entries.push(entry.position);
            }
            Kind::Through(through) => world.has_everything(self, through.position),
            Kind::Outcomes(outcomes) => {
                for outcome in outcomes.outcomes {
                    assert_eq!(Some(outcome), self.outcomes.pop_front(), "outcomes in their order");
                }
            }
            Kind::HistoryPage(page) => self.page(page, world),
            Kind::MembersPage(page) => {
                assert!(audience.may_know_members(self.account, page.room), "{page:?}");
                assert!(page.members.iter().all(|member| audience.is_member(member.account, page.room)), "{page:?}");
            }
            Kind::Signal(signal) => {
                let both = [self.account, signal.account].iter().all(|&one| audience.is_member(one, signal.room));
                assert!(both, "account {:x} is told {signal:?}", self.account);
            }
            Kind::Bye(_) => self.said_bye = true,
            Kind::Diverged(_)
            | Kind::Hold(_)
            | Kind::Settled(_)
            | Kind::Failed(_)
            | Kind::RoomsPage(_)
            | Kind::Ping(_)
            | Kind::Pong(_) => {}
            Kind::Hello(_)
            | Kind::Continue(_)
            | Kind::Op(_)
            | Kind::Ack(_)
            | Kind::History(_)
            | Kind::Cancel(_)
            | Kind::Sync(_)
            | Kind::Members(_)
            | Kind::Rooms(_)
            | Kind::Watch(_)
            | Kind::Gap(_) => panic!("a server said {kind:?}"),
        }
    }

    /// It holds what was said in the room, as far as this account may read it.
    fn page(&self, page: wire::HistoryPage, world: &World) {
        let bytes: usize = page.entries.iter().map(prost::Message::encoded_len).sum();
        assert!(page.entries.len() <= 1 || bytes <= PAGE_BYTES_MAX, "a page of {bytes} bytes");
        assert!(page.entries.is_sorted_by(|a, b| a.room_sequence < b.room_sequence));
        for entry in page.entries {
            assert_eq!(entry.room, page.room);
            assert_eq!(world.entries.get(entry.position as usize - 1), Some(&entry), "nobody said this");
            let readable = world.audience.may_read(self.account, entry.room, entry.position);
            assert!(readable, "account {:x} reads {entry:?}", self.account);
        }
    }
}

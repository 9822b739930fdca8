//! The server's side of one link. Its shell's loop:
//!
//! ```text
//! inputs    handle_bytes (or receive, and take / handle_taken until None) / handle_timeout /
//!           handle_admitted or refuse / handle_answers / handle_chunks / handle_history / handle_woken
//! outputs   poll_event until None, poll_transmit while the socket takes bytes, poll_timeout
//! ```
//!
//! It queues no entries: it pulls them from the hub when its socket takes more, within the client's credit.

mod catchup;
mod ending;
mod greeting;
mod intake;
mod page;
mod people;
mod replies;
mod stream;

pub use catchup::StoredChunk;
pub use ending::Ending;
pub use greeting::{Admission, Greeting, check_hello};
pub use intake::Taken;

use std::collections::VecDeque;

use bytes::Bytes;

use self::catchup::Catchup;
use self::replies::{Of, Replies};
use super::{Answer, Hub, Origin, ReaderId};
use crate::codec::CodecError;
use crate::ids::{AccountId, DeviceId, RoomId};
use crate::link::{Bounds, Link, LinkError, Pinging, Timer};
use crate::time::{Duration, Instant};
use crate::wire::{self, ByeReason, Failed, RequestError, frame::Kind};

/// What one call of `poll_transmit` gives, about.
const TRANSMIT_BYTES: usize = 16 * 1024;
/// What a client may have half sent before its Hello is in.
const STRANGER_BYTES_MAX: u32 = 16 * 1024;
/// The same later: the largest frame that a client may send, unless the server is set to another.
pub const CLIENT_BYTES_MAX: u32 = 128 * 1024;
/// What a server may be set to: every operation that is valid fits.
pub const FRAME_BYTES: std::ops::RangeInclusive<u32> = 66 * 1024..=1024 * 1024;
/// What a client may send before it is admitted.
const EARLY_BYTES_MAX: u64 = 128 * 1024;
/// Pages that one connection may have asked for and not read.
const PAGES_OPEN_MAX: u8 = 4;
/// The window's bounds, whatever the client asks for.
const WINDOW_BYTES: std::ops::RangeInclusive<u32> = 16 * 1024..=1024 * 1024;

/// What a connection wants of its shell.
#[derive(Debug)]
pub enum Event {
    /// Verify this and answer with `handle_admitted` or `refuse`.
    Greeted(Box<wire::Hello>),
    /// Give this operation to the sequencer.
    Submit(Box<wire::Op>),
    /// Read chunks that hold entries of these rooms beyond the place; answer with `handle_chunks`.
    ReadChunks {
        /// The rooms.
        rooms: Vec<RoomId>,
        /// The place.
        after: u64,
    },
    /// Read chunks that hold these entries of a room; answer with `handle_history`.
    ReadHistory(wire::History),
    /// An older link of the same device has to go: wake it.
    Evict(ReaderId),
    /// Somebody watches others: [`Hub::tick_people`] is wanted until it says otherwise.
    Watching,
    /// Close the transport once what `poll_transmit` still gives has left.
    Close(Ending),
}

#[derive(Debug)]
enum Phase {
    /// Waiting for Hello.
    Fresh { frame_bytes_max: u32 },
    /// Hello is being verified; what came behind it waits.
    Greeting(Box<Early>),
    /// The histories parted: operations are dropped until the client says where it goes on.
    Diverged,
    /// Admitted.
    Live(ReaderId),
    /// Said goodbye.
    Closed,
}

/// What came before the client was admitted.
#[derive(Debug, Default)]
struct Early {
    frames: Vec<Kind>,
    bytes: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Connection {
    link: Link,
    phase: Phase,
    account: AccountId,
    device: DeviceId,
    /// The link's number in the hub.
    number: u64,
    greeting: Option<Box<Greeting>>,
    window_bytes: u32,
    /// Bytes of the entries lane sent, and acknowledged as stored.
    stream_sent: u64,
    stream_stored: u64,
    /// Entries that were sent whole.
    entries_sent: u64,
    /// Bytes of the entries lane sent before the last ping.
    stream_at_ping: u64,
    /// The rest of an entry that leaves in several parts.
    rest: Bytes,
    catchup: Option<Box<Catchup>>,
    replies: Option<Box<Replies>>,
    settled: bool,
    pages_open: u8,
    /// The client asked whether we live: a good moment to say how far it has everything.
    through_due: bool,
    through_told: u64,
    /// Nothing while nothing is wanted.
    #[expect(clippy::box_collection, reason = "an idle connection holds no buffer, not even an empty one's 32 bytes")]
    events: Option<Box<VecDeque<Event>>>,
}

impl Connection {
    /// A connection that was accepted now.
    pub fn new(active_bound: Duration, idle_bound: Duration, now: Instant) -> Self {
        let bounds = Bounds { active_bound, idle_bound, pinging: Pinging::There };
        let mut link = Link::new(bounds, now);
        link.set_assembled_bytes_max(STRANGER_BYTES_MAX);
        Self {
            link,
            phase: Phase::Fresh { frame_bytes_max: CLIENT_BYTES_MAX },
            account: AccountId(0),
            device: DeviceId([0; 16]),
            number: 0,
            greeting: None,
            window_bytes: *WINDOW_BYTES.start(),
            stream_sent: 0,
            stream_stored: 0,
            entries_sent: 0,
            stream_at_ping: 0,
            rest: Bytes::new(),
            catchup: None,
            replies: None,
            settled: false,
            pages_open: 0,
            through_due: false,
            through_told: 0,
            events: None,
        }
    }

    /// Replaces what a fresh connection is held to: its largest frame, taken as the nearest value within
    /// [`FRAME_BYTES`], and by when its Hello has to be in.
    pub fn set_limits(&mut self, frame_bytes_max: u32, handshake_until: Instant) {
        if matches!(self.phase, Phase::Fresh { .. }) {
            let frame_bytes_max = frame_bytes_max.clamp(*FRAME_BYTES.start(), *FRAME_BYTES.end());
            self.phase = Phase::Fresh { frame_bytes_max };
            self.link.set_handshake_until(handshake_until);
        }
    }

    /// The account and device, once known.
    pub fn device(&self) -> (AccountId, DeviceId) {
        (self.account, self.device)
    }

    /// Where its operations come from.
    pub fn origin(&self) -> Origin {
        Origin { device: self.device, link: self.number }
    }

    /// The reader in the hub, while there is one; the shell detaches it at the end.
    pub fn reader(&self) -> Option<ReaderId> {
        match self.phase {
            Phase::Live(reader) => Some(reader),
            Phase::Fresh { .. } | Phase::Greeting(_) | Phase::Diverged | Phase::Closed => None,
        }
    }

    /// How many entries were given out for the client, each to its last byte.
    pub fn entries_sent(&self) -> u64 {
        self.entries_sent
    }

    /// The link, for its figures.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What the connection wants next.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.as_mut()?.pop_front();
        if event.is_none() {
            self.events = None;
        }
        event
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> (Instant, Timer) {
        self.link.poll_timeout()
    }

    /// How many bytes the transport still holds, and how fast it was measured to take them.
    pub fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        self.link.liveness_mut().handle_line(queued_bytes, bytes_per_second);
    }

    /// A deadline came.
    pub fn handle_timeout(&mut self, now: Instant, hub: &mut Hub) {
        if let Err(error) = self.link.handle_timeout(now) {
            self.fail(error, hub);
        }
    }

    /// Somebody woke the connection: its rooms may have something, or another link took over.
    pub fn handle_woken(&mut self, hub: &mut Hub) {
        if let Some(reason) = self.reader().and_then(|reader| hub.evicted(reader)) {
            self.say_bye(reason, "another link of this device is connected", 0, hub);
        }
    }

    /// What became of operations, from the sequencer.
    pub fn handle_answers(&mut self, answers: Vec<Answer>) {
        let replies = self.replies.get_or_insert_default();
        for answer in answers {
            match answer {
                Answer::Outcome(outcome) => replies.outcomes.push_back(outcome),
                Answer::Hold(hold) => replies.push_hold(hold),
                Answer::Settled(settled) => {
                    self.settled = true;
                    replies.others.push_back(Kind::Settled(settled));
                }
            }
        }
    }

    /// What `ReadChunks` asked for: everything of those rooms up to `covered_through` is in these.
    pub fn handle_chunks(&mut self, chunks: &[StoredChunk], covered_through: u64, hub: &mut Hub) {
        let (Phase::Live(reader), Some(catchup)) = (&self.phase, &mut self.catchup) else { return };
        let (place, account, state) = (hub.place(*reader), self.account, hub.state());
        let wanted = |room, position| position > place && state.sees(account, room, position);
        if catchup.handle_chunks(chunks, covered_through, wanted).is_err() {
            self.say_bye(ByeReason::Overloaded, "what is stored can't be read", 1_000, hub);
        }
    }

    /// What `ReadHistory` asked for.
    pub fn handle_history(&mut self, asked: &wire::History, chunks: &[StoredChunk], hub: &Hub) {
        let reply = page::build(asked, chunks, hub, self.account);
        // A page counts as open until it has left: who does not read it gets no more.
        self.pages_open -= u8::from(!matches!(reply, Kind::HistoryPage(_))).min(self.pages_open);
        self.replies.get_or_insert_default().others.push_back(reply);
    }

    /// The store could not be read for a request.
    pub fn handle_history_failed(&mut self, number: u32) {
        self.pages_open = self.pages_open.saturating_sub(1);
        self.fail_request(number, RequestError::Store, "the server can't read its store now");
    }

    /// Too many reads wait for the store to take `ReadChunks`: the next `poll_transmit` asks anew.
    pub fn handle_chunks_busy(&mut self) {
        self.catchup = None;
    }

    /// Ends the link with a reason for the peer.
    pub fn say_bye(&mut self, reason: ByeReason, text: &str, retry_after_ms: u32, hub: &mut Hub) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let words = text.to_owned();
        self.link.queue_control(Kind::Bye(wire::Bye { reason: reason.into(), text: words.clone(), retry_after_ms }));
        self.close(Ending::Said { reason, words }, hub);
    }

    /// Appends what should leave now, about 16 KiB at most; nothing if nothing should.
    pub fn poll_transmit(&mut self, now: Instant, hub: &mut Hub, out: &mut Vec<u8>) {
        if self.replies.as_ref().is_some_and(|replies| replies.is_overfull()) {
            self.say_bye(ByeReason::Overloaded, "more was asked for than is read", 1_000, hub);
        }
        let start = out.len();
        if self.link.liveness().is_ping_pending() {
            self.stream_at_ping = self.stream_sent;
        }
        self.link.begin_transmit(now, out);
        let Phase::Live(reader) = self.phase else { return };
        if let Some(replies) = &mut self.replies {
            while out.len() - start < TRANSMIT_BYTES {
                let Some(part) = replies.next() else { break };
                let bytes = self.link.send_encoded(now, &part.bytes, 1, out);
                match part.of {
                    Of::Stream => self.stream_sent += bytes,
                    Of::Page => self.pages_open = self.pages_open.saturating_sub(u8::from(part.last)),
                    Of::Other => {}
                }
            }
            if replies.is_empty() {
                self.replies = None;
            }
        }
        self.pull(now, reader, hub, out, start);
        self.tell_people(now, reader, hub, out, start);
        if self.stream_sent > self.stream_stored {
            self.link.liveness_mut().handle_sent_awaiting(now);
        }
    }

    // ---- inside

    fn want(&mut self, event: Event) {
        self.events.get_or_insert_default().push_back(event);
    }

    fn handle_frame(&mut self, now: Instant, kind: Kind, wire_bytes: u64, hub: &mut Hub) {
        match (&mut self.phase, kind) {
            (Phase::Closed, _) => {}
            (Phase::Fresh { frame_bytes_max }, Kind::Hello(hello)) => {
                self.link.set_assembled_bytes_max(*frame_bytes_max);
                self.phase = Phase::Greeting(Box::default());
                // From here on the server's own work counts, not the client's slowness.
                self.link.end_handshake();
                self.want(Event::Greeted(Box::new(hello)));
            }
            // Also before Hello: a person who was asked whether to log in may go instead.
            (_, Kind::Bye(bye)) => self.close(Ending::Heard(bye.reason()), hub),
            (Phase::Fresh { .. }, _) => self.refuse_frame("the first frame is Hello", hub),
            (_, Kind::Hello(_)) => self.refuse_frame("Hello comes once", hub),
            (Phase::Greeting(early), kind) => {
                early.bytes += wire_bytes;
                early.frames.push(kind);
                if early.bytes > EARLY_BYTES_MAX {
                    self.refuse_frame("too much was sent before Welcome", hub);
                }
            }
            (Phase::Diverged, Kind::Continue(go_on)) => self.handle_continue(go_on.position, hub),
            (Phase::Diverged, _) => {}
            (Phase::Live(reader), kind) => {
                let reader = *reader;
                self.handle_live(now, kind, reader, hub);
            }
        }
    }

    fn handle_live(&mut self, now: Instant, kind: Kind, reader: ReaderId, hub: &mut Hub) {
        match kind {
            Kind::Op(op) => self.handle_op(op, hub),
            Kind::Ack(ack) => {
                if ack.stream_bytes > self.stream_sent {
                    return self.refuse_frame("more was acknowledged than sent", hub);
                }
                if ack.stream_bytes > self.stream_stored {
                    self.stream_stored = ack.stream_bytes;
                    // A pong can't overtake what was sent before its ping.
                    if self.stream_stored <= self.stream_at_ping {
                        self.link.handle_progress(now);
                    }
                }
                hub.acknowledge(reader, ack.position);
            }
            Kind::Sync(sync) => {
                let head = hub.state().head();
                let replies = self.replies.get_or_insert_default();
                if replies.push_sync(sync.number, head).is_err() {
                    self.fail_request(sync.number, RequestError::Busy, "too many requests are open");
                }
                debug_assert!(hub.place(reader) <= head, "a place is never beyond the head");
            }
            Kind::History(history) => {
                if self.pages_open == PAGES_OPEN_MAX {
                    self.fail_request(history.number, RequestError::Busy, "too many requests are open");
                } else if !hub.state().knows(self.account, RoomId(history.room)) {
                    self.fail_request(history.number, RequestError::NoSuchRoom, "there is no such room");
                } else {
                    self.pages_open += 1;
                    self.want(Event::ReadHistory(history));
                }
            }
            Kind::Members(asked) => self.handle_members(&asked, hub),
            Kind::Rooms(asked) => self.handle_rooms(&asked, hub),
            Kind::Watch(watch) => self.handle_watch(&watch, reader, hub),
            Kind::Signal(signal) => hub.handle_typing(now, self.account, RoomId(signal.room)),
            // A page is one read: it is answered before a cancel could reach it.
            Kind::Cancel(_) => {}
            Kind::Continue(_) => self.refuse_frame("Continue answers Diverged", hub),
            Kind::Hello(_) | Kind::Bye(_) | Kind::Ping(_) | Kind::Pong(_) => {}
            Kind::Entry(_)
            | Kind::Outcomes(_)
            | Kind::Through(_)
            | Kind::Welcome(_)
            | Kind::Diverged(_)
            | Kind::Heads(_)
            | Kind::Gap(_)
            | Kind::Hold(_)
            | Kind::Settled(_)
            | Kind::HistoryPage(_)
            | Kind::MembersPage(_)
            | Kind::RoomsPage(_)
            | Kind::Failed(_) => self.refuse_frame("a client sent what only servers send", hub),
        }
    }

    fn handle_op(&mut self, op: wire::Op, hub: &mut Hub) {
        if !self.settled {
            hub.handle_sending(self.account, &op);
            self.want(Event::Submit(Box::new(op)));
        }
    }

    fn close(&mut self, ending: Ending, hub: &mut Hub) {
        if let Some(reader) = self.reader() {
            hub.detach(reader);
        }
        self.phase = Phase::Closed;
        self.want(Event::Close(ending));
    }

    fn fail_request(&mut self, number: u32, error: RequestError, text: &str) {
        let failed = Failed { number, error: error.into(), text: text.to_owned() };
        self.replies.get_or_insert_default().others.push_back(Kind::Failed(failed));
    }

    fn refuse_frame(&mut self, rule: &str, hub: &mut Hub) {
        self.say_bye(ByeReason::ProtocolError, rule, 0, hub);
    }

    fn fail(&mut self, error: LinkError, hub: &mut Hub) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let text = match &error {
            LinkError::Codec(CodecError::TooLarge) => {
                format!("this server takes frames of at most {} bytes", self.link.assembled_bytes_max())
            }
            error => error.to_string(),
        };
        let bye = wire::Bye { reason: error.bye_reason().into(), text, retry_after_ms: 0 };
        self.link.queue_control(Kind::Bye(bye));
        self.close(Ending::Found(error), hub);
    }

    fn settle_awaiting(&mut self) {
        if self.stream_sent == self.stream_stored {
            self.link.liveness_mut().handle_all_answered();
        }
    }
}

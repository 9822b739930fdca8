//! Is the line alive? Only inbound bytes prove it. Everything here is arithmetic on moments that the link brings.
//!
//! Two questions run side by side. *Active*: something that wants an answer has left; after a short silence a ping
//! follows, and a peer that stays silent for the active bound is dead. *Idle*: nothing is asked; the pinging side
//! breaks the silence at 11/15 of the idle bound, the other side lets go at 14/15 and the pinging side at 15/15.

use std::collections::VecDeque;

use super::rtt::Rtt;
use crate::time::{Duration, Instant, wire_ms};

/// The shortest silence after which an unanswered send makes a ping.
const PROBE_DELAY_MIN: Duration = Duration::from_millis(250);
/// The longest one, and the pause between pings.
const PROBE_DELAY_MAX: Duration = Duration::from_secs(1);
/// A deadline that fires later than this was slept through.
const LATE: Duration = Duration::from_millis(500);
/// Bytes a second that a line is taken to carry until it was measured.
const RATE_UNMEASURED: u64 = 8_000;
/// A round trip this much above what was expected is measured again, so that one outage does not widen the bound for
/// long.
const SURPRISE: Duration = Duration::from_millis(250);
/// How often.
const MEASURE_AGAIN: u8 = 8;
/// Pings that are remembered while they wait for their pong.
const PINGS_WAITING_MAX: usize = 64;

/// Which side breaks an idle silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinging {
    /// This side. The factor is the jitter in thousandths, 950 ..= 1050, so that clients do not beat together.
    Here {
        /// Multiplies 11/15 of the idle bound.
        jitter_permille: u16,
    },
    /// The peer.
    There,
}

/// The bounds of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least silence that means death while an answer is due.
    pub active_bound: Duration,
    /// The silence that means death whatever is asked.
    pub idle_bound: Duration,
    /// Who breaks the silence.
    pub pinging: Pinging,
}

/// The default active bound.
pub const ACTIVE_BOUND: Duration = Duration::from_secs(3);
/// The default idle bound.
pub const IDLE_BOUND: Duration = Duration::from_secs(15);

/// Why a link's deadline stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beat {
    /// A ping is due.
    Ping,
    /// An answer was due for the whole active bound.
    DeadActive,
    /// No byte came for the whole idle bound.
    DeadIdle,
    /// Bytes come, but a ping was not answered for the whole idle bound.
    DeadPing,
}

/// What a fired deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was due.
    Wait,
    /// Send a ping.
    Ping,
    /// The deadline was slept through: ping, and judge again after one bound.
    Woke,
    /// Dead, after so long without a byte.
    Dead {
        /// The silence.
        silent_for: Duration,
        /// Whether it follows a wake-up.
        woke: bool,
    },
}

/// What stands on the line before what waits for an answer.
#[derive(Debug, Default)]
struct Queue {
    /// As it was measured last.
    bytes: u32,
    /// The most since the last sign of life: a ping left behind all of it, however much has gone meanwhile.
    bytes_max: u32,
    /// How long that takes at the measured rate; 49 days at most.
    delay_ms: u32,
    /// By how much a new rate has shortened it since a deadline was judged last: that one moved, nobody slept.
    shrunk_ms: u32,
}

impl Queue {
    fn handle_line(&mut self, bytes: u64, bytes_per_second: u64) {
        self.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes_max = self.bytes_max.max(self.bytes);
        let delay_ms = u64::from(self.bytes_max) * 1_000 / bytes_per_second.max(1);
        let delay_ms = u32::try_from(delay_ms).unwrap_or(u32::MAX);
        self.shrunk_ms = self.shrunk_ms.saturating_add(self.delay_ms.saturating_sub(delay_ms));
        self.delay_ms = delay_ms;
    }

    /// What is left counts from here on.
    fn handle_inbound(&mut self) {
        let left_ms = u64::from(self.delay_ms) * u64::from(self.bytes) / u64::from(self.bytes_max.max(1));
        self.delay_ms = u32::try_from(left_ms).unwrap_or(u32::MAX);
        self.bytes_max = self.bytes;
    }
}

/// The state of one link's liveness.
#[derive(Debug)]
pub struct Liveness {
    active_bound_ms: u32,
    idle_bound_ms: u32,
    pinging: Pinging,
    rtt: Rtt,
    last_inbound: Instant,
    last_outbound: Instant,
    /// When the first send left that still waits for its answer.
    awaiting: Option<Instant>,
    /// When the last ping left.
    last_ping: Option<Instant>,
    /// Nothing while no ping waits: most links are idle.
    #[expect(clippy::box_collection, reason = "an idle connection holds no buffer, not even an empty one's 32 bytes")]
    pings_waiting: Option<Box<VecDeque<(u32, Instant)>>>,
    /// A ping was asked for and has not left yet.
    ping_pending: bool,
    woke_at: Option<Instant>,
    /// When the peer last got on with what was sent before the pings that wait.
    progress_at: Option<Instant>,
    /// Pings that are to follow, one a second, because a round trip was surprisingly long.
    measure_again: u8,
    queue: Queue,
}

impl Liveness {
    /// A link that opened now.
    pub fn new(bounds: Bounds, now: Instant) -> Self {
        Self {
            active_bound_ms: wire_ms(bounds.active_bound),
            idle_bound_ms: wire_ms(bounds.idle_bound),
            pinging: bounds.pinging,
            rtt: Rtt::default(),
            last_inbound: now,
            last_outbound: now,
            awaiting: None,
            last_ping: None,
            pings_waiting: None,
            ping_pending: false,
            woke_at: None,
            progress_at: None,
            measure_again: 0,
            queue: Queue::default(),
        }
    }

    /// The measured round trip.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The silence that means death while an answer is due, on this line as it is now.
    pub fn active_bound(&self) -> Duration {
        let measured = Duration::from_secs(1) + self.rtt.upper() + Duration::from_millis(self.queue.delay_ms.into());
        Duration::from_millis(self.active_bound_ms.into()).max(measured).min(self.idle_bound())
    }

    /// The bound in force: active while an answer is due, else idle.
    pub fn bound_in_force(&self) -> Duration {
        if self.first_unanswered().is_some() { self.active_bound() } else { self.idle_death() }
    }

    /// When the last byte came.
    pub fn last_inbound(&self) -> Instant {
        self.last_inbound
    }

    /// Pings that wait for their pong; the count ends at 64.
    pub fn pings_unanswered(&self) -> usize {
        self.pings_waiting.as_ref().map_or(0, |pings| pings.len())
    }

    /// When the first ping left that was answered by nothing, not even another byte.
    pub fn suspected_since(&self) -> Option<Instant> {
        let pings = self.pings_waiting.as_ref()?;
        pings.iter().map(|&(_, left)| left).find(|&left| left >= self.last_inbound)
    }

    /// Replaces the bounds, as the peer announced them.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.active_bound_ms = wire_ms(bounds.active_bound);
        self.idle_bound_ms = wire_ms(bounds.idle_bound);
        self.pinging = bounds.pinging;
    }

    /// Bytes arrived. Those that are read before a deadline that was slept through may have come at any moment of the
    /// sleep.
    pub fn handle_inbound(&mut self, now: Instant) {
        if self.is_overdue(now) {
            self.wake(now);
        }
        self.last_inbound = now;
        self.queue.handle_inbound();
    }

    /// Bytes left; they prove nothing but that the peer hears from us.
    pub fn handle_outbound(&mut self, now: Instant) {
        self.last_outbound = now;
    }

    /// Something left that wants an answer.
    pub fn handle_sent_awaiting(&mut self, now: Instant) {
        self.awaiting.get_or_insert(now);
    }

    /// Nothing that was sent waits for an answer any more. Be that known without a word of the peer since it was asked
    /// whether it lives, it has to answer that as soon as before: no deadline moves back without a sign of life.
    pub fn handle_all_answered(&mut self) {
        if self.suspected_since().is_none() {
            self.awaiting = None;
        }
    }

    /// A ping left.
    pub fn handle_ping_sent(&mut self, number: u32, now: Instant) {
        self.ping_pending = false;
        self.measure_again = self.measure_again.saturating_sub(1);
        self.last_ping = Some(now);
        let waiting = self.pings_waiting.get_or_insert_default();
        if waiting.len() < PINGS_WAITING_MAX {
            waiting.push_back((number, now));
        }
    }

    /// A pong came. Gives whether a ping had asked for it.
    pub fn handle_pong(&mut self, number: u32, now: Instant) -> bool {
        let mut asked = false;
        let Some(pings) = &mut self.pings_waiting else { return false };
        while let Some(&(waiting, left)) = pings.front() {
            if waiting > number {
                break;
            }
            pings.pop_front();
            if waiting == number {
                asked = true;
                let measured = now.since(left);
                let known = self.rtt.smoothed().is_some();
                if known && measured > self.rtt.upper() + SURPRISE {
                    self.measure_again = MEASURE_AGAIN;
                }
                self.rtt.sample(measured);
            }
        }
        if pings.is_empty() {
            self.pings_waiting = None;
        }
        asked
    }

    /// The peer got on with what stands before a ping that waits.
    pub fn handle_progress(&mut self, now: Instant) {
        self.progress_at = Some(now);
    }

    /// How many bytes the transport still holds, and how fast the line was measured to carry them.
    pub fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        self.queue.handle_line(queued_bytes, bytes_per_second.unwrap_or(RATE_UNMEASURED));
    }

    /// A ping is wanted for another reason than a deadline.
    pub fn want_ping(&mut self) {
        self.ping_pending = true;
    }

    /// Whether a ping should leave with the next bytes.
    pub fn is_ping_pending(&self) -> bool {
        self.ping_pending
    }

    /// Whether a loss at this moment belongs to a wake-up, be it one that no deadline has told yet.
    pub fn is_waking(&self, now: Instant) -> bool {
        self.is_overdue(now) || self.has_woken(now)
    }

    fn has_woken(&self, now: Instant) -> bool {
        self.woke_at.is_some_and(|woke| self.last_inbound <= woke && now.since(woke) <= self.active_bound() + LATE)
    }

    /// The next deadline and its reason.
    pub fn poll_timeout(&self) -> (Instant, Beat) {
        let mut next = (self.alive_from() + self.idle_death(), Beat::DeadIdle);
        let mut consider = |at: Option<Instant>, beat: Beat| {
            if let Some(at) = at
                && at < next.0
            {
                next = (at, beat);
            }
        };
        consider(self.active_death(), Beat::DeadActive);
        consider(self.ping_death(), Beat::DeadPing);
        if !self.ping_pending {
            consider(self.idle_ping(), Beat::Ping);
            consider(self.active_ping(), Beat::Ping);
            consider(self.measuring_ping(), Beat::Ping);
        }
        next
    }

    /// Judges the deadline, if it has come.
    pub fn handle_timeout(&mut self, now: Instant) -> Verdict {
        let verdict = self.judge(now);
        self.queue.shrunk_ms = 0;
        verdict
    }

    fn judge(&mut self, now: Instant) -> Verdict {
        let (deadline, beat) = self.poll_timeout();
        if now < deadline {
            return Verdict::Wait;
        }
        if self.is_overdue(now) {
            return self.wake(now);
        }
        match beat {
            Beat::Ping => {
                self.ping_pending = true;
                Verdict::Ping
            }
            Beat::DeadActive | Beat::DeadIdle | Beat::DeadPing => {
                Verdict::Dead { silent_for: now.since(self.last_inbound), woke: self.is_waking(now) }
            }
        }
    }

    /// A deadline of the link's was slept through: ask, and grant one new bound.
    pub(super) fn wake(&mut self, now: Instant) -> Verdict {
        self.woke_at = Some(now);
        self.ping_pending = true;
        Verdict::Woke
    }

    /// Whether the next deadline was slept through.
    fn is_overdue(&self, now: Instant) -> bool {
        now.since(self.poll_timeout().0) > LATE + Duration::from_millis(self.queue.shrunk_ms.into())
    }

    /// The last sign of life, or the wake-up that grants a new bound.
    fn alive_from(&self) -> Instant {
        self.woke_at.map_or(self.last_inbound, |woke| woke.max(self.last_inbound))
    }

    fn first_unanswered(&self) -> Option<Instant> {
        let ping = self.first_ping_waiting();
        match (self.awaiting, ping) {
            (Some(send), Some(ping)) => Some(send.min(ping)),
            (send, ping) => send.or(ping),
        }
    }

    /// When the first ping left that waits for its pong.
    fn first_ping_waiting(&self) -> Option<Instant> {
        self.pings_waiting.as_ref()?.front().map(|&(_, left)| left)
    }

    fn idle_bound(&self) -> Duration {
        Duration::from_millis(self.idle_bound_ms.into())
    }

    fn idle_death(&self) -> Duration {
        match self.pinging {
            Pinging::Here { .. } => self.idle_bound(),
            Pinging::There => self.idle_bound() * 14 / 15,
        }
    }

    fn idle_ping(&self) -> Option<Instant> {
        match self.pinging {
            Pinging::There => None,
            Pinging::Here { jitter_permille } => {
                let pause = self.idle_bound() * 11 / 15 * u32::from(jitter_permille) / 1_000;
                let quiet_since = self.alive_from().min(self.last_outbound);
                Some(self.not_before_pause(quiet_since + pause))
            }
        }
    }

    fn active_ping(&self) -> Option<Instant> {
        let asked = self.first_unanswered()?;
        let delay = self.rtt.upper().clamp(PROBE_DELAY_MIN, PROBE_DELAY_MAX);
        Some(self.not_before_pause(self.alive_from().max(asked) + delay))
    }

    fn measuring_ping(&self) -> Option<Instant> {
        let wanted = self.measure_again > 0 && self.pings_waiting.is_none();
        wanted.then(|| self.not_before_pause(self.alive_from()))
    }

    fn not_before_pause(&self, at: Instant) -> Instant {
        self.last_ping.map_or(at, |left| at.max(left + PROBE_DELAY_MAX))
    }

    fn active_death(&self) -> Option<Instant> {
        let asked = self.first_unanswered()?;
        // A ping that the socket does not take stands behind our own bytes: the bound counts those, so it may run.
        let asked_aloud = self.ping_pending || self.last_ping.is_some_and(|left| left >= self.alive_from());
        asked_aloud.then(|| self.alive_from().max(asked) + self.active_bound())
    }

    fn ping_death(&self) -> Option<Instant> {
        let left = self.first_ping_waiting()?;
        let granted = [self.woke_at, self.progress_at].into_iter().flatten().fold(left, Instant::max);
        Some(granted + self.idle_bound())
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;

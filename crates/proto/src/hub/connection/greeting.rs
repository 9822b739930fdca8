//! The handshake as the server sees it.

use super::{Connection, Event, Phase, WINDOW_BYTES};
use crate::features;
use crate::hub::{Attached, Hub};
use crate::ids::{AccountId, DeviceId, LogId, Place, Term};
use crate::link::{Bounds, Pinging};
use crate::names::NAME_BYTES_MAX;
use crate::session::divergence;
use crate::time::{Duration, Instant};
use crate::wire::{self, ByeReason, Hello, frame::Kind};

/// The versions of the protocol that this server speaks.
const VERSION_MIN: u32 = 1;
const VERSION_MAX: u32 = 1;
/// The optional features that this server knows.
const FEATURES: u64 = features::PEOPLE;
/// The idle bounds that a client may choose.
const IDLE_BOUND_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
/// The shortest active bound that a client may choose.
const ACTIVE_BOUND_MS_MIN: u32 = 500;
/// The longest name of a program.
const PROGRAM_BYTES_MAX: usize = 256;
/// Rooms that one Heads frame lists.
const HEADS_PER_FRAME: usize = 500;

/// What Hello said, checked for form.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The name that the device goes by.
    pub name: String,
    /// The device.
    pub device_id: DeviceId,
    /// Its secret.
    pub secret: [u8; 32],
    /// The account's id, should a sign-up make it.
    pub account: AccountId,
    version: u32,
    features: u64,
    log_id: Option<LogId>,
    place: Option<Place>,
    told: Option<Place>,
    incarnation: wire::Incarnation,
}

/// What the shell found out about who greets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The account that the device belongs to.
    pub account: AccountId,
    /// Over how long clients should spread their return if the server is gone without a word.
    pub return_spread_ms: u32,
    /// The server's wall clock, Unix milliseconds.
    pub now_ms: u64,
}

/// Checks the form of a Hello.
pub fn check_hello(hello: &Hello) -> Result<Greeting, (ByeReason, &'static str)> {
    let broken = |text| (ByeReason::ProtocolError, text);
    if hello.version_min > VERSION_MAX || hello.version_max < VERSION_MIN {
        return Err((ByeReason::VersionUnsupported, "this server speaks version 1 of the protocol"));
    }
    let credentials = hello.credentials.as_ref().ok_or(broken("Hello brings credentials"))?;
    if credentials.name.len() > 4 * NAME_BYTES_MAX {
        return Err((ByeReason::NameInvalid, "a name has at most 64 bytes"));
    }
    if hello.program.len() > PROGRAM_BYTES_MAX {
        return Err(broken("a program's name has at most 256 bytes"));
    }
    let place = |place: &wire::Place| Place { position: place.position, term: Term(place.term) };
    let log_id = match hello.log_id.len() {
        0 => None,
        _ => Some(LogId::from_wire(&hello.log_id).ok_or(broken("a log id has 16 bytes"))?),
    };
    Ok(Greeting {
        name: credentials.name.clone(),
        device_id: DeviceId::from_wire(&credentials.device_id).ok_or(broken("a device id has 16 bytes"))?,
        secret: credentials.secret.as_ref().try_into().map_err(|_| broken("a secret has 32 bytes"))?,
        account: AccountId(credentials.account),
        version: hello.version_max.min(VERSION_MAX),
        features: hello.features & FEATURES,
        log_id,
        place: hello.place.as_ref().map(place),
        told: hello.told.as_ref().map(place),
        incarnation: hello.incarnation.ok_or(broken("Hello names its incarnation"))?,
    })
}

/// Where a client begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// A new device has missed nothing.
    AtHead,
    /// Behind its place.
    Behind(u64),
    /// It did something, and knows no place: it was set back to before its first contact, or died in it. What it did
    /// may wait there still, and is known by what comes.
    FromStart,
}

impl Connection {
    /// Takes what Hello announced for the line itself, before anything is verified.
    pub fn handle_greeting(&mut self, hello: &Hello, greeting: Greeting, active_bound: Duration) {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let idle_bound_ms = hello.idle_bound_ms.clamp(*IDLE_BOUND_MS.start(), *IDLE_BOUND_MS.end());
        let pinging = match hello.pinger() {
            wire::Pinger::Client => Pinging::There,
            wire::Pinger::Server => Pinging::Here { jitter_permille: 1_000 },
        };
        let asked = ms(hello.active_bound_ms.max(ACTIVE_BOUND_MS_MIN));
        let active_bound = if hello.active_bound_ms == 0 { active_bound } else { asked };
        self.link.liveness_mut().set_bounds(Bounds { active_bound, idle_bound: ms(idle_bound_ms), pinging });
        self.window_bytes = hello.window_bytes.clamp(*WINDOW_BYTES.start(), *WINDOW_BYTES.end());
        self.device = greeting.device_id;
        self.greeting = Some(Box::new(greeting));
    }

    /// The credentials are good: welcomes the client and lets it read from its place on, if its history is ours.
    pub fn handle_admitted(&mut self, now: Instant, admission: &Admission, hub: &mut Hub, out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Greeting(_)) {
            return;
        }
        let Some(greeting) = self.greeting.take() else { return };
        self.account = admission.account;
        let state = hub.state();
        let last_sequence = state.device(greeting.device_id).map_or(0, |device| device.last_sequence);
        let welcome = wire::Welcome {
            version: greeting.version,
            features: greeting.features,
            log_id: state.log_id().0.to_vec().into(),
            term: state.term().0,
            account: admission.account.0,
            name: state.account(admission.account).map(|account| account.name.clone()).unwrap_or_default(),
            window_bytes: self.window_bytes,
            return_spread_ms: admission.return_spread_ms,
            now_ms: admission.now_ms,
            last_sequence,
        };
        self.link.send(now, Kind::Welcome(welcome), out);
        let other_log = greeting.log_id.is_some_and(|log_id| log_id != state.log_id());
        let held = |place: Option<Place>| place.is_none_or(|p| divergence::holds(state.terms(), state.head(), p));
        let diverged = other_log || !held(greeting.place) || !held(greeting.told);
        let early = match std::mem::replace(&mut self.phase, Phase::Diverged) {
            Phase::Greeting(early) => early.frames,
            Phase::Fresh { .. } | Phase::Diverged | Phase::Live(_) | Phase::Closed => return,
        };
        if diverged {
            let diverged = wire::Diverged {
                log_id: state.log_id().0.to_vec().into(),
                terms: hub.term_starts(),
                last_sequence,
                head: state.head(),
            };
            self.link.send(now, Kind::Diverged(diverged), out);
            self.greeting = Some(greeting);
            return;
        }
        let begin = match greeting.place {
            Some(place) => Begin::Behind(place.position),
            None if last_sequence == 0 => Begin::AtHead,
            None => Begin::FromStart,
        };
        self.go_live(begin, greeting.incarnation, hub);
        for kind in early {
            self.handle_frame(now, kind, 0, hub);
        }
    }

    /// The credentials are not good, or the server takes nobody now.
    pub fn refuse(&mut self, reason: ByeReason, text: &str, retry_after_ms: u32, hub: &mut Hub) {
        self.say_bye(reason, text, retry_after_ms, hub);
    }

    /// The client went back to what both histories share.
    pub(super) fn handle_continue(&mut self, position: u64, hub: &mut Hub) {
        let Some(greeting) = self.greeting.take() else { return };
        let ours = greeting.log_id.is_none_or(|log_id| log_id == hub.state().log_id());
        if !ours || position > hub.state().head() {
            return self.refuse_frame("Continue goes back to a shared position", hub);
        }
        self.go_live(Begin::Behind(position), greeting.incarnation, hub);
    }

    fn go_live(&mut self, begin: Begin, incarnation: wire::Incarnation, hub: &mut Hub) {
        let place = match begin {
            Begin::AtHead => None,
            Begin::Behind(position) => Some(position),
            Begin::FromStart => Some(0),
        };
        match hub.attach(self.account, self.device, incarnation, place) {
            Err(reason) => self.say_bye(reason, "a newer link of this device is connected", 1_000, hub),
            Ok(Attached { reader, link, evicted }) => {
                self.number = link;
                self.phase = Phase::Live(reader);
                if let Some(older) = evicted {
                    self.want(Event::Evict(older));
                }
                let (as_of, rooms) = match begin {
                    Begin::AtHead | Begin::Behind(_) => (hub.state().head(), hub.heads(self.account, place)),
                    Begin::FromStart => (0, Vec::new()),
                };
                let heads = &mut self.replies.get_or_insert_default().heads;
                let frames = rooms.len().div_ceil(HEADS_PER_FRAME).max(1);
                for i in 0..frames {
                    let rooms = rooms.iter().skip(i * HEADS_PER_FRAME).take(HEADS_PER_FRAME).cloned().collect();
                    heads.push_back(Kind::Heads(wire::Heads { as_of, rooms, more: i + 1 < frames }));
                }
            }
        }
    }
}

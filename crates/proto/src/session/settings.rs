//! What a session is told at its start: who it is, where it stands, how it behaves.

use crate::ids::{AccountId, DeviceId, LogId, Place, RoomId, Term};
use crate::link;
use crate::time::Duration;

/// Who this device is. Stored before the first contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's name as the user gave it.
    pub name: String,
    /// This device.
    pub device_id: DeviceId,
    /// What proves it.
    pub secret: [u8; 32],
    /// The account's id, should the sign-up make the account.
    pub account: AccountId,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).field("device_id", &self.device_id).finish_non_exhaustive()
    }
}

/// Where a profile stands, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Who this device is.
    pub identity: Identity,
    /// The log it belongs to; `None` before the first contact.
    pub log_id: Option<LogId>,
    /// Everything for this device up to here is stored; `None` before the first contact.
    pub place: Option<Place>,
    /// The highest position it was ever told.
    pub told: Option<Place>,
    /// Its outcomes up to this sequence are stored.
    pub confirmed_through: u64,
    /// What waits has no numbers since histories parted: it gets them once all has come that the server has.
    pub recounts: bool,
    /// The rooms that the account is a member of, with the last stored room sequence; `None` while it is
    /// not known where its next entry stands, which is so
    /// after histories parted before this device's first contact.
    pub rooms: Vec<(RoomId, Option<u64>)>,
    /// The terms that links told, oldest first, each with the highest position told under it.
    pub terms: Vec<(Term, u64)>,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Growing pauses with full jitter.
    Exponential {
        /// The first pause's upper end.
        base: Duration,
        /// The longest pause's upper end.
        cap: Duration,
    },
    /// Rounds of tries with fixed pauses, as the program of 2012 did it.
    Rounds {
        /// Tries a round.
        tries: u32,
        /// The pause between two tries.
        pause: Duration,
        /// The pause between two rounds.
        round_pause: Duration,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Exponential { base: Duration::from_millis(500), cap: Duration::from_secs(20) }
    }
}

/// How a session begins: a process that takes the line over from another one goes on as the user left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// It connects at once.
    #[default]
    Connect,
    /// The user wants no line for now.
    Stopped,
    /// The user is being asked whether to log in again.
    AskLogin,
}

/// How a session behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The least silence that means death while an answer is due.
    pub active_bound: Duration,
    /// The silence that means death in any case; told to the server.
    pub idle_bound: Duration,
    /// The most bytes of entries that may be on their way unstored.
    pub window_bytes: u32,
    /// When to try again.
    pub schedule: Schedule,
    /// How it begins.
    pub begin: Begin,
    /// Whether to try again at all.
    pub reconnect: bool,
    /// Whether to log in by itself once a lost line is back; if not, the user is asked before Hello.
    pub auto_login: bool,
    /// Name and version of the program, for the server's log.
    pub program: String,
    /// When this process started, Unix milliseconds.
    pub process_start_ms: u64,
    /// A random number of this process.
    pub process: u64,
    /// Seeds the jitter.
    pub jitter_seed: u64,
}

/// The default window.
pub const WINDOW_BYTES: u32 = 256 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            active_bound: link::ACTIVE_BOUND,
            idle_bound: link::IDLE_BOUND,
            window_bytes: WINDOW_BYTES,
            schedule: Schedule::default(),
            begin: Begin::Connect,
            reconnect: true,
            auto_login: true,
            program: String::new(),
            process_start_ms: 0,
            process: 0,
            jitter_seed: 0,
        }
    }
}

//! Why a link ended or could not be made, and what follows from it. One value names the cause everywhere: in the
//! status, in the log, in JSON. How long a backoff waits is the backoff's business; which cause an I/O error has is
//! looked up by the shell, in the table at the end of this file.

use std::fmt;

use crate::codec::CodecError;
use crate::link::LinkError;
use crate::wire::ByeReason;

/// The longest wait that a peer can ask for; what is above counts as this.
pub const RETRY_AFTER_MAX_MS: u32 = 600_000;

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    // -- what the network and this machine said
    /// The machine is there, but nothing listens at that port.
    Refused,
    /// No way to the machine, as a router or this machine's own routes said.
    Unreachable,
    /// This machine has no network.
    NetworkDown,
    /// The name of the server could not be resolved, for now or at all.
    NameNotFound,
    /// What was given as the server's address is none.
    AddressInvalid,
    /// The other end, or a box between, threw the connection away (RST; RFC 9293, section 3.5.2).
    Reset,
    /// This machine's own system threw the connection away.
    Aborted,
    /// The kernel gave up on an open connection: keepalive or user timeout.
    TimedOut,
    /// No connection within the time allowed for it.
    ConnectTimedOut,
    /// TLS could not be set up, or failed.
    Tls,
    /// This machine ran out of something, or forbids it: descriptors, memory, ports, permission.
    LocalFault,
    /// An error of the operating system that the table does not name.
    Other {
        /// Its number, if it has one.
        os_code: Option<i32>,
    },

    // -- what this side noticed
    /// No byte came for longer than the bound in force.
    Silent {
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// This machine slept, or this process was stopped, and the link did not outlive it.
    WokeFromSleep,
    /// Bytes or frames are missing in the middle: the peer counts others than came.
    Hole,
    /// The peer broke the protocol.
    ProtocolError(ProtocolFault),
    /// The handshake was not done within its time.
    HandshakeTimedOut,
    /// The server keeps another log than the one this profile belongs to.
    AnotherServer,
    /// The user, or the program, stopped the link.
    StoppedByUser,
    /// This profile was set back: what waits has new numbers, and goes out on a link of its own.
    Renumbered,

    // -- what the peer said, or did not
    /// The connection ended in good order, but without a `Bye`.
    ClosedByPeer,
    /// The peer ended the link, for a reason that has no cause of its own here.
    Bye {
        /// The reason.
        reason: PeerReason,
        /// When to come back; 0: not said.
        retry_after_ms: u32,
    },
    /// The server is shutting down, or moves its clients elsewhere.
    Draining {
        /// When to come back; 0: not said.
        retry_after_ms: u32,
    },
    /// The server has more to do than it can.
    Overloaded {
        /// When to come back; 0: not said.
        retry_after_ms: u32,
    },
    /// A newer link of this same process or profile took this one's place.
    Superseded,
    /// Another copy of this profile is connected.
    TakenOver,
    /// Name and secret do not fit together.
    CredentialsRefused,
    /// The two programs have no protocol version in common.
    VersionUnsupported,
    /// The server takes no new accounts.
    SignupClosed,
    /// The server does not take this name.
    NameInvalid,
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// Bytes that are no frame.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A frame that is well formed, but must not come here or say this; in plain words.
    #[error("{0}")]
    Rule(&'static str),
}

/// What the *peer* holds against the link; the cause of the same name without `Peer` is what *this* side noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerReason {
    /// None, or one that this version does not know.
    Unspecified,
    /// It was stopped.
    Stopped,
    /// It heard nothing from this side.
    Silent,
    /// It misses bytes or frames of this side.
    Hole,
    /// It holds that this side broke the protocol.
    ProtocolError,
    /// It waited too long for this side's handshake.
    HandshakeTimedOut,
}

/// What a cause asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Try at once: the cause is over.
    Now,
    /// Try when the backoff says so, which spreads the first try after an established link was lost.
    Backoff,
    /// Try after this long, as the peer asked.
    Wait {
        /// Milliseconds, at most [`RETRY_AFTER_MAX_MS`].
        ms: u32,
    },
    /// Trying again as things are would fail or do harm: only the user can change that.
    AskUser,
    /// It ended on purpose or for good: no try unless somebody asks for one.
    Never,
}

impl Cause {
    /// The cause that a `Bye` of the peer tells.
    pub fn from_bye(reason: ByeReason, retry_after_ms: u32) -> Self {
        let retry_after_ms = retry_after_ms.min(RETRY_AFTER_MAX_MS);
        let other = |reason| Self::Bye { reason, retry_after_ms };
        match reason {
            ByeReason::Unspecified => other(PeerReason::Unspecified),
            ByeReason::Stopped => other(PeerReason::Stopped),
            ByeReason::Silent => other(PeerReason::Silent),
            ByeReason::Hole => other(PeerReason::Hole),
            ByeReason::ProtocolError => other(PeerReason::ProtocolError),
            ByeReason::HandshakeTimeout => other(PeerReason::HandshakeTimedOut),
            ByeReason::Draining => Self::Draining { retry_after_ms },
            ByeReason::Overloaded => Self::Overloaded { retry_after_ms },
            ByeReason::Superseded => Self::Superseded,
            ByeReason::TakenOver => Self::TakenOver,
            ByeReason::VersionUnsupported => Self::VersionUnsupported,
            ByeReason::CredentialsRefused => Self::CredentialsRefused,
            ByeReason::SignupClosed => Self::SignupClosed,
            ByeReason::NameInvalid => Self::NameInvalid,
        }
    }

    /// The cause of an error number of `system`; `None` if the table does not name it.
    pub fn from_os_code(system: System, code: i32) -> Option<Self> {
        let row = system.codes().iter().find(|row| row.0 == code)?;
        Some(row.1.clone())
    }

    /// What follows from it.
    pub fn next_step(&self) -> NextStep {
        match self {
            Self::WokeFromSleep | Self::Renumbered => NextStep::Now,
            Self::Bye { retry_after_ms, .. }
            | Self::Draining { retry_after_ms }
            | Self::Overloaded { retry_after_ms } => match *retry_after_ms {
                0 => NextStep::Backoff,
                ms => NextStep::Wait { ms },
            },
            Self::AddressInvalid
            | Self::AnotherServer
            | Self::TakenOver
            | Self::CredentialsRefused
            | Self::SignupClosed
            | Self::NameInvalid => NextStep::AskUser,
            Self::StoppedByUser | Self::VersionUnsupported => NextStep::Never,
            Self::Refused
            | Self::Unreachable
            | Self::NetworkDown
            | Self::NameNotFound
            | Self::Reset
            | Self::Aborted
            | Self::TimedOut
            | Self::ConnectTimedOut
            | Self::Tls
            | Self::LocalFault
            | Self::Other { .. }
            | Self::Silent { .. }
            | Self::Hole
            | Self::ProtocolError(_)
            | Self::HandshakeTimedOut
            // The other link may be a dead one that the server has not noticed yet.
            | Self::Superseded
            | Self::ClosedByPeer => NextStep::Backoff,
        }
    }

    /// Whether it is what a link that was slept through dies of. What the peer decided, or a person, stays what it is.
    pub fn may_come_of_sleep(&self) -> bool {
        match self {
            Self::Silent { .. }
            | Self::Reset
            | Self::Aborted
            | Self::TimedOut
            | Self::ClosedByPeer
            | Self::Unreachable
            | Self::NetworkDown
            | Self::HandshakeTimedOut
            | Self::Other { .. }
            | Self::Bye { reason: PeerReason::Silent | PeerReason::HandshakeTimedOut, .. } => true,
            Self::Refused
            | Self::NameNotFound
            | Self::AddressInvalid
            | Self::ConnectTimedOut
            | Self::Tls
            | Self::LocalFault
            | Self::WokeFromSleep
            | Self::Hole
            | Self::ProtocolError(_)
            | Self::AnotherServer
            | Self::StoppedByUser
            | Self::Renumbered
            | Self::Bye { .. }
            | Self::Draining { .. }
            | Self::Overloaded { .. }
            | Self::Superseded
            | Self::TakenOver
            | Self::CredentialsRefused
            | Self::VersionUnsupported
            | Self::SignupClosed
            | Self::NameInvalid => false,
        }
    }

    /// Its name in JSON and in PROTOCOL.md; never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NetworkDown => "network_down",
            Self::NameNotFound => "name_not_found",
            Self::AddressInvalid => "address_invalid",
            Self::Reset => "reset",
            Self::Aborted => "aborted",
            Self::TimedOut => "timed_out",
            Self::ConnectTimedOut => "connect_timed_out",
            Self::Tls => "tls",
            Self::LocalFault => "local_fault",
            Self::Other { .. } => "other",
            Self::Silent { .. } => "silent",
            Self::WokeFromSleep => "woke_from_sleep",
            Self::Hole => "hole",
            Self::ProtocolError(_) => "protocol_error",
            Self::HandshakeTimedOut => "handshake_timed_out",
            Self::AnotherServer => "another_server",
            Self::StoppedByUser => "stopped_by_user",
            Self::Renumbered => "renumbered",
            Self::ClosedByPeer => "closed_by_peer",
            Self::Bye { reason, .. } => reason.name(),
            Self::Draining { .. } => "draining",
            Self::Overloaded { .. } => "overloaded",
            Self::Superseded => "superseded",
            Self::TakenOver => "taken_over",
            Self::CredentialsRefused => "credentials_refused",
            Self::VersionUnsupported => "version_unsupported",
            Self::SignupClosed => "signup_closed",
            Self::NameInvalid => "name_invalid",
        }
    }
}

impl PeerReason {
    fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "peer_said_bye",
            Self::Stopped => "peer_stopped",
            Self::Silent => "peer_heard_nothing",
            Self::Hole => "peer_saw_hole",
            Self::ProtocolError => "peer_saw_protocol_error",
            Self::HandshakeTimedOut => "peer_handshake_timed_out",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "the other side said goodbye without a reason",
            Self::Stopped => "the other side was stopped",
            Self::Silent => "the other side heard nothing from here",
            Self::Hole => "the other side misses something that was sent from here",
            Self::ProtocolError => "the other side says that this side broke the protocol",
            Self::HandshakeTimedOut => "the other side waited too long for the handshake",
        }
    }
}

/// What this side noticed of a link.
impl From<LinkError> for Cause {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Codec(error) => Self::ProtocolError(ProtocolFault::Codec(error)),
            LinkError::Hole { .. } => Self::Hole,
            LinkError::Silent { silent_for } => {
                Self::Silent { for_ms: u64::try_from(silent_for.as_millis()).unwrap_or(u64::MAX) }
            }
            LinkError::WokeFromSleep => Self::WokeFromSleep,
            LinkError::SlowFrame => Self::ProtocolError(ProtocolFault::Rule("a frame did not end in time")),
            LinkError::HandshakeTimeout => Self::HandshakeTimedOut,
        }
    }
}

/// Plain words for a person.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the machine is there, but no server listens at that port",
            Self::Unreachable => "there is no way to the server",
            Self::NetworkDown => "this machine has no network",
            Self::NameNotFound => "the server's name could not be found",
            Self::AddressInvalid => "the server's address is not valid",
            Self::Reset => "the connection was reset by the other side or by a box between",
            Self::Aborted => "this machine's system broke the connection off",
            Self::TimedOut => "the system gave the connection up: what it sent was not acknowledged",
            Self::ConnectTimedOut => "the server did not answer in time",
            Self::Tls => "the encrypted connection could not be set up",
            Self::LocalFault => "this machine ran out of something, or forbids it",
            Self::Other { os_code: Some(code) } => return write!(f, "the system reported error {code}"),
            Self::Other { os_code: None } => "the system reported an error without a number",
            Self::Silent { for_ms } => return write!(f, "nothing was received for {}", Seconds(*for_ms)),
            Self::WokeFromSleep => "this machine was asleep",
            Self::Hole => "something that the other side sent did not arrive",
            Self::ProtocolError(fault) => return write!(f, "the other side broke the protocol: {fault}"),
            Self::HandshakeTimedOut => "the handshake took too long",
            Self::AnotherServer => "this is another server than the one this profile belongs to",
            Self::StoppedByUser => "stopped by the user",
            Self::Renumbered => "what waits has new numbers, and goes out on a new connection",
            Self::ClosedByPeer => "the other side closed the connection",
            Self::Bye { reason, .. } => reason.words(),
            Self::Draining { retry_after_ms } => return come_back(f, "the server is shutting down", *retry_after_ms),
            Self::Overloaded { retry_after_ms } => return come_back(f, "the server is overloaded", *retry_after_ms),
            Self::Superseded => "a newer connection took this one's place",
            Self::TakenOver => "another copy of this profile is connected",
            Self::CredentialsRefused => "the server refused the name or its secret",
            Self::VersionUnsupported => "this program and the server have no protocol version in common",
            Self::SignupClosed => "the server takes no new accounts",
            Self::NameInvalid => "the server does not take this name",
        })
    }
}

fn come_back(f: &mut fmt::Formatter<'_>, what: &str, retry_after_ms: u32) -> fmt::Result {
    match retry_after_ms {
        0 => f.write_str(what),
        ms => write!(f, "{what}, and asked to come back in {}", Seconds(u64::from(ms))),
    }
}

/// Milliseconds, shown in seconds with one digit.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} s", self.0 / 1_000, self.0 % 1_000 / 100)
    }
}

/// An operating system, as far as its error numbers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux with the generic numbers (`asm-generic/errno.h`: x86, ARM, RISC-V …).
    Linux,
    /// macOS (`sys/errno.h`).
    MacOs,
    /// Windows: Winsock codes, and the few Win32 codes that completions report instead.
    Windows,
}

impl System {
    fn codes(self) -> &'static [(i32, Cause)] {
        match self {
            Self::Linux => LINUX,
            Self::MacOs => MACOS,
            Self::Windows => WINDOWS,
        }
    }
}

const LINUX: &[(i32, Cause)] = &[
    (1, Cause::LocalFault),    // EPERM: a local firewall says no
    (12, Cause::LocalFault),   // ENOMEM
    (13, Cause::LocalFault),   // EACCES
    (23, Cause::LocalFault),   // ENFILE
    (24, Cause::LocalFault),   // EMFILE
    (32, Cause::ClosedByPeer), // EPIPE: RST after FIN (tcp_reset)
    (64, Cause::NetworkDown),  // ENONET
    (97, Cause::Unreachable),  // EAFNOSUPPORT: IPv6 is switched off
    (98, Cause::LocalFault),   // EADDRINUSE
    (99, Cause::LocalFault),   // EADDRNOTAVAIL: no port left
    (100, Cause::NetworkDown), // ENETDOWN
    (101, Cause::Unreachable), // ENETUNREACH
    (102, Cause::Reset),       // ENETRESET
    (103, Cause::Aborted),     // ECONNABORTED
    (104, Cause::Reset),       // ECONNRESET
    (105, Cause::LocalFault),  // ENOBUFS
    (107, Cause::Reset),       // ENOTCONN: torn down before it was asked for
    (108, Cause::Aborted),     // ESHUTDOWN
    (110, Cause::TimedOut),    // ETIMEDOUT
    (111, Cause::Refused),     // ECONNREFUSED
    (112, Cause::Unreachable), // EHOSTDOWN
    (113, Cause::Unreachable), // EHOSTUNREACH
];

const MACOS: &[(i32, Cause)] = &[
    (1, Cause::LocalFault),    // EPERM
    (12, Cause::LocalFault),   // ENOMEM
    (13, Cause::LocalFault),   // EACCES
    (23, Cause::LocalFault),   // ENFILE
    (24, Cause::LocalFault),   // EMFILE
    (32, Cause::ClosedByPeer), // EPIPE
    (47, Cause::Unreachable),  // EAFNOSUPPORT
    (48, Cause::LocalFault),   // EADDRINUSE
    (49, Cause::LocalFault),   // EADDRNOTAVAIL
    (50, Cause::NetworkDown),  // ENETDOWN
    (51, Cause::Unreachable),  // ENETUNREACH
    (52, Cause::Reset),        // ENETRESET
    (53, Cause::Aborted),      // ECONNABORTED
    (54, Cause::Reset),        // ECONNRESET
    (55, Cause::LocalFault),   // ENOBUFS
    (57, Cause::Reset),        // ENOTCONN
    (58, Cause::Aborted),      // ESHUTDOWN
    (60, Cause::TimedOut),     // ETIMEDOUT
    (61, Cause::Refused),      // ECONNREFUSED
    (64, Cause::Unreachable),  // EHOSTDOWN
    (65, Cause::Unreachable),  // EHOSTUNREACH
];

const WINDOWS: &[(i32, Cause)] = &[
    (64, Cause::Reset),           // ERROR_NETNAME_DELETED
    (121, Cause::TimedOut),       // ERROR_SEM_TIMEOUT
    (1225, Cause::Refused),       // ERROR_CONNECTION_REFUSED
    (1226, Cause::ClosedByPeer),  // ERROR_GRACEFUL_DISCONNECT
    (1231, Cause::Unreachable),   // ERROR_NETWORK_UNREACHABLE
    (1232, Cause::Unreachable),   // ERROR_HOST_UNREACHABLE
    (1236, Cause::Aborted),       // ERROR_CONNECTION_ABORTED
    (10013, Cause::LocalFault),   // WSAEACCES
    (10024, Cause::LocalFault),   // WSAEMFILE
    (10047, Cause::Unreachable),  // WSAEAFNOSUPPORT
    (10048, Cause::LocalFault),   // WSAEADDRINUSE
    (10049, Cause::LocalFault),   // WSAEADDRNOTAVAIL
    (10050, Cause::NetworkDown),  // WSAENETDOWN
    (10051, Cause::Unreachable),  // WSAENETUNREACH
    (10052, Cause::TimedOut),     // WSAENETRESET: what a failed keepalive gives here
    (10053, Cause::Aborted),      // WSAECONNABORTED
    (10054, Cause::Reset),        // WSAECONNRESET
    (10055, Cause::LocalFault),   // WSAENOBUFS
    (10057, Cause::Reset),        // WSAENOTCONN
    (10058, Cause::Aborted),      // WSAESHUTDOWN
    (10060, Cause::TimedOut),     // WSAETIMEDOUT
    (10061, Cause::Refused),      // WSAECONNREFUSED
    (10064, Cause::Unreachable),  // WSAEHOSTDOWN
    (10065, Cause::Unreachable),  // WSAEHOSTUNREACH
    (10091, Cause::NetworkDown),  // WSASYSNOTREADY
    (10101, Cause::ClosedByPeer), // WSAEDISCON
    (11001, Cause::NameNotFound), // WSAHOST_NOT_FOUND
    (11002, Cause::NameNotFound), // WSATRY_AGAIN
    (11003, Cause::NameNotFound), // WSANO_RECOVERY
    (11004, Cause::NameNotFound), // WSANO_DATA
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SYSTEMS: [System; 3] = [System::Linux, System::MacOs, System::Windows];

    /// One of each kind; the match in `name` makes a new one fail to compile there, and here by its count.
    fn every_cause() -> Vec<Cause> {
        let mut all = vec![
            Cause::Refused,
            Cause::Unreachable,
            Cause::NetworkDown,
            Cause::NameNotFound,
            Cause::AddressInvalid,
            Cause::Reset,
            Cause::Aborted,
            Cause::TimedOut,
            Cause::ConnectTimedOut,
            Cause::Tls,
            Cause::LocalFault,
            Cause::Other { os_code: Some(7) },
            Cause::Silent { for_ms: 3_049 },
            Cause::WokeFromSleep,
            Cause::Hole,
            Cause::ProtocolError(CodecError::BadChecksum.into()),
            Cause::HandshakeTimedOut,
            Cause::AnotherServer,
            Cause::StoppedByUser,
            Cause::Renumbered,
            Cause::ClosedByPeer,
        ];
        all.extend((0..).map_while(|n| ByeReason::try_from(n).ok()).map(|reason| Cause::from_bye(reason, 0)));
        all
    }

    #[test]
    fn each_system_names_the_failures_of_the_network_by_its_own_numbers() {
        let rows = [
            // Linux, macOS, Windows
            ([100, 50, 10050], Cause::NetworkDown),
            ([101, 51, 10051], Cause::Unreachable),
            ([103, 53, 10053], Cause::Aborted),
            ([104, 54, 10054], Cause::Reset),
            ([110, 60, 10060], Cause::TimedOut),
            ([111, 61, 10061], Cause::Refused),
            ([112, 64, 10064], Cause::Unreachable),
            ([113, 65, 10065], Cause::Unreachable),
            ([32, 32, 10101], Cause::ClosedByPeer),
            ([107, 57, 10057], Cause::Reset),
            ([108, 58, 10058], Cause::Aborted),
            ([97, 47, 10047], Cause::Unreachable),
            ([98, 48, 10048], Cause::LocalFault),
            ([99, 49, 10049], Cause::LocalFault),
            ([105, 55, 10055], Cause::LocalFault),
            ([24, 24, 10024], Cause::LocalFault),
            ([13, 13, 10013], Cause::LocalFault),
        ];
        for (codes, cause) in rows {
            for (system, code) in SYSTEMS.into_iter().zip(codes) {
                assert_eq!(Cause::from_os_code(system, code), Some(cause.clone()), "{system:?} {code}");
            }
        }
    }

    #[test]
    fn windows_has_numbers_for_names_that_are_not_found_and_for_a_failed_keepalive() {
        for code in 11_001..=11_004 {
            assert_eq!(Cause::from_os_code(System::Windows, code), Some(Cause::NameNotFound));
        }
        assert_eq!(Cause::from_os_code(System::Windows, 10_052), Some(Cause::TimedOut));
    }

    #[test]
    fn a_number_of_another_system_is_not_taken_for_one_of_this() {
        for (system, code) in [(System::Linux, 10_054), (System::MacOs, 104), (System::Windows, 104)] {
            assert_eq!(Cause::from_os_code(system, code), None);
        }
    }

    #[test]
    fn no_table_names_a_number_twice() {
        for system in SYSTEMS {
            assert!(system.codes().is_sorted_by(|a, b| a.0 < b.0), "{system:?}");
        }
    }

    #[test]
    fn every_cause_has_a_name_of_its_own_in_snake_case_and_words_of_its_own() {
        let all = every_cause();
        let names: BTreeSet<_> = all.iter().map(Cause::name).collect();
        let words: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!((all.len(), names.len(), words.len()), (35, 35, 35));
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        assert!(words.iter().all(|words| words.is_ascii() && !words.ends_with('.')));
    }

    #[test]
    fn a_wait_that_the_peer_asked_for_is_kept_to_but_has_a_limit() {
        for reason in [ByeReason::Draining, ByeReason::Overloaded, ByeReason::Stopped] {
            let step = |ms| Cause::from_bye(reason, ms).next_step();
            assert_eq!(step(2_000), NextStep::Wait { ms: 2_000 });
            assert_eq!(step(u32::MAX), NextStep::Wait { ms: RETRY_AFTER_MAX_MS });
            assert_eq!(step(0), NextStep::Backoff, "no time said must not mean at once");
        }
    }

    #[test]
    fn a_copied_profile_a_wrong_secret_and_another_server_are_left_to_the_user() {
        for reason in [ByeReason::TakenOver, ByeReason::CredentialsRefused, ByeReason::SignupClosed] {
            assert_eq!(Cause::from_bye(reason, 5_000).next_step(), NextStep::AskUser);
        }
        assert_eq!(Cause::AnotherServer.next_step(), NextStep::AskUser);
    }

    #[test]
    fn a_sleep_is_blamed_for_a_dead_line_but_never_for_what_the_peer_decided() {
        for cause in every_cause() {
            match cause.next_step() {
                NextStep::Backoff => {}
                step => assert!(!cause.may_come_of_sleep(), "{cause:?} asks for {step:?}"),
            }
        }
        assert!(Cause::from_bye(ByeReason::Silent, 0).may_come_of_sleep());
        assert!(!Cause::from_bye(ByeReason::Draining, 0).may_come_of_sleep());
    }

    #[test]
    fn a_link_that_ended_on_purpose_does_not_come_back_and_one_lost_to_sleep_does_at_once() {
        assert_eq!(Cause::StoppedByUser.next_step(), NextStep::Never);
        assert_eq!(Cause::from_bye(ByeReason::Superseded, 0).next_step(), NextStep::Backoff);
        assert_eq!(Cause::WokeFromSleep.next_step(), NextStep::Now);
    }

    #[test]
    fn the_words_say_how_long_it_was_silent_what_was_broken_and_when_to_come_back() {
        assert_eq!(Cause::Silent { for_ms: 3_049 }.to_string(), "nothing was received for 3.0 s");
        assert_eq!(
            Cause::ProtocolError(ProtocolFault::Rule("a second Hello")).to_string(),
            "the other side broke the protocol: a second Hello"
        );
        assert_eq!(
            Cause::Overloaded { retry_after_ms: 2_500 }.to_string(),
            "the server is overloaded, and asked to come back in 2.5 s"
        );
    }
}

//! Why there is no line, or why the last one ended.

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_proto::session;

/// Why there is no line, or why the last one ended: a kind for programs and plain words for people ([`Display`]).
///
/// It goes between the processes of a profile and stays in its records, so that it may come from a newer version of
/// this library; then its [`kind`](Self::kind) is [`CauseKind::Unknown`], and its name and words are what that version
/// said.
///
/// [`Display`]: fmt::Display
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    name: String,
    text: String,
}

impl Cause {
    pub(crate) fn new(kind: CauseKind, text: impl Into<String>) -> Self {
        Self { name: kind.name().to_owned(), text: text.into() }
    }

    /// What happened, for a program to decide on.
    pub fn kind(&self) -> CauseKind {
        CauseKind::ALL.iter().copied().find(|kind| kind.name() == self.name).unwrap_or(CauseKind::Unknown)
    }

    /// The name in JSON and in PROTOCOL.md's table of causes; never changes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What happened, in plain words for a person, with its figures.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cause {
    pub(crate) fn of(cause: &session::Cause) -> Self {
        Self { name: cause.name().to_owned(), text: cause.to_string() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What happened to a line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum CauseKind {
            $($(#[$doc])* $kind,)*
        }

        impl CauseKind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The name in JSON; never changes.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// The machine is there, but nothing listens at that port.
    Refused = "refused",
    /// No way to the machine, as a router or this machine's own routes said.
    Unreachable = "unreachable",
    /// This machine has no network.
    NetworkDown = "network_down",
    /// The name of the server could not be resolved, for now or at all.
    NameNotFound = "name_not_found",
    /// What was given as the server's address is none. Nothing more is tried.
    AddressInvalid = "address_invalid",
    /// The other end, or a box between, threw the connection away.
    Reset = "reset",
    /// This machine's own system threw the connection away.
    Aborted = "aborted",
    /// The kernel gave up on an open connection: keepalive or user timeout.
    TimedOut = "timed_out",
    /// No connection within the time allowed for it.
    ConnectTimedOut = "connect_timed_out",
    /// TLS could not be set up, or failed.
    Tls = "tls",
    /// This machine ran out of something, or forbids it: descriptors, memory, ports, permission.
    LocalFault = "local_fault",
    /// An error of the operating system that has no name here.
    Other = "other",
    /// No byte came for longer than the bound in force.
    Silent = "silent",
    /// This machine slept, or this process was stopped, and the line did not outlive it.
    WokeFromSleep = "woke_from_sleep",
    /// Bytes or frames are missing in the middle.
    Hole = "hole",
    /// The server broke the protocol.
    ProtocolError = "protocol_error",
    /// The handshake was not done within its time.
    HandshakeTimedOut = "handshake_timed_out",
    /// The server keeps another log than the one this profile belongs to. Nothing more is tried, nothing was sent.
    AnotherServer = "another_server",
    /// The user, or the program, stopped the line.
    StoppedByUser = "stopped_by_user",
    /// This profile was set back: what waits has new numbers, and goes out on a new line.
    Renumbered = "renumbered",
    /// The connection ended in good order, but without a goodbye.
    ClosedByPeer = "closed_by_peer",
    /// The server said goodbye without a reason that this version knows.
    PeerSaidBye = "peer_said_bye",
    /// The server says that it was stopped.
    PeerStopped = "peer_stopped",
    /// The server says that it heard nothing from here.
    PeerHeardNothing = "peer_heard_nothing",
    /// The server says that it misses something that was sent from here.
    PeerSawHole = "peer_saw_hole",
    /// The server says that this side broke the protocol.
    PeerSawProtocolError = "peer_saw_protocol_error",
    /// The server says that it waited too long for the handshake.
    PeerHandshakeTimedOut = "peer_handshake_timed_out",
    /// The server is shutting down, or moves its clients elsewhere.
    Draining = "draining",
    /// The server has more to do than it can.
    Overloaded = "overloaded",
    /// A newer connection of this profile took this one's place.
    Superseded = "superseded",
    /// Another copy of this profile is connected. Nothing more is tried: one of the two has to go.
    TakenOver = "taken_over",
    /// Name and secret do not fit together. Nothing more is tried.
    CredentialsRefused = "credentials_refused",
    /// This program and the server have no protocol version in common. Nothing more is tried.
    VersionUnsupported = "version_unsupported",
    /// The server takes no new accounts. Nothing more is tried.
    SignupClosed = "signup_closed",
    /// The server does not take this name. Nothing more is tried.
    NameInvalid = "name_invalid",
    /// This machine can't store what arrives: its disk is full or broken.
    StoreFailed = "store_failed",
    /// The process that drives this profile's line does not answer.
    HolderSilent = "holder_silent",
    /// The program ended without a goodbye: it was killed, or the machine lost power. Of a [`Flight`](crate::Flight).
    ProcessEnded = "process_ended",
    /// Something that this version does not know.
    Unknown = "unknown",
}

#[cfg(test)]
mod tests {
    use steadfast_proto::wire::ByeReason;

    use super::*;

    #[test]
    fn every_cause_of_a_session_has_a_kind_and_keeps_its_name_and_words() {
        let causes = [
            session::Cause::Silent { for_ms: 3_000 },
            session::Cause::Other { os_code: Some(5) },
            session::Cause::Draining { retry_after_ms: 1_000 },
            session::Cause::from_bye(ByeReason::Hole, 0),
            session::Cause::CredentialsRefused,
            session::Cause::Renumbered,
        ];
        for cause in &causes {
            let told = Cause::of(cause);
            assert_ne!(told.kind(), CauseKind::Unknown, "{cause:?}");
            assert_eq!((told.kind().name(), told.to_string()), (cause.name(), cause.to_string()));
        }
    }

    #[test]
    fn every_name_of_the_table_of_causes_is_a_kind() {
        let document = include_str!("../../../PROTOCOL.md");
        let table = document.split("| name | meaning | what follows |").nth(1).expect("the table of causes");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let names: Vec<&str> = rows.map(|row| row.split('`').nth(1).expect("a name")).collect();
        let kinds: Vec<&str> = CauseKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(kinds[..kinds.len() - 4], names, "the table, and then what is no cause of a link");
    }

    #[test]
    fn a_cause_of_a_newer_version_keeps_what_it_said() {
        let json = r#"{"name":"moon_in_the_way","text":"the moon stands in the way"}"#;
        let cause: Cause = serde_json::from_str(json).expect("a cause");
        assert_eq!(cause.kind(), CauseKind::Unknown);
        assert_eq!((cause.name(), cause.text()), ("moon_in_the_way", "the moon stands in the way"));
    }
}

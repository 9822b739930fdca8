//! How a connection ended, as far as one of the two sides said it. One that broke off has a [`Cause`] alone.

use std::fmt;

use crate::link::LinkError;
use crate::session::Cause;
use crate::wire::ByeReason;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// This side found the line or the client at fault.
    Found(LinkError),
    /// This side had its own reason.
    Said {
        /// The reason.
        reason: ByeReason,
        /// What the client was told, for a person.
        words: String,
    },
    /// The client said goodbye.
    Heard(ByeReason),
}

impl Ending {
    /// The name of the cause, from the table in PROTOCOL.md; of this side's own goodbye, the name of the reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Found(error) => Cause::from(error.clone()).name(),
            Self::Heard(reason) => Cause::from_bye(*reason, 0).name(),
            Self::Said { reason, .. } => match reason {
                ByeReason::Unspecified => "other",
                ByeReason::Stopped => "stopped",
                ByeReason::Draining => "draining",
                ByeReason::Overloaded => "overloaded",
                ByeReason::Superseded => "superseded",
                ByeReason::TakenOver => "taken_over",
                ByeReason::ProtocolError => "protocol_error",
                ByeReason::VersionUnsupported => "version_unsupported",
                ByeReason::CredentialsRefused => "credentials_refused",
                ByeReason::SignupClosed => "signup_closed",
                ByeReason::NameInvalid => "name_invalid",
                ByeReason::HandshakeTimeout => "handshake_timed_out",
                ByeReason::Silent => "silent",
                ByeReason::Hole => "hole",
            },
        }
    }
}

/// Plain words for a person.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(error) => error.fmt(f),
            Self::Heard(reason) => Cause::from_bye(*reason, 0).fmt(f),
            Self::Said { words, .. } => f.write_str(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::hub::connection::Event;
    use crate::hub::{Connection, Hub, State};
    use crate::ids::LogId;
    use crate::time::{Duration, Instant};
    use crate::wire::{Bye, frame::Kind};

    #[test]
    fn a_client_that_goes_before_hello_says_goodbye_and_breaks_no_rule() {
        let (now, second) = (Instant::from_nanos(1), Duration::from_secs(1));
        let mut hub = Hub::new(State::empty(LogId([7; 16])), 1);
        let mut connection = Connection::new(second, second, now);
        let mut bytes = Vec::new();
        codec::encode_kind(Kind::Bye(Bye { reason: ByeReason::Stopped.into(), ..Bye::default() }), &mut bytes);
        connection.handle_bytes(now, &bytes, &mut hub);
        let Some(Event::Close(ending)) = connection.poll_event() else { panic!("it was not taken as the end") };
        assert_eq!(ending, Ending::Heard(ByeReason::Stopped));
        let mut said = Vec::new();
        connection.poll_transmit(now, &mut hub, &mut said);
        assert_eq!(said, [0; 0], "nobody is there to hear more");
    }

    #[test]
    fn what_the_two_sides_say_of_one_end_has_different_names() {
        let said = |reason| Ending::Said { reason, words: "why".to_owned() };
        let found = Ending::Found(LinkError::WokeFromSleep);
        assert_eq!((found.name(), found.to_string().as_str()), ("woke_from_sleep", "the line was gone after a sleep"));
        assert_eq!(said(ByeReason::Overloaded).name(), "overloaded");
        assert_eq!(said(ByeReason::Overloaded).to_string(), "why");
        assert_eq!(said(ByeReason::ProtocolError).name(), "protocol_error");
        assert_eq!(Ending::Heard(ByeReason::ProtocolError).name(), "peer_saw_protocol_error");
        assert_eq!(Ending::Heard(ByeReason::Stopped).name(), "peer_stopped");
    }
}

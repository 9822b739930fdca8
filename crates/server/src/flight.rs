//! What happened to one link, from its first byte to its end: a line of `flights.jsonl`. Never what was said on it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use steadfast_proto::hub::connection::Ending;
use steadfast_proto::link::{self, Link};
use steadfast_proto::session::Cause;

/// Where the newest flights are, and those before them.
pub(crate) const FILE: &str = "flights.jsonl";
pub(crate) const OLD_FILE: &str = "flights.old.jsonl";

/// See the module's documentation. Moments are Unix milliseconds of the server's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Where it came from.
    pub peer: SocketAddr,
    /// Whose it was, once that was proven.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// When it was accepted.
    pub opened_at_ms: u64,
    /// When it was admitted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at_ms: Option<u64>,
    /// How long the device had no link before it was admitted, if its last one is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_ms: Option<u64>,
    /// When its last byte came.
    pub last_in_at_ms: u64,
    /// When the first ping left that nothing answered, not even another byte; if the end found it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_at_ms: Option<u64>,
    /// When it ended.
    pub ended_at_ms: u64,
    /// Why.
    #[serde(flatten)]
    pub end: End,
    /// What went over it.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// What the kernel was told to do with a dead line, as the kernel says.
    pub kernel: String,
}

/// Whose a link was. As the log writes them, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The account.
    pub account: String,
    /// The device.
    pub device: String,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Whose doing it was.
    pub ended_by: EndedBy,
    /// The cause, by its name in PROTOCOL.md; or the reason of the server's own goodbye.
    pub cause: String,
    /// The same in plain words.
    pub words: String,
}

/// Whose doing the end of a link was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The server let go: it found the line or the client at fault, or had a reason of its own.
    Server,
    /// The client said goodbye.
    Client,
    /// The line broke off.
    Line,
}

/// What went over a link. Frames that left in parts count once a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Parts received.
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Parts sent.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Pings sent.
    pub pings_out: u32,
    /// Pings that had no pong when it ended.
    pub pings_unanswered: u32,
}

impl Flight {
    /// One line for whoever runs the server.
    pub(crate) fn log(&self) {
        let Traffic { frames_in, bytes_in, frames_out, bytes_out, pings_out, pings_unanswered } = self.traffic;
        tracing::info!(
            peer = %self.peer,
            account = self.who.as_ref().map(|who| who.account.as_str()),
            device = self.who.as_ref().map(|who| who.device.as_str()),
            cause = self.end.cause,
            ended_by = ?self.end.ended_by,
            lasted_ms = self.ended_at_ms.saturating_sub(self.opened_at_ms),
            silent_ms = self.ended_at_ms.saturating_sub(self.last_in_at_ms),
            suspected_ms = self.suspected_at_ms.map(|at| self.ended_at_ms.saturating_sub(at)),
            frames_in,
            bytes_in,
            frames_out,
            bytes_out,
            pings_out,
            pings_unanswered,
            "connection ended: {}",
            self.end.words
        );
    }
}

impl Traffic {
    pub(crate) fn of(link: &Link) -> Self {
        let link::Traffic { frames_in, bytes_in, frames_out, bytes_out, pings_out } = link.traffic();
        let pings_unanswered = u32::try_from(link.liveness().pings_unanswered()).unwrap_or(u32::MAX);
        Self { frames_in, bytes_in, frames_out, bytes_out, pings_out, pings_unanswered }
    }
}

impl End {
    pub(crate) fn said(ending: &Ending) -> Self {
        let ended_by = match ending {
            Ending::Found(_) | Ending::Said { .. } => EndedBy::Server,
            Ending::Heard(_) => EndedBy::Client,
        };
        Self { ended_by, cause: ending.name().to_owned(), words: ending.to_string() }
    }

    pub(crate) fn broke(cause: &Cause) -> Self {
        Self { ended_by: EndedBy::Line, cause: cause.name().to_owned(), words: cause.to_string() }
    }

    /// The connection's task was stopped in the middle.
    pub(crate) fn cut_short() -> Self {
        let words = "the server stopped in the middle of it".to_owned();
        Self { ended_by: EndedBy::Server, cause: "other".to_owned(), words }
    }
}

/// The links that ended last, as the server that keeps `data` wrote them down, oldest first: about two million bytes'
/// worth. Links that are up are not among them, nor those that a killed server had. Lines that are no flight, as a full
/// disk leaves them, are passed over.
pub fn flights(data: &Path) -> io::Result<Vec<Flight>> {
    let mut flights = Vec::new();
    for name in [OLD_FILE, FILE] {
        let file = match File::open(data.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            flights.extend(serde_json::from_slice::<Flight>(&line?));
        }
    }
    Ok(flights)
}

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
    /// What the client had of the log over it, once it was let in.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
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

/// What the client of a link had of the log over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The position after which it went on: the place that its Hello named or, where the histories had parted, what
    /// both share. A new device has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<u64>,
    /// Entries that left for it.
    pub entries_out: u64,
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
            resumed_from = self.stream.and_then(|stream| stream.resumed_from),
            entries_out = self.stream.map(|stream| stream.entries_out),
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

    /// The connection's task ended in the middle: it was stopped, or is panicking.
    pub(crate) fn cut_short() -> Self {
        let words = match std::thread::panicking() {
            true => "a fault of the server ended it",
            false => "the server stopped in the middle of it",
        };
        Self { ended_by: EndedBy::Server, cause: "other".to_owned(), words: words.to_owned() }
    }
}

/// The links that ended last, as the server that keeps `data` wrote them down, oldest first: about two million bytes'
/// worth. Links that are up are not among them, nor those that a killed server had. Lines that are no flight, as a full
/// disk leaves them, are passed over.
pub fn flights(data: &Path) -> io::Result<Vec<Flight>> {
    let newest = read(&data.join(FILE))?;
    Ok(joined(read(&data.join(OLD_FILE))?, newest))
}

/// What was read of the old file, and before that of the newest: a running server may have made that one the old one
/// meanwhile. The other way round, the newest flights would be in neither.
fn joined(old: Vec<Flight>, newest: Vec<Flight>) -> Vec<Flight> {
    if old.starts_with(&newest) { old } else { [old, newest].concat() }
}

fn read(path: &Path) -> io::Result<Vec<Flight>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut flights = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        flights.extend(serde_json::from_slice::<Flight>(&line?));
    }
    Ok(flights)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    fn flight(number: u64) -> Flight {
        Flight {
            peer: ([10, 0, 0, 1], 4_711).into(),
            who: None,
            opened_at_ms: 1,
            admitted_at_ms: None,
            away_ms: None,
            last_in_at_ms: 1,
            suspected_at_ms: None,
            ended_at_ms: number,
            end: End { ended_by: EndedBy::Line, cause: "reset".to_owned(), words: "the line was reset".to_owned() },
            stream: None,
            traffic: Traffic {
                frames_in: 0,
                bytes_in: 0,
                frames_out: 0,
                bytes_out: 0,
                pings_out: 0,
                pings_unanswered: 0,
            },
            kernel: String::new(),
        }
    }

    fn write(path: &Path, numbers: std::ops::Range<u64>) {
        let lines = numbers.map(|number| serde_json::to_string(&flight(number)).expect("it is plain") + "\n");
        std::fs::write(path, lines.collect::<String>()).expect("it can be written");
    }

    #[test]
    fn flights_that_become_the_old_ones_while_they_are_read_are_there_once() {
        let data = tempfile::tempdir().expect("a directory");
        let (newest, old) = (data.path().join(FILE), data.path().join(OLD_FILE));
        write(&old, 0..3);
        write(&newest, 3..5);
        let numbers = |flights: Vec<Flight>| flights.iter().map(|flight| flight.ended_at_ms).collect::<Vec<_>>();
        assert_eq!(numbers(flights(data.path()).expect("they can be read")), [0, 1, 2, 3, 4]);

        let read_first = read(&newest).expect("it can be read");
        write(&newest, 3..6);
        std::fs::rename(&newest, &old).expect("it can be moved");
        let read_then = read(&old).expect("it can be read");
        assert_eq!(numbers(joined(read_then, read_first)), [3, 4, 5]);
        assert_eq!(numbers(flights(data.path()).expect("they can be read")), [3, 4, 5], "before there is a new one");
    }

    #[test]
    fn a_task_that_panics_is_not_told_as_one_that_a_stop_cut_short() {
        struct Task(SyncSender<End>);
        impl Drop for Task {
            fn drop(&mut self) {
                self.0.send(End::cut_short()).expect("the test listens");
            }
        }
        let (told, ends) = sync_channel(2);
        drop(Task(told.clone()));
        let panicking = std::thread::spawn(move || {
            let _task = Task(told);
            panic!("as a bug would");
        });
        assert!(panicking.join().is_err());
        let words: Vec<String> = ends.iter().map(|end| end.words).collect();
        assert_eq!(words, ["the server stopped in the middle of it", "a fault of the server ended it"]);
    }
}

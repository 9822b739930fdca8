//! Results on standard output: lines for people, one JSON object a line for programs. What is to be said beside them,
//! on standard error.
//!
//! Whoever reads either may pause for as long as he likes (`less`, Ctrl-S). A task that has more to do, and be it to
//! hear Ctrl-C, awaits the writing, which is done on a thread that may block.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use serde::Serialize;
use steadfast::{Message, What};

use crate::exit::Exit;

/// How long whoever reads standard error may take for the last words of a command.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A message as `tail` and `history` print it.
#[derive(Debug, Serialize)]
struct Told<'m> {
    position: u64,
    room: &'m str,
    room_sequence: u64,
    from: &'m str,
    sequence: u64,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'m str>,
}

/// RFC 3339 UTC, with milliseconds.
pub(crate) fn rfc3339(ms: u64) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    humantime::format_rfc3339_millis(at).to_string()
}

/// The line for an entry; `None` for one that is no message.
pub(crate) fn message_line(room: &str, message: &Message, json: bool) -> Option<String> {
    let What::Message { body, content_type } = &message.what else { return None };
    let text = message.text();
    let data = text.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(body));
    if json {
        let line = Told {
            position: message.position,
            room,
            room_sequence: message.room_sequence,
            from: &message.author,
            sequence: message.sequence,
            at: rfc3339(message.at_ms),
            text,
            data,
            content_type: Some(content_type.as_str()).filter(|kind| !kind.is_empty()),
        };
        return serde_json::to_string(&line).ok();
    }
    let shown = match text {
        Some(text) => harmless(text),
        None => format!("({} bytes of {content_type})", body.len()),
    };
    Some(format!("{} {}: {shown}", rfc3339(message.at_ms), harmless(&message.author)))
}

/// Text as a terminal may have it: nothing in a message can move the cursor, clear the screen or fake a line.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Prints lines and flushes them. A reader that has gone ends the command quietly.
pub(crate) fn print(lines: &[String]) -> Result<(), Exit> {
    write(lines).map_err(|error| not_printed(&error))
}

/// The same, where something else goes on meanwhile. What was begun is finished, unless the command ends before.
pub(crate) async fn print_aside(lines: Vec<String>) -> Result<(), Exit> {
    write_aside(lines).await.map_err(|error| not_printed(&error))
}

/// Writes lines to standard output and flushes them while something else goes on, for whoever goes on when its reader
/// has gone, too.
pub(crate) async fn write_aside(lines: Vec<String>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || write(&lines)).await?
}

fn write(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush())
}

fn not_printed(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::said(0),
        _ => failed(error),
    }
}

/// Standard output can't be written to.
pub(crate) fn failed(error: &io::Error) -> Exit {
    Exit::failed(format!("standard output: {error}"))
}

/// Says something on standard error while something else goes on.
pub(crate) async fn tell(words: String) {
    tell_all(vec![words]).await;
}

/// Says several things on standard error while something else goes on.
pub(crate) async fn tell_all(words: Vec<String>) {
    if !words.is_empty() {
        // It is not said only if the command ends before.
        tokio::task::spawn_blocking(move || words.iter().for_each(|words| say(words))).await.ok();
    }
}

/// Says why a command ends. A reader who has paused does not keep it from ending.
pub(crate) fn tell_last(words: &str) {
    let words: Arc<str> = words.into();
    let (done, said) = sync_channel(1);
    let theirs = Arc::clone(&words);
    let speak = move || {
        say(&theirs);
        // Nobody waits any more: time was up.
        done.send(()).ok();
    };
    match std::thread::Builder::new().spawn(speak) {
        // Without an answer the words are not read, and the thread ends with the process.
        Ok(_) => drop(said.recv_timeout(LAST_WORDS)),
        Err(_) => say(&words),
    }
}

/// Goes on where standard error is closed: there is nobody to be told.
fn say(words: &str) {
    io::stderr().write_all(format!("steadfast: {words}\n").as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_speak_to_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\rc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(1_767_225_600_123), "2026-01-01T00:00:00.123Z");
    }
}

//! What `send` sends: its arguments, or the lines of standard input as they come.

use std::io::{self, BufRead as _, BufReader};
use std::time::Duration;

use steadfast::{BODY_BYTES_MAX, Draft};
use steadfast_net::clock::{BootClock, BootTimer};
use tokio::sync::mpsc;

/// Lines of one batch, at most; what is there at the moment goes together.
const BATCH_LINES_MAX: usize = 512;
/// Batches read ahead.
const BATCHES_AHEAD: usize = 2;

/// One line, as it was read.
#[derive(Debug)]
pub(super) struct Line {
    /// 1, 2, 3 … in the input.
    number: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    /// Longer than a message may be; its bytes were not kept.
    TooLong,
    Unreadable(io::Error),
}

impl Line {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The line as a message, or what is wrong with it.
    pub(super) fn checked(self) -> Result<Line, String> {
        let number = self.number;
        match self.content {
            Content::TooLong => Err(format!("line {number} is longer than {BODY_BYTES_MAX} bytes: not sent")),
            Content::Unreadable(error) => Err(format!("standard input can't be read after line {number}: {error}")),
            Content::Bytes(bytes) if std::str::from_utf8(&bytes).is_err() => {
                Err(format!("line {number} is not UTF-8: not sent"))
            }
            Content::Bytes(bytes) => Ok(Line { number, content: Content::Bytes(bytes) }),
        }
    }

    pub(super) fn draft(&self, key: Option<&str>) -> Draft {
        let body = match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::TooLong | Content::Unreadable(_) => Vec::new(),
        };
        // Of no named kind, which means text.
        let draft = Draft::bytes(body, "");
        match key {
            Some(key) => draft.key(key, self.number),
            None => draft,
        }
    }
}

/// Batches of lines, until there are no more.
#[derive(Debug)]
pub(super) struct Input {
    batches: mpsc::Receiver<Vec<Line>>,
    over: bool,
}

impl Input {
    pub(super) fn open(text: &[String]) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        if text.is_empty() {
            tokio::task::spawn_blocking(move || read_standard_input(&sender));
        } else {
            let content = Content::Bytes(text.join(" ").into_bytes());
            // The channel is empty and its receiver is here.
            sender.try_send(vec![Line { number: 1, content }]).ok();
        }
        Self { batches, over: false }
    }

    pub(super) async fn next(&mut self) -> Option<Vec<Line>> {
        let batch = self.batches.recv().await;
        self.over = batch.is_none();
        batch
    }

    /// The next batch, if there is one in this time; what is there already comes with no time at all.
    pub(super) async fn next_within(&mut self, time: Duration) -> io::Result<Option<Vec<Line>>> {
        if self.over {
            return Ok(None);
        }
        let mut timer = BootTimer::new()?;
        timer.set(Some(BootClock::now() + time));
        tokio::select! {
            biased;
            batch = self.next() => Ok(batch),
            _ = timer.expired() => Ok(None),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

fn read_standard_input(batches: &mpsc::Sender<Vec<Line>>) {
    let mut reader = BufReader::with_capacity(256 * 1024, io::stdin());
    let mut number = 0;
    loop {
        let mut batch = Vec::new();
        let mut ended = false;
        // A batch ends where reading on would wait for whoever writes.
        while batch.len() < BATCH_LINES_MAX && (batch.is_empty() || reader.buffer().contains(&b'\n')) {
            number += 1;
            match read_line(&mut reader) {
                None => {
                    ended = true;
                    break;
                }
                Some(Content::Bytes(bytes)) if bytes.is_empty() => {}
                Some(content) => {
                    ended = matches!(content, Content::Unreadable(_));
                    batch.push(Line { number, content });
                }
            }
            if ended {
                break;
            }
        }
        if !batch.is_empty() && batches.blocking_send(batch).is_err() {
            return;
        }
        if ended {
            return;
        }
    }
}

/// The next line without its end; `None` at the end of the input.
fn read_line(reader: &mut BufReader<io::Stdin>) -> Option<Content> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(Content::Unreadable(error)),
        };
        if available.is_empty() {
            return match (line.is_empty(), too_long) {
                (_, true) => Some(Content::TooLong),
                (true, false) => None,
                (false, false) => Some(Content::Bytes(line)),
            };
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if line.len() + part.len() > BODY_BYTES_MAX {
            too_long = true;
            line.clear();
        }
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Some(if too_long { Content::TooLong } else { Content::Bytes(line) });
        }
    }
}

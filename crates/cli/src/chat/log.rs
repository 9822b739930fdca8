//! Log lines while the chat has the terminal: they would tear the screen, so they are shown in it.

use std::io::{self, Write};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Lines that may wait for the screen.
const LINES_MAX: usize = 256;

/// Where the log is written to instead of standard error.
#[derive(Debug)]
pub(crate) struct ChatLog(Sender<String>);

/// What the log says, for the screen.
#[derive(Debug)]
pub(crate) struct LogLines(Option<Receiver<String>>);

impl ChatLog {
    pub(crate) fn new() -> (Self, LogLines) {
        let (lines, shown) = channel(LINES_MAX);
        (Self(lines), LogLines(Some(shown)))
    }
}

impl LogLines {
    /// Of a log that goes elsewhere.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Waits for the next line, for ever where there will be none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> String {
        if let Some(lines) = &mut self.0
            && let Some(line) = lines.recv().await
        {
            return line;
        }
        self.0 = None;
        std::future::pending().await
    }
}

impl Write for ChatLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.trim().is_empty()) {
            // A screen shows so many lines at most; what is beyond is more of the same.
            self.0.try_send(line.to_owned()).ok();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

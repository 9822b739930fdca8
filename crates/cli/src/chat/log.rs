//! Log lines while the chat has the terminal: they would tear the screen, so they are shown in it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Lines that may wait for the screen.
const LINES_MAX: usize = 256;

/// Where the log is written to instead of standard error.
#[derive(Debug)]
pub(crate) struct ChatLog {
    lines: Sender<String>,
    /// Lines that did not fit, and that nobody was told of.
    lost: Arc<AtomicU64>,
}

/// What the log says, for the screen.
#[derive(Debug)]
pub(crate) struct LogLines {
    lines: Option<Receiver<String>>,
    lost: Arc<AtomicU64>,
}

impl ChatLog {
    pub(crate) fn new() -> (Self, LogLines) {
        let (lines, shown) = channel(LINES_MAX);
        let lost = Arc::<AtomicU64>::default();
        (Self { lines, lost: Arc::clone(&lost) }, LogLines { lines: Some(shown), lost })
    }
}

impl LogLines {
    /// Of a log that goes elsewhere.
    pub(crate) fn none() -> Self {
        Self { lines: None, lost: Arc::default() }
    }

    /// Waits for the next line, for ever where there will be none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> String {
        if let Some(lines) = &mut self.lines
            && let Some(line) = lines.recv().await
        {
            return match self.lost.swap(0, Ordering::Relaxed) {
                0 => line,
                lost => format!("{line} (and {lost} lines of the log that did not fit)"),
            };
        }
        self.lines = None;
        std::future::pending().await
    }
}

impl Write for ChatLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.trim().is_empty()) {
            if self.lines.try_send(line.to_owned()).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_do_not_fit_are_counted_and_said() {
        let (mut log, mut lines) = ChatLog::new();
        for _ in 0..LINES_MAX + 2 {
            log.write_all(b"a line\n").expect("it never fails");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let first = runtime.block_on(lines.next());
        assert_eq!(first, "a line (and 2 lines of the log that did not fit)");
        assert_eq!(runtime.block_on(lines.next()), "a line");
    }
}

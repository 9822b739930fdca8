//! The keyboard of whoever runs a command: lines typed in answer to a question, and nothing else.
//!
//! A terminal keeps what was typed before anybody asked, belongs to one job at a time, and stops a process that reads
//! from it out of turn. So a question begins with [`Keyboard::discard`], and nothing is read before there is a line and
//! this process is in the foreground.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use tokio::io::unix::AsyncFd;

use crate::sys;

/// A terminal gives a line of at most this many bytes: termios(3).
const LINE_BYTES_MAX: usize = 4_096;

/// Standard input, where that is a terminal.
#[derive(Debug)]
pub struct Keyboard {
    typed: AsyncFd<File>,
    /// The same for a thread that may block.
    terminal: Arc<File>,
}

/// Whether somebody at the keyboard is heard now: standard input is a terminal, and this process in its foreground.
pub fn is_heard() -> bool {
    let input = io::stdin();
    input.is_terminal() && sys::in_foreground(&input)
}

impl Keyboard {
    /// The keyboard, if standard input is one. Must be called in a tokio runtime with I/O.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn open() -> io::Result<Option<Self>> {
        let input = io::stdin();
        if !input.is_terminal() {
            return Ok(None);
        }
        Self::of(input.as_fd().try_clone_to_owned()?.into()).map(Some)
    }

    fn of(terminal: File) -> io::Result<Self> {
        let typed = sys::watched(terminal.try_clone()?)?;
        Ok(Self { typed, terminal: Arc::new(terminal) })
    }

    /// Throws away what was typed so far. While another job has the terminal that is another one's.
    pub fn discard(&self) {
        if sys::in_foreground(&self.terminal)
            && let Err(error) = sys::discard_input(&self.terminal)
        {
            tracing::debug!(%error, "what was typed before can't be thrown away");
        }
    }

    /// Waits for a line that is typed while this process is in the foreground; false once there will be none any more.
    /// Cancel-safe but for a line that is just being read.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn line(&mut self) -> io::Result<bool> {
        loop {
            let mut ready = self.typed.readable().await?;
            if sys::has_input(&self.terminal) && sys::in_foreground(&self.terminal) {
                break;
            }
            // A line that is typed later is told anew.
            ready.clear_ready();
        }
        // Another process of this job may have been quicker.
        let terminal = Arc::clone(&self.terminal);
        let read = tokio::task::spawn_blocking(move || terminal.as_ref().read(&mut [0; LINE_BYTES_MAX])).await?;
        read.map(|bytes| bytes > 0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// Whether there is a line without waiting for one.
    fn has_line(keyboard: &mut Keyboard) -> bool {
        use std::future::Future as _;

        let line = pin!(keyboard.line());
        line.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn only_a_line_that_is_typed_after_the_question_answers_it() {
        let (mut person, program) = sys::new_terminal().expect("a terminal");
        let mut keyboard = Keyboard::of(program).expect("a keyboard");
        person.write_all(b"early\n\n").expect("typed");
        assert!(keyboard.line().await.expect("a line"), "it is there");
        keyboard.discard();
        assert!(!has_line(&mut keyboard), "the second one was thrown away");
        person.write_all(b"half").expect("typed");
        assert!(!has_line(&mut keyboard), "it is no line yet");
        person.write_all(b"\n").expect("typed");
        assert!(keyboard.line().await.expect("a line"));
        drop(person);
        assert!(!keyboard.line().await.unwrap_or(false), "the keyboard is gone");
    }
}

//! The terminal while the chat has it: raw, on its other screen, and given back however the chat ends.
//!
//! What is drawn is written by a thread of its own. A terminal that is held (Ctrl-S, a slow line) holds up nothing
//! else: the next frame is made when the last one has been taken, and the chat ends without its taking anything.

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use steadfast_net::clock::{BootClock, BootTimer};
use tokio::sync::mpsc::{Receiver, channel};

/// How long a terminal has for taking what is written to it last.
const LAST_WRITING: Duration = Duration::from_secs(1);

/// The terminal, from [`take`](Tty::take) until it is dropped.
#[derive(Debug)]
pub(crate) struct Tty {
    terminal: Terminal<CrosstermBackend<Bytes>>,
    drawn: Bytes,
    painter: Option<SyncSender<Vec<u8>>>,
    painted: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    /// A frame is being written.
    painting: bool,
    broken: Arc<AtomicBool>,
}

/// What was drawn and not handed to the painter yet.
#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bytes {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tty {
    /// Takes the terminal; it is given back when this is dropped, and when anything panics.
    pub(crate) fn take(size: (u16, u16)) -> io::Result<Self> {
        let drawn = Bytes::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
        let terminal = Terminal::with_options(CrosstermBackend::new(drawn.clone()), TerminalOptions { viewport })?;
        let (painter, frames) = sync_channel::<Vec<u8>>(1);
        let (done, painted) = channel(1);
        let paint = move || {
            for frame in frames {
                let mut out = io::stdout().lock();
                if TAKEN.load(Ordering::Acquire) {
                    // A terminal that is gone says so by a signal.
                    out.write_all(&frame).and_then(|()| out.flush()).ok();
                }
                drop(out);
                if done.blocking_send(()).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("painter".to_owned()).spawn(paint)?;
        let broken = give_back_on_panic();
        let tty =
            Self { terminal, drawn, painter: Some(painter), painted, thread: Some(thread), painting: false, broken };
        enable_raw_mode()?;
        let mut out = io::stdout().lock();
        TAKEN.store(true, Ordering::Release);
        enter(&mut out)?;
        drop(out);
        Ok(tty)
    }

    /// Whether something panicked: then the terminal was given back already.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Draws, if the last frame has been taken; if not, it is to be tried again once it has.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<bool> {
        if self.painting || self.is_broken() {
            return Ok(false);
        }
        self.terminal.draw(draw)?;
        self.paint();
        Ok(true)
    }

    /// Makes the terminal's sound.
    pub(crate) fn ring(&mut self) {
        // It goes out with the next frame: there is always one behind what rings.
        self.drawn.0.lock().unwrap_or_else(PoisonError::into_inner).push(b'\x07');
    }

    /// Waits until the last frame has been taken; for ever where there is none. Cancel-safe.
    pub(crate) async fn painted(&mut self) {
        if self.painting && self.painted.recv().await.is_some() {
            self.painting = false;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// The terminal has another size.
    pub(crate) fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        self.terminal.resize(Rect::new(0, 0, size.0, size.1))
    }

    /// The next frame is drawn whole.
    pub(crate) fn redraw(&mut self) -> io::Result<()> {
        // Not `clear`: that asks the terminal for its cursor, and waits two seconds for one that does not answer.
        let area = self.terminal.get_frame().area();
        self.terminal.resize(area)
    }

    /// Gives the terminal to the shell until this process is in the foreground again.
    pub(crate) async fn suspend(&mut self) -> io::Result<()> {
        if self.painting {
            let mut timer = BootTimer::new()?;
            // One that takes nothing in has no shell to show either.
            timer.within(BootClock::now() + LAST_WRITING, self.painted()).await?;
        }
        leave()?;
        // The shell learns of it as of any program's Ctrl-Z. A process that no shell waits for is not stopped by it.
        let process = rustix::process::getpid();
        rustix::process::kill_process(process, rustix::process::Signal::TSTP)?;
        self.come_back()
    }

    /// Takes the terminal again after somebody else had it.
    pub(crate) fn come_back(&mut self) -> io::Result<()> {
        // What it was before is asked anew: the shell may have changed it.
        disable_raw_mode()?;
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::Release);
        // By the painter, with the next frame: it may be at the last one still, and nothing waits for it.
        enter(&mut self.drawn)?;
        self.redraw()
    }

    fn paint(&mut self) {
        let frame = self.drawn.take();
        if frame.is_empty() {
            return;
        }
        if let Some(painter) = &self.painter {
            // The painter is idle, and ends only after this.
            self.painting = painter.send(frame).is_ok();
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        drop(self.painter.take());
        let held = self.painting && self.painted.try_recv().is_err();
        if let Some(thread) = self.thread.take().filter(|_| !held) {
            // It has nothing to panic about.
            drop(thread.join());
        }
        if !self.is_broken() {
            leave_in_time();
        }
    }
}

/// Whether the process's terminal is the chat's. It is given back under the lock of standard output, so that no frame
/// is painted behind that.
static TAKEN: AtomicBool = AtomicBool::new(false);

fn enter(out: &mut impl Write) -> io::Result<()> {
    execute!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

fn leave() -> io::Result<()> {
    let mut out = io::stdout().lock();
    TAKEN.store(false, Ordering::Release);
    let written = execute!(out, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    drop(out);
    disable_raw_mode().and(written)
}

/// Gives the terminal back; one that takes nothing in only gets its settings back.
fn leave_in_time() {
    let (done, left) = sync_channel(1);
    // Neither of the two has anybody left to tell: this is the end.
    let leave = move || {
        leave().ok();
        done.send(()).ok();
    };
    // Where the terminal is held nobody can join it: it ends with the process.
    let thread = std::thread::Builder::new().name("leaving".to_owned()).spawn(leave);
    if thread.is_err() || left.recv_timeout(LAST_WRITING).is_err() {
        disable_raw_mode().ok();
    }
}

/// A panic is told on the terminal as it was before.
fn give_back_on_panic() -> Arc<AtomicBool> {
    let broken = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&broken);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if !noted.swap(true, Ordering::AcqRel) {
            leave_in_time();
        }
        before(info);
    }));
    broken
}

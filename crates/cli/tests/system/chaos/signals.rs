//! Whether the run was asked to stop: it then takes away all that it made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Catches Ctrl-C and what a terminal or a supervisor sends, until it is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    asked: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    pub(super) fn catch() -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let theirs = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut caught = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
                    .map(|kind| signal(kind).expect("it can be caught"));
                let [interrupt, terminate, hangup] = &mut caught;
                tokio::select! {
                    _ = interrupt.recv() => theirs.store(true, Ordering::Relaxed),
                    _ = terminate.recv() => theirs.store(true, Ordering::Relaxed),
                    _ = hangup.recv() => theirs.store(true, Ordering::Relaxed),
                    _ = stopped => {}
                }
            });
        });
        Self { asked, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn asked_to_stop(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it was for is over.
            thread.join().ok();
        }
    }
}

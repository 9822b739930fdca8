//! The task behind a client: it drives the profile's link while it holds the lock, and follows the process that does
//! while it does not. A profile in memory has no lock and no other process.

use std::ops::ControlFlow;

use steadfast_net::clock::BootClock;
use steadfast_proto::time::Duration;
use steadfast_store::profile::ProfileError;
use tokio::sync::oneshot;

use crate::driving::{Command, Driving, Turn};
use crate::error::{AskError, OpenError};
#[cfg(feature = "durable")]
use crate::follow::Following;
use crate::hold::{Ending, Holding};
use crate::status::Status;

/// How long a profile that can't be driven now is left alone.
const RETRY: Duration = Duration::from_secs(1);

impl Driving {
    pub(crate) async fn run(mut self) {
        let closed = loop {
            let lock = match self.turn().await {
                ControlFlow::Break(done) => break done,
                ControlFlow::Continue(lock) => lock,
            };
            match Holding::start(&mut self, lock).await {
                Ok(holding) => match holding.run().await {
                    Ending::Closed(done) => break done,
                    Ending::Failed(error) => break self.stay_failed(&error).await,
                },
                Err(OpenError::Profile(error)) if !error.is_passing() => break self.stay_failed(error.inner()).await,
                // A full disk, or no descriptor left: what is safe stays safe, and the lock is another's meanwhile.
                Err(error) => {
                    tracing::warn!(%error, "the profile can't be driven now");
                    let next_try = BootClock::now() + RETRY;
                    self.show(Status::of_waiting_profile(&error, next_try));
                    self.timer.set(Some(next_try));
                    // A timer that fails costs the pause, not the next try.
                    self.timer.expired().await.ok();
                }
            }
        };
        if let Some(done) = closed {
            // The client may have gone meanwhile.
            done.send(()).ok();
        }
    }

    /// Waits until this process may drive: at once in memory, where it is alone.
    async fn turn(&mut self) -> Turn {
        #[cfg(feature = "durable")]
        if !self.options.memory {
            return Following::new(self).run().await;
        }
        ControlFlow::Continue(None)
    }

    /// Nothing can be stored any more, so nothing is tried until the client is closed: whoever opens it again finds out
    /// what the disk has. Another process of the profile may drive meanwhile.
    async fn stay_failed(&mut self, error: &ProfileError) -> Option<oneshot::Sender<()>> {
        self.show(Status::of_failed_profile(error));
        loop {
            match self.commands.recv().await {
                None => return None,
                Some(Command::Close(done)) => return Some(done),
                // The asker may have gone.
                Some(Command::Ask(_, asked)) => drop(asked.send(Err(AskError::of_profile(error.clone())))),
                Some(Command::Appended | Command::TryNow | Command::Stop | Command::Resume | Command::LogIn) => {}
                Some(Command::Reconnect(_) | Command::AutoLogin(_) | Command::Watch(_) | Command::TypeIn(_)) => {}
            }
        }
    }
}

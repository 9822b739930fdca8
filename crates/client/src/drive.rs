//! The task behind a client: it drives the profile's link while it holds the lock, and follows the process that does
//! while it does not.

use std::path::PathBuf;

use steadfast_proto::session::Request;
use steadfast_store::profile::DriverLock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::AskError;
use crate::follow::Following;
use crate::hold::Holding;
use crate::keeper::Keeper;
use crate::options::Options;
use crate::status::Status;

/// What a client asks of its task.
#[derive(Debug)]
pub(crate) enum Command {
    /// The outbox grew.
    Appended,
    /// Something of the server.
    Ask(Request, Asked),
    TryNow,
    Stop,
    Resume,
    Close(oneshot::Sender<()>),
}

/// Where the answer to a request goes.
pub(crate) type Asked = oneshot::Sender<Result<(), AskError>>;

/// What the task owns, whether it drives or follows.
#[derive(Debug)]
pub(crate) struct Driving {
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    pub(crate) process: u64,
    pub(crate) keeper: Keeper,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) changed: watch::Sender<u64>,
}

/// Why a role ended.
pub(crate) enum Ended {
    /// The lock is ours: drive. What was asked while following goes along.
    Lock(DriverLock, Vec<(Request, Asked)>),
    /// The client is closed.
    Closed(Option<oneshot::Sender<()>>),
}

impl Driving {
    pub(crate) async fn run(mut self) {
        let closed = match Following::new(&mut self).run().await {
            Ended::Closed(done) => done,
            Ended::Lock(lock, asked) => match Holding::start(&mut self, lock, asked).await {
                Ok(holding) => holding.run().await,
                Err(error) => {
                    tracing::error!(%error, "the profile can't be driven");
                    None
                }
            },
        };
        if let Some(done) = closed {
            // The client may have gone meanwhile.
            done.send(()).ok();
        }
    }

    /// Something was stored, or may have been.
    pub(crate) fn note_change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Shows the status, if it says something new.
    pub(crate) fn show(&self, status: Status) -> bool {
        let mut told = false;
        self.status.send_if_modified(|shown| {
            told = !shown.says_the_same(&status);
            let differs = *shown != status;
            *shown = status;
            differs
        });
        told
    }
}

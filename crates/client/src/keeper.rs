//! A thread of its own for a profile: its calls block, async code must not.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use steadfast_store::profile::Profile;
use tokio::sync::oneshot;

use crate::error::OpenError;

/// Jobs that may wait. Callers block their own task beyond it, not the link.
const JOBS_MAX: usize = 1_024;

type Job = Box<dyn FnOnce(&mut Profile) + Send>;

/// Gives jobs to the thread; clones give to the same one. The thread ends with
/// the last of them, or when it is stopped.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    /// `None` ends the thread.
    jobs: SyncSender<Option<Job>>,
}

/// The thread has ended: the client was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Keeper {
    pub(crate) fn start(mut profile: Profile, name: &str) -> Result<(Self, JoinHandle<()>), OpenError> {
        let (jobs, waiting) = sync_channel::<Option<Job>>(JOBS_MAX);
        let run = move || {
            while let Ok(Some(job)) = waiting.recv() {
                job(&mut profile);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        Ok((Self { jobs }, thread.map_err(|error| OpenError::System(error.to_string()))?))
    }

    /// Starts a job; its result comes through the receiver.
    pub(crate) fn start_job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Profile) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |profile| {
            // Whoever asked may have gone; what the job did stays done.
            done.send(job(profile)).ok();
        });
        // A thread that has ended drops the job, and the receiver learns of it.
        self.jobs.send(Some(job)).ok();
        result
    }

    /// Ends the thread after what it was given; whoever comes later finds it closed.
    pub(crate) fn stop(&self) {
        self.jobs.send(None).ok();
    }

    /// Runs a job and waits for its result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Profile) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.start_job(job).await.map_err(|_| Closed)
    }
}

//! A thread of its own for a profile: its calls block, async code must not.
//!
//! Jobs run in the order in which they were taken in. No caller is ever blocked: who can wait awaits its turn
//! ([`Keeper::run`]); the loop that moves bytes can't wait and has places of its own ([`Keeper::start_job`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

#[cfg(feature = "durable")]
use steadfast_store::profile::Profile;
use steadfast_store::profile::{ProfileError, ProfileStore};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, oneshot};

use crate::error::{Failed, OpenError};

/// Jobs of callers that may wait here. Further callers wait in their own tasks.
const CALLER_JOBS_MAX: usize = 1_024;
/// Jobs of the link's loop that may wait beside them. It has one batch, one load, one look for wishes, one status at
/// a time, and an answer for each wish that it read (1,000 are kept) or has open (256); the rest is for drops.
const LINK_JOBS_MAX: usize = 2_048;

type Job = Box<dyn FnOnce(&mut dyn ProfileStore) + Send>;

/// Gives jobs to the thread; clones give to the same one. The thread ends with
/// the last of them, or when it is stopped.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    jobs: Sender<Job>,
    /// One permit for each job of a caller that waits.
    callers: Arc<Semaphore>,
    stopping: Arc<AtomicBool>,
}

/// The thread has ended: the client was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Keeper {
    pub(crate) fn start(mut profile: Box<dyn ProfileStore>, name: &str) -> Result<(Self, JoinHandle<()>), OpenError> {
        let (jobs, mut waiting) = channel::<Job>(CALLER_JOBS_MAX + LINK_JOBS_MAX);
        let stopping = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stopping);
        let run = move || {
            while let Some(job) = next(&mut waiting, &stopped) {
                job(profile.as_mut());
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|error| OpenError::System(error.to_string()))?;
        Ok((Self { jobs, callers: Arc::new(Semaphore::new(CALLER_JOBS_MAX)), stopping }, thread))
    }

    /// Starts a job of the link's loop; its result comes through the receiver. Never waits. The receiver is closed at
    /// once if the thread has ended or the places are taken.
    pub(crate) fn start_job<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn ProfileStore) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        // One that is not taken in drops `done`, and the receiver learns of it.
        self.take_in(Box::new(move |profile| {
            // Whoever asked may have gone; what the job did stays done.
            done.send(job(profile)).ok();
        }));
        result
    }

    /// The same on a profile that other processes use, too; the receiver is closed at once where this is none.
    #[cfg(feature = "durable")]
    pub(crate) fn start_on_disk<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Profile) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        self.take_in(Box::new(move |profile| {
            if let Some(profile) = profile.on_disk() {
                // As above.
                done.send(job(profile)).ok();
            }
        }));
        result
    }

    /// Waits for a place and runs a job. Cancel-safe: a job that was not taken in is never begun, one that was is
    /// finished.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn ProfileStore) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let place = Arc::clone(&self.callers).acquire_owned().await.map_err(|_| Closed)?;
        let result = self.start_job(move |profile| {
            drop(place);
            job(profile)
        });
        result.await.map_err(|_| Closed)
    }

    /// Runs a job that may fail, for a caller who does not care where it failed.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn ProfileStore) -> Result<T, ProfileError> + Send + 'static,
    ) -> Result<T, Failed> {
        Ok(self.run(job).await??)
    }

    /// The same on a profile that other processes use, too.
    #[cfg(feature = "durable")]
    pub(crate) async fn run_on_disk<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Profile) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.run(move |profile| profile.on_disk().map(job)).await?.ok_or(Closed)
    }

    /// Ends the thread after what it was given; whoever comes later finds it closed.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.callers.close();
        // Wakes a thread that waits for a job. One that has no place for it is awake.
        self.jobs.try_send(Box::new(|_| ())).ok();
    }

    /// Starts a job whose result nobody waits for; whether it was taken in.
    #[cfg(feature = "durable")]
    pub(crate) fn leave(&self, job: impl FnOnce(&mut dyn ProfileStore) + Send + 'static) -> bool {
        self.take_in(Box::new(job))
    }

    fn take_in(&self, job: Job) -> bool {
        if self.stopping.load(Ordering::Acquire) {
            return false;
        }
        match self.jobs.try_send(job) {
            Ok(()) => true,
            // The thread has ended.
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(_)) => {
                tracing::error!("the profile's disk is wedged: a job of the line is dropped");
                false
            }
        }
    }
}

/// The next job; none once all givers are gone, or the thread is stopped and has done what it was given.
fn next(waiting: &mut Receiver<Job>, stopping: &AtomicBool) -> Option<Job> {
    if !stopping.load(Ordering::Acquire) {
        return waiting.blocking_recv();
    }
    // Empty, or all givers are gone: both are the end.
    waiting.try_recv().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::sync_channel;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use steadfast_proto::ids::{AccountId, DeviceId};
    use steadfast_store::profile::{Fresh, MESSAGES_BYTES_MAX, MemoryProfile};
    use tokio::runtime::Builder;
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    /// A keeper whose thread is held up until something comes through the sender, or for five seconds.
    fn wedged() -> (Keeper, JoinHandle<()>, std::sync::mpsc::SyncSender<()>, Arc<AtomicBool>) {
        let fresh = Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(3) };
        let profile = MemoryProfile::new("ann", &fresh, MESSAGES_BYTES_MAX).expect("a profile");
        let (keeper, thread) = Keeper::start(Box::new(profile), "test").expect("a thread");
        let (release, released) = sync_channel(1);
        let late = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&late);
        drop(keeper.start_job(move |_| {
            noted.store(released.recv_timeout(Duration::from_secs(5)).is_err(), Ordering::Release);
        }));
        (keeper, thread, release, late)
    }

    #[test]
    fn a_wedged_disk_blocks_no_async_caller_and_what_waited_runs_in_order() {
        const CALLERS: usize = 3 * CALLER_JOBS_MAX;
        let (keeper, thread, release, late) = wedged();
        let done = Arc::new(Mutex::new(Vec::new()));
        Builder::new_current_thread().build().expect("a runtime").block_on(async {
            let mut callers = JoinSet::new();
            let begun = Arc::new(AtomicUsize::new(0));
            for number in 0..CALLERS {
                let (keeper, done, begun) = (keeper.clone(), Arc::clone(&done), Arc::clone(&begun));
                callers.spawn(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let note = move |_: &mut dyn ProfileStore| {
                        done.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                    };
                    keeper.run(note).await
                });
            }
            // One thread runs all of them: if any blocked, this one would not get its turn before the disk is back.
            while begun.load(Ordering::Relaxed) < CALLERS {
                yield_now().await;
            }
            assert!(!late.load(Ordering::Acquire), "a caller was blocked until the disk was back");
            assert!(keeper.jobs.capacity() >= LINK_JOBS_MAX - 1, "callers leave the link its places");
            release.send(()).expect("the thread waits");
            while let Some(ended) = callers.join_next().await {
                assert_eq!(ended.expect("no caller panicked"), Ok(()));
            }
        });
        let done = done.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(done.iter().copied().eq(0..CALLERS), "out of order: {done:?}");
        keeper.stop();
        thread.join().expect("the thread ends");
    }

    #[test]
    fn a_keeper_that_is_stopped_finishes_what_it_was_given_and_takes_no_more() {
        let (keeper, thread, release, _) = wedged();
        let given = keeper.start_job(|_| "done");
        keeper.stop();
        let later = keeper.start_job(|_| "never");
        release.send(()).expect("the thread waits");
        thread.join().expect("the thread ends though a handle is left");
        assert_eq!(given.blocking_recv(), Ok("done"));
        assert!(later.blocking_recv().is_err(), "it was closed");
        let late = Builder::new_current_thread().build().expect("a runtime").block_on(keeper.run(|_| ()));
        assert_eq!(late, Err(Closed));
    }
}

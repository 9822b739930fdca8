//! Any number of timers behind one alarm: a server has more connections than a process may have descriptors.
//!
//! A handle's deadline is its own; the queue, shared by all, holds at most one moment for each handle, which is never
//! later than its deadline while somebody waits for it. So moving a deadline to later, which every received byte
//! does, touches neither lock nor system: the handle is woken at the old moment and queues itself again.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{BootClock, BootTimer, Instant};

/// Gives out timers. Clones give out timers of the same alarm.
#[derive(Clone, Debug)]
pub struct Timers(Arc<Shared>);

/// The task behind [`Timers`], to be stopped by whoever started them. Dropping it ends them too, without joining.
#[derive(Debug)]
pub struct TimersTask {
    shared: Arc<Shared>,
    task: JoinHandle<io::Result<()>>,
}

/// One timer of [`Timers`].
#[derive(Debug)]
pub struct TimerHandle {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    deadline: Option<Instant>,
}

/// The task behind the timers has ended: nothing will expire any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the timers were stopped")]
pub struct TimersStopped;

impl Timers {
    /// Starts the task on the current tokio runtime. Fails when the process is out of descriptors.
    pub fn spawn() -> io::Result<(Self, TimersTask)> {
        let timer = BootTimer::new()?;
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(run(EndsWithTask(Arc::clone(&shared)), timer));
        Ok((Self(Arc::clone(&shared)), TimersTask { shared, task }))
    }

    /// A new timer, without a deadline.
    pub fn register(&self) -> TimerHandle {
        let slot = self.0.lock().new_slot();
        TimerHandle { shared: Arc::clone(&self.0), slot, deadline: None }
    }
}

impl TimersTask {
    /// Ends the task and waits for it. Those who wait for a timer get [`TimersStopped`]. An error is what had ended
    /// the task before.
    pub async fn stop(mut self) -> io::Result<()> {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for TimersTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TimerHandle {
    /// What it waits for.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits for this moment from now on; `None`: for nothing.
    pub fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Returns once the deadline is past, and again at once until another is set; never if there is none.
    /// It can be dropped and called again at any point.
    pub async fn expired(&mut self) -> Result<(), TimersStopped> {
        let Some(deadline) = self.deadline else {
            return pending().await;
        };
        while BootClock::now() < deadline {
            self.shared.queue(&self.slot, deadline)?;
            self.slot.fired.notified().await;
        }
        Ok(())
    }
}

impl Drop for TimerHandle {
    fn drop(&mut self) {
        self.shared.lock().take_out(&self.slot);
    }
}

async fn run(timers: EndsWithTask, mut alarm: BootTimer) -> io::Result<()> {
    let shared = &timers.0;
    while let Ok(next) = shared.fire_due(BootClock::now()) {
        alarm.set(next);
        tokio::select! {
            expired = alarm.expired() => expired?,
            () = shared.changed.notified() => {}
        }
    }
    Ok(())
}

/// Tells all who wait when the task ends, however it does.
struct EndsWithTask(Arc<Shared>);

impl Drop for EndsWithTask {
    fn drop(&mut self) {
        self.0.lock().end();
    }
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the task: the earliest moment is earlier now, or it shall stop.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    moments: BTreeMap<(Instant, u64), Arc<Slot>>,
    /// What the task waits for, or is about to.
    armed: Option<Instant>,
    last_id: u64,
    stopped: bool,
}

/// What the queue and a handle both know.
#[derive(Debug)]
struct Slot {
    id: u64,
    /// The moment that is queued, in nanoseconds, or [`NOT_QUEUED`]. Written under the lock only.
    queued: AtomicU64,
    fired: Notify,
}

const NOT_QUEUED: u64 = u64::MAX;

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing done under the lock can panic halfway, so the queue of a poisoned one is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the slot fires at `deadline` or earlier.
    fn queue(&self, slot: &Arc<Slot>, deadline: Instant) -> Result<(), TimersStopped> {
        if slot.queued.load(Ordering::Acquire) <= deadline.as_nanos().min(NOT_QUEUED - 1) {
            return Ok(());
        }
        let mut queue = self.lock();
        if queue.stopped {
            return Err(TimersStopped);
        }
        queue.put_in(slot, deadline);
        if queue.armed.is_none_or(|armed| deadline < armed) {
            queue.armed = Some(deadline);
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Fires what is due at `now`; returns when the next one is.
    fn fire_due(&self, now: Instant) -> Result<Option<Instant>, TimersStopped> {
        let mut queue = self.lock();
        if queue.stopped {
            return Err(TimersStopped);
        }
        while let Some(entry) = queue.moments.first_entry().filter(|entry| entry.key().0 <= now) {
            entry.remove().fire();
        }
        queue.armed = queue.moments.first_key_value().map(|(key, _)| key.0);
        Ok(queue.armed)
    }
}

impl Queue {
    fn new_slot(&mut self) -> Arc<Slot> {
        self.last_id += 1;
        Arc::new(Slot { id: self.last_id, queued: AtomicU64::new(NOT_QUEUED), fired: Notify::new() })
    }

    fn put_in(&mut self, slot: &Arc<Slot>, moment: Instant) {
        self.take_out(slot);
        self.moments.insert((moment, slot.id), Arc::clone(slot));
        slot.queued.store(moment.as_nanos(), Ordering::Release);
    }

    fn take_out(&mut self, slot: &Slot) {
        let queued = slot.queued.swap(NOT_QUEUED, Ordering::AcqRel);
        self.moments.remove(&(Instant::from_nanos(queued), slot.id));
    }

    fn end(&mut self) {
        self.stopped = true;
        while let Some((_, slot)) = self.moments.pop_first() {
            slot.fire();
        }
    }
}

impl Slot {
    fn fire(&self) {
        self.queued.store(NOT_QUEUED, Ordering::Release);
        self.fired.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// Timers without a task, so that the test says what time it is.
    fn timers() -> Timers {
        Timers(Arc::new(Shared::default()))
    }

    fn queued(handle: &TimerHandle) -> bool {
        handle.slot.queued.load(Ordering::Acquire) != NOT_QUEUED
    }

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn they_fire_in_the_order_of_their_deadlines() {
        let timers = timers();
        let handles: Vec<_> = [30, 10, 20].map(|n| (n, timers.register())).into();
        for (n, handle) in &handles {
            timers.0.queue(&handle.slot, at(*n)).unwrap();
        }
        for (now, next, left) in [(9, Some(10), 3), (10, Some(20), 2), (25, Some(30), 1), (30, None, 0)] {
            assert_eq!(timers.0.fire_due(at(now)), Ok(next.map(at)));
            let waiting = handles.iter().filter(|(n, handle)| queued(handle) && *n > now).count();
            assert_eq!(waiting, left);
        }
    }

    #[test]
    fn only_an_earlier_moment_moves_a_timer_in_the_queue() {
        let timers = timers();
        let handle = timers.register();
        for (deadline, next) in [(50, 50), (70, 50), (20, 20), (20, 20)] {
            timers.0.queue(&handle.slot, at(deadline)).unwrap();
            assert_eq!(timers.0.fire_due(at(0)), Ok(Some(at(next))));
        }
        assert_eq!(timers.0.lock().moments.len(), 1);
    }

    #[test]
    fn a_dropped_handle_leaves_nothing_behind() {
        let timers = timers();
        let handle = timers.register();
        timers.0.queue(&handle.slot, at(10)).unwrap();
        drop(handle);
        assert_eq!(timers.0.fire_due(at(0)), Ok(None));
    }

    #[test]
    fn a_timer_takes_at_most_160_bytes() {
        // 40 for the handle, 16 for the counts of the shared part, 24 in the queue.
        assert!(size_of::<TimerHandle>() + 16 + size_of::<Slot>() + 24 <= 160);
    }

    #[tokio::test]
    async fn a_deadline_that_was_taken_back_does_not_expire() {
        let (timers, task) = Timers::spawn().unwrap();
        let (mut taken_back, mut other) = (timers.register(), timers.register());
        taken_back.set(Some(BootClock::now() + MS));
        other.set(Some(BootClock::now() + 5 * MS));
        tokio::select! {
            biased;
            _ = taken_back.expired() => {}
            () = tokio::task::yield_now() => {}
        }
        taken_back.set(None);
        tokio::select! {
            biased;
            _ = taken_back.expired() => panic!("it was taken back"),
            expired = other.expired() => expired.unwrap(),
        }
        task.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_deadline_moved_to_earlier_expires_then_and_one_moved_to_later_not_before() {
        let (timers, task) = Timers::spawn().unwrap();
        let mut handle = timers.register();
        handle.set(Some(BootClock::now() + HOUR));
        tokio::select! {
            biased;
            _ = handle.expired() => panic!("that is in an hour"),
            () = tokio::task::yield_now() => {}
        }
        handle.set(Some(BootClock::now() + 2 * MS));
        handle.expired().await.unwrap();

        handle.set(Some(BootClock::now() + 2 * MS));
        tokio::select! {
            biased;
            _ = handle.expired() => {}
            () = tokio::task::yield_now() => {}
        }
        let later = BootClock::now() + 20 * MS;
        handle.set(Some(later));
        handle.expired().await.unwrap();
        assert!(BootClock::now() >= later);
        task.stop().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn ten_thousand_timers_expire_none_early_with_one_descriptor() {
        let (timers, task) = Timers::spawn().unwrap();
        let start = BootClock::now();
        let mut waiting = JoinSet::new();
        for n in 0..10_000 {
            let mut handle = timers.register();
            waiting.spawn(async move {
                // Three deadlines each, scattered over 60 ms.
                for round in 0..3 {
                    let deadline = start + MS * (round * 20 + n * 7 % 20);
                    handle.set(Some(deadline));
                    handle.expired().await.unwrap();
                    assert!(BootClock::now() >= deadline);
                }
            });
        }
        while let Some(done) = waiting.join_next().await {
            done.unwrap();
        }
        assert!(timers.0.lock().moments.is_empty());
        task.stop().await.unwrap();
    }

    #[tokio::test]
    async fn those_who_wait_are_told_when_the_timers_stop() {
        let (timers, task) = Timers::spawn().unwrap();
        let mut handle = timers.register();
        handle.set(Some(BootClock::now() + HOUR));
        let (expired, stopped) = tokio::join!(handle.expired(), task.stop());
        assert_eq!(expired, Err(TimersStopped));
        stopped.unwrap();
        assert_eq!(handle.expired().await, Err(TimersStopped));
    }

    #[tokio::test]
    async fn those_who_wait_are_told_when_the_task_is_dropped() {
        let (timers, task) = Timers::spawn().unwrap();
        let mut handle = timers.register();
        handle.set(Some(BootClock::now() + HOUR));
        let (expired, ()) = tokio::join!(handle.expired(), async { drop(task) });
        assert_eq!(expired, Err(TimersStopped));
    }
}

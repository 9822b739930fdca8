//! One timer with an alarm of the operating system to itself.

use std::future::{Future, pending};
use std::io;

use super::{BootClock, Instant};
use crate::sys::Alarm;

/// Waits for a moment of the [`BootClock`], also if the machine sleeps through it.
///
/// Moving the deadline costs nothing: the alarm is only set when somebody waits and it would go off too late. One
/// that goes off too early is set again.
#[derive(Debug)]
pub struct BootTimer {
    alarm: Alarm,
    deadline: Option<Instant>,
    /// When the alarm goes off, if it has not yet.
    armed: Option<Instant>,
}

impl BootTimer {
    /// A timer without a deadline. Must be called in a tokio runtime with I/O; fails when the process is out of
    /// descriptors.
    pub fn new() -> io::Result<Self> {
        let alarm = Alarm::new()?;
        Ok(Self { alarm, deadline: None, armed: None })
    }

    /// What it waits for.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits for this moment from now on; `None`: for nothing.
    pub fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Returns once the deadline is past, and again at once until another is set; never if there is none.
    /// It can be dropped and called again at any point. An error is one of the operating system's timer.
    pub async fn expired(&mut self) -> io::Result<()> {
        let Some(deadline) = self.deadline else {
            return pending().await;
        };
        while BootClock::now() < deadline {
            if self.armed.is_none_or(|armed| armed > deadline) {
                self.alarm.set(deadline.as_nanos())?;
                self.armed = Some(deadline);
            }
            self.alarm.rings().await?;
            self.armed = None;
        }
        Ok(())
    }

    /// What `future` gives, or [`io::ErrorKind::TimedOut`] if it is not done by `deadline`. Leaves the timer without
    /// a deadline.
    pub async fn within<T>(&mut self, deadline: Instant, future: impl Future<Output = T>) -> io::Result<T> {
        self.set(Some(deadline));
        let result = tokio::select! {
            biased;
            done = future => Ok(done),
            expired = self.expired() => Err(expired.err().unwrap_or_else(|| io::ErrorKind::TimedOut.into())),
        };
        self.set(None);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// Whether the timer has expired, without waiting; the future is dropped, as a `select!` does.
    fn expired_now(timer: &mut BootTimer) -> bool {
        let future = pin!(timer.expired());
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.map(|()| true).unwrap(),
            Poll::Pending => false,
        }
    }

    #[tokio::test]
    async fn it_expires_at_its_deadline_and_not_before() {
        let mut timer = BootTimer::new().unwrap();
        let deadline = BootClock::now() + 5 * MS;
        timer.set(Some(deadline));
        timer.expired().await.unwrap();
        assert!(BootClock::now() >= deadline);
    }

    #[tokio::test]
    async fn a_past_deadline_has_expired_until_another_is_set() {
        let mut timer = BootTimer::new().unwrap();
        timer.set(Some(Instant::from_nanos(0)));
        assert!(expired_now(&mut timer));
        assert!(expired_now(&mut timer));
        timer.set(Some(BootClock::now() + HOUR));
        assert!(!expired_now(&mut timer));
        timer.set(None);
        assert!(!expired_now(&mut timer));
    }

    #[tokio::test]
    async fn an_earlier_deadline_counts_although_the_alarm_was_set_for_a_later_one() {
        let mut timer = BootTimer::new().unwrap();
        timer.set(Some(BootClock::now() + HOUR));
        assert!(!expired_now(&mut timer));
        timer.set(Some(BootClock::now() + 2 * MS));
        timer.expired().await.unwrap();
    }

    #[tokio::test]
    async fn a_later_deadline_counts_although_the_alarm_goes_off_earlier() {
        let mut timer = BootTimer::new().unwrap();
        timer.set(Some(BootClock::now() + MS));
        assert!(!expired_now(&mut timer));
        let later = BootClock::now() + 20 * MS;
        timer.set(Some(later));
        timer.expired().await.unwrap();
        assert!(BootClock::now() >= later);
    }

    #[tokio::test]
    async fn a_wait_that_was_dropped_midway_is_taken_up_again() {
        let mut timer = BootTimer::new().unwrap();
        let deadline = BootClock::now() + 5 * MS;
        timer.set(Some(deadline));
        while BootClock::now() < deadline {
            expired_now(&mut timer);
            tokio::task::yield_now().await;
        }
        timer.expired().await.unwrap();
        timer.set(Some(BootClock::now() + MS));
        timer.expired().await.unwrap();
    }

    #[tokio::test]
    async fn the_farthest_deadline_is_no_error() {
        let mut timer = BootTimer::new().unwrap();
        timer.set(Some(Instant::from_nanos(u64::MAX)));
        assert!(!expired_now(&mut timer));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_cut_off_and_what_is_done_counts() {
        let mut timer = BootTimer::new().unwrap();
        let cut = timer.within(BootClock::now() + MS, pending::<()>()).await;
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let done = timer.within(Instant::from_nanos(0), ready(7)).await;
        assert_eq!(done.unwrap(), 7);
        assert_eq!(timer.deadline(), None);
    }
}

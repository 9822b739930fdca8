//! The task behind a client: it drives the profile's link while it holds the lock, and follows the process that does
//! while it does not.

use steadfast_net::clock::{BootClock, BootTimer};
use steadfast_proto::time::Duration;

use crate::driving::{Driving, Ended};
use crate::follow::Following;
use crate::hold::Holding;

/// How long a profile that can't be driven now is left alone.
const RETRY: Duration = Duration::from_secs(1);

impl Driving {
    pub(crate) async fn run(mut self) {
        let closed = loop {
            let lock = match Following::new(&mut self).run().await {
                Ended::Closed(done) => break done,
                Ended::Lock(lock) => lock,
            };
            match Holding::start(&mut self, lock).await {
                Ok(holding) => break holding.run().await,
                // A full disk, say: what is safe stays safe, and the lock is another's meanwhile.
                Err(error) => tracing::error!(%error, "the profile can't be driven now"),
            }
            if let Ok(mut timer) = BootTimer::new() {
                timer.set(Some(BootClock::now() + RETRY));
                timer.expired().await.ok();
            }
        };
        if let Some(done) = closed {
            // The client may have gone meanwhile.
            done.send(()).ok();
        }
    }
}

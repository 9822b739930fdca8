//! The task behind a client: it drives the profile's link while it holds the lock, and follows the process that does
//! while it does not.

use crate::driving::{Driving, Ended};
use crate::follow::Following;
use crate::hold::Holding;

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
}

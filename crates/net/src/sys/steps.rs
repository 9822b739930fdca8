//! A timer for systems that offer none that counts suspend: tokio's, in short steps, with a look at the boot clock
//! by the caller after each. After a sleep it is late by one step at most.

use std::io;
use std::time::Duration;

use super::boot_nanos;

const STEP_MAX: Duration = Duration::from_secs(1);

/// Goes off at a moment of the boot clock, or earlier: whoever waits looks at the clock.
#[derive(Debug)]
pub(crate) struct Alarm {
    nanos: u64,
}

impl Alarm {
    /// An alarm that is not set. Must be used in a tokio runtime with time.
    #[allow(clippy::unnecessary_wraps, reason = "the same as where it can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { nanos: u64::MAX })
    }

    /// Lets it go off at `nanos`.
    #[allow(clippy::unnecessary_wraps, reason = "the same as where it can fail")]
    pub(crate) fn set(&mut self, nanos: u64) -> io::Result<()> {
        self.nanos = nanos;
        Ok(())
    }

    /// Returns when it goes off or a step is over.
    #[allow(clippy::disallowed_methods, reason = "in steps, with a look at the boot clock after each")]
    pub(crate) async fn rings(&mut self) -> io::Result<()> {
        let rest = Duration::from_nanos(self.nanos.saturating_sub(boot_nanos()));
        tokio::time::sleep(rest.min(STEP_MAX)).await;
        Ok(())
    }
}

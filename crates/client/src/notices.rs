//! What a person should hear of: refused, moved aside, gone on as a new device.

use steadfast_store::profile::Notice;
use tokio::sync::watch;

use crate::error::WaitError;
use crate::keeper::Keeper;

/// The notices that arise from the opening of the client on.
#[derive(Debug)]
pub struct Notices {
    reader: Keeper,
    changed: watch::Receiver<u64>,
    /// The number of the last one given.
    last: u64,
}

impl Notices {
    pub(crate) fn new(reader: Keeper, changed: watch::Receiver<u64>, last: u64) -> Self {
        Self { reader, changed, last }
    }

    /// Waits for the next ones, in their order. Cancel-safe.
    pub async fn next(&mut self) -> Result<Vec<Notice>, WaitError> {
        loop {
            self.changed.borrow_and_update();
            let after = self.last;
            let notices = self.reader.run(move |profile| profile.notices_after(after)).await??;
            if let Some(last) = notices.last() {
                self.last = last.number;
                return Ok(notices);
            }
            self.changed.changed().await.map_err(|_| WaitError::Closed)?;
        }
    }
}

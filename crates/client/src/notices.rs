//! What a person should hear of: refused, moved aside, gone on as a new device.

use steadfast_store::profile::Notice;
use tokio::sync::watch;

use crate::error::WaitError;
use crate::keeper::Keeper;

/// The notices that arise from the moment this was taken.
#[derive(Debug)]
pub struct Notices {
    reader: Keeper,
    changed: watch::Receiver<u64>,
    /// The number of the last one given; `None` before the first look.
    last: Option<u64>,
}

impl Notices {
    pub(crate) fn new(reader: Keeper, changed: watch::Receiver<u64>) -> Self {
        Self { reader, changed, last: None }
    }

    /// Waits for the next ones, in their order. Cancel-safe.
    pub async fn next(&mut self) -> Result<Vec<Notice>, WaitError> {
        loop {
            self.changed.borrow_and_update();
            let after = self.last.unwrap_or(0);
            let notices = self.reader.run(move |profile| profile.notices_after(after)).await??;
            let first_look = self.last.is_none();
            self.last = Some(notices.last().map_or(after, |notice| notice.number));
            if !first_look && !notices.is_empty() {
                return Ok(notices);
            }
            self.changed.changed().await.map_err(|_| WaitError::Closed)?;
        }
    }
}

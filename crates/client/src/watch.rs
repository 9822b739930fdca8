//! Waiting for the status or for the store to change, so that nothing can be missed and nothing is held meanwhile.

use tokio::sync::watch;

use crate::error::Closed;
use crate::status::Status;

/// The status as a level: whoever looks sees what is true now, and whoever looks seldom misses only what is over.
///
/// Any number of these may watch one client; each remembers what it saw last. It does not keep the client open.
#[derive(Clone, Debug)]
pub struct StatusWatch(watch::Receiver<Status>);

impl StatusWatch {
    pub(crate) fn new(status: watch::Receiver<Status>) -> Self {
        Self(status)
    }

    /// The status now. Counts as seen.
    pub fn now(&mut self) -> Status {
        self.0.borrow_and_update().clone()
    }

    /// Waits for a status that was not seen yet. Those that came and went meanwhile are passed over: the last one
    /// counts.
    ///
    /// Cancel-safe: one that was not returned was not seen.
    ///
    /// # Errors
    /// The client was closed: there will be no other status.
    pub async fn changed(&mut self) -> Result<Status, Closed> {
        self.0.changed().await.map_err(|_| Closed)?;
        Ok(self.now())
    }

    /// Waits until the status is as wanted, and returns it; at once if it is so now.
    ///
    /// ```no_run
    /// # async fn example(client: steadfast::Client) -> Result<(), steadfast::Closed> {
    /// client.status().until(steadfast::Status::is_online).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The client was closed before it was so.
    pub async fn until(&mut self, wanted: impl FnMut(&Status) -> bool) -> Result<Status, Closed> {
        self.0.wait_for(wanted).await.map(|status| status.clone()).map_err(|_| Closed)
    }
}

/// Wakes whoever looks at this device's store: something arrived, was stored at the server or refused, or may have
/// been, here or in another process of the profile.
///
/// Make it first, then look, then wait, and look again: nothing is missed in between.
///
/// ```no_run
/// # async fn example(client: steadfast::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let lobby = client.room("lobby");
/// let mut changes = client.changes();
/// loop {
///     println!("{} messages", lobby.last(100).await?.len());
///     changes.changed().await?;
/// }
/// # }
/// ```
///
/// It does not keep the client open.
#[derive(Clone, Debug)]
pub struct Changes(watch::Receiver<u64>);

impl Changes {
    /// What happened before counts as seen.
    pub(crate) fn new(mut changed: watch::Receiver<u64>) -> Self {
        changed.mark_unchanged();
        Self(changed)
    }

    /// Waits for something that happened after this value was made, or after the last call returned. Many changes
    /// in a row may be one.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The client was closed: nothing will change any more.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        self.0.changed().await.map_err(|_| Closed)
    }
}

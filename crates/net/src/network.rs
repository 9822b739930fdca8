//! Changes of this machine's links, addresses and routes. They prove nothing about any line: a hint to look.

use std::future::pending;
use std::io;

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

/// Tells of changes. On systems that are not looked at here it tells of none.
#[derive(Debug)]
pub struct NetworkWatch {
    #[cfg(target_os = "linux")]
    socket: AsyncFd<File>,
}

impl NetworkWatch {
    /// Watches from now on. Must be called in a tokio runtime with I/O.
    ///
    /// # Errors
    /// The process is out of descriptors, or forbidden to open such a socket (a sandbox).
    #[cfg(target_os = "linux")]
    pub fn start() -> io::Result<Self> {
        Ok(Self { socket: crate::sys::route_changes()? })
    }

    /// There is nothing to be watched here.
    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unnecessary_wraps, reason = "the same as where it can fail")]
    pub fn start() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns when something has changed since it last returned; what changed is not told. Cancel-safe.
    ///
    /// # Errors
    /// The socket failed: nothing will be told any more.
    #[cfg(target_os = "linux")]
    pub async fn changed(&mut self) -> io::Result<()> {
        use std::io::Read as _;

        const MESSAGES_BYTES: usize = 8 * 1024;
        const ENOBUFS: i32 = 105;
        let mut buffer = [0; MESSAGES_BYTES];
        loop {
            let mut ready = self.socket.readable_mut().await?;
            match ready.try_io(|socket| socket.get_mut().read(&mut buffer)) {
                // One look serves all that is there: the rest is read when this is called again.
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // More changed than the socket could hold, which is a change as well.
                Ok(Err(error)) if error.raw_os_error() == Some(ENOBUFS) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// Never returns.
    #[cfg(not(target_os = "linux"))]
    pub async fn changed(&mut self) -> io::Result<()> {
        pending().await
    }
}

/// The next change of a watch that may not be there; never, if it is not.
pub async fn changed(watch: &mut Option<NetworkWatch>) {
    let Some(there) = watch else { return pending().await };
    if let Err(error) = there.changed().await {
        tracing::debug!(%error, "changes of the network are not told any more");
        *watch = None;
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn where_nothing_changes_nothing_is_told() {
        let mut watch = NetworkWatch::start().unwrap();
        let told = pin!(watch.changed()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(told, Poll::Pending), "{told:?}");
    }
}

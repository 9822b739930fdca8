//! Waking the process that drives the profile's link: an empty datagram to a socket in the profile's directory.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

const FILE: &str = "wake.sock";

/// The driver's ear.
#[derive(Debug)]
pub(crate) struct Ear {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Ear {
    /// Listens in the profile's directory. Only the holder of the driver's lock may: it replaces the socket that a
    /// killed one left. Fails where the path is too long for a socket; then the driver polls.
    pub(crate) fn listen(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(Self { socket: UnixDatagram::bind(&path)?, path })
    }

    /// Somebody called.
    pub(crate) async fn heard(&self) -> io::Result<()> {
        let mut byte = [0; 1];
        self.socket.recv(&mut byte).await?;
        // One look at the profile serves all who called.
        while self.socket.try_recv(&mut byte).is_ok() {}
        Ok(())
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // A socket that stays behind is replaced by the next driver.
        std::fs::remove_file(&self.path).ok();
    }
}

/// Calls the driver, if it listens; if not, it polls.
pub(crate) fn call(directory: &Path) {
    if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() {
        // A full queue means that it is called already.
        if socket.set_nonblocking(true).is_ok() {
            socket.send_to(&[1], directory.join(FILE)).ok();
        }
    }
}

//! A scratch directory, a server process on it, and clients.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use steadfast::{Builder, Client};
use tempfile::TempDir;

use crate::exit::Exit;

pub(super) struct Scene {
    directory: TempDir,
    server: Child,
    address: String,
}

impl Scene {
    pub(super) fn set(data: &Path) -> Result<Self, Exit> {
        let failed = |error: std::io::Error| Exit::failed(format!("the scene can't be set: {error}"));
        let directory = tempfile::Builder::new().prefix("steadfast-bench-").tempdir_in(data).map_err(failed)?;
        let mut server = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(directory.path().join("server"))
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = server.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        let address = line.trim().strip_prefix("listening tcp ").unwrap_or_default().to_owned();
        let scene = Self { directory, server, address };
        if scene.address.is_empty() { Err(Exit::failed("the server did not start")) } else { Ok(scene) }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn client(&self, name: &str) -> Result<Client, Exit> {
        self.builder(name, &self.address).open().await.map_err(Exit::failed)
    }

    /// For a client who reaches the server through this address.
    pub(super) fn builder(&self, name: &str, address: &str) -> Builder {
        Client::builder(name, address).profile(self.directory.path().join(name))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // It may have ended by itself; its directory goes with the scene either way.
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// Waits until the room has this many entries stored at the client.
pub(super) async fn stored(client: &Client, room: &str, last: u64) -> Result<(), Exit> {
    let mut changed = client.changes();
    let room = client.room(room);
    loop {
        let info = room.info().await.map_err(Exit::failed)?;
        if info.and_then(|info| info.last).is_some_and(|stored| stored >= last) {
            return Ok(());
        }
        changed.changed().await.map_err(Exit::failed)?;
    }
}

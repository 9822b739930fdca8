//! What a client is opened with.

use std::path::PathBuf;

use steadfast_net::tcp::KernelLiveness;
use steadfast_proto::link;
use steadfast_proto::names;
use steadfast_proto::session::Schedule;
use steadfast_proto::time::Duration;

/// What a client is opened with. The fields may be changed before [`Client::open`](crate::Client::open).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The account's name, 1 to 64 bytes.
    pub name: String,
    /// Where the server is: `HOST:PORT`.
    pub server: String,
    /// The profile's directory; `None`: `$XDG_DATA_HOME/steadfast/HOST_PORT/NAME`.
    pub profile: Option<PathBuf>,
    /// Whether to connect again after a drop.
    pub reconnect: bool,
    /// Whether to log in by itself once a lost line is back. If not, [`Status::asks_login`](crate::Status) asks.
    pub auto_login: bool,
    /// When to try again.
    pub schedule: Schedule,
    /// How long one try may take.
    pub connect_timeout: Duration,
    /// The least silence that means death while an answer is due.
    pub active_bound: Duration,
    /// The silence that means death in any case.
    pub idle_bound: Duration,
    /// The kernel's own last line.
    pub kernel: KernelLiveness,
    /// Name and version of the program, for the server's log.
    pub program: String,
}

impl Options {
    /// The defaults for an account on a server.
    pub fn new(name: &str, server: &str) -> Self {
        Self {
            name: name.to_owned(),
            server: server.to_owned(),
            profile: None,
            reconnect: true,
            auto_login: true,
            schedule: Schedule::default(),
            connect_timeout: Duration::from_secs(5),
            active_bound: link::ACTIVE_BOUND,
            idle_bound: link::IDLE_BOUND,
            kernel: KernelLiveness::default(),
            program: concat!("steadfast/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The directory of the profile: one for all spellings of a name.
    pub fn directory(&self) -> PathBuf {
        self.profile.clone().unwrap_or_else(|| {
            let host_port = self.server.replace([':', '/'], "_");
            // What can't be a name is refused when the profile is opened, and makes no directory.
            let name = names::folded(&self.name).unwrap_or_else(|_| self.name.clone());
            data_home().join("steadfast").join(host_port).join(name)
        })
    }
}

/// `$XDG_DATA_HOME`, or its default.
fn data_home() -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_two_spellings_is_one_device() {
        let directory = |name| Options::new(name, "localhost:7400").directory();
        assert_eq!(directory("Zoe\u{308}"), directory("zoë"));
        assert!(directory("Ann").ends_with("steadfast/localhost_7400/ann"));
        assert_ne!(directory("ann"), directory("bob"));
    }
}

//! What a client is opened with.

#[cfg(feature = "durable")]
use std::path::PathBuf;

use steadfast_net::tcp::KernelLiveness;
use steadfast_proto::link;
#[cfg(feature = "durable")]
use steadfast_proto::names;
use steadfast_proto::session::Schedule;
use steadfast_proto::time::Duration;
use steadfast_store::profile::MESSAGES_BYTES_MAX;

use crate::error::OpenError;

/// What a client is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The account's name, 1 to 64 bytes.
    pub(crate) name: String,
    /// Where the server is: `HOST:PORT`.
    pub(crate) server: String,
    /// Whether everything is kept in memory.
    pub(crate) memory: bool,
    /// How much of rooms' entries memory holds.
    pub(crate) messages_bytes_max: u64,
    /// The profile's directory; `None`: `$XDG_DATA_HOME/steadfast/HOST_PORT/NAME`.
    #[cfg(feature = "durable")]
    pub(crate) profile: Option<PathBuf>,
    /// Whether to connect again after a drop.
    pub(crate) reconnect: bool,
    /// Whether to log in by itself once a lost line is back. If not, [`Status::asks_login`](crate::Status) asks.
    pub(crate) auto_login: bool,
    /// When to try again.
    pub(crate) schedule: Schedule,
    /// How long one try may take.
    pub(crate) connect_timeout: Duration,
    /// The least silence that means death while an answer is due.
    pub(crate) active_bound: Duration,
    /// The silence that means death in any case.
    pub(crate) idle_bound: Duration,
    /// The kernel's own last line.
    pub(crate) kernel: KernelLiveness,
    /// Name and version of the program, for the server's log.
    pub(crate) program: String,
}

impl Options {
    /// The defaults for an account on a server.
    pub(crate) fn new(name: &str, server: &str) -> Self {
        Self {
            name: name.to_owned(),
            server: server.to_owned(),
            memory: false,
            messages_bytes_max: MESSAGES_BYTES_MAX,
            #[cfg(feature = "durable")]
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

    /// What is wrong with them, if anything is.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        if let Some((scheme, _)) = self.server.split_once("://")
            && scheme != "tcp"
        {
            let text = format!("{scheme}:// can't be spoken yet: use HOST:PORT or tcp://HOST:PORT");
            return Err(OpenError::Settings(text));
        }
        if self.idle_bound < self.active_bound {
            return Err(OpenError::Settings("the idle bound can't be shorter than the active bound".to_owned()));
        }
        Ok(())
    }

    /// The directory of the profile: one for all spellings of a name.
    #[cfg(feature = "durable")]
    pub(crate) fn directory(&self) -> PathBuf {
        self.profile.clone().unwrap_or_else(|| {
            let server = self.server.strip_prefix("tcp://").unwrap_or(&self.server);
            let host_port = server.replace([':', '/'], "_");
            // What can't be a name is refused when the profile is opened, and makes no directory.
            let name = names::folded(&self.name).unwrap_or_else(|_| self.name.clone());
            data_home().join("steadfast").join(host_port).join(name)
        })
    }
}

/// `$XDG_DATA_HOME`, or its default.
#[cfg(feature = "durable")]
fn data_home() -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("."))
}

#[cfg(all(test, feature = "durable"))]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_two_spellings_is_one_device() {
        let directory = |name| Options::new(name, "localhost:7400").directory();
        assert_eq!(directory("Zoe\u{308}"), directory("zoë"));
        assert!(directory("Ann").ends_with("steadfast/localhost_7400/ann"));
        assert_ne!(directory("ann"), directory("bob"));
        assert_eq!(Options::new("ann", "tcp://localhost:7400").directory(), directory("ann"));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_words() {
        let refused = |options: &Options| options.check().expect_err("refused").to_string();
        assert_eq!(Options::new("ann", "tcp://localhost:7400").check(), Ok(()));
        let later = refused(&Options::new("ann", "wss://localhost:7400"));
        assert_eq!(later, "wss:// can't be spoken yet: use HOST:PORT or tcp://HOST:PORT");
        let mut options = Options::new("ann", "localhost:7400");
        options.idle_bound = Duration::from_secs(2);
        assert_eq!(refused(&options), "the idle bound can't be shorter than the active bound");
    }
}

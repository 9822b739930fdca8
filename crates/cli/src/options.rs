//! Flags that several subcommands share.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use steadfast::{Builder, Client, KernelLiveness, Schedule};
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Exit;
use crate::logging::Logging;

/// Logging.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// What to log on standard error: off, error, warn, info, debug or trace [default: info for serve, else warn]
    #[arg(long, global = true, env = "STEADFAST_LOG", value_name = "LEVEL")]
    log: Option<LevelFilter>,
    /// How to log
    #[arg(long, global = true, env = "STEADFAST_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl LogOptions {
    pub(crate) fn start(&self, serving: bool, out: impl io::Write + Send + 'static) -> Result<Logging, Exit> {
        let level = self.log.unwrap_or(if serving { LevelFilter::INFO } else { LevelFilter::WARN });
        let (logging, lines) =
            Logging::start(out).map_err(|error| Exit::failed(format!("the system refused threads: {error}")))?;
        let writer = move || lines.clone();
        let builder = tracing_subscriber::fmt().with_writer(writer).with_max_level(level).with_target(false);
        let started = match self.log_format {
            LogFormat::Text => builder.with_ansi(false).try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
        started.map_err(Exit::failed)?;
        Ok(logging)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScheduleName {
    Default,
    Post2012,
}

/// Who, where, and how the line behaves.
#[derive(Debug, Args)]
pub(crate) struct ClientOptions {
    /// The account's name
    #[arg(long = "as", env = "STEADFAST_AS", value_name = "NAME")]
    name: String,
    /// Where the server is
    #[arg(long, env = "STEADFAST_SERVER", value_name = "HOST:PORT", default_value = "127.0.0.1:7400")]
    server: String,
    /// The profile's directory [default: $XDG_DATA_HOME/steadfast/HOST_PORT/NAME]
    #[arg(long, env = "STEADFAST_PROFILE", value_name = "DIR")]
    profile: Option<PathBuf>,
    /// Whether to connect again after a drop
    #[arg(long, env = "STEADFAST_RECONNECT", default_value = "on")]
    reconnect: Switch,
    /// Whether to log in by itself once a lost line is back; off: the user is asked (see `line`)
    #[arg(long, env = "STEADFAST_AUTO_LOGIN", default_value = "on")]
    auto_login: Switch,
    /// How the tries after a drop are spaced
    #[arg(long, env = "STEADFAST_RECONNECT_SCHEDULE", default_value = "default")]
    reconnect_schedule: ScheduleName,
    /// Tries a round, with fixed pauses instead of growing ones
    #[arg(long, env = "STEADFAST_RECONNECT_TRIES", value_name = "N")]
    reconnect_tries: Option<u32>,
    /// How long one try may take
    #[arg(long, env = "STEADFAST_RECONNECT_WAIT", value_name = "D", value_parser = humantime::parse_duration)]
    reconnect_wait: Option<Duration>,
    /// The pause between two tries, with fixed pauses; the longest pause with growing ones
    #[arg(long, env = "STEADFAST_RECONNECT_PAUSE", value_name = "D", value_parser = humantime::parse_duration)]
    reconnect_pause: Option<Duration>,
    /// The least silence that means death while an answer is due
    #[arg(long, env = "STEADFAST_ACTIVE_BOUND", value_name = "D", default_value = "3s",
          value_parser = humantime::parse_duration)]
    active_bound: Duration,
    /// The silence that means death in any case
    #[arg(long, env = "STEADFAST_IDLE_BOUND", value_name = "D", default_value = "15s",
          value_parser = humantime::parse_duration)]
    idle_bound: Duration,
    #[command(flatten)]
    kernel: KernelOptions,
}

/// The kernel's own last line.
#[derive(Debug, Args)]
pub(crate) struct KernelOptions {
    /// The kernel's keepalive: idle time, interval, count
    #[arg(long, env = "STEADFAST_KEEPALIVE", value_name = "IDLE,INTERVAL,COUNT", default_value = "20s,5s,3",
          value_parser = parse_keepalive)]
    keepalive: Keepalive,
    /// How long sent data may stay unacknowledged before the kernel gives up
    #[arg(long, env = "STEADFAST_USER_TIMEOUT", value_name = "D", default_value = "34s",
          value_parser = humantime::parse_duration)]
    user_timeout: Duration,
}

/// The kernel's keepalive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepalive {
    idle: Duration,
    interval: Duration,
    count: u32,
}

impl KernelOptions {
    pub(crate) fn liveness(&self) -> KernelLiveness {
        let Keepalive { idle, interval, count } = self.keepalive;
        KernelLiveness { idle, interval, count, user_timeout: self.user_timeout }
    }
}

/// The address of a server without its scheme.
pub(crate) fn host_port(server: &str) -> Result<&str, Exit> {
    match server.split_once("://") {
        None => Ok(server),
        Some(("tcp", address)) => Ok(address),
        Some((scheme, _)) => {
            Err(Exit::usage(format!("{scheme}:// can't be spoken yet: use HOST:PORT or tcp://HOST:PORT")))
        }
    }
}

fn parse_keepalive(text: &str) -> Result<Keepalive, String> {
    let usage = || format!("{text:?} is not IDLE,INTERVAL,COUNT as in 20s,5s,3");
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [idle, interval, count] = parts[..] else { return Err(usage()) };
    let duration = |text| humantime::parse_duration(text).map_err(|_| usage());
    let count = count.parse().map_err(|_| usage())?;
    Ok(Keepalive { idle: duration(idle)?, interval: duration(interval)?, count })
}

impl ClientOptions {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The client, or the look at a profile, that the flags describe.
    pub(crate) fn client(&self) -> Result<Builder, Exit> {
        let server = host_port(&self.server)?;
        if self.idle_bound < self.active_bound {
            return Err(Exit::usage("--idle-bound can't be shorter than --active-bound"));
        }
        let wait = match self.reconnect_schedule {
            ScheduleName::Default => Duration::from_secs(5),
            ScheduleName::Post2012 => Duration::from_secs(2),
        };
        let builder = Client::builder(&self.name, server)
            .reconnect(self.reconnect == Switch::On)
            .auto_login(self.auto_login == Switch::On)
            .schedule(self.schedule())
            .connect_timeout(self.reconnect_wait.unwrap_or(wait))
            .active_bound(self.active_bound)
            .idle_bound(self.idle_bound)
            .kernel(self.kernel.liveness());
        Ok(match &self.profile {
            Some(directory) => builder.profile(directory),
            None => builder,
        })
    }

    fn schedule(&self) -> Schedule {
        const ROUND_PAUSE: Duration = Duration::from_secs(5);
        let second = Duration::from_secs(1);
        match (self.reconnect_schedule, self.reconnect_tries) {
            (ScheduleName::Default, None) => match (Schedule::default(), self.reconnect_pause) {
                (Schedule::Exponential { base, .. }, Some(cap)) => Schedule::Exponential { base: base.min(cap), cap },
                (schedule, _) => schedule,
            },
            (ScheduleName::Default | ScheduleName::Post2012, tries) => Schedule::Rounds {
                tries: tries.unwrap_or(6),
                pause: self.reconnect_pause.unwrap_or(second),
                round_pause: ROUND_PAUSE,
            },
        }
    }
}

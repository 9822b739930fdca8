//! What a server takes at most: one flag a limit.

use std::time::Duration;

use clap::{Args, value_parser};
use steadfast_proto::hub::connection::FRAME_BYTES;
use steadfast_proto::names::NAME_BYTES_MAX;
use steadfast_server::{CATCHUPS_MAX, HANDSHAKE_TIMEOUT, Limits};

#[derive(Debug, Args)]
pub(super) struct LimitOptions {
    /// The largest frame that a client may send, in bytes; every valid operation fits into the least
    #[arg(long, env = "STEADFAST_FRAME_BYTES_MAX", value_name = "BYTES",
          default_value_t = Limits::default().frame_bytes_max, value_parser = frame_bytes())]
    frame_bytes_max: u32,
    /// The longest name that a new account may have, in bytes of UTF-8
    #[arg(long, env = "STEADFAST_NAME_BYTES_MAX", value_name = "BYTES",
          default_value_t = Limits::default().name_bytes_max,
          value_parser = value_parser!(u32).range(1..=NAME_BYTES_MAX as i64))]
    name_bytes_max: u32,
    /// Connections at a time; a newcomer to a full server is told so
    #[arg(long, env = "STEADFAST_CONNECTIONS_MAX", value_name = "N",
          default_value_t = Limits::default().connections_max, value_parser = count())]
    connections_max: u32,
    /// Connections at a time from one address (of IPv6: from one /64)
    #[arg(long, env = "STEADFAST_CONNECTIONS_PER_ADDRESS", value_name = "N",
          default_value_t = Limits::default().connections_per_address, value_parser = count())]
    connections_per_address: u32,
    /// How long a connection may take to say who it is
    #[arg(long, env = "STEADFAST_HANDSHAKE_TIMEOUT", value_name = "D", default_value = "10s",
          value_parser = handshake_timeout)]
    handshake_timeout: Duration,
    /// Connections at a time that are not logged in yet; newcomers beyond wait
    #[arg(long, env = "STEADFAST_HANDSHAKES_MAX", value_name = "N",
          default_value_t = Limits::default().handshakes_max, value_parser = count())]
    handshakes_max: u32,
    /// Operations that may wait for the disk, over all connections; others are held and sent again
    #[arg(long, env = "STEADFAST_SUBMISSIONS_MAX", value_name = "N",
          default_value_t = Limits::default().submissions_max, value_parser = count())]
    submissions_max: u32,
    /// Catch-ups and pages of history that may wait to be read, over all connections; others ask again
    #[arg(long, env = "STEADFAST_READS_MAX", value_name = "N",
          default_value_t = Limits::default().reads_max, value_parser = count())]
    reads_max: u32,
    /// Catch-ups and pages of history that are read at once
    #[arg(long, env = "STEADFAST_CATCHUPS_MAX", value_name = "N", default_value_t = Limits::default().catchups_max,
          value_parser = value_parser!(u32).range(i64::from(*CATCHUPS_MAX.start())..=i64::from(*CATCHUPS_MAX.end())))]
    catchups_max: u32,
}

impl LimitOptions {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            frame_bytes_max: self.frame_bytes_max,
            name_bytes_max: self.name_bytes_max,
            connections_max: self.connections_max,
            connections_per_address: self.connections_per_address,
            handshake_timeout: self.handshake_timeout,
            handshakes_max: self.handshakes_max,
            submissions_max: self.submissions_max,
            reads_max: self.reads_max,
            catchups_max: self.catchups_max,
        }
    }
}

fn frame_bytes() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(i64::from(*FRAME_BYTES.start())..=i64::from(*FRAME_BYTES.end()))
}

/// What a count may be: more than this no machine has room for.
fn count() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=1_000_000)
}

fn handshake_timeout(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if HANDSHAKE_TIMEOUT.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (HANDSHAKE_TIMEOUT.start(), HANDSHAKE_TIMEOUT.end());
    Err(format!("it is within {} to {}", humantime::format_duration(*least), humantime::format_duration(*most)))
}

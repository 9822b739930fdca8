//! How a server behaves, and what it takes at most.

use std::ops::RangeInclusive;

use steadfast_net::tcp::KernelLiveness;
use steadfast_proto::hub::RING_BYTES_MAX;
use steadfast_proto::hub::connection::CLIENT_BYTES_MAX;
use steadfast_proto::time::Duration;
use steadfast_proto::{link, names};

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpPolicy {
    /// Whoever connects.
    Open,
    /// Nobody without an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may make an account.
    pub sign_up: SignUpPolicy,
    /// The least silence that means death while an answer is due, where the client asks for none.
    pub active_bound: Duration,
    /// The silence that means death before the client has announced its own.
    pub idle_bound: Duration,
    /// The kernel's own last line.
    pub kernel: KernelLiveness,
    /// Recent entries kept in memory.
    pub ring_bytes_max: usize,
    /// What it takes at most.
    pub limits: Limits,
}

/// What a server takes at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame that a client may send; taken as the nearest value within
    /// [`FRAME_BYTES`](steadfast_proto::hub::connection::FRAME_BYTES).
    pub frame_bytes_max: u32,
    /// The longest name that a new account may have, in bytes of UTF-8; at most [`names::NAME_BYTES_MAX`].
    pub name_bytes_max: u32,
    /// Connections at a time. Less where the process may not have as many descriptors.
    pub connections_max: u32,
    /// Connections at a time from one address: of IPv4, or one network of 64 bits of IPv6, which is what one
    /// subscriber has.
    pub connections_per_address: u32,
    /// How long a connection has for its Hello.
    pub handshake_timeout: Duration,
    /// Connections at a time that are not admitted yet; one more for each listener besides the first.
    pub handshakes_max: u32,
    /// Operations that may wait for the sequencer, over all connections.
    pub submissions_max: u32,
    /// Catch-ups and pages that may wait for the store, over all connections.
    pub reads_max: u32,
    /// Catch-ups and pages that are read at once.
    pub catchups_max: u32,
}

/// The handshake time-outs that make sense: a far client needs a second, and who says nothing holds a socket.
pub const HANDSHAKE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
/// Each read at once is a thread with two views of the store.
pub const CATCHUPS_MAX: RangeInclusive<u32> = 1..=32;

impl Default for Config {
    fn default() -> Self {
        Self {
            sign_up: SignUpPolicy::Open,
            active_bound: link::ACTIVE_BOUND,
            idle_bound: link::IDLE_BOUND,
            kernel: KernelLiveness::default(),
            ring_bytes_max: RING_BYTES_MAX,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: CLIENT_BYTES_MAX,
            name_bytes_max: names::NAME_BYTES_MAX as u32,
            connections_max: 18_000,
            connections_per_address: 10_000,
            handshake_timeout: link::HANDSHAKE_TIMEOUT,
            handshakes_max: 1_024,
            submissions_max: 32 * 1024,
            reads_max: 4_096,
            catchups_max: 4,
        }
    }
}

//! Why a server can't start or go on, in one line that says what to do.

use std::io;
use std::net::SocketAddr;

use steadfast_store::server::{CommitError, OpenError, ReadError};

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServeError {
    /// The port is taken.
    #[error("{0} is taken by another program: stop that one, or choose another port with --listen")]
    PortTaken(SocketAddr),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {text}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        text: String,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored row makes no sense.
    #[error("the state of the log is damaged ({0}): restore it from a backup")]
    BadRow(#[from] steadfast_proto::hub::BadRow),
    /// The first entry of this run could not be stored.
    #[error("the log can't be written ({0}): look at the disk, then start again")]
    FirstEntry(CommitError),
    /// A sync failed while running.
    #[error("a sync of the log failed, so what the disk holds is unknown: look at the disk, then start again")]
    SyncFailed,
    /// The log could not be written for a reason that a wait does not mend.
    #[error("the log can't be written any more ({0}): look at the disk, then start again")]
    Commit(CommitError),
    /// The process may have too few descriptors to serve anybody.
    #[error(
        "this process may have {allowed} files open, and a server needs {needed} at least: raise the limit (ulimit -n, \
         or LimitNOFILE= of a systemd unit)"
    )]
    Descriptors {
        /// How many it may have.
        allowed: u64,
        /// How many it needs for one connection.
        needed: u64,
    },
    /// The operating system refused something that a server needs.
    #[error("the system refused: {0}")]
    System(String),
}

impl ServeError {
    pub(crate) fn listen(address: SocketAddr, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse {
            return Self::PortTaken(address);
        }
        Self::Listen { address, text: error.to_string() }
    }
}

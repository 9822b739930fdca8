//! What is seen of a world from outside, for whoever judges it.

use steadfast_proto::ids::OperationId;
use steadfast_proto::session::{Cause, Change};

use super::tap;

/// One thing that was seen.
#[derive(Clone, Debug)]
pub enum Observed {
    /// A device's outbox said that it has an operation.
    Accepted {
        /// The device.
        device: usize,
        /// The operation.
        id: OperationId,
        /// What it says, with what it is about by name.
        said: Said,
    },
    /// The outbox did not say so, but may have it: the process died, or the disk failed.
    Tried {
        /// The device.
        device: usize,
        /// The operation.
        id: OperationId,
        /// What it says.
        said: Said,
    },
    /// A batch of changes is in a device's profile.
    Applied {
        /// The device.
        device: usize,
        /// What changed.
        changes: Vec<Change>,
    },
    /// A process died over a batch of changes, or its disk failed: it is in the profile as a whole, or not at all.
    AppliedPerhaps {
        /// The device.
        device: usize,
        /// What would have changed.
        changes: Vec<Change>,
    },
    /// One end of a line said something to the other.
    OnWire {
        /// The device on one end.
        device: usize,
        /// The line.
        line: u64,
        /// What.
        said: tap::Said,
    },
    /// A process of a device runs again.
    DeviceStarted {
        /// The device.
        device: usize,
    },
    /// The server's log is open again.
    ServerStarted,
    /// The server was put back from a copy: what is beyond is gone.
    ServerRestored,
    /// A device's profile was put back from a copy, or is one.
    ProfileRestored {
        /// The device.
        device: usize,
    },
    /// A device's line was lost.
    Lost {
        /// The device.
        device: usize,
        /// Why, as its session says.
        cause: Cause,
        /// Whether anything had been done to the line or its ends shortly before.
        disturbed: bool,
    },
    /// The server let a line go for want of a sign of life, or because what came by it could not be right.
    LetGo {
        /// The device.
        device: usize,
        /// Whether anything had been done.
        disturbed: bool,
    },
    /// A device is online again, with all that it missed.
    Online {
        /// The device.
        device: usize,
    },
    /// What a device said contradicts what it keeps, or its disk's contents are damaged.
    Contradiction {
        /// Who says so.
        whose: String,
        /// In its words.
        text: String,
    },
}

/// What an operation says, as whoever made it meant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// For a message: its body.
    pub body: Option<bytes::Bytes>,
    /// Whether it has to be refused.
    pub wrong: bool,
}

impl Observed {
    /// Tells two apart, about.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Observed::Accepted { device, id, .. } => id.0 ^ *device as u64,
            Observed::Tried { device, id, .. } => !id.0 ^ *device as u64,
            Observed::Applied { device, changes } => (changes.len() * 64 + device) as u64 ^ 0xa0,
            Observed::DeviceStarted { device } => *device as u64 ^ 0xa1,
            Observed::ServerStarted => 0xa2,
            Observed::ServerRestored => 0xa3,
            Observed::ProfileRestored { device } => *device as u64 ^ 0xa4,
            Observed::Lost { device, .. } => *device as u64 ^ 0xa5,
            Observed::LetGo { device, .. } => *device as u64 ^ 0xa6,
            Observed::Online { device } => *device as u64 ^ 0xa7,
            Observed::Contradiction { text, .. } => text.len() as u64 ^ 0xa8,
            Observed::AppliedPerhaps { device, changes } => (changes.len() * 64 + device) as u64 ^ 0xaa,
            // Its bytes are in the trace.
            Observed::OnWire { line, .. } => *line ^ 0xab,
        }
    }
}

//! How a promise can be broken.

use std::fmt;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// What was seen, in words.
    pub text: String,
}

/// The promises, by how they break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Something that was accepted is nowhere.
    Lost,
    /// Something is there twice.
    Doubled,
    /// Something is not in its order.
    Reordered,
    /// Something is there that nobody said, or not as it was said.
    Phantom,
    /// Something is there under another's name.
    WrongSender,
    /// Somebody has what is not for them.
    Leaked,
    /// Something was acknowledged that was not on the disk.
    AcknowledgedTooEarly,
    /// Something is missing, or was given up, and nobody was told.
    HoleNotTold,
    /// A status went on saying that a line is up that was dead.
    Silent,
    /// A line was given up that nothing was wrong with.
    FalseAlarm,
    /// Something is never done.
    NeverEnds,
    /// Something grows beyond its bound, or is not given back.
    Grows,
    /// A server was tried more often than it may be.
    Herd,
    /// What one part says contradicts what another keeps, or what is on a disk can't be read any more.
    Contradiction,
    /// A part of it, or of the simulator, panicked.
    Panic,
}

impl Promise {
    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Promise::Lost => "lost",
            Promise::Doubled => "doubled",
            Promise::Reordered => "reordered",
            Promise::Phantom => "phantom",
            Promise::WrongSender => "wrong_sender",
            Promise::Leaked => "leaked",
            Promise::AcknowledgedTooEarly => "acknowledged_too_early",
            Promise::HoleNotTold => "hole_not_told",
            Promise::Silent => "silent",
            Promise::FalseAlarm => "false_alarm",
            Promise::NeverEnds => "never_ends",
            Promise::Grows => "grows",
            Promise::Herd => "herd",
            Promise::Contradiction => "contradiction",
            Promise::Panic => "panic",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise.name(), self.text)
    }
}

/// Says that a promise broke.
pub(super) fn broken<T>(promise: Promise, text: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { promise, text: text.into() })
}

//! What goes wrong in a database, as far as it matters to who uses one.

/// What an error of a database means to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// No room on the device. The transaction is rolled back; trying again later is right.
    Full,
    /// A sync failed. What is on the disk is unknown and a second sync would not tell: acknowledge nothing, stop.
    SyncFailed,
    /// A write failed. The transaction is rolled back. The device is broken, or a quota is used up.
    WriteFailed,
    /// The file, its directory or the file system takes no writes from this process.
    ReadOnly,
    /// The file is no database, a damaged one, or one whose rows are not of the types that we write.
    Corrupt,
    /// Another connection held a lock for longer than the busy timeout.
    Busy,
    /// Anything else.
    Other,
}

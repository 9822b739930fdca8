//! How far programs have consumed the stream of all rooms, each under a name of its own.
//!
//! Unlike what was printed, a place is kept as messages are: who consumes acts on what is read, and a whole history is
//! not acted on again because of a loss of power. A divergence sets it back without touching it: the place knows up to
//! which rewind it counts, and the later ones are applied when it is read.

#[cfg(feature = "sqlite")]
use std::fs::File;
use std::sync::Arc;

use steadfast_proto::ids::RoomId;

/// The log as a whole among the rewinds: of it they say a position.
pub(super) const LOG: RoomId = RoomId(0);

/// A place in the stream of all rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    /// All up to this position was consumed.
    pub position: u64,
    /// The newest rewind that was known then.
    pub rewinds: u64,
}

/// A time in which this account was, or is, a member of a room, as far as the stream brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The room sequence before its first entry.
    pub base: u64,
    /// The first position that may be of it.
    pub from_position: u64,
    /// The position that ended it.
    pub until_position: Option<u64>,
}

/// The right to be the consumer of a name, until it is dropped.
#[derive(Debug)]
pub struct ConsumerClaim {
    /// A lock, which the system takes back when the process ends.
    #[cfg(feature = "sqlite")]
    _file: Option<File>,
    _in_memory: Option<Arc<()>>,
}

impl ConsumerClaim {
    #[cfg(feature = "sqlite")]
    pub(super) fn of_file(locked: File) -> ConsumerClaim {
        ConsumerClaim { _file: Some(locked), _in_memory: None }
    }

    /// As long as somebody holds it the name is taken.
    pub(super) fn in_memory(held: Arc<()>) -> ConsumerClaim {
        ConsumerClaim {
            #[cfg(feature = "sqlite")]
            _file: None,
            _in_memory: Some(held),
        }
    }
}

/// Where a place is after the rewinds that it does not know, of which the newest is `newest`; `set_back` tells where
/// one was who had come to a position before the rewinds behind a number.
pub(super) fn set_back<E>(
    place: StreamPlace,
    newest: u64,
    set_back: impl FnOnce(u64, u64) -> Result<u64, E>,
) -> Result<StreamPlace, E> {
    // One that knows more than there were is of another profile, and knows none.
    let known = if place.rewinds > newest { 0 } else { place.rewinds };
    Ok(StreamPlace { position: set_back(place.position, known)?, rewinds: newest })
}

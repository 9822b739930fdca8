//! The rooms that this device knows: where the stream stands in each, and whether it is a member.

use steadfast_proto::ids::RoomId;
use steadfast_proto::names;
use steadfast_proto::wire::RoomKind;

/// A room that this device knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its id.
    pub room: RoomId,
    /// Its name; a direct conversation has the other's.
    pub name: String,
    /// What kind of room.
    pub kind: RoomKind,
    /// Whether this account is a member.
    pub member: bool,
    /// The room sequence before the first entry that the stream brought. What is older comes by history only.
    pub base: u64,
    /// The last room sequence that the stream brought: all of `base + 1 ..= last` are stored. `None` while it is
    /// unknown where the room's next entry stands.
    pub last: Option<u64>,
    /// The first room sequence that history gives this person.
    pub readable_from: u64,
}

/// Whether a membership's first position is its true beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// The entry there is one's own join.
    There,
    /// It began some time before; this device heard of it there.
    Before,
}

/// A membership: the room sequence before its first entry, and the position of its end, if it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) base: u64,
    pub(super) until: Option<u64>,
}

/// The form in which room names are compared. A server may know names that could not be given here.
pub(super) fn folded(name: &str) -> String {
    names::folded(name).unwrap_or_else(|_| name.to_lowercase())
}

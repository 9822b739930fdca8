//! Identifiers. All are drawn at random by whoever makes the thing, for life; the shell supplies the randomness.

use std::fmt;

macro_rules! id_u64 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:016x})"), self.0)
            }
        }
    };
}

macro_rules! id_128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Reads the 16 bytes of a wire field; `None` if there are more or fewer.
            pub fn from_wire(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id_u64! {
    /// A room: the id of the operation that made it. 0 on the wire means "no room".
    RoomId
}
id_u64! {
    /// An account: drawn by the device that signed it up. Its account room has the same number.
    AccountId
}
id_u64! {
    /// An operation, for life, whatever sequence it carries.
    OperationId
}
id_u64! {
    /// One opening of a log for writing.
    Term
}
id_128! {
    /// One history of entries.
    LogId
}
id_128! {
    /// One device of an account.
    DeviceId
}

impl AccountId {
    /// The room of one that holds what concerns this person.
    pub fn room(self) -> RoomId {
        RoomId(self.0)
    }
}

/// A position in the log and the term of the link that told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Entries up to here.
    pub position: u64,
    /// The term that the server had announced on that link.
    pub term: Term,
}

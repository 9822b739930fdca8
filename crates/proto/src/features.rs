//! The optional features of version 1: a bit each in `Hello` and `Welcome`, in force on a link where both have it.

/// Members, public rooms and signals. What belongs to it is sent only where it is in force.
pub const PEOPLE: u64 = 1;

//! How unsigned numbers stand in SQLite's signed columns: with the same bits. What is compared by size lies in the
//! range where both orders agree.

pub(super) fn to_row(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) fn from_row(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A limit, or a sequence that a server or a caller names: no row is beyond the largest.
pub(super) fn at_most(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same of a size.
pub(super) fn limit(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

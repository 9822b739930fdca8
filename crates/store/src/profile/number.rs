//! Numbers of positions and sequences, which a stranger may choose.
//!
//! Ids, and whatever a stranger's device chose, keep their bits: any number is right there. What is compared by size
//! (positions, sequences) is checked once, when it comes in, to lie in the range where all orders of numbers agree.

use super::error::ApplyError;

/// Positions stay below 2^53, so that a JSON number holds them.
pub(super) const POSITION_MAX: u64 = (1 << 53) - 1;

pub(super) fn checked_position(number: u64) -> Result<u64, ApplyError> {
    if number > POSITION_MAX {
        return Err(ApplyError::NotAPosition { number });
    }
    Ok(number)
}

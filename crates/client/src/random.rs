//! Random numbers: ids and secrets are drawn here and nowhere else.

use crate::error::OpenError;

/// Bytes of the operating system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], OpenError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::System(error.to_string()))?;
    Ok(bytes)
}

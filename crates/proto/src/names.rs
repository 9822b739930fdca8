//! Names of accounts and rooms: what is allowed, and when two are the same.

use unicode_normalization::UnicodeNormalization;

/// The longest name, in bytes of UTF-8 after normalisation.
pub const NAME_BYTES_MAX: usize = 64;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No character at all.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("a name has at most {NAME_BYTES_MAX} bytes of UTF-8")]
    TooLong,
    /// Starts with something else than a letter or a digit.
    #[error("a name starts with a letter or a digit")]
    BadStart,
    /// Holds something else than letters, digits, `-`, `_` and `.`.
    #[error("a name holds letters, digits, '-', '_' and '.', not {0:?}")]
    BadCharacter(char),
}

/// The spelling that is kept: NFC.
pub fn spelled(name: &str) -> Result<String, NameError> {
    let name: String = name.nfc().take(NAME_BYTES_MAX + 1).collect();
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let first = name.chars().next().ok_or(NameError::Empty)?;
    if !first.is_alphanumeric() {
        return Err(NameError::BadStart);
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.') || is_mark(c);
    match name.chars().find(|&c| !allowed(c)) {
        Some(bad) => Err(NameError::BadCharacter(bad)),
        None => Ok(name),
    }
}

/// The form in which names are compared: NFC, lower case.
pub fn folded(name: &str) -> Result<String, NameError> {
    Ok(spelled(name)?.to_lowercase().nfc().collect())
}

/// Combining marks belong to the letter before them (many scripts cannot be written without).
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_name_in_other_spellings_folds_to_one() {
        assert_eq!(folded("Zoe\u{308}"), folded("ZOË"));
        assert_eq!(folded("Lobby"), Ok("lobby".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        assert_eq!(spelled(""), Err(NameError::Empty));
        assert_eq!(spelled("-x"), Err(NameError::BadStart));
        assert_eq!(spelled("a b"), Err(NameError::BadCharacter(' ')));
        assert_eq!(spelled("a\u{1b}[2J"), Err(NameError::BadCharacter('\u{1b}')));
        assert_eq!(spelled(&"x".repeat(65)), Err(NameError::TooLong));
        assert!(spelled(&"x".repeat(64)).is_ok());
    }

    proptest! {
        #[test]
        fn folding_is_idempotent_and_bounded(name in "\\PC{0,80}") {
            if let Ok(once) = folded(&name) {
                prop_assert!(spelled(&name).is_ok_and(|s| s.len() <= NAME_BYTES_MAX));
                if let Ok(twice) = folded(&once) {
                    prop_assert_eq!(twice, once);
                }
            }
        }
    }
}

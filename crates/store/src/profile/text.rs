//! Texts as a person compares them: in any case and any spelling of the same letters.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Below this every character is its own NFC form.
const FIRST_COMBINING: char = '\u{300}';

/// Whether a body of this content type is text. An empty one means `text/plain; charset=utf-8`.
pub(super) fn is_text(content_type: &str) -> bool {
    let kind = content_type.as_bytes();
    kind.is_empty() || kind.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/"))
}

/// Puts the form in which texts are compared into `folded`: lower case, NFC, one sigma.
pub(super) fn fold(text: &str, folded: &mut String) {
    folded.clear();
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return;
    }
    // Character by character: what a letter becomes must not depend on its neighbours, or a word would not be found
    // in a longer one.
    folded.extend(text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }));
    let plain = folded.chars().all(|c| c < FIRST_COMBINING);
    if !plain && is_nfc_quick(folded.chars()) != IsNormalized::Yes {
        *folded = folded.nfc().collect();
    }
}

/// Whether `text` names `name` as a word: neither a part of a longer word nor of a longer name.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let (mut folded_text, mut folded_name) = (String::new(), String::new());
    fold(text, &mut folded_text);
    fold(name, &mut folded_name);
    if folded_name.is_empty() {
        return false;
    }
    folded_text.match_indices(&folded_name).any(|(at, found)| {
        let (before, after) = (&folded_text[..at], &folded_text[at + found.len()..]);
        !goes_on(before.chars().rev()) && !goes_on(after.chars())
    })
}

/// Whether a name goes on with these characters. Dots and dashes belong to it where more follows.
fn goes_on(chars: impl Iterator<Item = char>) -> bool {
    let mut chars = chars.skip_while(|c| matches!(c, '.' | '-'));
    chars.next().is_some_and(|c| c.is_alphanumeric() || c == '_' || unicode_normalization::char::is_combining_mark(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(text: &str) -> String {
        let mut folded = "what was there before".to_owned();
        fold(text, &mut folded);
        folded
    }

    #[test]
    fn the_same_text_in_another_case_or_spelling_is_the_same() {
        assert_eq!(folded("Hello THERE"), "hello there");
        assert_eq!(folded("Zoe\u{308} ΖΟΉ"), folded("ZOË ζοή"));
        assert_eq!(folded("ΟΔΟΣ"), folded("οδος"));
        assert!(folded("ΟΔΟΣΗΜΑ").contains(&folded("ΟΔΟΣ")), "also where more letters follow");
        assert_eq!(folded("\u{212a}elvin"), "kelvin");
        assert_ne!(folded("straße"), folded("strasse"));
    }

    #[test]
    fn a_name_is_mentioned_as_a_word_only() {
        for text in ["bob", "@bob: hi", "ask BOB.", "ask bob...", "bob-", "bobby and bob", "(Bob)", "ü bob ü", "«bob»"]
        {
            assert!(mentions(text, "Bob"), "{text}");
        }
        for text in ["", "bobby", "kebob", "bob_", "bob-2", "x.bob", "bob2", "bo b", "bob\u{308}"] {
            assert!(!mentions(text, "Bob"), "{text}");
        }
        assert!(mentions("hallo zoe\u{308}!", "Zoë"));
        assert!(!mentions("anything", ""));
    }

    #[test]
    fn what_is_text_is_told_from_what_is_not() {
        assert!(["", "text/plain; charset=utf-8", "Text/Markdown"].into_iter().all(is_text));
        assert!(!["image/png", "tex", "application/json", "textual"].into_iter().any(is_text));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing_more_and_every_case_folds_alike(text in "\\PC{0,60}") {
            let once = folded(&text);
            prop_assert_eq!(&folded(&once), &once);
            prop_assert_eq!(folded(&text.to_lowercase()), once);
        }
    }
}

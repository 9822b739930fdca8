//! Text of others as a terminal may have it: harmless, and cut into rows that are as wide as they look.
//!
//! A message is bytes that somebody else chose. Whatever they are, what comes out of here moves no cursor, turns no
//! text around, hides nothing, and takes as many cells as it says.

use std::borrow::Cow;

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar as _;

use super::room::same_name;

/// Characters of one cell: the longest emoji sequences have eleven, what has more is there to do harm.
const CLUSTER_CHARS_MAX: usize = 16;
/// What a tab becomes.
const TAB: &str = "    ";
/// What can't be shown stands as this.
const REPLACEMENT: &str = "\u{fffd}";
/// Carries a combining mark that has nothing to stand on.
const CARRIER: &str = "\u{25cc}";

/// One line of text, without anything that a terminal would act upon.
pub(crate) fn harmless(line: &str) -> Cow<'_, str> {
    if line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(line.len());
    for cluster in line.graphemes(true) {
        push_harmless(cluster, &mut shown);
    }
    Cow::Owned(shown)
}

fn push_harmless(cluster: &str, shown: &mut String) {
    if cluster == "\t" {
        shown.push_str(TAB);
        return;
    }
    if cluster.chars().any(|c| c.is_control() || is_deceptive(c)) {
        cluster.chars().for_each(|c| push_symbol(c, shown));
        return;
    }
    let kept = cluster.chars().take(CLUSTER_CHARS_MAX);
    if cluster_width(cluster) > 0 {
        shown.extend(kept);
        return;
    }
    let carried: String = CARRIER.chars().chain(kept).collect();
    // What joins nothing, and has no width of its own, can't be shown.
    shown.push_str(if carried.graphemes(true).nth(1).is_none() { &carried } else { REPLACEMENT });
}

fn push_symbol(c: char, shown: &mut String) {
    match u32::from(c) {
        code @ 0..=0x1f => shown.extend(char::from_u32(0x2400 + code)),
        0x7f => shown.push('\u{2421}'),
        _ if c.is_control() || is_deceptive(c) => shown.push_str(REPLACEMENT),
        _ => push_harmless(c.encode_utf8(&mut [0; 4]), shown),
    }
}

/// Characters that turn text around (UAX #9), or are there without being seen. Joiners and variation selectors are
/// what scripts and emoji are made with, and stay.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that a terminal acts upon or does not show.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control() || is_deceptive(c)
}

/// Cells that a harmless text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(cluster_width).sum() }
}

/// What ratatui advances by: it draws cluster by cluster.
fn cluster_width(cluster: &str) -> usize {
    cluster.cell_width().into()
}

/// The beginning of a harmless text that fits, with `…` where something was cut off.
pub(crate) fn clipped(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        used += cluster_width(cluster);
        if used + 1 > columns {
            break;
        }
        shown.push_str(cluster);
    }
    if columns > 0 {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Cuts a text of any number of lines into rows of at most `columns` cells, at spaces where there are some.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    // A wide character needs two cells; less than that is no place to read.
    let columns = columns.max(2);
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        wrap_line(&harmless(line), columns, &mut rows);
    }
    rows
}

fn wrap_line(line: &str, columns: usize, rows: &mut Vec<String>) {
    let mut row = String::new();
    let mut used = 0;
    for word in runs(line) {
        let wide = width(word);
        if used + wide <= columns {
            row.push_str(word);
            used += wide;
            continue;
        }
        if word.trim_matches(' ').is_empty() {
            // The gap is where the row ends: what of it does not fit is not seen either.
            rows.push(std::mem::take(&mut row));
            used = 0;
            continue;
        }
        if wide <= columns {
            rows.push(std::mem::replace(&mut row, word.to_owned()).trim_end().to_owned());
            used = wide;
            continue;
        }
        for cluster in word.graphemes(true) {
            // One that is wider than the row, as some scripts can make them, has no place.
            let cluster = if cluster_width(cluster) > columns { REPLACEMENT } else { cluster };
            let wide = cluster_width(cluster);
            if used + wide > columns {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push_str(cluster);
            used += wide;
        }
    }
    rows.push(row);
}

/// A line as runs of spaces and runs of others. A space that carries a mark is no gap.
fn runs(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut clusters = rest.grapheme_indices(true).map(|(at, cluster)| (at, cluster == " "));
        let (_, is_gap) = clusters.next()?;
        let end = clusters.find(|(_, gap)| *gap != is_gap).map_or(rest.len(), |(at, _)| at);
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}

/// Where `name` stands in `text` as a word, in any case: byte ranges.
pub(crate) fn mentions(text: &str, name: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    if name.is_empty() {
        return found;
    }
    for (start, word) in words(text) {
        // A name may have dots and dashes inside; around it they are of the sentence.
        let bare = word.trim_start_matches(['.', '-']);
        let start = start + word.len() - bare.len();
        let bare = bare.trim_end_matches(['.', '-']);
        if is_named(bare, name) {
            found.push(start..start + bare.len());
        }
    }
    found
}

/// Most words need no look at Unicode to be told from a name.
fn is_named(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name) || (!word.is_ascii() && same_name(word, name))
}

/// Runs of what names are made of.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.') || is_mark(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_name)?;
        let end = text[start..].find(|c| !is_name(c)).map_or(text.len(), |length| start + length);
        at = end;
        Some((start, &text[start..end]))
    })
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.width() == Some(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_seen_and_act_on_nothing() {
        assert_eq!(harmless("a\u{1b}[2Jb"), "a␛[2Jb");
        assert_eq!(harmless("\u{7}\u{7f}\u{9b}x"), "␇␡\u{fffd}x");
        assert_eq!(harmless("a\tb"), "a    b");
        assert_eq!(wrapped("one\r\ntwo\rthree", 20), ["one", "two␍three"]);
    }

    #[test]
    fn what_turns_text_around_or_hides_in_it_is_seen() {
        assert_eq!(harmless("pay \u{202e}bob"), "pay \u{fffd}bob");
        assert_eq!(harmless("a\u{200b}b\u{feff}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(harmless("\u{301}x"), "\u{25cc}\u{301}x");
    }

    #[test]
    fn scripts_and_emoji_are_left_as_they_are() {
        for text in ["Zoë", "Zoe\u{308}", "日本語", "👩‍👩‍👧‍👦", "❤\u{fe0f}", "می‌خواهم", "שלום", "한국어"]
        {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn what_no_cell_or_row_can_hold_is_replaced() {
        assert_eq!(harmless("\u{d7cb}"), "\u{fffd}", "a letter's part that joins nothing");
        assert_eq!(wrapped("\u{1fa8f}\u{d46}", 2), ["\u{fffd}"]);
        assert_eq!(wrapped("\u{1fa8f}\u{d46}", 3), ["\u{1fa8f}\u{d46}"]);
        assert_eq!(wrapped("aaaa \u{1e130}", 4), ["aaaa", " \u{1e130}"], "a space that carries a mark is no gap");
    }

    #[test]
    fn a_pile_of_marks_is_cut_to_what_a_cell_can_hold() {
        let pile = format!("x{}", "\u{301}".repeat(5_000));
        assert_eq!(harmless(&pile).chars().count(), CLUSTER_CHARS_MAX);
        assert_eq!(width(&harmless(&pile)), 1);
    }

    #[test]
    fn rows_end_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrapped("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrapped("abcdefghijkl", 5), ["abcde", "fghij", "kl"]);
        assert_eq!(wrapped("日本語日本語", 5), ["日本", "語日", "本語"]);
        assert_eq!(wrapped("a\n\nb", 9), ["a", "", "b"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(wrapped("  indented", 20), ["  indented"]);
    }

    #[test]
    fn what_does_not_fit_is_cut_with_a_sign() {
        assert_eq!(clipped("lobby", 5), "lobby");
        assert_eq!(clipped("lobby-two", 5), "lobb…");
        assert_eq!(clipped("日本語", 4), "日…");
    }

    #[test]
    fn a_mention_is_the_name_as_a_word() {
        let found = |text, name| mentions(text, name).len();
        assert_eq!((found("@Ann: hi, ann.", "ann"), found("Anna and hannah", "ann")), (2, 0));
        assert_eq!((found("ask ZOË", "zoë"), found("ann-2", "ann"), found("ann...", "ann")), (1, 0, 1));
        assert_eq!(found("hi zoe\u{308}!", "Zoë"), 1, "in another spelling of the same letters");
        assert_eq!(mentions("hi ann! ANN", "ann"), [3..6, 8..11]);
        assert_eq!(mentions("…so .ann -ann- knows", "ann"), [7..10, 12..15]);
    }

    proptest! {
        #[test]
        fn whatever_the_text_no_row_is_too_wide_or_acts_on_the_terminal(text in "\\PC{0,80}|[\\x00-\\u{ffff}]{0,80}",
                                                                        columns in 1_usize..40) {
            for row in wrapped(&text, columns) {
                prop_assert!(width(&row) <= columns.max(2), "{row:?}");
                prop_assert!(!row.chars().any(|c| c.is_control() || is_deceptive(c)), "{row:?}");
                prop_assert!(row.graphemes(true).all(|cluster| cluster_width(cluster) > 0), "{row:?}");
            }
        }
    }
}

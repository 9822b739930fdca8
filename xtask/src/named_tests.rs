//! The tests that the documents name as proof exist.

use std::collections::BTreeSet;

use crate::process::{Failure, Workspace};
use crate::rust_source::{RustSource, attributes};
use crate::tidy::{TrackedFile, tracked_files};

/// A test's name is a sentence: at least so many words joined by `_`. Shorter words in backticks are something else.
const WORDS_MIN: usize = 5;
/// The document that has to name some, wherever else names stand.
const FIELD_BUGS: &str = "docs/field-bugs.md";

/// The stage.
pub(crate) fn stage(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let tests = tests(&tracked_files(workspace, "*.rs")?);
    let documents = tracked_files(workspace, "*.md")?;
    let mut findings = Vec::new();
    let mut named = 0;
    for TrackedFile { path, text } in &documents {
        for (line, name) in names(text) {
            named += 1;
            if !tests.contains(name) {
                findings.push(format!("{path}:{line}: there is no test `{name}`"));
            }
        }
    }
    if !documents.iter().any(|document| document.path == FIELD_BUGS && names(&document.text).next().is_some()) {
        findings.push(format!("{FIELD_BUGS} names no test"));
    }
    notes.push(format!("{named} times a document names one of {} tests", tests.len()));
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// The names of all functions that stand behind a `#[test]` of some kind.
fn tests(files: &[TrackedFile]) -> BTreeSet<String> {
    files.iter().flat_map(|file| tests_of(&file.text)).collect()
}

fn tests_of(text: &str) -> Vec<String> {
    let source = RustSource::parse(text);
    let is_test = |attribute: &str| {
        let attribute: String = attribute.split_whitespace().collect();
        attribute == "#[test]" || attribute.starts_with("#[tokio::test")
    };
    let ends: Vec<usize> = attributes(&source.code)
        .into_iter()
        .filter(|attribute| is_test(&source.code[attribute.clone()]))
        .map(|attribute| attribute.end)
        .collect();
    let functions = source.functions();
    let behind = |end: &usize| functions.iter().find(|function| function.start >= *end);
    ends.iter().filter_map(|end| Some(behind(end)?.name.clone())).collect()
}

/// The tests that a document names in backticks, with the number of the line.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(at, line)| {
        // Every second piece between backticks stands inside of them.
        line.split('`').skip(1).step_by(2).filter(|piece| is_name(piece)).map(move |name| (at + 1, name))
    })
}

fn is_name(piece: &str) -> bool {
    let plain = piece.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    plain && piece.split('_').count() >= WORDS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_long_ones_in_backticks() {
        let text = "| `what_is_sent_is_there_once`, `operations_in_flight_max` |\nno_name_outside_of_them\n`A_b_c_d_e`";
        assert_eq!(names(text).collect::<Vec<_>>(), [(1, "what_is_sent_is_there_once")]);
    }

    #[test]
    fn only_tests_count_as_tests() {
        let text = "#[test]\nfn one() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn two() {}\nfn no() {}";
        assert_eq!(tests_of(text), ["one", "two"]);
    }
}

//! The page for people who come from plain sockets says what is so. Its code is compiled as documentation tests.

use std::collections::BTreeSet;

use steadfast_proto::session::cause::{Cause, System};

const PAGE: &str = include_str!("../../../docs/coming-from-plain-sockets.md");
const SURFACE: &str = include_str!("../../../docs/api/steadfast.txt");

/// What stands in backticks outside of code blocks.
fn quoted() -> impl Iterator<Item = &'static str> {
    let blocks = PAGE.split("\n```").step_by(2);
    blocks.flat_map(|text| text.split('`').skip(1).step_by(2))
}

#[test]
fn what_the_page_names_of_the_library_is_in_its_surface() {
    let types = ["Builder", "Client", "Inbox", "InboxError", "NotStored", "Room", "SendError", "Sent", "Status"];
    let mut named = BTreeSet::new();
    for path in quoted() {
        let Some((of, member)) = path.split_once("::") else { continue };
        if types.contains(&of) {
            named.insert(path);
            let is_there = |line: &str| {
                let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                words.any(|word| word.trim_end_matches(':') == format!("steadfast::{of}::{member}"))
            };
            assert!(SURFACE.lines().any(is_there), "the page names `{path}`, which docs/api does not have");
        }
    }
    assert!(named.len() >= 15, "only {named:?} are named");
}

#[test]
fn the_error_numbers_of_the_page_have_the_names_that_it_gives_them() {
    let mut rows = 0;
    for line in PAGE.lines().filter(|line| line.starts_with("| 10")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells[4].trim_matches('`');
        for (system, cell) in [(System::Windows, cells[1]), (System::Linux, cells[2]), (System::MacOs, cells[3])] {
            let code = cell.parse().unwrap_or_else(|_| panic!("{cell:?} is no number: {line}"));
            let cause = Cause::from_os_code(system, code);
            assert_eq!(cause.as_ref().map(Cause::name), Some(name), "{system:?} {code}");
        }
        rows += 1;
    }
    assert_eq!(rows, 7);
}

//! The lines of a surface: which of them are kept, and in what order.

use std::collections::BTreeSet;
use std::path::Path;

use public_api::Builder;

use crate::reexports::{Reexports, pieces};

/// Every public item of a crate, a line each. What follows from the rest is left out: blanket implementations, the
/// methods of a trait that is implemented, the automatic traits where a type has them.
pub fn lines(json: &Path) -> Result<Vec<String>, String> {
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).build();
    let api = api.map_err(|error| format!("{}: {error}", json.display()))?;
    Ok(telling(api.items().map(ToString::to_string)))
}

fn telling(items: impl Iterator<Item = String>) -> Vec<String> {
    // The type that the last implementation of a trait was for: the methods that follow are of the trait.
    let mut implementor = None;
    let keeps = |line: &String| {
        if line.starts_with("impl") {
            let of = line.split_once(" for ").map(|(_, of)| of.split(" where ").next().unwrap_or(of));
            implementor = of.map(|of| format!(" {of}::"));
            return !is_automatic(line);
        }
        let is_of_trait = implementor.as_ref().is_some_and(|of| line.contains(of));
        !(is_of_trait && line.contains("fn "))
    };
    items.filter(keeps).collect()
}

/// Implementations that the compiler makes. That a type may *not* cross or be shared between threads is kept.
fn is_automatic(line: &str) -> bool {
    let Some((of, _)) = line.strip_prefix("impl").and_then(|rest| rest.split_once(" for ")) else { return false };
    let of_thread = of.ends_with("!core::marker::Send") || of.ends_with("!core::marker::Sync");
    let made = ["Freeze", "Send", "StructuralPartialEq", "Sync", "Unpin", "UnsafeUnpin"];
    let marker = made.iter().any(|name| of.ends_with(&format!("core::marker::{name}")));
    !of_thread && (marker || of.contains("core::panic::unwind_safe::"))
}

/// The library's own lines and those about what it re-exports, by the names that its users know, and what stays beyond
/// their reach.
pub fn render(own: &[String], theirs: &[String], reexports: &Reexports) -> String {
    let about_exported = theirs.iter().filter(|line| reexports.has_subject_of(line));
    let renamed = |line: &String| reexports.rename(line);
    // That it is exported is seen by its own lines.
    let own = own.iter().filter(|line| !line.starts_with("pub use "));
    let mut lines: Vec<String> = own.map(renamed).chain(about_exported.map(renamed)).collect();
    // A conversion between two types stands at both.
    let mut seen = BTreeSet::new();
    lines.retain(|line| !line.starts_with("impl ") || seen.insert(line.clone()));
    let beyond: BTreeSet<&str> =
        lines.iter().flat_map(|line| pieces(line)).filter(|path| path.starts_with("steadfast_")).collect();
    let beyond = beyond.iter().map(|path| format!("beyond reach: {path}"));
    lines.iter().cloned().chain(beyond).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_rest_is_left_out() {
        let items = [
            "pub struct a::B",
            "pub a::B::c: u8",
            "impl a::B",
            "pub fn a::B::d(&self)",
            "impl core::clone::Clone for a::B",
            "pub fn a::B::clone(&self) -> a::B",
            "impl core::iter::Iterator for a::B",
            "pub type a::B::Item = u8",
            "pub fn a::B::next(&mut self)",
            "impl core::marker::Send for a::B",
            "impl !core::marker::Sync for a::B",
            "impl core::panic::unwind_safe::RefUnwindSafe for a::B",
            "pub fn a::e()",
        ];
        let left_out = [5, 8, 9, 11];
        let kept = items.iter().enumerate().filter(|(at, _)| !left_out.contains(at)).map(|(_, line)| *line);
        assert_eq!(telling(items.iter().map(ToString::to_string)), kept.collect::<Vec<_>>());
    }

    #[test]
    fn a_conversion_that_stands_at_both_types_is_told_once() {
        let own = ["pub struct a::B", "impl a::From<a::C> for a::B", "pub struct a::C", "impl a::From<a::C> for a::B"];
        let text = render(&own.map(str::to_owned), &[], &Reexports::default());
        assert_eq!(text, "pub struct a::B\nimpl a::From<a::C> for a::B\npub struct a::C\n");
    }

    #[test]
    fn a_type_that_a_signature_names_and_nobody_exports_is_beyond_reach() {
        let own = ["pub fn a::b(steadfast_x::Hidden) -> std::Option<steadfast_x::Hidden>".to_owned()];
        let text = render(&own, &[], &Reexports::default());
        assert_eq!(text, format!("{}\nbeyond reach: steadfast_x::Hidden\n", own[0]));
    }
}

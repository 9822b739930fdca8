//! What a library exports of other crates, and under which names.

use std::collections::BTreeMap;

use rustdoc_types::{Crate, ItemEnum};

/// An item's name among the library's users, by every path that other crates know it by.
#[derive(Debug, Default)]
pub struct Reexports {
    names: BTreeMap<String, String>,
}

impl Reexports {
    /// Reads them from rustdoc's JSON. A glob of another crate is refused: its growth would go unseen.
    pub fn of(library: &Crate) -> Result<Self, String> {
        let name = |path: &[String]| path.join("::");
        let root = library.paths.get(&library.root).map(|root| name(&root.path)).ok_or("the JSON has no root")?;
        let mut names = BTreeMap::new();
        for item in library.index.values() {
            let ItemEnum::Use(exported) = &item.inner else { continue };
            let Some(id) = exported.id.filter(|id| !library.index.contains_key(id)) else { continue };
            if exported.is_glob {
                return Err(format!("`pub use {}::*` exports what is not named: name each", exported.source));
            }
            let known_as = format!("{root}::{}", exported.name);
            if let Some(defined) = library.paths.get(&id) {
                names.insert(name(&defined.path), known_as.clone());
            }
            names.insert(exported.source.clone(), known_as);
        }
        Ok(Self { names })
    }

    /// The line with each path of a re-exported item replaced by the name that users know.
    pub fn rename(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        for piece in pieces(line) {
            out.push_str(&self.known_as(piece).unwrap_or_else(|| piece.to_owned()));
        }
        out
    }

    /// The name of this path or of what it is a part of, the part behind it kept.
    fn known_as(&self, path: &str) -> Option<String> {
        // The colon before a type.
        let whole = path.trim_end_matches(':').len();
        let ends = path.match_indices("::").map(|(at, _)| at).chain([whole]);
        let known = ends.filter_map(|end| Some((end, self.names.get(&path[..end])?))).last();
        known.map(|(end, name)| format!("{name}{}", &path[end..]))
    }

    /// Whether the item that this line is about is one of them, or belongs to one.
    pub fn has_subject_of(&self, line: &str) -> bool {
        subject(line).is_some_and(|path| self.known_as(path).is_some())
    }
}

/// The path of the item that a line of the surface is about.
pub fn subject(line: &str) -> Option<&str> {
    // Of an implementation the type, of anything else the first path.
    let line = if line.starts_with("impl") { line.split_once(" for ").map_or(line, |(_, of)| of) } else { line };
    pieces(line).find(|piece| piece.contains("::"))
}

/// The paths of a line, and what is between them.
pub fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let same = |c: char| is_path(c) == is_path(first);
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

fn is_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reexports() -> Reexports {
        let names = [("core::line::cause::Cause", "lib::Cause"), ("core::line::Cause", "lib::Cause")];
        Reexports { names: names.into_iter().map(|(of, to)| (of.to_owned(), to.to_owned())).collect() }
    }

    #[test]
    fn a_path_is_renamed_as_a_whole_with_its_parts_kept() {
        let line = "pub fn lib::Status::cause(&self) -> Option<core::line::cause::Cause>";
        assert_eq!(reexports().rename(line), "pub fn lib::Status::cause(&self) -> Option<lib::Cause>");
        assert_eq!(reexports().rename("pub core::line::Cause::Reset"), "pub lib::Cause::Reset");
        assert_eq!(reexports().rename("core::line::Causes"), "core::line::Causes");
        assert_eq!(reexports().rename("pub const core::line::Cause: u8"), "pub const lib::Cause: u8");
    }

    #[test]
    fn a_line_is_about_its_first_path_or_the_type_that_it_implements_for() {
        for line in ["pub enum core::line::Cause", "impl a::Display for core::line::Cause", "impl core::line::Cause"] {
            assert!(reexports().has_subject_of(line), "{line}");
        }
        for line in ["pub fn core::line::why(core::line::Cause)", "impl a::From<core::line::Cause> for a::String"] {
            assert!(!reexports().has_subject_of(line), "{line}");
        }
    }
}

//! The paths that masked Rust code names, with `use` trees written out.

use crate::rust_source::{is_word, words};

/// A path as the code names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// Its segments; `*` is one.
    pub(crate) segments: Vec<String>,
    /// Where it stands in the code; for a path of a `use`, where that starts.
    pub(crate) start: usize,
    /// Whether a `use` brings it in.
    pub(crate) imported: bool,
}

/// Every path in masked code: those of the imports, then the others.
pub(crate) fn named_paths(code: &str) -> Vec<NamedPath> {
    let mut rest = code.to_owned();
    let mut paths = Vec::new();
    for (start, end) in imports(code) {
        let tree = &code[start + "use".len()..end];
        let written_out = written_out("", tree).into_iter().map(|path| NamedPath {
            segments: segments(&path),
            start,
            imported: true,
        });
        paths.extend(written_out);
        rest.replace_range(start..end, &" ".repeat(end - start));
    }
    paths.extend(inline_paths(&rest));
    paths
}

/// Where `use` items start and end; `use<…>` in a type is none.
fn imports(code: &str) -> Vec<(usize, usize)> {
    let keywords = words(code).filter(|(_, word)| *word == "use").map(|(start, _)| start);
    keywords
        .filter(|start| !code[start + "use".len()..].trim_start().starts_with('<'))
        .filter_map(|start| Some((start, start + code[start..].find(';')?)))
        .collect()
}

/// The paths of a `use` tree.
fn written_out(prefix: &str, tree: &str) -> Vec<String> {
    let branches = split_at_commas(tree).into_iter().filter(|branch| !branch.trim().is_empty());
    branches
        .flat_map(|branch| match branch.split_once('{') {
            Some((stem, inner)) => {
                let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
                written_out(&format!("{prefix}{stem}"), inner)
            }
            None => vec![format!("{prefix}{branch}")],
        })
        .collect()
}

fn split_at_commas(tree: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    tree.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

/// The segments of one import, without its new name and a final `self`.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> =
        path.split("::").filter_map(|part| part.split_whitespace().next()).map(str::to_owned).collect();
    if segments.len() > 1 {
        segments.pop_if(|last| last == "self");
    }
    segments
}

/// Words joined by `::`.
fn inline_paths(code: &str) -> Vec<NamedPath> {
    let mut paths: Vec<NamedPath> = Vec::new();
    let mut end = 0;
    for (start, word) in words(code) {
        match paths.last_mut() {
            Some(path) if code[end..start].trim() == "::" => path.segments.push(word.to_owned()),
            Some(_) | None => paths.push(NamedPath { segments: vec![word.to_owned()], start, imported: false }),
        }
        end = start + word.len();
    }
    debug_assert!(paths.iter().all(|path| path.segments.iter().all(|segment| segment.chars().all(is_word))));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(code: &str) -> Vec<String> {
        named_paths(code).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn a_use_tree_is_written_out() {
        let code = "pub use std::{\n    fmt::{self, Write as _},\n    time::*,\n};";
        assert_eq!(named(code), ["std::fmt", "std::fmt::Write", "std::time::*", "pub"]);
    }

    #[test]
    fn a_path_in_an_expression_is_one_path() {
        assert_eq!(named("a :: b::<C>::d(e)"), ["a::b", "C", "d", "e"]);
    }

    #[test]
    fn a_captured_lifetime_is_no_import() {
        assert_eq!(named("impl A + use<'a> {}; b"), ["impl", "A", "use", "a", "b"]);
    }

    #[test]
    fn an_import_knows_where_it_starts() {
        let paths = named_paths("fn a() {}\nuse b::{c, d};");
        let imported: Vec<_> = paths.iter().filter(|path| path.imported).map(|path| path.start).collect();
        assert_eq!(imported, [10, 10]);
    }
}

//! Style that neither rustfmt nor clippy keeps: sizes that a reader can hold, no left-overs, no allowance without its
//! reason.

use crate::process::{Failure, Workspace};
use crate::rust_source::{RustSource, attributes, words};

/// Lines of a file, its test modules not counted.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function outside tests.
const FUNCTION_LINES_MAX: usize = 70;
/// Characters of a line.
const LINE_COLUMNS_MAX: usize = 120;

/// Macros that stand for code not written yet.
const UNWRITTEN: [&str; 2] = ["todo", "unimplemented"];
/// Words by which comments put work off. (Joined here, as below, so that this file does not find itself.)
const LEFT_OVERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// Where a developer's machine shows through.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];

/// Where the modules are declared that may hold `unsafe`: what calls an operating system, and what SQLite calls.
const UNSAFE_IS_WAIVED_IN: [&str; 2] = ["crates/net/src/lib.rs", "crates/sim/src/vfs/mod.rs"];

/// A source that git knows or would take.
pub(crate) struct TrackedFile {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The stage.
pub(crate) fn stage(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    let files = tracked_files(workspace, "*.rs")?;
    let findings: Vec<String> = files.iter().flat_map(|file| check(&file.path, &file.text)).collect();
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// The files that fit a pattern of git's, those not yet added included and those ignored left out.
pub(crate) fn tracked_files(workspace: &Workspace, pattern: &str) -> Result<Vec<TrackedFile>, Failure> {
    let mut list = workspace.command("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]);
    let listed = workspace.capture(&mut list)?;
    let paths = listed.split_terminator('\0').filter(|path| workspace.root().join(path).is_file());
    let read = |path: &str| match std::fs::read_to_string(workspace.root().join(path)) {
        Ok(text) => Ok(TrackedFile { path: path.to_owned(), text }),
        Err(error) => Err(Failure::Io { doing: format!("reading {path}"), error }),
    };
    paths.map(read).collect()
}

/// What is untidy in a file: `path:line: what`, in order of lines.
fn check(path: &str, text: &str) -> Vec<String> {
    let source = RustSource::parse(text);
    let mut found = Vec::new();
    found.extend(long_file(&source));
    if !is_test_file(path) {
        found.extend(long_functions(&source));
    }
    found.extend(long_lines(text));
    found.extend(left_overs(&source));
    found.extend(unexplained_allowances(&source));
    if !UNSAFE_IS_WAIVED_IN.contains(&path) {
        found.extend(unsafe_waivers(&source));
    }
    found.extend(machine_paths(text));
    found.sort();
    found.into_iter().map(|(line, what)| format!("{path}:{line}: {what}")).collect()
}

/// A line and what is wrong with it.
type Finding = (usize, String);

fn is_test_file(path: &str) -> bool {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    name == "tests.rs" || directories.split('/').any(|directory| directory == "tests")
}

fn long_file(source: &RustSource) -> Option<Finding> {
    let tests: usize = source.test_modules().iter().map(|module| source.code[module.clone()].lines().count()).sum();
    let lines = source.code.lines().count() - tests;
    (lines > FILE_LINES_MAX).then(|| {
        (
            FILE_LINES_MAX + 1,
            format!("the file has {lines} lines without its tests, {FILE_LINES_MAX} at most: split it by idea"),
        )
    })
}

fn long_functions(source: &RustSource) -> Vec<Finding> {
    let tests = source.test_modules();
    let long = source.functions().into_iter().filter(|function| {
        function.lines > FUNCTION_LINES_MAX && !tests.iter().any(|module| module.contains(&function.start))
    });
    long.map(|function| {
        let (name, lines) = (&function.name, function.lines);
        (source.line_of(function.start), format!("`{name}` has {lines} lines, {FUNCTION_LINES_MAX} at most"))
    })
    .collect()
}

fn long_lines(text: &str) -> Vec<Finding> {
    let widths = text.lines().map(|line| line.chars().count()).enumerate();
    widths
        .filter(|(_, width)| *width > LINE_COLUMNS_MAX)
        .map(|(at, width)| (at + 1, format!("the line has {width} columns, {LINE_COLUMNS_MAX} at most")))
        .collect()
}

fn left_overs(source: &RustSource) -> Vec<Finding> {
    let macros = words(&source.code)
        .filter(|(at, word)| UNWRITTEN.contains(word) && source.code[at + word.len()..].starts_with('!'))
        .map(|(at, word)| {
            (source.line_of(at), format!("`{word}!`: write it, or leave the item out until it is written"))
        });
    let notes = words(&source.comments).filter(|(_, word)| LEFT_OVERS.contains(word)).map(|(at, word)| {
        (source.line_of(at), format!("`{word}`: do it now, or say in plain words what is not there and why"))
    });
    macros.chain(notes).collect()
}

/// `allow` and `expect` attributes without `reason = …`. Generated code has its own style, so the module that includes
/// it needs none.
fn unexplained_allowances(source: &RustSource) -> Vec<Finding> {
    let unexplained = attributes(&source.code).into_iter().filter(|attribute| {
        let inside: Vec<&str> = words(&source.code[attribute.clone()]).map(|(_, word)| word).collect();
        let waives = match inside.as_slice() {
            ["allow" | "expect", ..] => true,
            ["cfg_attr", condition @ ..] => condition.iter().any(|word| ["allow", "expect"].contains(word)),
            [..] => false,
        };
        waives && !inside.contains(&"reason") && !stands_over_generated_code(source, attribute.end)
    });
    unexplained
        .map(|attribute| (source.line_of(attribute.start), "the allowance needs a `reason = \"…\"`".to_owned()))
        .collect()
}

/// Attributes that let `unsafe` through. `deny` and `forbid` may name it anywhere.
fn unsafe_waivers(source: &RustSource) -> Vec<Finding> {
    let waivers = attributes(&source.code).into_iter().filter(|attribute| {
        let inside: Vec<&str> = words(&source.code[attribute.clone()]).map(|(_, word)| word).collect();
        inside.contains(&"unsafe_code") && inside.iter().any(|word| ["allow", "expect", "warn"].contains(word))
    });
    waivers
        .map(|attribute| (source.line_of(attribute.start), "`unsafe` belongs into net::sys or sim::vfs".to_owned()))
        .collect()
}

fn stands_over_generated_code(source: &RustSource, item: usize) -> bool {
    source
        .module_body(item)
        .is_some_and(|body| source.code[body.start + 1..body.end].trim_start().starts_with("include!"))
}

fn machine_paths(text: &str) -> Vec<Finding> {
    let starts = |line: &str, path: &str| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "_-.})*/".contains(c))
        })
    };
    let found = text.lines().enumerate().filter_map(|(at, line)| {
        let path = MACHINE_PATHS.iter().find(|path| starts(line, path))?;
        Some((
            at + 1,
            format!("`{path}` is a place on one machine: build the path from an argument or the manifest's directory"),
        ))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    a();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_may_have_500_lines_and_no_more() {
        assert_eq!(check("a.rs", &"a\n".repeat(500)), Vec::<String>::new());
        let found = check("a.rs", &"a\n".repeat(501));
        assert_eq!(found, ["a.rs:501: the file has 501 lines without its tests, 500 at most: split it by idea"]);
    }

    #[test]
    fn the_lines_of_a_test_module_are_free_but_a_test_import_opens_no_gate() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "a\n".repeat(600));
        assert_eq!(check("a.rs", &("a\n".repeat(500) + &tests)), Vec::<String>::new());
        assert_eq!(check("a.rs", &("#[cfg(test)]\nuse a;\n".to_owned() + &"a\n".repeat(499))).len(), 1);
    }

    #[test]
    fn a_function_may_have_70_lines_and_no_more() {
        assert_eq!(check("src/a.rs", &function(70)), Vec::<String>::new());
        assert_eq!(check("src/a.rs", &function(71)), ["src/a.rs:1: `long` has 71 lines, 70 at most"]);
    }

    #[test]
    fn functions_of_tests_may_be_longer() {
        let module = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(80));
        assert_eq!(check("src/a.rs", &module), Vec::<String>::new());
        for path in ["crates/a/tests/b.rs", "crates/a/tests/b/c.rs", "crates/a/src/b/tests.rs"] {
            assert_eq!(check(path, &function(80)), Vec::<String>::new(), "{path}");
        }
        assert_eq!(check("src/latests.rs", &function(80)).len(), 1);
    }

    #[test]
    fn columns_are_characters() {
        assert_eq!(check("a.rs", &"ä".repeat(120)), Vec::<String>::new());
        assert_eq!(check("a.rs", &format!("\n{}", "ä".repeat(121))), ["a.rs:2: the line has 121 columns, 120 at most"]);
    }

    #[test]
    fn left_overs_are_found_in_code_and_comments_but_not_in_literals() {
        let note = LEFT_OVERS[0];
        for text in
            ["todo!()".to_owned(), "unimplemented!(\"a\")".to_owned(), format!("// {note}: a"), format!("/// a {note}")]
        {
            assert_eq!(check("a.rs", &text).len(), 1, "{text}");
        }
        for text in [format!("let a = \"{note}\";"), "let todo = a;".to_owned(), "// a todo list".to_owned()] {
            assert_eq!(check("a.rs", &text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn an_allowance_needs_a_reason() {
        for text in [
            "#[allow(dead_code)]\nfn a() {}",
            "#![allow(dead_code)]",
            "#[expect(dead_code)]\nfn a() {}",
            "#[cfg_attr(unix, allow(dead_code))]\nfn a() {}",
            "#[allow(dead_code)] // reason = \"here\"\nfn a() {}",
            "#[allow(missing_docs)]\nmod a { fn b() {} include!(\"c\"); }",
        ] {
            assert_eq!(check("a.rs", text), ["a.rs:1: the allowance needs a `reason = \"…\"`"], "{text}");
        }
        for text in [
            "#[allow(dead_code, reason = \"the other system uses it\")]\nfn a() {}",
            "#[allow(\n    dead_code,\n    reason = \"a\"\n)]\nfn a() {}",
            "#[should_panic(expected = \"a\")]\nfn a() {}",
            "#[allow(missing_docs)]\npub mod wire { include!(concat!(env!(\"OUT_DIR\"), \"/a.rs\")); }",
        ] {
            assert_eq!(check("a.rs", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn unsafe_is_let_through_in_two_places() {
        let waiver = "#[expect(unsafe_code, reason = \"a\")]\nmod a;";
        for path in UNSAFE_IS_WAIVED_IN {
            assert_eq!(check(path, waiver), Vec::<String>::new());
        }
        assert_eq!(check("a.rs", waiver), ["a.rs:1: `unsafe` belongs into net::sys or sim::vfs"]);
        let inner = "#![allow(unsafe_code, reason = \"a\")]";
        assert_eq!(check("crates/store/src/lib.rs", inner).len(), 1);
        assert_eq!(check("a.rs", "#![forbid(unsafe_code)]"), Vec::<String>::new());
    }

    #[test]
    fn a_path_of_one_machine_is_found_wherever_it_stands() {
        let place = MACHINE_PATHS[0];
        for text in [format!("let a = \"{place}main\";"), format!("// see {place}a"), format!("{place}a")] {
            assert_eq!(check("a.rs", &text).len(), 1, "{text}");
        }
        for text in [format!("let a = \"some{place}a\";"), format!("// ..{place}a")] {
            assert_eq!(check("a.rs", &text), Vec::<String>::new(), "{text}");
        }
    }
}

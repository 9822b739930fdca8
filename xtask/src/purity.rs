//! Proves that crates/proto is a pure core: the crates it stands on are few and named here, and its sources reach for
//! nothing that would make two runs with the same inputs differ.

use crate::process::{Failure, Workspace};
use crate::rust_source::RustSource;
use crate::tidy;
use crate::use_paths::{NamedPath, named_paths};

/// What is linked into the core.
const LINKED: [&str; 7] =
    ["bytes", "crc32c", "prost", "steadfast-proto", "thiserror", "tinyvec", "unicode-normalization"];

/// What runs while the core is compiled: derive macros and what they stand on.
const MACROS: [&str; 9] =
    ["anyhow", "either", "itertools", "proc-macro2", "prost-derive", "quote", "syn", "thiserror-impl", "unicode-ident"];

/// Where the core's sources are.
const SOURCES: &str = "crates/proto/src/";

/// Modules of the standard library that reach outside.
const OUTSIDE: [(&str, &str); 6] = [
    ("net", "the core opens no socket: bytes come in through `handle_*`"),
    ("fs", "the core has no disk: the store keeps what it hands out"),
    ("thread", "the core runs on its caller's thread"),
    ("process", "the core does not see the process it runs in"),
    ("env", "settings come in as arguments"),
    ("os", "the core is the same on every system"),
];

/// Types that differ from run to run, wherever they are named.
const UNSTEADY: [(&str, &str); 5] = [
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("hash_map", "its order differs from run to run: use BTreeMap"),
    ("hash_set", "its order differs from run to run: use BTreeSet"),
    ("RandomState", "the core has no randomness: a seed comes in as an argument"),
];

/// Crates that bring a runtime or randomness along.
const CRATES: [(&str, &str); 3] = [
    ("tokio", "the core has no runtime: the shell drives it"),
    ("rand", "the core has no randomness: the shell hands in secrets and the seed of the jitter"),
    ("getrandom", "the core has no randomness: the shell hands in secrets and the seed of the jitter"),
];

/// The stage: dependencies, then sources.
pub(crate) fn stage(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    let mut tree = workspace.cargo(&["tree", "--package", "steadfast-proto", "--edges", "normal"]);
    tree.args(["--target", "all", "--prefix", "none", "--locked"]);
    let mut findings = foreign_dependencies(&workspace.capture(&mut tree)?);
    let files = tidy::tracked_files(workspace, &format!("{SOURCES}*.rs"))?;
    if files.is_empty() {
        findings.push(format!("{SOURCES}: no source to check"));
    }
    for file in &files {
        findings.extend(impurities(&file.path, &file.text));
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Findings(findings)) }
}

/// The crates of a `cargo tree` that are not allowed.
fn foreign_dependencies(tree: &str) -> Vec<String> {
    let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !LINKED.contains(name) && !MACROS.contains(name));
    names
        .into_iter()
        .map(|name| {
            format!(
                "crates/proto depends on {name}, which is not on the list in xtask/src/purity.rs: \
                 with a crate that may do I/O, tell time or draw numbers the core can no longer be replayed; \
                 move its use to a shell, or add it there after reading it"
            )
        })
        .collect()
}

/// What in a source of the core makes it impure.
fn impurities(path: &str, text: &str) -> Vec<String> {
    let source = RustSource::parse(text);
    let mut found: Vec<(usize, String)> = named_paths(&source.code)
        .iter()
        .filter_map(|named| {
            let why = objection(named)?;
            Some((source.line_of(named.start), format!("`{}`: {why}", named.segments.join("::"))))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(line, what)| format!("{path}:{line}: {what}")).collect()
}

fn objection(path: &NamedPath) -> Option<&'static str> {
    let reason = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(banned, _)| *banned == name).map(|(_, why)| *why)
    };
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let anywhere = segments.iter().find_map(|segment| reason(&UNSTEADY, segment));
    anywhere.or(match segments.as_slice() {
        ["unsafe"] => Some("the core forbids unsafe code"),
        ["std" | "core", "time", "Duration", ..] => None,
        ["std" | "core", "time", ..] => Some("the core has no clock: of std::time only Duration, by its full path"),
        ["std", "*"] => Some("name what is imported, so that this check can see it"),
        ["std"] if path.imported => Some("name what is imported, so that this check can see it"),
        ["std", module, ..] => reason(&OUTSIDE, module),
        [name, _, ..] => reason(&CRATES, name),
        [name] if path.imported => reason(&CRATES, name),
        [..] => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> Vec<usize> {
        let line = |finding: &String| finding.split(':').nth(1).unwrap().parse().unwrap();
        impurities("a.rs", text).iter().map(line).collect()
    }

    #[test]
    fn each_way_out_of_the_core_is_found() {
        for text in [
            "use std::net::TcpStream;",
            "use std::{fmt, fs::File};",
            "let a = std :: thread::spawn(b);",
            "use std::time::{Duration, Instant};",
            "use std::time;",
            "use std::time::*;",
            "use std::time::{self, Duration};",
            "let a = std::time::SystemTime::now();",
            "use std as s;",
            "use std::*;",
            "use tokio::sync::mpsc;",
            "let a = tokio::spawn(b);",
            "use rand;",
            "let a = getrandom::fill(&mut b);",
            "let a: HashMap<u8, u8> = b;",
            "use std::collections::hash_map::Entry;",
            "use std::collections::{BTreeMap, HashSet as Set};",
            "use std::hash::RandomState;",
            "unsafe { a() }",
            "std::env::var(a)",
            "#[cfg(test)]\nmod tests { use std::fs; }",
        ] {
            assert_eq!(impurities("a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_the_core_may_do_is_not_found() {
        for text in [
            "use std::time::Duration;",
            "let a = core::time::Duration::from_secs(1);",
            "use std::collections::{BTreeMap, BTreeSet, VecDeque};",
            "#![forbid(unsafe_code)]",
            "use crate::time::Instant;",
            "// std::net, HashMap and unsafe",
            "let a = \"tokio::spawn\";",
            "let rand = seed.next();",
            "use crate::net::Bound;",
            "use std::fmt;",
        ] {
            assert_eq!(impurities("a.rs", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_finding_has_the_line_of_its_import() {
        assert_eq!(lines_of("fn a() {}\n\nuse std::fs;\nlet b = std::net::C;"), [3, 4]);
    }

    #[test]
    fn a_dependency_that_is_not_on_the_list_is_found_once() {
        let tree = "steadfast-proto v0.1.0 (path)\nbytes v1.12.2\nmio v1.0.0\nprost v0.14.6\nmio v1.0.0 (*)\n";
        let found = foreign_dependencies(tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("depends on mio,"), "{}", found[0]);
    }
}

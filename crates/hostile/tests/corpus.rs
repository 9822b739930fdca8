//! What the fuzzers found worth keeping, played again: `fuzz/corpus` reaches as much of the code as anything did, and
//! `fuzz/found` holds what once broke a promise.

use std::path::{Path, PathBuf};

use steadfast_hostile::TARGETS;

/// Inputs of all targets together, and their bytes.
const FILES_MAX: usize = 400;
const BYTES_MAX: u64 = 1 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs in a directory, by name; none if it is not there.
fn inputs(directory: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn replay(name: &str) {
    let (_, run) = TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target");
    let found = inputs(&fuzz().join("found").join(name));
    let corpus = inputs(&fuzz().join("corpus").join(name));
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    for path in found.iter().chain(&corpus) {
        let input = std::fs::read(path).expect("an input");
        // Told by a panic alone: which one it was.
        let playing = Playing(path);
        run(&input);
        drop(playing);
    }
    eprintln!("{name}: {} inputs, and {} that once failed", corpus.len(), found.len());
}

struct Playing<'p>(&'p Path);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {}", self.0.display());
        }
    }
}

#[test]
fn whatever_a_server_says_a_client_keeps_its_promises() {
    replay("client");
}

#[test]
fn whatever_the_bytes_frames_are_read_as_the_protocol_says() {
    replay("frames");
}

#[test]
fn whatever_is_done_and_goes_wrong_between_two_cores_all_is_delivered_once_and_in_order() {
    replay("pair");
}

#[test]
fn whatever_its_clients_say_a_server_keeps_its_promises() {
    replay("server");
}

#[test]
fn whatever_became_of_its_files_a_store_gives_what_was_stored_or_says_that_it_is_damaged() {
    replay("store");
}

/// Each is read and played by every run of the tests.
#[test]
fn what_is_kept_stays_small() {
    let kept = TARGETS.iter().flat_map(|(name, _)| ["corpus", "found"].map(|kind| fuzz().join(kind).join(name)));
    let kept: Vec<PathBuf> = kept.flat_map(|directory| inputs(&directory)).collect();
    let bytes: u64 = kept.iter().map(|path| std::fs::metadata(path).expect("an input").len()).sum();
    assert!(kept.len() <= FILES_MAX && bytes <= BYTES_MAX, "{} inputs of {bytes} bytes", kept.len());
}

/// The gate does not build what is in `fuzz/`: that takes minutes, and nothing is in there but one line a target.
#[test]
fn every_target_can_be_fuzzed() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("the manifest of the fuzz targets");
    for (name, _) in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        let source = std::fs::read_to_string(fuzz().join(&path)).expect("a target's file");
        assert!(source.contains(&format!("steadfast_hostile::{name}::run(input)")), "{path}");
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\npath = \"{path}\"\n")), "{name} in Cargo.toml");
    }
    let targets = inputs(&fuzz().join("fuzz_targets"));
    assert_eq!(targets.len(), TARGETS.len(), "a file for each target, and no other");
}

//! What is kept on a disk, opened after somebody damaged the files: opening, reading all of it and writing on end in a
//! value or in an error that says so; and no entry that is given out is another one than was stored, which its checksum
//! can tell.
//!
//! An input says which files to begin with (a server's or a profile's, as they are once it is closed or while it is
//! open) and what is wrong with them.

mod base;
mod profile;
mod server;

use std::path::Path;

use crate::script::Script;
use base::{Base, Files};

/// A page of a database here.
const PAGE_BYTES: usize = 4_096;
/// What a file may grow to.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Plays an input.
pub fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let base = Base::of_all();
    let (whole, open, is_server) = (script.once_in(16), script.once_in(2), script.once_in(2));
    let mut files = match (is_server, open) {
        (true, false) => base.server_closed.clone(),
        (true, true) => base.server_open.clone(),
        (false, false) => base.profile_closed.clone(),
        (false, true) => base.profile_open.clone(),
    };
    if whole {
        let at = script.below(files.len());
        files[at].1 = script.rest().to_vec();
    }
    while !script.is_over() {
        let at = script.below(files.len());
        damage(&mut files[at].1, &mut script);
    }
    let directory = base::directory();
    put(directory.path(), &files);
    if is_server {
        server::open(directory.path(), &base.entries);
    } else {
        profile::open(directory.path());
    }
}

fn put(directory: &Path, files: &Files) {
    for (name, content) in files {
        std::fs::write(directory.join(name), content).expect("there is room for a few pages");
    }
}

/// One thing that goes wrong with a file.
fn damage(file: &mut Vec<u8>, script: &mut Script<'_>) {
    if file.is_empty() {
        return;
    }
    let pages = file.len().div_ceil(PAGE_BYTES);
    // Anywhere: most of it is what entries say, and the rest is what holds them.
    let at = (script.below(pages) * PAGE_BYTES + script.below(PAGE_BYTES)).min(file.len() - 1);
    match script.below(8) {
        0 => file[at] ^= 1 << script.below(8),
        1 => file[at] = script.byte(),
        2 => {
            let bytes = script.bytes(16);
            let end = file.len().min(at + bytes.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
        }
        3 => file.truncate(at),
        4 => {
            // A page where another one should be.
            let (from, to) = (at / PAGE_BYTES * PAGE_BYTES, script.below(pages) * PAGE_BYTES);
            if from.max(to) + PAGE_BYTES <= file.len() {
                file.copy_within(from..from + PAGE_BYTES, to);
            }
        }
        5 => {
            let page = at / PAGE_BYTES * PAGE_BYTES;
            let end = file.len().min(page + PAGE_BYTES);
            file[page..end].fill(script.one_of(&[0, 0xff]));
        }
        6 => {
            let value = script.number().to_be_bytes();
            let length = script.one_of(&[1, 2, 4, 8]);
            let end = file.len().min(at + length);
            file[at..end].copy_from_slice(&value[8 - (end - at)..]);
        }
        _ => {
            let bytes = script.bytes(64);
            if file.len() + bytes.len() <= FILE_BYTES_MAX {
                file.extend_from_slice(bytes);
            }
        }
    }
}

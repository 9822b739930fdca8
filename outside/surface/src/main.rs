//! Prints the public surface of a library, an item a line, from what rustdoc wrote as JSON: first of the library
//! itself, then of the crates that it re-exports items of. `cargo xtask api` compares it with `docs/api`.
//!
//! What a re-exported item can do stands under the name by which the library's users know it. What a signature names
//! and the library does not export is listed at the end: a stranger could not write that type down.

mod reexports;
mod surface;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use reexports::Reexports;

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [library, siblings @ ..] = paths.as_slice() else {
        eprintln!("surface: name the JSON of the library, then that of each crate that it re-exports items of");
        return ExitCode::from(64);
    };
    let printed = print(library, siblings).and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("surface: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(library: &PathBuf, siblings: &[PathBuf]) -> Result<String, Box<dyn std::error::Error>> {
    let json = fs::read_to_string(library).map_err(|error| format!("{}: {error}", library.display()))?;
    let reexports = Reexports::of(&serde_json::from_str(&json)?)?;
    let own = surface::lines(library)?;
    let mut theirs = Vec::new();
    for sibling in siblings {
        theirs.extend(surface::lines(sibling)?);
    }
    Ok(surface::render(&own, &theirs, &reexports))
}

//! What hostile bytes are tried on: the bodies of the fuzz targets in `fuzz/`, as ordinary functions, so that they
//! build on a stable compiler and `tests/corpus.rs` can replay what was found.
//!
//! Each takes any bytes, plays them as a little script, and panics when a promise breaks. None keeps anything between
//! two calls.

pub mod client;
pub mod frames;
pub mod pair;
mod script;
pub mod server;
mod speech;
pub mod store;

/// A target: its name, and what plays an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: [Target; 5] = [
    ("client", client::run),
    ("frames", frames::run),
    ("pair", pair::run),
    ("server", server::run),
    ("store", store::run),
];

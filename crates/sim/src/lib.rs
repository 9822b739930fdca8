//! A simulated world: real client and server cores and their real stores, in one thread, under one seed, over networks,
//! disks, clocks and processes that fail; and an oracle that knows what was accepted.
//!
//! [`plan`] says what happens and when; the rest acts it out and looks at what came of it.

pub mod histogram;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod report;
pub mod run;
pub mod scratch;
pub mod shrink;
pub mod story;
pub mod vfs;
pub mod world;

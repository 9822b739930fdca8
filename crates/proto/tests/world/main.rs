//! A small world in simulated time: real sessions and a real hub, a model of the disks on both sides, lines that are
//! late and break at any byte, processes that crash. What the promises say is checked against the server's log.

mod client;
mod copies;
mod credit;
mod delivery;
mod disk;
mod field;
mod holds;
mod lanes;
mod liveness;
mod oracle;
mod people;
mod pipe;
mod profile;
mod random;
mod rate;
mod refusals;
mod restored;
mod returning;
mod server;
mod sim;
mod spread;

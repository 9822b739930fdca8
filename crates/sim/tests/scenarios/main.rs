//! Scenarios in the simulated world that are written by hand, each about one promise: real sessions and profiles, a
//! real hub and its log, on disks, lines and clocks that fail as the scenario says.

mod copies;
mod credit;
mod delivery;
mod field;
mod holds;
mod lanes;
mod liveness;
mod oracle;
mod people;
mod rate;
mod refusals;
mod restored;
mod returning;
mod scene;
mod seeds;
mod spread;
mod versions;
mod weather;

//! What only a profile on a disk does.

mod living;
mod opening;
mod writing;

use bytes::Bytes;
use steadfast_proto::ids::{AccountId, DeviceId, RoomId};
use steadfast_proto::wire;
use tempfile::TempDir;

use super::*;
use crate::profile::OUTBOX_BYTES_MAX;
use crate::profile::tests::*;

fn open_in(dir: &Path) -> Profile {
    Profile::open(dir, "ann", Some(&fresh())).expect("a profile")
}

/// A profile of Ann's that was never connected.
fn new_profile() -> (TempDir, Profile) {
    let dir = tempfile::tempdir().expect("a directory");
    let profile = open_in(dir.path());
    (dir, profile)
}

/// One that is welcomed under term 1 and is in the lobby, whose entries so far are 1 ..= 3; its place is 10.
fn profile_in_lobby() -> (TempDir, Profile) {
    let (dir, mut profile) = new_profile();
    enter_lobby(&mut profile);
    (dir, profile)
}

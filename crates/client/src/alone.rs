//! Without profiles on a disk there are no other processes: no value of these types can be made.

use std::convert::Infallible;

use steadfast_proto::ids::RoomId;
use steadfast_store::profile::{ProfileError, Want};

use crate::driving::Driving;
use crate::error::OpenError;

/// The right to drive.
pub(crate) type Lock = Infallible;

pub(crate) enum Others {}

/// What other processes want, and the rooms whose people they look at.
pub(crate) struct Wanted {
    pub(crate) wants: Vec<(u64, Want)>,
    pub(crate) watched: Vec<RoomId>,
}

/// What came from other processes.
#[expect(dead_code, reason = "the loop handles what only other processes send")]
pub(crate) enum Heard {
    Called,
    Wanted(Result<Wanted, ProfileError>),
}

impl Others {
    pub(crate) async fn start(_: &Driving, lock: Lock) -> Result<Self, OpenError> {
        match lock {}
    }

    pub(crate) async fn heard(&mut self) -> Heard {
        match *self {}
    }

    pub(crate) fn look(&mut self) {
        match *self {}
    }

    pub(crate) fn may_have_gone(&self) -> bool {
        match *self {}
    }

    pub(crate) fn answer(&self, _want: u64, _text: String) {
        match *self {}
    }

    pub(crate) fn tell_status(&self, _json: String) {
        match *self {}
    }

    pub(crate) fn tell_people(&self, _json: String) {
        match *self {}
    }
}

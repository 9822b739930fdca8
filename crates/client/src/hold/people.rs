//! The people in the rooms that are looked at, by this process and by others of the profile.

use std::sync::{Arc, PoisonError};

use steadfast_net::clock::BootClock;
use steadfast_proto::ids::RoomId;
use steadfast_proto::time::Duration;

use super::Holding;
use crate::people::People;

/// What another process looks at counts for so long after it last said so.
pub(super) const WATCHED_MS: u64 = 5_000;

impl Holding<'_> {
    /// This process looks at these rooms from now on.
    pub(super) fn watch(&mut self, rooms: Vec<RoomId>) {
        self.driving.watched = rooms;
        self.watch_all();
    }

    /// Other processes look at these rooms.
    pub(super) fn watch_for_others(&mut self, rooms: Vec<RoomId>) {
        if rooms != self.others_watch {
            self.others_watch = rooms;
            self.watch_all();
        }
    }

    /// This process' own rooms first: a server tells of so many at a time.
    pub(super) fn watch_all(&mut self) {
        let rooms = [&self.driving.watched[..], &self.others_watch].concat();
        self.session.watch(&rooms);
    }

    pub(super) fn type_in(&mut self, room: RoomId) {
        self.session.type_in(BootClock::now(), room);
    }

    /// Shows what is known here and to other processes, if it says something new.
    pub(super) fn publish_people(&mut self) {
        let known = self.session.people();
        if self.people_told == Some(known.version()) {
            return;
        }
        self.people_told = Some(known.version());
        let people = People::from(known);
        if !self.others_watch.is_empty() {
            if let Ok(json) = people.to_json() {
                self.tell_others_of_people(json);
            }
            // Who was killed says nothing any more, not even that it looks at nobody.
            if BootClock::now() > self.looked_at + Duration::from_millis(WATCHED_MS) {
                self.look_for_wants();
            }
        }
        self.driving.show_people(people);
    }

    fn tell_others_of_people(&self, json: String) {
        // As with the status: behind a disk that is wedged the newest one waits, not each of them.
        if self.untold_people.lock().unwrap_or_else(PoisonError::into_inner).replace(json).is_some() {
            return;
        }
        let untold = Arc::clone(&self.untold_people);
        let taken = self.driving.live.leave(move |profile| {
            let json = untold.lock().unwrap_or_else(PoisonError::into_inner).take();
            let told = json.zip(profile.on_disk()).map(|(json, profile)| profile.live().set_people(&json));
            if let Some(Err(error)) = told {
                tracing::debug!(%error, "the people can't be shown to other processes");
            }
        });
        if !taken {
            self.untold_people.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

//! The people in the rooms that are looked at, by this process and by others of the profile.

use steadfast_net::clock::BootClock;
use steadfast_proto::ids::RoomId;

use super::Holding;
use crate::people::People;

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
            if let Some(others) = self.others.as_ref().filter(|_| self.others_watch.is_empty()) {
                // Who looks next is not to see how it was when the last one looked.
                others.tell_people(People::default().to_json().unwrap_or_default());
            }
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
        let people = People::of_session(known);
        if let Some(others) = self.others.as_mut().filter(|_| !self.others_watch.is_empty()) {
            if let Ok(json) = people.to_json() {
                others.tell_people(json);
            }
            if others.may_have_gone() {
                others.look();
            }
        }
        self.driving.show_people(people);
    }
}

//! Members, public rooms and signals, as a connection asks for them and gets them.

use super::{Connection, Event, PAGES_OPEN_MAX, TRANSMIT_BYTES};
use crate::hub::{Hub, ReaderId};
use crate::ids::{AccountId, RoomId};
use crate::names;
use crate::time::Instant;
use crate::wire::{self, Member, MembersPage, PublicRoom, RequestError, RoomKind, RoomsPage, frame::Kind};

/// Members of one page, and rooms of one: with the longest names less than 64 KiB.
const PEOPLE_PER_PAGE: usize = 500;
/// Memberships that are looked at for one page, of those who have left, too.
const MEMBERSHIPS_PER_PAGE: usize = 2_000;

impl Connection {
    pub(super) fn handle_members(&mut self, asked: &wire::Members, hub: &Hub) {
        let (room, state) = (RoomId(asked.room), hub.state());
        let is_public = state.room(room).is_some_and(|room| room.kind == RoomKind::Public);
        // A room that is not theirs answers like one that is not there.
        if !is_public && !state.is_member(self.account, room) {
            return self.fail_request(asked.number, RequestError::NoSuchRoom, "there is no such room");
        }
        if self.may_have_page(asked.number) {
            let is_member = state.is_member(self.account, room);
            self.push_page(Kind::MembersPage(members_page(asked, is_member, hub)));
        }
    }

    pub(super) fn handle_rooms(&mut self, asked: &wire::Rooms, hub: &Hub) {
        if self.may_have_page(asked.number) {
            self.push_page(Kind::RoomsPage(rooms_page(asked, hub)));
        }
    }

    pub(super) fn handle_watch(&mut self, watch: &wire::Watch, reader: ReaderId, hub: &mut Hub) {
        if hub.watch(reader, watch.rooms.iter().copied().map(RoomId)) {
            self.want(Event::Watching);
        }
    }

    /// Appends what a link that watches is to be told, behind everything else that may leave now.
    pub(super) fn tell_people(
        &mut self,
        now: Instant,
        reader: ReaderId,
        hub: &mut Hub,
        out: &mut Vec<u8>,
        start: usize,
    ) {
        while out.len() - start < TRANSMIT_BYTES {
            let Some(signal) = hub.next_signal(now, reader) else { return };
            self.link.send(now, Kind::Signal(signal), out);
        }
    }

    fn may_have_page(&mut self, number: u32) -> bool {
        if self.pages_open == PAGES_OPEN_MAX {
            self.fail_request(number, RequestError::Busy, "too many requests are open");
        }
        self.pages_open < PAGES_OPEN_MAX
    }

    fn push_page(&mut self, page: Kind) {
        self.pages_open += 1;
        self.replies.get_or_insert_default().others.push_back(page);
    }
}

/// Who is no member of a public room hears who is in it, not who is there and how far each has read.
fn members_page(asked: &wire::Members, is_member: bool, hub: &Hub) -> MembersPage {
    let (room, state) = (RoomId(asked.room), hub.state());
    let (number, as_of, total) = (asked.number, state.head(), state.member_count(room));
    let mut page = MembersPage { number, room: asked.room, as_of, total, ..MembersPage::default() };
    let memberships = state.memberships_after(room, AccountId(asked.after_account));
    for (looked_at, (account, membership)) in memberships.enumerate() {
        if page.members.len() == PEOPLE_PER_PAGE || looked_at == MEMBERSHIPS_PER_PAGE {
            return page;
        }
        page.next_after = account.0;
        if membership.is_open() {
            let mut member = hub.member(room, account);
            if !is_member {
                member = Member { online: false, delivered: 0, ..member };
            }
            page.members.push(member);
        }
    }
    page.next_after = 0;
    page
}

fn rooms_page(asked: &wire::Rooms, hub: &Hub) -> RoomsPage {
    let state = hub.state();
    // What is no name stands somewhere among the names all the same.
    let after = names::folded(&asked.after_name).unwrap_or_else(|_| asked.after_name.clone());
    let mut page = RoomsPage { number: asked.number, ..RoomsPage::default() };
    for (id, room) in state.public_rooms_after(&after) {
        if page.rooms.len() == PEOPLE_PER_PAGE {
            page.more = true;
            break;
        }
        let (name, members) = (room.name.clone(), state.member_count(id));
        page.rooms.push(PublicRoom { room: id.0, name, members, room_sequence: room.head_sequence });
    }
    page
}

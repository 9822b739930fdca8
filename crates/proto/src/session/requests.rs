//! Requests that want an answer and change nothing. They outlive a link: what was not answered is asked again.

use std::collections::BTreeMap;

use super::cause::{Cause, ProtocolFault};
#[cfg(doc)]
use crate::features;
use crate::ids::{AccountId, RoomId};
use crate::wire::{History, Members, MembersPage, Rooms, RoomsPage, Sync, frame::Kind};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// That everything up to the server's head is sent and stored here.
    Sync,
    /// Entries of a room, both ends included; one page is answered.
    History {
        /// The room.
        room: RoomId,
        /// The first room sequence wanted.
        from_sequence: u64,
        /// The last one.
        to_sequence: u64,
    },
    /// Who is a member of a room, in order of account; one page is answered.
    Members {
        /// The room.
        room: RoomId,
        /// Behind this one; 0: from the first one on.
        after: AccountId,
    },
    /// The public rooms, in order of name; one page is answered.
    Rooms {
        /// Behind the room of this name; empty: from the first one on.
        after: String,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// What it brought is stored.
    Done,
    /// Members of a room.
    Members(MembersPage),
    /// Public rooms.
    Rooms(RoomsPage),
}

impl Request {
    /// Whether it wants [`features::PEOPLE`].
    fn is_of_people(&self) -> bool {
        match self {
            Self::Sync | Self::History { .. } => false,
            Self::Members { .. } | Self::Rooms { .. } => true,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    open: BTreeMap<u32, (Request, bool)>,
    last_number: u32,
    sent: usize,
}

impl Requests {
    pub(super) fn ask(&mut self, request: Request) -> u32 {
        // 0 means "nobody asked" on the wire.
        self.last_number = self.last_number.checked_add(1).unwrap_or(1);
        self.open.insert(self.last_number, (request, false));
        self.last_number
    }

    pub(super) fn handle_link(&mut self) {
        self.sent = 0;
        for (_, sent) in self.open.values_mut() {
            *sent = false;
        }
    }

    pub(super) fn is_awaiting(&self) -> bool {
        self.sent > 0
    }

    pub(super) fn poll_send(&mut self) -> Option<Kind> {
        if self.sent == self.open.len() {
            return None;
        }
        let (&number, (request, sent)) = self.open.iter_mut().find(|(_, (_, sent))| !sent)?;
        *sent = true;
        self.sent += 1;
        Some(match request {
            Request::Sync => Kind::Sync(Sync { number }),
            &mut Request::History { room, from_sequence, to_sequence } => {
                Kind::History(History { number, room: room.0, from_sequence, to_sequence })
            }
            Request::Members { room, after } => Kind::Members(Members { number, room: room.0, after_account: after.0 }),
            Request::Rooms { after } => Kind::Rooms(Rooms { number, after_name: after.clone() }),
        })
    }

    /// Those that a server without the feature can't answer are open no more. None of them has been sent on this link.
    pub(super) fn take_of_people(&mut self) -> Vec<u32> {
        let of_people = |_: &u32, (request, _): &mut (Request, bool)| request.is_of_people();
        self.open.extract_if(.., of_people).map(|(number, _)| number).collect()
    }

    /// An answer came that fits such requests; whether anybody waits for it. Where it is another's the peer is wrong,
    /// and the request stays open.
    pub(super) fn handle_answer(&mut self, number: u32, fits: fn(&Request) -> bool) -> Result<bool, Cause> {
        if self.open.get(&number).is_some_and(|(request, _)| !fits(request)) {
            return Err(Cause::ProtocolError(ProtocolFault::Rule("a request has another's answer")));
        }
        Ok(self.close(number))
    }

    /// Nothing more is to come of a request; whether anybody waited for it.
    pub(super) fn close(&mut self, number: u32) -> bool {
        let Some((_, sent)) = self.open.remove(&number) else { return false };
        self.sent -= usize::from(sent);
        true
    }
}

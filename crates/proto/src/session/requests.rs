//! Requests that want an answer and change nothing. They outlive a link: what was not answered is asked again.

use std::collections::BTreeMap;

use crate::ids::RoomId;
use crate::wire::{History, Sync, frame::Kind};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        Some(match *request {
            Request::Sync => Kind::Sync(Sync { number }),
            Request::History { room, from_sequence, to_sequence } => {
                Kind::History(History { number, room: room.0, from_sequence, to_sequence })
            }
        })
    }

    /// An answer came; `None` if nobody waits for it.
    pub(super) fn handle_answer(&mut self, number: u32) -> Option<Request> {
        let (request, sent) = self.open.remove(&number)?;
        self.sent -= usize::from(sent);
        Some(request)
    }
}

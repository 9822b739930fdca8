//! Who may see what, as the entries themselves tell it: a naive second opinion on the hub's memberships.

use std::collections::BTreeMap;

use steadfast_proto::hub::State;
use steadfast_proto::ids::{AccountId, RoomId};
use steadfast_proto::wire::{Entry, RoomKind, entry::What};

use crate::speech::ACCOUNTS;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Audience {
    kinds: BTreeMap<u64, RoomKind>,
    /// By room and account: from which position to which one.
    stays: BTreeMap<(u64, u64), Vec<(u64, u64)>>,
}

impl Audience {
    pub(super) fn follow(&mut self, entry: &Entry) {
        let (room, position) = (entry.room, entry.position);
        match &entry.what {
            Some(What::Joined(joined)) => {
                self.kinds.insert(room, joined.kind());
                self.begin(room, joined.account, position);
                if joined.other != 0 {
                    self.begin(room, joined.other, position);
                }
            }
            Some(What::Left(left)) => {
                let stay = self.stays.get_mut(&(room, left.account)).and_then(|stays| stays.last_mut());
                let (_, until) = stay.expect("who left was there");
                assert_eq!(*until, u64::MAX, "account {:x} left room {room:x} twice", left.account);
                *until = position;
            }
            Some(What::DeviceAdded(_)) => {
                self.kinds.insert(room, RoomKind::Account);
                if !self.is_member(entry.account, room) {
                    self.begin(room, entry.account, position);
                }
            }
            Some(What::Message(_)) => {
                assert!(
                    self.is_member(entry.account, room),
                    "account {:x} spoke in a room it is not in",
                    entry.account
                );
            }
            Some(What::Added(_) | What::Removed(_) | What::TermOpened(_)) | None => {}
        }
    }

    fn begin(&mut self, room: u64, account: u64, position: u64) {
        assert!(!self.is_member(account, room), "account {account:x} joined room {room:x} twice");
        self.stays.entry((room, account)).or_default().push((position, u64::MAX));
    }

    pub(super) fn is_member(&self, account: u64, room: u64) -> bool {
        self.stays.get(&(room, account)).and_then(|stays| stays.last()).is_some_and(|&(_, until)| until == u64::MAX)
    }

    pub(super) fn was_member(&self, account: u64, room: u64) -> bool {
        self.stays.contains_key(&(room, account))
    }

    /// In the stream.
    pub(super) fn sees(&self, account: u64, room: u64, position: u64) -> bool {
        let stays = self.stays.get(&(room, account));
        stays.is_some_and(|stays| stays.iter().any(|&(from, until)| (from..=until).contains(&position)))
    }

    /// In history.
    pub(super) fn may_read(&self, account: u64, room: u64, position: u64) -> bool {
        match self.kinds.get(&room) {
            Some(RoomKind::Public) => true,
            Some(RoomKind::Direct | RoomKind::Account) => self.was_member(account, room),
            Some(RoomKind::Private) => self.sees(account, room, position),
            Some(RoomKind::Unspecified) | None => false,
        }
    }

    /// Whether the list of a room's members is for this account.
    pub(super) fn may_know_members(&self, account: u64, room: u64) -> bool {
        self.kinds.get(&room) == Some(&RoomKind::Public) || self.is_member(account, room)
    }

    /// The hub thinks the same of this entry.
    pub(super) fn agrees(&self, state: &State, entry: &Entry) {
        let (room, position) = (entry.room, entry.position);
        for account in ACCOUNTS {
            let of_hub = (
                state.sees(AccountId(account), RoomId(room), position),
                state.may_read(AccountId(account), RoomId(room), position),
                state.is_member(AccountId(account), RoomId(room)),
            );
            let naive = (
                self.sees(account, room, position),
                self.may_read(account, room, position),
                self.is_member(account, room),
            );
            assert_eq!(of_hub, naive, "account {account:x}, room {room:x}, position {position}");
        }
    }
}

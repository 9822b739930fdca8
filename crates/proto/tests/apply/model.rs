//! What operations do, written down as plainly as possible: sets of members, a list of what happened.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_proto::hub::{Answer, SignUp};
use steadfast_proto::ids::{AccountId, DeviceId};
use steadfast_proto::names;
use steadfast_proto::wire::{
    Hold, HoldCause, Op, Outcome, Refusal, RoomKind, RoomRef, Settled, op::Body, room_ref::By,
};

/// One entry of the log: where it stands, and who sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) room: u64,
    pub(crate) room_sequence: u64,
    pub(crate) account: u64,
    pub(crate) id: u64,
    pub(crate) what: &'static str,
    pub(crate) audience: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Room {
    kind: RoomKind,
    maker: u64,
    members: BTreeSet<u64>,
    entries: u64,
}

#[derive(Clone, Debug, Default)]
struct Device {
    account: u64,
    last: u64,
    confirmed: u64,
    /// Its link is taken no more operations from.
    settled: bool,
    answers: BTreeMap<u64, Outcome>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) log: Vec<Happened>,
    accounts: BTreeMap<String, u64>,
    devices: BTreeMap<DeviceId, Device>,
    rooms: BTreeMap<u64, Room>,
    public: BTreeMap<String, u64>,
    directs: BTreeMap<BTreeSet<u64>, u64>,
}

/// Who acts, by which operation.
#[derive(Clone, Copy)]
struct Author {
    account: u64,
    id: u64,
}

impl Model {
    pub(crate) fn rooms(&self) -> Vec<u64> {
        self.rooms.keys().copied().collect()
    }

    pub(crate) fn private_rooms(&self) -> Vec<u64> {
        self.rooms.iter().filter(|(_, room)| room.kind == RoomKind::Private).map(|(&id, _)| id).collect()
    }

    pub(crate) fn accounts(&self) -> BTreeSet<u64> {
        self.accounts.values().copied().collect()
    }

    /// The last sequence of a device that took effect, and the ids behind its sequences that can still be repeated.
    pub(crate) fn device(&self, device: DeviceId) -> (u64, BTreeMap<u64, u64>) {
        let known = self.devices.get(&device).cloned().unwrap_or_default();
        (known.last, known.answers.into_iter().map(|(sequence, outcome)| (sequence, outcome.id)).collect())
    }

    /// All devices link anew.
    pub(crate) fn link(&mut self) -> Vec<(AccountId, DeviceId)> {
        self.devices.values_mut().for_each(|device| device.settled = false);
        self.devices.iter().map(|(&id, device)| (AccountId(device.account), id)).collect()
    }

    pub(crate) fn open_term(&mut self) {
        self.happen(0, Author { account: 0, id: 0 }, "TermOpened");
    }

    pub(crate) fn sign_up(&mut self, sign_up: &SignUp) -> Result<u64, Refusal> {
        if let Some(device) = self.devices.get(&sign_up.device_id) {
            return Ok(device.account);
        }
        let folded = names::folded(&sign_up.name).map_err(|_| Refusal::NameInvalid)?;
        let account = match self.accounts.get(&folded) {
            Some(&account) => account,
            None if self.rooms.contains_key(&sign_up.account.0) => return Err(Refusal::IdTaken),
            None => {
                let id = sign_up.account.0;
                self.accounts.insert(folded, id);
                self.make(id, RoomKind::Account, id);
                id
            }
        };
        self.rooms.entry(account).and_modify(|room| {
            room.members.insert(account);
        });
        self.happen(account, Author { account, id: 0 }, "DeviceAdded");
        self.devices.insert(sign_up.device_id, Device { account, ..Device::default() });
        Ok(account)
    }

    pub(crate) fn apply(&mut self, id: DeviceId, op: &Op) -> Answer {
        let hold = |from_sequence, cause: HoldCause| {
            Answer::Hold(Hold { from_sequence, cause: cause.into(), retry_after_ms: 0 })
        };
        let Some(device) = self.devices.get_mut(&id) else { return hold(op.sequence, HoldCause::InDoubt) };
        device.confirmed = device.confirmed.max(op.confirmed_through.min(device.last));
        let confirmed = device.confirmed;
        device.answers.retain(|&sequence, _| sequence > confirmed);
        if op.sequence > device.last + 1 && !device.settled {
            return hold(device.last + 1, HoldCause::Gap);
        }
        if op.sequence <= device.last || device.settled {
            let same = device.answers.get(&op.sequence).filter(|outcome| outcome.id == op.id && !device.settled);
            if let Some(outcome) = same {
                return Answer::Outcome(*outcome);
            }
            device.settled = true;
            return Answer::Settled(Settled { sequence: op.sequence, last_sequence: device.last });
        }
        let by = Author { account: device.account, id: op.id };
        let position = self.log.len() as u64 + 1;
        let (room, refusal) = match self.decide(id, by, op.body.as_ref()) {
            Ok(room) => (room, 0),
            Err(refusal) => {
                self.happen(0, by, "nothing");
                (0, refusal.into())
            }
        };
        let outcome = Outcome { sequence: op.sequence, id: op.id, position, room, refusal };
        let device = self.devices.get_mut(&id).expect("it was there");
        device.last = op.sequence;
        device.answers.insert(op.sequence, outcome);
        Answer::Outcome(outcome)
    }

    /// The room that the outcome names, 0 if none.
    fn decide(&mut self, device: DeviceId, by: Author, body: Option<&Body>) -> Result<u64, Refusal> {
        match body {
            None => Err(Refusal::UnknownOperation),
            Some(Body::Send(send)) => {
                let room = self.resolve(device, send.room.as_ref())?;
                self.check_member(room, by.account)?;
                if self.rooms[&room].kind == RoomKind::Account {
                    return Err(Refusal::NotAllowed);
                }
                self.happen(room, by, "Message");
                Ok(0)
            }
            Some(Body::Enter(enter)) => {
                let folded = names::folded(&enter.name).map_err(|_| Refusal::NameInvalid)?;
                let room = match self.public.get(&folded) {
                    Some(&room) => room,
                    None => {
                        self.make_by(by, RoomKind::Public)?;
                        self.public.insert(folded, by.id);
                        by.id
                    }
                };
                self.join(room, by, by.account);
                Ok(room)
            }
            Some(Body::Direct(direct)) => self.direct(by, &direct.name),
            Some(Body::CreatePrivate(create)) => {
                names::spelled(&create.name).map_err(|_| Refusal::NameInvalid)?;
                self.make_by(by, RoomKind::Private)?;
                self.join(by.id, by, by.account);
                Ok(by.id)
            }
            Some(Body::Leave(leave)) => {
                let room = self.resolve(device, leave.room.as_ref())?;
                self.leave(room, by, by.account)
            }
            Some(Body::Add(add)) => {
                let room = self.private(device, by, add.room.as_ref())?;
                let account = self.account_named(&add.name)?;
                self.join(room, by, account);
                Ok(room)
            }
            Some(Body::Remove(remove)) => {
                let room = self.private(device, by, remove.room.as_ref())?;
                let account = self.account_named(&remove.name)?;
                if account != by.account && self.rooms[&room].maker != by.account {
                    return Err(Refusal::NotAllowed);
                }
                self.leave(room, by, account)
            }
        }
    }

    fn direct(&mut self, by: Author, name: &str) -> Result<u64, Refusal> {
        let other = self.account_named(name)?;
        if other == by.account {
            return Err(Refusal::NotAllowed);
        }
        let pair = BTreeSet::from([by.account, other]);
        if let Some(&room) = self.directs.get(&pair) {
            self.happen(0, by, "nothing");
            return Ok(room);
        }
        self.make_by(by, RoomKind::Direct)?;
        self.rooms.entry(by.id).and_modify(|room| room.members = pair.clone());
        self.directs.insert(pair, by.id);
        self.happen(by.id, by, "Joined");
        self.happen(other, by, "Added");
        Ok(by.id)
    }

    fn join(&mut self, room: u64, by: Author, account: u64) {
        if !self.rooms.get_mut(&room).expect("it is there").members.insert(account) {
            return self.happen(0, by, "nothing");
        }
        self.happen(room, by, "Joined");
        self.happen(account, by, "Added");
    }

    fn leave(&mut self, room: u64, by: Author, account: u64) -> Result<u64, Refusal> {
        let there = self.rooms.get(&room).ok_or(Refusal::NoSuchRoom)?;
        if matches!(there.kind, RoomKind::Direct | RoomKind::Account) {
            return Err(Refusal::NotAllowed);
        }
        if !there.members.contains(&account) {
            self.happen(0, by, "nothing");
            return Ok(room);
        }
        // Whoever leaves sees that.
        self.happen(room, by, "Left");
        self.rooms.entry(room).and_modify(|room| {
            room.members.remove(&account);
        });
        self.happen(account, by, "Removed");
        Ok(room)
    }

    fn private(&self, device: DeviceId, by: Author, room: Option<&RoomRef>) -> Result<u64, Refusal> {
        let room = self.resolve(device, room)?;
        self.check_member(room, by.account)?;
        if self.rooms[&room].kind == RoomKind::Private { Ok(room) } else { Err(Refusal::NotAllowed) }
    }

    fn check_member(&self, room: u64, account: u64) -> Result<(), Refusal> {
        match self.rooms.get(&room) {
            Some(there) if there.members.contains(&account) => Ok(()),
            Some(there) if there.kind == RoomKind::Public => Err(Refusal::NotAMember),
            Some(_) | None => Err(Refusal::NoSuchRoom),
        }
    }

    fn account_named(&self, name: &str) -> Result<u64, Refusal> {
        let folded = names::folded(name).map_err(|_| Refusal::NoSuchAccount)?;
        self.accounts.get(&folded).copied().ok_or(Refusal::NoSuchAccount)
    }

    fn resolve(&self, device: DeviceId, room: Option<&RoomRef>) -> Result<u64, Refusal> {
        match room.and_then(|reference| reference.by.as_ref()) {
            Some(By::Room(room)) => Ok(*room),
            Some(By::EnteredBy(id)) => {
                let mut answers = self.devices[&device].answers.values().rev();
                let room = answers.find(|outcome| outcome.id == *id).map_or(0, |outcome| outcome.room);
                if room == 0 { Err(Refusal::NoSuchRoom) } else { Ok(room) }
            }
            None => Err(Refusal::NoSuchRoom),
        }
    }

    fn make_by(&mut self, by: Author, kind: RoomKind) -> Result<(), Refusal> {
        if by.id == 0 || self.rooms.contains_key(&by.id) {
            return Err(Refusal::IdTaken);
        }
        self.make(by.id, kind, by.account);
        Ok(())
    }

    fn make(&mut self, id: u64, kind: RoomKind, maker: u64) {
        self.rooms.insert(id, Room { kind, maker, members: BTreeSet::new(), entries: 0 });
    }

    fn happen(&mut self, room: u64, by: Author, what: &'static str) {
        let there = self.rooms.get_mut(&room).map(|there| {
            there.entries += 1;
            (there.entries, there.members.clone())
        });
        let (room_sequence, audience) = there.unwrap_or_default();
        self.log.push(Happened { room, room_sequence, account: by.account, id: by.id, what, audience });
    }
}

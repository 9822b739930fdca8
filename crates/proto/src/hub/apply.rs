//! Deciding: what an operation does to the state. Deterministic: it sees the operation, the state, and the time that
//! the sequencer gave the batch, nothing else.

use super::draft::{Author, Draft};
use super::state::{Account, Device, Kept, Room};
use crate::ids::{AccountId, DeviceId, OperationId, RoomId, Term};
use crate::names;
use crate::session::OPERATIONS_IN_FLIGHT_MAX;
use crate::wire::{self, HoldCause, Op, Refusal, RoomKind, RoomRef, entry::What, op::Body, room_ref::By};

/// The longest message body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;

/// How often one account may join one room: every stay is kept, and written again with each change of membership.
const STAYS_MAX: usize = 1_000;

/// How long a device waits that has not confirmed what it was answered.
const UNCONFIRMED_RETRY_MS: u32 = 1_000;

/// What is said to a device about one of its operations.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is final.
    Outcome(wire::Outcome),
    /// It was not applied.
    Hold(wire::Hold),
    /// Its sequence was used up earlier, by another operation or one whose outcome is confirmed.
    Settled(wire::Settled),
}

/// Where an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The device.
    pub device: DeviceId,
    /// The number of its link, as the hub counts them: what a link said late must not pass for the next one's.
    pub link: u64,
}

/// A device that introduces itself for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignUp {
    /// The name it wants, or belongs to.
    pub name: String,
    /// The device.
    pub device_id: DeviceId,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// The account's id, should this make it.
    pub account: AccountId,
}

/// What an accepted operation did.
struct Done {
    position: u64,
    room: Option<RoomId>,
}

impl Draft<'_> {
    /// Opens the log for writing under a fresh term.
    pub fn open_term(&mut self, term: Term) {
        self.changes.term = Some(term);
        self.push(None, &Author::default(), Some(What::TermOpened(wire::TermOpened { term: term.0 })));
    }

    /// Makes a device known, and its account with it if the name is new. Repeating it changes nothing.
    pub fn sign_up(&mut self, sign_up: &SignUp) -> Result<AccountId, Refusal> {
        if let Some(device) = self.device(sign_up.device_id) {
            return if device.secret_hash == sign_up.secret_hash {
                Ok(device.account)
            } else {
                Err(Refusal::NotAllowed)
            };
        }
        let name = names::spelled(&sign_up.name).map_err(|_| Refusal::NameInvalid)?;
        let folded = names::folded(&name).map_err(|_| Refusal::NameInvalid)?;
        let account = match self.account_by_name(&folded) {
            Some(account) => account,
            None => self.make_account(sign_up.account, name, folded)?,
        };
        let author = Author { account, name: self.name_of(account), ..Author::default() };
        let device_id = sign_up.device_id.0.to_vec().into();
        let added = What::DeviceAdded(wire::DeviceAdded { device_id });
        let (position, sequence) = self.push(Some(account.room()), &author, Some(added));
        let membership = self.membership_mut(account.room(), account);
        if !membership.is_open() {
            membership.join(position, sequence);
        }
        let device = Device {
            account,
            secret_hash: sign_up.secret_hash,
            last_sequence: 0,
            confirmed_through: 0,
            kept: [].into(),
        };
        self.changes.devices.insert(sign_up.device_id, device);
        Ok(account)
    }

    /// Applies one operation of a device, if it is the next one.
    pub fn apply(&mut self, origin: Origin, op: &Op) -> Answer {
        let device_id = origin.device;
        let settled = self.is_settled(origin.link);
        let Some(device) = self.device_mut(device_id) else {
            return Answer::Hold(hold(op.sequence, HoldCause::InDoubt));
        };
        confirm(device, op.confirmed_through);
        let (account, last_sequence) = (device.account, device.last_sequence);
        if settled {
            return Answer::Settled(wire::Settled { sequence: op.sequence, last_sequence });
        }
        if op.sequence <= last_sequence {
            let answer = repeat(device, op);
            if matches!(answer, Answer::Settled(_)) {
                self.changes.settled.insert(origin.link);
            }
            return answer;
        }
        if op.sequence > device.confirmed_through + OPERATIONS_IN_FLIGHT_MAX {
            return Answer::Hold(wire::Hold {
                retry_after_ms: UNCONFIRMED_RETRY_MS,
                ..hold(op.sequence, HoldCause::Rate)
            });
        }
        if op.sequence > last_sequence + 1 {
            return Answer::Hold(hold(last_sequence + 1, HoldCause::Gap));
        }
        let author = Author {
            account,
            name: self.name_of(account),
            id: OperationId(op.id),
            sequence: op.sequence,
            composed_at_ms: op.composed_at_ms,
        };
        let kept = match self.decide(device_id, &author, op.body.as_ref()) {
            Ok(done) => Kept { id: author.id, position: done.position, room: done.room, refusal: None },
            Err(refusal) => {
                let (position, _) = self.push(None, &author, None);
                Kept { id: author.id, position, room: None, refusal: Some(refusal) }
            }
        };
        if let Some(device) = self.device_mut(device_id) {
            device.last_sequence = op.sequence;
            device.kept.push_back(kept);
        }
        Answer::Outcome(outcome(op.sequence, &kept))
    }

    fn decide(&mut self, device: DeviceId, author: &Author, body: Option<&Body>) -> Result<Done, Refusal> {
        match body {
            None => Err(Refusal::UnknownOperation),
            Some(Body::Send(send)) => self.send(device, author, send),
            Some(Body::Enter(enter)) => self.enter(author, &enter.name),
            Some(Body::Direct(direct)) => self.direct(author, &direct.name),
            Some(Body::CreatePrivate(create)) => {
                let name = names::spelled(&create.name).map_err(|_| Refusal::NameInvalid)?;
                self.make_room(author, RoomKind::Private, name)
            }
            Some(Body::Leave(leave)) => {
                let room = self.resolve(device, leave.room.as_ref())?;
                self.leave(author, room, author.account)
            }
            Some(Body::Add(add)) => {
                let room = self.private_room(device, author, add.room.as_ref())?;
                let account = self.account_named(&add.name)?;
                self.join(author, room, account)
            }
            Some(Body::Remove(remove)) => {
                let room = self.private_room(device, author, remove.room.as_ref())?;
                let account = self.account_named(&remove.name)?;
                let may = account == author.account || self.room(room).is_some_and(|r| r.maker == author.account);
                if may { self.leave(author, room, account) } else { Err(Refusal::NotAllowed) }
            }
        }
    }

    fn send(&mut self, device: DeviceId, author: &Author, send: &wire::Send) -> Result<Done, Refusal> {
        if send.body.len() > BODY_BYTES_MAX || send.content_type.len() > CONTENT_TYPE_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
        let room = self.resolve(device, send.room.as_ref())?;
        self.check_member(room, author.account)?;
        if self.room(room).is_some_and(|r| r.kind == RoomKind::Account) {
            return Err(Refusal::NotAllowed);
        }
        let message = wire::Message { body: send.body.clone(), content_type: send.content_type.clone() };
        let (position, _) = self.push(Some(room), author, Some(What::Message(message)));
        Ok(Done { position, room: None })
    }

    fn enter(&mut self, author: &Author, name: &str) -> Result<Done, Refusal> {
        let name = names::spelled(name).map_err(|_| Refusal::NameInvalid)?;
        let folded = names::folded(&name).map_err(|_| Refusal::NameInvalid)?;
        match self.public_room(&folded) {
            Some(room) => self.join(author, room, author.account),
            None => {
                let done = self.make_room(author, RoomKind::Public, name)?;
                if let Some(room) = done.room {
                    self.changes.public_rooms.insert(folded, room);
                }
                Ok(done)
            }
        }
    }

    fn direct(&mut self, author: &Author, name: &str) -> Result<Done, Refusal> {
        let other = self.account_named(name)?;
        if other == author.account {
            return Err(Refusal::NotAllowed);
        }
        if let Some(room) = self.direct_room(author.account, other) {
            return Ok(self.nothing(author, Some(room)));
        }
        let room = self.fresh_room(author)?;
        let made = Room {
            name: String::new(),
            kind: RoomKind::Direct,
            head_sequence: 0,
            head_position: 0,
            maker: author.account,
            other: Some(other),
        };
        self.changes.rooms.insert(room, made);
        self.changes.directs.insert(super::state::pair(author.account, other), room);
        let joined = wire::Joined {
            account: author.account.0,
            name: author.name.clone(),
            room_name: String::new(),
            kind: RoomKind::Direct.into(),
            other: other.0,
            other_name: self.name_of(other),
        };
        let (position, sequence) = self.push(Some(room), author, Some(What::Joined(joined)));
        self.membership_mut(room, author.account).join(position, sequence);
        self.membership_mut(room, other).join(position, sequence);
        self.push_added(author, other, room);
        Ok(Done { position, room: Some(room) })
    }

    fn make_room(&mut self, author: &Author, kind: RoomKind, name: String) -> Result<Done, Refusal> {
        let room = self.fresh_room(author)?;
        let made = Room { name, kind, head_sequence: 0, head_position: 0, maker: author.account, other: None };
        self.changes.rooms.insert(room, made);
        self.join(author, room, author.account)
    }

    /// Makes the account a member, by the author, unless it came and went too often; nothing happens if it is one.
    fn join(&mut self, author: &Author, room: RoomId, account: AccountId) -> Result<Done, Refusal> {
        if self.is_member(room, account) {
            return Ok(self.nothing(author, Some(room)));
        }
        if self.stays(room, account) >= STAYS_MAX {
            return Err(Refusal::NotAllowed);
        }
        let there = self.room(room).ok_or(Refusal::NoSuchRoom)?;
        let joined = wire::Joined {
            account: account.0,
            name: self.name_of(account),
            room_name: there.name.clone(),
            kind: there.kind.into(),
            other: 0,
            other_name: String::new(),
        };
        let (position, sequence) = self.push(Some(room), author, Some(What::Joined(joined)));
        self.membership_mut(room, account).join(position, sequence);
        self.push_added(author, account, room);
        Ok(Done { position, room: Some(room) })
    }

    fn leave(&mut self, author: &Author, room: RoomId, account: AccountId) -> Result<Done, Refusal> {
        let kind = self.room(room).ok_or(Refusal::NoSuchRoom)?.kind;
        if matches!(kind, RoomKind::Direct | RoomKind::Account) {
            return Err(Refusal::NotAllowed);
        }
        if !self.is_member(room, account) {
            return Ok(self.nothing(author, Some(room)));
        }
        let left = wire::Left { account: account.0, name: self.name_of(account) };
        let (position, sequence) = self.push(Some(room), author, Some(What::Left(left)));
        self.membership_mut(room, account).leave(position, sequence);
        self.push(Some(account.room()), author, Some(What::Removed(wire::Removed { room: room.0 })));
        Ok(Done { position, room: Some(room) })
    }

    fn make_account(&mut self, id: AccountId, name: String, folded: String) -> Result<AccountId, Refusal> {
        if id.0 == 0 || self.room(id.room()).is_some() {
            return Err(Refusal::IdTaken);
        }
        self.changes.accounts.insert(id, Account { name });
        self.changes.accounts_by_name.insert(folded, id);
        let room = Room {
            name: String::new(),
            kind: RoomKind::Account,
            head_sequence: 0,
            head_position: 0,
            maker: id,
            other: None,
        };
        self.changes.rooms.insert(id.room(), room);
        Ok(id)
    }

    fn push_added(&mut self, author: &Author, account: AccountId, room: RoomId) {
        let (room_name, kind) = self.room(room).map_or_else(Default::default, |r| (r.name.clone(), r.kind.into()));
        let added = What::Added(wire::Added { room: room.0, room_name, kind });
        self.push(Some(account.room()), author, Some(added));
    }

    /// An accepted operation that changes nothing still has its place in the log.
    fn nothing(&mut self, author: &Author, room: Option<RoomId>) -> Done {
        let (position, _) = self.push(None, author, None);
        Done { position, room }
    }

    fn fresh_room(&self, author: &Author) -> Result<RoomId, Refusal> {
        let room = RoomId(author.id.0);
        if room.0 == 0 || self.room(room).is_some() { Err(Refusal::IdTaken) } else { Ok(room) }
    }

    fn account_named(&self, name: &str) -> Result<AccountId, Refusal> {
        let folded = names::folded(name).map_err(|_| Refusal::NoSuchAccount)?;
        self.account_by_name(&folded).ok_or(Refusal::NoSuchAccount)
    }

    fn check_member(&self, room: RoomId, account: AccountId) -> Result<(), Refusal> {
        if self.is_member(room, account) {
            return Ok(());
        }
        // Whoever is not a member of a private room does not learn that it exists.
        match self.room(room) {
            Some(there) if there.kind == RoomKind::Public => Err(Refusal::NotAMember),
            Some(_) | None => Err(Refusal::NoSuchRoom),
        }
    }

    fn private_room(&self, device: DeviceId, author: &Author, by: Option<&RoomRef>) -> Result<RoomId, Refusal> {
        let room = self.resolve(device, by)?;
        self.check_member(room, author.account)?;
        let kind = self.room(room).map(|r| r.kind);
        if kind == Some(RoomKind::Private) { Ok(room) } else { Err(Refusal::NotAllowed) }
    }

    /// A room by its id, or by an earlier operation of the device whose outcome is still kept.
    fn resolve(&self, device: DeviceId, by: Option<&RoomRef>) -> Result<RoomId, Refusal> {
        match by.and_then(|reference| reference.by.as_ref()) {
            None => Err(Refusal::NoSuchRoom),
            Some(By::Room(room)) => Ok(RoomId(*room)),
            Some(By::EnteredBy(operation)) => {
                let device = self.device(device).ok_or(Refusal::NoSuchRoom)?;
                let kept = device.kept.iter().rev().find(|kept| kept.id.0 == *operation);
                kept.and_then(|kept| kept.room).ok_or(Refusal::NoSuchRoom)
            }
        }
    }
}

/// Forgets the outcomes that the device has stored.
fn confirm(device: &mut Device, through: u64) {
    let through = through.min(device.last_sequence);
    while device.confirmed_through < through {
        device.kept.pop_front();
        device.confirmed_through += 1;
    }
}

/// The answer to a sequence that was applied before.
fn repeat(device: &Device, op: &Op) -> Answer {
    let kept = op
        .sequence
        .checked_sub(device.confirmed_through + 1)
        .and_then(|index| device.kept.get(usize::try_from(index).ok()?));
    match kept {
        Some(kept) if kept.id.0 == op.id => Answer::Outcome(outcome(op.sequence, kept)),
        Some(_) | None => Answer::Settled(wire::Settled { sequence: op.sequence, last_sequence: device.last_sequence }),
    }
}

fn outcome(sequence: u64, kept: &Kept) -> wire::Outcome {
    wire::Outcome {
        sequence,
        id: kept.id.0,
        position: kept.position,
        room: kept.room.map_or(0, |room| room.0),
        refusal: kept.refusal.map_or(0, Into::into),
    }
}

fn hold(from_sequence: u64, cause: HoldCause) -> wire::Hold {
    wire::Hold { from_sequence, cause: cause.into(), retry_after_ms: 0 }
}

//! What people and programs do.

use bytes::Bytes;
use steadfast_proto::hub::CONTENT_TYPE_BYTES_MAX;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::session::{Request, Session};
use steadfast_store::profile::{AppendError, NewBody, NewOp, Profile, ProfileError, Target};

use super::World;
use super::device::NAMES;
use super::observed::{Observed, Said};
use crate::plan::{Act, Machine as Whose};

const TEXT: &str = "text/plain; charset=utf-8";
/// How many messages of history are asked for.
const HISTORY_LENGTH: u64 = 50;

/// Beyond the rooms that a plan names one by one.
const MANY_FROM: usize = 100;

/// The name of a public room.
pub fn room_name(room: usize) -> String {
    format!("room{room}")
}

impl World {
    /// Does it, as far as the device can.
    pub fn act(&mut self, device: usize, act: &Act) {
        if device >= self.devices.len() || self.devices[device].machine.asleep_until().is_some() {
            return;
        }
        match act {
            Act::Enter { room } => {
                self.devices[device].entered.insert(*room);
                self.append(device, vec![(NewBody::Enter { name: room_name(*room) }, None)]);
            }
            Act::Leave { room } => {
                if let Some(target) = self.target(device, *room) {
                    self.append(device, vec![(NewBody::Leave { room: target }, None)]);
                }
            }
            Act::Send { room, count, bytes } => {
                let Some(to) = self.target(device, *room) else { return };
                let messages = (0..*count).map(|_| self.message(device, to.clone(), *bytes)).collect();
                self.append(device, messages);
            }
            Act::SendEverywhere { rooms } => {
                let names = (0..*rooms).map(|room| room_name(MANY_FROM + room));
                let messages = names.map(|name| self.message(device, Target::Public(name), 10)).collect();
                self.append(device, messages);
            }
            Act::Direct { account } => {
                let name = NAMES[account % NAMES.len()].to_owned();
                let message = self.message(device, Target::Direct(name), 40);
                self.append(device, vec![message]);
            }
            Act::CreatePrivate { room } => {
                let ids = self.append(device, vec![(NewBody::CreatePrivate { name: room_name(*room) }, None)]);
                // A room's id is that of the operation that makes it.
                if let Some(id) = ids.first() {
                    self.private.insert(*room, RoomId(id.0));
                }
            }
            Act::Add { room, account } => self.change_members(device, *room, *account, true),
            Act::Remove { room, account } => self.change_members(device, *room, *account, false),
            Act::History { room } => {
                if let Some(room) = self.room_id(device, *room) {
                    let (from_sequence, to_sequence) = (1, HISTORY_LENGTH);
                    self.ask(device, Request::History { room, from_sequence, to_sequence });
                }
            }
            Act::SendTooMuch { room } => {
                let Some(to) = self.target(device, *room) else { return };
                let (body, said) = self.message(device, to, 10);
                let NewBody::Send { to, body, .. } = body else { return };
                let content_type = "x".repeat(CONTENT_TYPE_BYTES_MAX + 1);
                let said = said.map(|said| Said { wrong: true, ..said });
                self.append(device, vec![(NewBody::Send { to, body, content_type }, said)]);
            }
            Act::Type { room } => {
                if let Some(room) = self.room_id(device, *room) {
                    self.tell(device, |session, now| {
                        session.watch(&[room]);
                        session.type_in(now, room);
                    });
                }
            }
            Act::Stop => self.tell(device, Session::stop),
            Act::Resume => self.tell(device, |session, _| session.resume()),
            Act::TryNow => self.tell(device, |session, _| session.try_now()),
            Act::SendFromSecondProcess { room } => self.send_from_second(device, *room),
        }
    }

    fn change_members(&mut self, device: usize, room: usize, account: usize, add: bool) {
        let Some(&id) = self.private.get(&room) else { return };
        let (room, name) = (Target::Room(id), NAMES[account % NAMES.len()].to_owned());
        let body = if add { NewBody::Add { room, name } } else { NewBody::Remove { room, name } };
        self.append(device, vec![(body, None)]);
    }

    /// How the device addresses a room.
    fn target(&self, device: usize, room: usize) -> Option<Target> {
        match self.private.get(&room) {
            Some(&id) => Some(Target::Room(id)),
            None => self.devices[device].entered.contains(&room).then(|| Target::Public(room_name(room))),
        }
    }

    /// A room's id, if the device may know it.
    fn room_id(&self, device: usize, room: usize) -> Option<RoomId> {
        if let Some(&id) = self.private.get(&room) {
            return Some(id);
        }
        let profile = &self.devices[device].process.as_ref()?.profile;
        // A read that fails tells nothing.
        Some(profile.room_by_name(&room_name(room)).ok()??.room)
    }

    /// A message that is like no other.
    fn message(&mut self, device: usize, to: Target, bytes: usize) -> (NewBody, Option<Said>) {
        let number = self.number();
        let mut text = format!("{} {device} {number} ", self.devices[device].name);
        while text.len() < bytes {
            text.push(char::from(b'a' + (text.len() % 26) as u8));
        }
        let body = Bytes::from(text);
        let said = Said { body: Some(body.clone()), wrong: false };
        (NewBody::Send { to, body, content_type: TEXT.to_owned() }, Some(said))
    }

    fn new_ops(&mut self, device: usize, bodies: Vec<(NewBody, Option<Said>)>) -> (Vec<NewOp>, Vec<Said>) {
        let now = self.now;
        let there = &mut self.devices[device];
        let composed_at_ms = there.machine.wall_ms(now);
        let mut saids = Vec::new();
        let ops = bodies.into_iter().map(|(body, said)| {
            saids.push(said.unwrap_or(Said { body: None, wrong: false }));
            let (id, enter_id) = (OperationId(there.random.number()), OperationId(there.random.number()));
            NewOp { id, enter_id, composed_at_ms, body, key: None }
        });
        (ops.collect(), saids)
    }

    /// Queues operations in the profile that is open. Gives the ids of those that were accepted.
    pub fn queue(&mut self, device: usize, bodies: Vec<NewBody>) -> Vec<OperationId> {
        self.append(device, bodies.into_iter().map(|body| (body, None)).collect())
    }

    /// Queues operations in the profile that is open. Gives the ids of those that were accepted.
    fn append(&mut self, device: usize, bodies: Vec<(NewBody, Option<Said>)>) -> Vec<OperationId> {
        if self.devices[device].process.is_none() {
            return Vec::new();
        }
        let (ops, saids) = self.new_ops(device, bodies);
        let there = &mut self.devices[device];
        let Some(process) = &mut there.process else { return Vec::new() };
        let (number, profile) = (process.number, &mut process.profile);
        let appended = there.machine.run(number, || profile.append(&ops));
        let ids: Vec<OperationId> = ops.iter().map(|op| op.id).collect();
        match appended {
            Ok(Ok(_)) => {
                process.session.handle_appended();
                self.see_appended(device, &ids, saids, true);
                self.drive_device(device);
                ids
            }
            Ok(Err(AppendError::Profile(error))) => {
                self.see_appended(device, &ids, saids, false);
                if !error.is_passing() {
                    self.device_failed(device, &error);
                }
                Vec::new()
            }
            // Its own mistake: the program is told so, and nothing is queued.
            Ok(Err(_)) => Vec::new(),
            Err(death) => {
                self.see_appended(device, &ids, saids, false);
                self.device_died(device, death, super::process::RESTART);
                Vec::new()
            }
        }
    }

    fn see_appended(&mut self, device: usize, ids: &[OperationId], saids: Vec<Said>, accepted: bool) {
        for (&id, said) in ids.iter().zip(saids) {
            self.see(if accepted {
                Observed::Accepted { device, id, said }
            } else {
                Observed::Tried { device, id, said }
            });
        }
    }

    /// Another process of the profile queues a message beside the one that drives, and tells it so.
    fn send_from_second(&mut self, device: usize, room: usize) {
        let Some(to) = self.target(device, room) else { return };
        let message = self.message(device, to, 60);
        let (ops, saids) = self.new_ops(device, vec![message]);
        let there = &mut self.devices[device];
        let number = there.machine.new_process();
        let appended = there.machine.run(number, || {
            let mut profile = Profile::open(there.machine.directory(), &there.name, Some(&there.fresh))?;
            profile.append(&ops)
        });
        let ids: Vec<OperationId> = ops.iter().map(|op| op.id).collect();
        match appended {
            Ok(Ok(_)) => {
                self.see_appended(device, &ids, saids, true);
                self.tell(device, |session, _| session.handle_appended());
            }
            Ok(Err(AppendError::Profile(ProfileError::Broken { dir, text }))) => {
                self.see(Observed::Contradiction {
                    whose: format!("device {device}"),
                    text: format!("{dir:?}: {text}"),
                });
            }
            Ok(Err(_)) => self.see_appended(device, &ids, saids, false),
            Err(death) => {
                self.see_appended(device, &ids, saids, false);
                match death {
                    crate::vfs::Death::Power => self.device_died(device, death, super::process::RESTART),
                    // Only the second process is gone.
                    crate::vfs::Death::Kill => self.note_death(Whose::Device(device), death),
                }
            }
        }
    }
}

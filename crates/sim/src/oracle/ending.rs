//! What has to be true once nothing goes wrong any more and everything has had its time.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use steadfast_proto::session::State;
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{Entry, entry};
use steadfast_store::profile::{Profile, ProfileError, RoomInfo, StoredMessage, What};

use super::beginnings::Beginnings;
use super::broken::{Broken, Promise, broken};
use super::log::{Audience, Log};
use crate::world::World;

/// How long what came just now may take to be stored.
const STORING_MAX: Duration = Duration::from_secs(5);
/// Entries of a room that are read at once.
const READ_MAX: usize = 1_000_000;

/// Each device has all that is for it, in order, each once, as it stands in the log, and nothing else.
pub(super) fn check_profiles(world: &World, log: &Log, began: &Beginnings) -> Result<(), Broken> {
    let (by_room, audience) = (log.by_room(), log.audience());
    for (number, device) in world.devices.iter().enumerate() {
        let Some(process) = &device.process else { continue };
        let (account, is_behind) = (process.profile.identity(), world.is_ousted(number));
        let Ok(account) = account.map(|identity| identity.account.0) else {
            return broken(Promise::Contradiction, format!("device {number} does not know who it is"));
        };
        // Where that is not known, nothing is due.
        let began = began.of(number).unwrap_or(u64::MAX);
        let view = View { number, account, began, is_behind, log: &by_room, audience: &audience };
        view.check(&process.profile)?;
    }
    Ok(())
}

/// What one device may see.
pub(super) struct View<'w> {
    pub(super) number: usize,
    pub(super) account: u64,
    /// The position from where on its stream brings all that it sees.
    pub(super) began: u64,
    /// A copy of it has its place: it has what it had then.
    pub(super) is_behind: bool,
    pub(super) log: &'w BTreeMap<(u64, u64), &'w Entry>,
    pub(super) audience: &'w Audience,
}

impl View<'_> {
    fn check(&self, profile: &Profile) -> Result<(), Broken> {
        let rooms = self.read(profile.rooms())?;
        let mut held = BTreeSet::new();
        for room in &rooms {
            let messages = self.read(profile.messages(room.room, 0, READ_MAX))?;
            for message in &messages {
                self.check_message(message)?;
                held.insert((message.room.0, message.room_sequence));
            }
            self.check_room(room, &messages)?;
        }
        let place = self.read(profile.place())?.map_or(0, |place| place.position);
        self.check_stream(&held, place)?;
        self.check_all_rooms(&rooms, place)
    }

    fn read<T>(&self, read: Result<T, ProfileError>) -> Result<T, Broken> {
        read.or_else(|error| broken(Promise::Contradiction, format!("device {}: {error}", self.number)))
    }

    pub(super) fn check_message(&self, message: &StoredMessage) -> Result<(), Broken> {
        let (room, sequence) = (message.room.0, message.room_sequence);
        let whose = format!("device {} holds entry {sequence} of room {room:x}", self.number);
        let Some(entry) = self.log.get(&(room, sequence)) else {
            return broken(Promise::Phantom, format!("{whose}, which the log does not have"));
        };
        if !self.audience.may_hold(self.account, room, sequence) {
            return broken(Promise::Leaked, format!("{whose}, which is not for it"));
        }
        let same = entry.position == message.position
            && entry.id == message.id.0
            && entry.account == message.account.0
            && body_of(entry) == body_stored(message);
        if same { Ok(()) } else { broken(Promise::Phantom, format!("{whose} as it does not stand in the log")) }
    }

    /// All of `base + 1 ..= last` is there, and `last` is the last that it sees.
    pub(super) fn check_room(&self, room: &RoomInfo, messages: &[StoredMessage]) -> Result<(), Broken> {
        let Some(last) = room.last else { return Ok(()) };
        let mut expected = room.base + 1;
        for message in messages.iter().filter(|message| (room.base + 1..=last).contains(&message.room_sequence)) {
            if message.room_sequence != expected {
                break;
            }
            expected += 1;
        }
        let whose = format!("device {}, room {}", self.number, room.room);
        if expected != last + 1 {
            let text = format!("{whose}: {expected} is missing of {}..={last}", room.base + 1);
            return broken(Promise::HoleNotTold, text);
        }
        if self.is_behind {
            return Ok(());
        }
        let sees = self.audience.sees.get(&(self.account, room.room.0));
        let head = sees.and_then(|sequences| sequences.keys().next_back().copied()).unwrap_or(0);
        // Of a room that it left, or that another history took from it, nothing need have come by the stream.
        let nothing_came = !room.member && last == room.base;
        if last != head && !nothing_came {
            return broken(Promise::Lost, format!("{whose}: it ends at {last}, and at {head} in the log"));
        }
        if room.member != self.audience.members.contains(&(self.account, room.room.0)) {
            return broken(Promise::Contradiction, format!("{whose}: member is {}, and not in the log", room.member));
        }
        Ok(())
    }

    /// Whatever it says of where a room begins: all that came for it since its stream began is there.
    fn check_stream(&self, held: &BTreeSet<(u64, u64)>, place: u64) -> Result<(), Broken> {
        let through = if self.is_behind { place } else { u64::MAX };
        for (&(_, room), seen) in self.audience.sees.range((self.account, 0)..=(self.account, u64::MAX)) {
            for (&sequence, &position) in seen {
                let is_due = position > self.began && position <= through;
                if is_due && !held.contains(&(room, sequence)) {
                    let text = format!(
                        "device {} at {place} has no entry {sequence} of room {room:x}, which stands at {position}",
                        self.number
                    );
                    return broken(Promise::Lost, text);
                }
            }
        }
        Ok(())
    }

    /// No room is missing in which something is for it behind where it began.
    pub(super) fn check_all_rooms(&self, rooms: &[RoomInfo], place: u64) -> Result<(), Broken> {
        for (&(account, room), _) in self.audience.sees.range((self.account, 0)..=(self.account, u64::MAX)) {
            let member = self.audience.members.contains(&(account, room));
            if member && !self.is_behind && !rooms.iter().any(|info| info.room.0 == room) {
                let text = format!("device {} at {place} does not know room {room:x}", self.number);
                return broken(Promise::Lost, text);
            }
        }
        Ok(())
    }
}

fn body_of(entry: &Entry) -> Option<&Bytes> {
    match &entry.what {
        Some(entry::What::Message(message)) => Some(&message.body),
        _ => None,
    }
}

fn body_stored(message: &StoredMessage) -> Option<&Bytes> {
    match &message.what {
        What::Message { body, .. } => Some(body),
        What::Joined { .. }
        | What::Left { .. }
        | What::Added { .. }
        | What::Removed { .. }
        | What::DeviceAdded { .. }
        | What::Other => None,
    }
}

/// Nothing is left of what was under way.
pub(super) fn check_rest(world: &World) -> Result<(), Broken> {
    let online = world.devices.iter().filter(|device| device.is_online()).count();
    // Copies of a profile come and are sent away again.
    let copied = (0..world.devices.len()).any(|device| world.is_ousted(device));
    if world.server.connections() > online && !copied {
        let text = format!("the server has {} connections of {online} devices", world.server.connections());
        return broken(Promise::Grows, text);
    }
    if world.server.readers() > world.server.connections() {
        let text =
            format!("the hub has {} readers of {} connections", world.server.readers(), world.server.connections());
        return broken(Promise::Grows, text);
    }
    if world.server.waiting() > 0 {
        return broken(Promise::Grows, format!("{} operations wait for a turn", world.server.waiting()));
    }
    for (number, device) in world.devices.iter().enumerate() {
        let Some(process) = &device.process else { continue };
        let status = process.session.status();
        let now = device.machine.clock(world.now);
        let stores = status.storing_since.is_some_and(|since| now.since(since) > STORING_MAX);
        if status.state == State::Online && stores {
            return broken(Promise::NeverEnds, format!("device {number} is still storing: {status:?} at {now:?}"));
        }
    }
    Ok(())
}

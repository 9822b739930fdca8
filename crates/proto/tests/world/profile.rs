//! What a client has on its disk, as `session::change` documents it. A change that breaks a promise panics here.

use std::collections::BTreeMap;

use steadfast_proto::ids::{DeviceId, LogId, OperationId, Place, RoomId, Term};
use steadfast_proto::session::{Change, Identity, Resume, Stored};
use steadfast_proto::wire::{Entry, Head, Op, Outcome, RoomRef, entry::What, op::Body, room_ref::By};

/// What became of an operation, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted { position: u64 },
    Refused { position: u64, refusal: i32 },
}

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) identity: Identity,
    pub(crate) log_id: Option<LogId>,
    pub(crate) terms: Vec<(Term, u64)>,
    pub(crate) place: Option<Place>,
    pub(crate) told: Option<Place>,
    /// Where this device's stream begins.
    pub(crate) base: Option<u64>,
    base_rooms: BTreeMap<RoomId, u64>,
    pub(crate) rooms: BTreeMap<RoomId, Option<u64>>,
    /// The last sequence drawn.
    pub(crate) drawn: u64,
    pub(crate) outbox: BTreeMap<u64, Op>,
    pub(crate) messages: BTreeMap<(RoomId, u64), Entry>,
    /// The positions of what came in the stream, as stored.
    pub(crate) stream: Vec<u64>,
    pub(crate) fates: BTreeMap<OperationId, Fate>,
    pub(crate) entered: BTreeMap<OperationId, RoomId>,
    /// Messages of a history that was given up, and operations that only it held.
    pub(crate) aside: Vec<Entry>,
    pub(crate) fates_aside: BTreeMap<OperationId, Fate>,
    /// The common position of each parting of histories.
    pub(crate) commons: Vec<u64>,
    pub(crate) new_devices: usize,
}

impl Profile {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            log_id: None,
            terms: Vec::new(),
            place: None,
            told: None,
            base: None,
            base_rooms: BTreeMap::new(),
            rooms: BTreeMap::new(),
            drawn: 0,
            outbox: BTreeMap::new(),
            messages: BTreeMap::new(),
            stream: Vec::new(),
            fates: BTreeMap::new(),
            entered: BTreeMap::new(),
            aside: Vec::new(),
            fates_aside: BTreeMap::new(),
            commons: Vec::new(),
            new_devices: 0,
        }
    }

    pub(crate) fn resume(&self) -> Resume {
        Resume {
            identity: self.identity.clone(),
            log_id: self.log_id,
            place: self.place,
            told: self.told,
            confirmed_through: self.confirmed_through(),
            rooms: self.rooms.iter().map(|(&room, &last)| (room, last)).collect(),
            terms: self.terms.clone(),
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.place.map_or(0, |place| place.position)
    }

    pub(crate) fn confirmed_through(&self) -> u64 {
        self.outbox.keys().next().map_or(self.drawn, |first| first - 1)
    }

    /// Accepts an operation: from here on it is in the outbox.
    pub(crate) fn append(&mut self, id: OperationId, composed_at_ms: u64, body: Body) {
        self.drawn += 1;
        let op = Op { sequence: self.drawn, id: id.0, confirmed_through: 0, composed_at_ms, body: Some(body) };
        self.outbox.insert(self.drawn, op);
    }

    /// The room that an operation of ours enters, by its id as soon as that is known.
    pub(crate) fn room_of(&self, operation: OperationId) -> RoomRef {
        let by = self.entered.get(&operation).map_or(By::EnteredBy(operation.0), |room| By::Room(room.0));
        RoomRef { by: Some(by) }
    }

    /// Commits one batch.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> Stored {
        let mut entered = Vec::new();
        for change in changes {
            self.apply(change, &mut entered);
        }
        Stored { position: self.position(), confirmed_through: self.confirmed_through(), entered }
    }

    fn apply(&mut self, change: Change, entered: &mut Vec<(OperationId, RoomId)>) {
        match change {
            Change::Welcomed { log_id, term, account, name: _ } => {
                assert!(self.log_id.is_none_or(|ours| ours == log_id), "welcomed by another log");
                self.log_id = Some(log_id);
                self.identity.account = account;
                if self.terms.last().is_none_or(|&(last, _)| last != term) {
                    self.terms.retain(|&(earlier, _)| earlier != term);
                    self.terms.push((term, 0));
                }
            }
            Change::FirstHeads { as_of, rooms } => self.apply_first_heads(as_of, &rooms),
            Change::Entry(entry) => self.apply_entry(entry, entered),
            Change::Through { position } => {
                assert!(position >= self.position(), "Through went back");
                self.move_place(position);
            }
            Change::Outcome(outcome) => self.apply_outcome(&outcome, entered),
            Change::Page(page) => {
                for entry in page.entries {
                    self.keep(entry);
                }
            }
            Change::Diverged { common, last_sequence } => self.apply_diverged(common, last_sequence),
            Change::Renumbered { kept_through } => {
                let later = self.outbox.split_off(&(kept_through + 1));
                self.drawn = kept_through;
                self.renumber(later);
            }
            Change::NewDevice { device_id, secret } => self.apply_new_device(device_id, secret),
        }
    }

    fn apply_first_heads(&mut self, as_of: u64, rooms: &[Head]) {
        assert!(self.place.is_none(), "first heads came to a device that has a place");
        self.base = Some(as_of);
        self.base_rooms = rooms.iter().map(|head| (RoomId(head.room), head.room_sequence)).collect();
        self.rooms = self.base_rooms.iter().map(|(&room, &last)| (room, Some(last))).collect();
        self.move_place(as_of);
    }

    fn apply_entry(&mut self, entry: Entry, entered: &mut Vec<(OperationId, RoomId)>) {
        assert!(self.place.is_some(), "an entry came before the first heads");
        assert!(entry.position > self.position(), "an entry came twice: {} at {}", entry.position, self.position());
        self.move_place(entry.position);
        self.stream.push(entry.position);
        self.follow(&entry);
        self.take_own(&entry, entered);
        self.keep(entry);
    }

    /// Notes where a room stands; one that was left begins anew, should it be entered again.
    fn follow(&mut self, entry: &Entry) {
        match &entry.what {
            Some(What::Left(left)) if left.account == self.identity.account.0 => {
                self.rooms.remove(&RoomId(entry.room));
            }
            _ => {
                self.rooms.insert(RoomId(entry.room), Some(entry.room_sequence));
            }
        }
    }

    /// One's own operation that came back needs no other answer.
    fn take_own(&mut self, entry: &Entry, entered: &mut Vec<(OperationId, RoomId)>) {
        if entry.account != self.identity.account.0 {
            return;
        }
        let row = self.outbox.values().find(|op| op.id == entry.id).map(|op| op.sequence);
        let Some(op) = row.and_then(|sequence| self.outbox.remove(&sequence)) else { return };
        let id = OperationId(op.id);
        self.note_fate(id, Fate::Accepted { position: entry.position });
        if let (Some(Body::Enter(_) | Body::CreatePrivate(_) | Body::Direct(_)), Some(What::Joined(_))) =
            (&op.body, &entry.what)
        {
            self.note_entered(id, RoomId(entry.room), entered);
        }
    }

    fn apply_outcome(&mut self, outcome: &Outcome, entered: &mut Vec<(OperationId, RoomId)>) {
        self.tell(outcome.position);
        let id = OperationId(outcome.id);
        let fate = match outcome.refusal {
            0 => Fate::Accepted { position: outcome.position },
            refusal => Fate::Refused { position: outcome.position, refusal },
        };
        if self.outbox.get(&outcome.sequence).is_some_and(|op| op.id == outcome.id) {
            self.outbox.remove(&outcome.sequence);
        } else {
            assert!(self.fates.contains_key(&id), "an outcome of an operation that is not ours: {outcome:?}");
        }
        self.note_fate(id, fate);
        if outcome.refusal == 0 && outcome.room != 0 {
            self.note_entered(id, RoomId(outcome.room), entered);
        }
    }

    fn note_fate(&mut self, id: OperationId, fate: Fate) {
        let before = self.fates.insert(id, fate);
        assert!(before.is_none_or(|before| before == fate), "{id}: first {before:?}, then {fate:?}");
    }

    fn note_entered(&mut self, id: OperationId, room: RoomId, entered: &mut Vec<(OperationId, RoomId)>) {
        self.entered.insert(id, room);
        entered.push((id, room));
        for op in self.outbox.values_mut() {
            let reference = match op.body.as_mut() {
                Some(Body::Send(send)) => send.room.as_mut(),
                Some(Body::Leave(leave)) => leave.room.as_mut(),
                Some(Body::Add(add)) => add.room.as_mut(),
                Some(Body::Remove(remove)) => remove.room.as_mut(),
                Some(Body::Enter(_) | Body::Direct(_) | Body::CreatePrivate(_)) | None => None,
            };
            if let Some(reference) = reference.filter(|reference| reference.by == Some(By::EnteredBy(id.0))) {
                reference.by = Some(By::Room(room.0));
            }
        }
    }

    fn keep(&mut self, entry: Entry) {
        let key = (RoomId(entry.room), entry.room_sequence);
        let before = self.messages.get(&key);
        assert!(before.is_none_or(|before| *before == entry), "two entries at {key:?}: {before:?} and {entry:?}");
        self.messages.insert(key, entry);
    }

    fn apply_diverged(&mut self, common: u64, last_sequence: u64) {
        self.commons.push(common);
        let messages = std::mem::take(&mut self.messages);
        let (kept, aside) = messages.into_iter().partition(|(_, entry)| entry.position <= common);
        self.messages = kept;
        self.aside.extend(aside.into_values());
        self.stream.retain(|&position| position <= common);
        let base_holds = self.base.is_some_and(|base| base <= common);
        self.rooms = self.base_rooms.iter().map(|(&room, &last)| (room, Some(last).filter(|_| base_holds))).collect();
        let mut entries: Vec<Entry> = self.messages.values().cloned().collect();
        entries.sort_by_key(|entry| entry.position);
        entries.iter().for_each(|entry| self.follow(entry));
        self.base = self.base.map(|base| base.min(common));
        let fates = std::mem::take(&mut self.fates);
        let beyond = |fate: &Fate| matches!(fate, Fate::Accepted { position } if *position > common);
        let (aside, fates): (BTreeMap<_, _>, BTreeMap<_, _>) = fates.into_iter().partition(|(_, fate)| beyond(fate));
        self.fates = fates;
        self.fates_aside.extend(aside);
        for (_, highest) in &mut self.terms {
            *highest = (*highest).min(common);
        }
        // The stream may have brought less than an outcome told: then the place is behind what is common.
        let position = self.position().min(common);
        self.told = None;
        self.move_place(position);
        self.tell(common);
        let later = self.outbox.split_off(&(last_sequence + 1));
        // The hole keeps the server from taking any of it before a `Renumbered`.
        self.drawn = last_sequence + u64::from(!later.is_empty());
        self.renumber(later);
    }

    fn apply_new_device(&mut self, device_id: DeviceId, secret: [u8; 32]) {
        self.new_devices += 1;
        self.identity.device_id = device_id;
        self.identity.secret = secret;
        self.drawn = 0;
        let all = std::mem::take(&mut self.outbox);
        self.renumber(all);
    }

    fn renumber(&mut self, rows: BTreeMap<u64, Op>) {
        for mut op in rows.into_values() {
            self.drawn += 1;
            op.sequence = self.drawn;
            self.outbox.insert(self.drawn, op);
        }
    }

    fn move_place(&mut self, position: u64) {
        self.tell(position);
        let term = self.terms.last().expect("a link was welcomed before it told anything").0;
        self.place = Some(Place { position, term });
    }

    fn tell(&mut self, position: u64) {
        let last = self.terms.last_mut().expect("a link was welcomed before it told anything");
        last.1 = last.1.max(position);
        if self.told.is_none_or(|told| told.position < position) {
            self.told = Some(Place { position, term: last.0 });
        }
    }
}

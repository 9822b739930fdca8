//! What the chat reads from and writes to the client: the one place that knows the library's types of messages. What
//! the shell asks here is answered with an [`Event`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast::{
    Client, Message, OperationId, PendingWhat, People, RoomId, RoomInfo, RoomKind, SendError, Sent, StoreError, What,
};

use super::body::Body;
use super::event::{Event, Held, Look, Looking, Operation, Page, PageEnd, Toward};
use super::model::{Entry, Pending, PendingSaid, Person, Said};
use super::room::{Address, Kind, Summary, Unread, same_name};
use super::text::mentions;
use super::time::Zone;
use super::window::{PAGE, PENDING_MAX};

/// What one search shows.
const FOUND_MAX: usize = 20;

/// The chat's way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    client: Client,
    me: Arc<str>,
    /// Counting reads many rows.
    counted: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Raised by what makes a count untrue: one that was under way is not kept.
    version: u64,
    /// What was unread in a room when its newest entry was this one.
    of: BTreeMap<RoomId, Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    newest: u64,
    read_up_to: Option<u64>,
    unread: Unread,
}

impl Store {
    pub(crate) fn new(client: Client, me: &str) -> Self {
        Self { client, me: me.into(), counted: Arc::default() }
    }

    /// The rooms, and what is new in the one that is shown.
    pub(crate) async fn look(self, looking: Looking) -> Event {
        match self.read_look(looking).await {
            Ok(look) => Event::Looked(Box::new(look)),
            Err(error) => Event::LookFailed(error.to_string()),
        }
    }

    async fn read_look(&self, looking: Looking) -> Result<Look, StoreError> {
        let mut look = Look { looking, ..Look::default() };
        look.outbox = self.client.outbox().await?.operations;
        // What waits before what is there: a message that is stored meanwhile is seen twice rather than not at all.
        if let Some(address) = &look.looking.current {
            let mut waiting = self.room(address).pending(u64::MAX, PENDING_MAX + 1).await?;
            look.pending_more = waiting.len() > PENDING_MAX;
            if look.pending_more {
                waiting.remove(0);
            }
            look.pending = waiting.into_iter().map(pending).collect();
        }
        let infos = self.client.rooms().await?;
        for info in infos.iter().filter(|info| info.kind != RoomKind::Account) {
            look.rooms.push(self.summary(info).await?);
        }
        let current = look.looking.current.as_ref();
        if let Some(info) = current.and_then(|address| infos.iter().find(|info| is_at(info, address))) {
            (look.entries, look.skipped) = self.newest_entries(info, look.looking.held).await?;
        }
        look.pending.retain(|waiting| !look.entries.iter().any(|entry| entry.id == waiting.id));
        Ok(look)
    }

    async fn summary(&self, info: &RoomInfo) -> Result<Summary, StoreError> {
        let newest = newest(info);
        let (version, counted) = {
            let counts = self.counted();
            (counts.version, counts.of.get(&info.room).copied().filter(|counted| counted.newest == newest))
        };
        let counted = match counted {
            Some(counted) => counted,
            None => {
                let room = self.client.room_by_id(info.room);
                let read_up_to = room.read_up_to().await?;
                let found = room.unread().await?;
                let unread = Unread { messages: found.messages, more: found.more, mentioned: found.mentioned };
                let counted = Counted { newest, read_up_to, unread };
                let mut counts = self.counted();
                if counts.version == version {
                    counts.of.insert(info.room, counted);
                }
                counted
            }
        };
        Ok(Summary {
            id: info.room,
            name: info.name.clone(),
            kind: kind_of(info.kind),
            member: info.member,
            newest,
            readable_from: info.readable_from.max(1),
            base: info.base,
            unread: counted.unread,
            read_up_to: counted.read_up_to,
        })
    }

    /// What came behind what is held; where that is more than a page, the newest page.
    async fn newest_entries(&self, info: &RoomInfo, held: Held) -> Result<(Vec<Entry>, bool), StoreError> {
        let room = self.client.room_by_id(info.room);
        match held {
            Held::Enough => return Ok((Vec::new(), false)),
            Held::Through(held) => {
                let found = room.messages(held + 1, PAGE + 1).await?;
                if found.len() <= PAGE {
                    return Ok((self.entries(found), false));
                }
            }
            Held::Nothing => {}
        }
        let first = (newest(info) + 1).saturating_sub(PAGE as u64).max(info.readable_from).max(1);
        let mut found = room.messages(first, PAGE).await?;
        // What is missing in between is fetched with what is older.
        found.drain(..found.len() - in_a_row_to_the_end(&found));
        Ok((self.entries(found), held != Held::Nothing))
    }

    /// A page of what is older, from the server where this device does not hold it.
    pub(crate) async fn older(self, room: RoomId, before: u64) -> Event {
        let (entries, end) = match self.read_older(room, before).await {
            Ok(page) => page,
            Err(why) => (Vec::new(), PageEnd::Away(why)),
        };
        Event::Page(Page { room, toward: Toward::Older { before }, entries, end })
    }

    async fn read_older(&self, room: RoomId, before: u64) -> Result<(Vec<Entry>, PageEnd), String> {
        let room = self.client.room_by_id(room);
        let first = room.info().await.map_err(words)?.map_or(1, |info| info.readable_from.max(1));
        let from = before.saturating_sub(PAGE as u64).max(first);
        let away = self.fill(&room, from, before).await?;
        let mut found = room.messages(from, PAGE).await.map_err(words)?;
        found.retain(|message| message.room_sequence < before);
        let end = if from <= first { PageEnd::Edge } else { PageEnd::More };
        let Some(why) = away else { return Ok((self.entries(found), end)) };
        found.drain(..found.len() - in_a_row_to_the_end(&found));
        let reaches = found.last().is_some_and(|last| last.room_sequence + 1 == before);
        if reaches { Ok((self.entries(found), PageEnd::More)) } else { Ok((Vec::new(), PageEnd::Away(why))) }
    }

    /// Fetches what is missing here, as far as the server gives it; why it can't be had now.
    async fn fill(&self, room: &steadfast::Room, from: u64, before: u64) -> Result<Option<String>, String> {
        let mut last = None;
        // It ends: each round brings something, or is the last.
        loop {
            let missing = room.missing(from, before.saturating_sub(1)).await.map_err(words)?;
            // What the server did not give is not for this device.
            let Some((first, to)) = missing.filter(|missing| Some(*missing) != last) else { break };
            last = missing;
            let mut status = self.client.status();
            if !status.now().is_online() {
                return Ok(Some("the line is down".to_owned()));
            }
            tokio::select! {
                fetched = room.fetch(first, to) => fetched.map_err(words)?,
                _ = status.until(|status| !status.is_online()) => return Ok(Some("the line went down".to_owned())),
            }
        }
        Ok(None)
    }

    /// A page of what is newer, which this device holds.
    pub(crate) async fn newer(self, room: RoomId, after: u64) -> Event {
        let (entries, end) = match self.read_newer(room, after).await {
            Ok(page) => page,
            Err(error) => (Vec::new(), PageEnd::Away(error.to_string())),
        };
        Event::Page(Page { room, toward: Toward::Newer { after }, entries, end })
    }

    async fn read_newer(&self, room: RoomId, after: u64) -> Result<(Vec<Entry>, PageEnd), StoreError> {
        let room = self.client.room_by_id(room);
        let last = room.info().await?.map_or(0, |info| newest(&info));
        let found = room.messages(after + 1, PAGE).await?;
        let reached = found.last().map_or(after, |entry| entry.room_sequence);
        Ok((self.entries(found), if reached >= last { PageEnd::Edge } else { PageEnd::More }))
    }

    /// Queues an operation; a text that is not queued comes back with the reason.
    pub(crate) async fn queue(self, operation: Operation) -> Event {
        match self.try_queue(&operation).await {
            Ok(event) => event,
            Err(error) => operation.not_queued(error.to_string()),
        }
    }

    async fn try_queue(&self, operation: &Operation) -> Result<Event, SendError> {
        let queued = |_: Sent, address: &Address, show| Event::Queued { address: address.clone(), made: None, show };
        Ok(match operation {
            Operation::Send { address, text } => queued(self.room(address).send(text.as_str()).await?, address, false),
            Operation::Open(address) => queued(self.room(address).enter().await?, address, true),
            Operation::Leave(address) => queued(self.room(address).leave().await?, address, false),
            Operation::Add { address, name } => queued(self.room(address).add(name).await?, address, false),
            Operation::Remove { address, name } => queued(self.room(address).remove(name).await?, address, false),
            Operation::MakePrivate(name) => {
                let (_, sent) = self.client.create_private(name).await?;
                // A room's id is that of the operation that made it.
                Event::Queued { address: Address::Room(RoomId(sent.id().0)), made: Some(name.clone()), show: true }
            }
        })
    }

    /// Notes what was read.
    pub(crate) async fn mark_read(self, room: RoomId, sequence: u64) -> Option<Event> {
        let marked = self.client.room_by_id(room).set_read_up_to(sequence).await;
        let mut counts = self.counted();
        counts.version += 1;
        counts.of.remove(&room);
        // A mark that is not noted only makes a room look unread once more.
        marked.err().map(|error| Event::Notice(format!("what was read can't be noted: {error}")))
    }

    /// The history went back: what is unread is counted anew.
    pub(crate) fn rewind(&self) {
        let mut counts = self.counted();
        counts.version += 1;
        counts.of.clear();
    }

    /// Tells the others that the person types.
    pub(crate) async fn typing(self, room: RoomId) -> Option<Event> {
        // A signal: the next key gives another one.
        self.client.room_by_id(room).typing().await.ok();
        None
    }

    /// Looks for words, the newest first, and tells what it found as lines.
    pub(crate) async fn search(self, address: Option<Address>, words: String, zone: Zone) -> Event {
        let found = self.search_lines(&words, &zone).await;
        Event::Answer { address, lines: found.unwrap_or_else(|error| vec![format!("search: {error}")]) }
    }

    async fn search_lines(&self, words: &str, zone: &Zone) -> Result<Vec<String>, StoreError> {
        let mut search = self.client.search(words);
        let mut found: Vec<Message> = Vec::new();
        while found.len() <= FOUND_MAX
            && let Some(more) = search.next(FOUND_MAX + 1 - found.len()).await?
        {
            found.extend(more);
        }
        let is_more = found.len() > FOUND_MAX;
        found.truncate(FOUND_MAX);
        let infos = self.client.rooms().await?;
        let names: BTreeMap<RoomId, String> =
            infos.iter().map(|info| (info.room, kind_of(info.kind).titled(&info.name))).collect();
        let line = |message: &Message| {
            let text = message.text().unwrap_or_default().replace('\n', " ");
            let room = names.get(&message.room).map(String::as_str).unwrap_or_default();
            format!("{} {room} {}: {text}", zone.moment(message.at_ms), message.author)
        };
        let mut lines: Vec<String> = found.iter().rev().map(line).collect();
        lines.push(match (found.len(), is_more) {
            (0, _) => format!("no message on this device has {words:?}"),
            (many, true) => format!("these are the newest {many} with {words:?}; there are more"),
            (1, false) => format!("one message has {words:?}"),
            (many, false) => format!("{many} messages have {words:?}"),
        });
        Ok(lines)
    }

    /// Who is a member of a room, as lines.
    pub(crate) async fn who(self, address: Address) -> Event {
        let room = self.room(&address);
        let asked = async {
            let page = room.members(None).await.map_err(words)?;
            let mut people = page.people;
            people.sort_by(|a, b| b.online.cmp(&a.online).then_with(|| a.name.cmp(&b.name)));
            let names = |online| {
                let there = people.iter().filter(|person| person.online == online);
                there.map(|person| person.name.clone()).collect::<Vec<String>>().join(", ")
            };
            let (here, away) = (names(true), names(false));
            let mut lines = vec![format!("{} in this room", counted("person", "people", page.total.into()))];
            lines.extend(Some(here).filter(|names| !names.is_empty()).map(|names| format!("online: {names}")));
            lines.extend(Some(away).filter(|names| !names.is_empty()).map(|names| format!("away: {names}")));
            lines.extend(page.next.map(|_| format!("these are the first {}", people.len())));
            Ok(lines)
        };
        let lines = self.while_online(asked).await.unwrap_or_else(|why| vec![format!("who is here: {why}")]);
        Event::Answer { address: Some(address), lines }
    }

    /// Which public rooms there are, as lines.
    pub(crate) async fn public_rooms(self, address: Option<Address>) -> Event {
        let asked = async {
            let page = self.client.public_rooms(None).await.map_err(words)?;
            let mut lines = vec!["public rooms on this server:".to_owned()];
            let line = |room: &steadfast::PublicRoom| {
                format!("#{} ({})", room.name, counted("member", "members", room.members.into()))
            };
            lines.extend(page.rooms.iter().map(line));
            lines.extend(page.next.map(|_| "and more".to_owned()));
            Ok(lines)
        };
        let lines = self.while_online(asked).await.unwrap_or_else(|why| vec![format!("public rooms: {why}")]);
        Event::Answer { address, lines }
    }

    /// An answer of the server, unless there is no line: a person does not wait for one without a word.
    async fn while_online<T>(&self, asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let mut status = self.client.status();
        if !status.now().is_online() {
            return Err("only the server knows, and the line is down".to_owned());
        }
        tokio::select! {
            answered = asked => answered,
            _ = status.until(|status| !status.is_online()) => Err("the line went down".to_owned()),
        }
    }

    /// What was refused, with its text for editing.
    pub(crate) async fn refused(self, operation: OperationId, why: String) -> Event {
        match self.client.refused(operation).await {
            Ok(Some(refused)) => {
                let text = String::from_utf8_lossy(&refused.body).into_owned();
                Event::Refused { operation, room: refused.room, why, text }
            }
            Ok(None) | Err(_) => Event::Refused { operation, room: None, why, text: String::new() },
        }
    }

    fn room(&self, address: &Address) -> steadfast::Room {
        match address {
            Address::Room(room) => self.client.room_by_id(*room),
            Address::Public(name) => self.client.room(name),
            Address::Direct(name) => self.client.direct(name),
        }
    }

    /// Held for a look into memory only.
    fn counted(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self, messages: Vec<Message>) -> Vec<Entry> {
        messages.into_iter().map(|message| self.entry(&message)).collect()
    }

    fn entry(&self, message: &Message) -> Entry {
        let said = match &message.what {
            What::Message { body, content_type } => match message.text() {
                Some(text) => Said::Text { mentions_me: !mentions(text, &self.me).is_empty(), body: Body::new(text) },
                None => Said::Data { content_type: content_type.clone(), bytes: body.len() },
            },
            What::Joined { name, .. } => Said::Joined(name.clone()),
            What::Left { name, .. } => Said::Left(name.clone()),
            _ => Said::Other,
        };
        Entry {
            sequence: message.room_sequence,
            position: message.position,
            id: message.id,
            at_ms: message.at_ms,
            author: message.author.clone(),
            own: same_name(&message.author, &self.me),
            said,
        }
    }
}

/// The newest entry of the room that is here, or would be.
fn newest(info: &RoomInfo) -> u64 {
    info.last.unwrap_or(info.base)
}

fn is_at(info: &RoomInfo, address: &Address) -> bool {
    match address {
        Address::Room(room) => info.room == *room,
        Address::Public(name) => info.kind == RoomKind::Public && same_name(&info.name, name),
        Address::Direct(name) => info.kind == RoomKind::Direct && same_name(&info.name, name),
    }
}

fn kind_of(kind: RoomKind) -> Kind {
    match kind {
        RoomKind::Public => Kind::Public,
        RoomKind::Private => Kind::Private,
        RoomKind::Direct => Kind::Direct,
        _ => Kind::Other,
    }
}

/// How many entries at the end follow one another.
fn in_a_row_to_the_end(messages: &[Message]) -> usize {
    let breaks = messages.windows(2).rev().position(|pair| pair[0].room_sequence + 1 != pair[1].room_sequence);
    breaks.map_or(messages.len(), |before| before + 1)
}

fn pending(op: steadfast::Pending) -> Pending {
    let what = match op.what {
        PendingWhat::Message { body, content_type } => {
            let is_text = content_type.is_empty() || content_type.starts_with("text/");
            match std::str::from_utf8(&body).ok().filter(|_| is_text) {
                Some(text) => PendingSaid::Text(Body::new(text)),
                None => PendingSaid::Data { content_type, bytes: body.len() },
            }
        }
        PendingWhat::Enter => PendingSaid::Doing("entering the room".to_owned()),
        PendingWhat::Leave => PendingSaid::Doing("leaving the room".to_owned()),
        PendingWhat::Add { name } => PendingSaid::Doing(format!("adding {name}")),
        PendingWhat::Remove { name } => PendingSaid::Doing(format!("removing {name}")),
        _ => PendingSaid::Doing("something that this version does not know".to_owned()),
    };
    Pending { id: op.id, composed_at_ms: op.composed_at_ms, what }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// As `1 member`, `3 members`.
fn counted(one: &str, many: &str, count: u64) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The people of a room that is looked at.
pub(crate) fn people_of(people: &People, room: RoomId, me: &str) -> Vec<Person> {
    let person = |person: &steadfast::Person| Person {
        name: person.name.clone(),
        own: same_name(&person.name, me),
        online: person.online,
        typing: person.typing,
        delivered: person.delivered,
    };
    people.of(room).iter().map(person).collect()
}

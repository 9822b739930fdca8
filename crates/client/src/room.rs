//! A room: what a program says in it and reads of it.

use steadfast_proto::ids::RoomId;
use steadfast_proto::session::Request;
use steadfast_proto::wire;
use steadfast_store::profile::{self as store, NewBody, ProfileStore, Target};

use crate::client::Client;
use crate::draft::Draft;
use crate::error::{AskError, SendError, StoreError};
use crate::message::{self, Message, RoomInfo};
use crate::sent::Sent;

/// A room, by its name or its id; made by [`Client::room`], [`Client::direct`] and [`Client::room_by_id`]. Cheap to
/// make and to clone. It keeps the client open.
///
/// What it *does* ([`send`](Self::send), [`enter`](Self::enter) …) is queued in the outbox, offline too, and sent in
/// that order. What it *reads* ([`messages`](Self::messages), [`last`](Self::last) …) is this device's own store,
/// offline too; only [`fetch`](Self::fetch) asks the server.
#[derive(Clone, Debug)]
pub struct Room {
    client: Client,
    named: Named,
}

/// How a room is named.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Public(String),
    Direct(String),
    Id(RoomId),
}

impl Named {
    fn target(&self) -> Target {
        match self {
            Self::Public(name) => Target::Public(name.clone()),
            Self::Direct(name) => Target::Direct(name.clone()),
            Self::Id(room) => Target::Room(*room),
        }
    }

    /// Tells rooms apart in the hash of a keyed message. No name of a room has a space.
    fn for_keys(&self) -> String {
        match self {
            Self::Public(name) => name.clone(),
            Self::Direct(name) => format!("direct {name}"),
            Self::Id(room) => format!("id {room}"),
        }
    }

    fn find(&self, profile: &dyn ProfileStore) -> Result<Option<store::RoomInfo>, store::ProfileError> {
        match self {
            Self::Public(name) => profile.room_of_kind(wire::RoomKind::Public, name),
            Self::Direct(name) => profile.room_of_kind(wire::RoomKind::Direct, name),
            Self::Id(room) => profile.room(*room),
        }
    }
}

impl Room {
    pub(crate) fn public(client: Client, name: &str) -> Self {
        Self { client, named: Named::Public(name.to_owned()) }
    }

    pub(crate) fn direct(client: Client, account: &str) -> Self {
        Self { client, named: Named::Direct(account.to_owned()) }
    }

    pub(crate) fn by_id(client: Client, room: RoomId) -> Self {
        Self { client, named: Named::Id(room) }
    }

    /// Sends a message: when this returns it is synced to this machine's disk, and what happens to the line, this
    /// program or the server from then on does not lose it. A public room, or a conversation, that this account is not
    /// in yet is entered first.
    ///
    /// It waits for the disk, never for the server.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether the message was queued; a
    /// [key](Draft::key) lets it be sent again without doubt.
    ///
    /// # Errors
    /// Nothing was queued, but for the one exception that [`SendError`] names: a disk that failed. [`SendError::Full`]
    /// passes once the server has taken some of what waits.
    pub async fn send(&self, message: impl Into<Draft>) -> Result<Sent, SendError> {
        let mut sent = self.send_all([message]).await?;
        sent.pop().ok_or_else(|| SendError::System("nothing was queued".to_owned()))
    }

    /// Sends several messages in one go, which takes one sync of the disk: all of them are queued, in this order, or
    /// none. The [`Sent`] are in the same order.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether they were queued; but it is all or
    /// none.
    ///
    /// # Errors
    /// As of [`send`](Self::send): none was queued, with the same exception, and then all of them or none.
    pub async fn send_all<D: Into<Draft>>(
        &self,
        messages: impl IntoIterator<Item = D>,
    ) -> Result<Vec<Sent>, SendError> {
        let to = self.named.target();
        let name = self.named.for_keys();
        let bodies = messages.into_iter().map(|message| {
            let draft = message.into();
            let key = draft.line_key(&name);
            (NewBody::Send { to: to.clone(), body: draft.body, content_type: draft.content_type }, key)
        });
        self.client.queue(bodies.collect()).await
    }

    /// Becomes a member: of a public room, which is made where there is none, or of the conversation with an account. A
    /// room that is named by its id is entered if it is a public one that this device knows.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether it was queued. Entering twice does no
    /// harm.
    ///
    /// # Errors
    /// Nothing was queued, but for the exception that [`SendError`] names; [`SendError::NotInRoom`] if this is not a
    /// room that can be entered: a private one, which members [add](Self::add) others to.
    pub async fn enter(&self) -> Result<Sent, SendError> {
        let body = match &self.named {
            Named::Public(name) => NewBody::Enter { name: name.clone() },
            Named::Direct(name) => NewBody::Direct { name: name.clone() },
            Named::Id(id) => {
                let id = *id;
                let known = self.client.reader().read(move |profile| profile.room(id)).await?;
                match known {
                    Some(room) if room.kind == wire::RoomKind::Public => NewBody::Enter { name: room.name },
                    Some(_) | None => return Err(SendError::NotInRoom { name: id.to_string() }),
                }
            }
        };
        self.client.queue_one(body).await
    }

    /// Is a member no longer. What this device holds of the room stays. A conversation can't be left.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether it was queued. Leaving twice does no
    /// harm.
    ///
    /// # Errors
    /// Nothing was queued, but for the exception that [`SendError`] names; [`SendError::NotInRoom`] if this device is
    /// not in the room, nor on its way into it.
    pub async fn leave(&self) -> Result<Sent, SendError> {
        self.client.queue_one(NewBody::Leave { room: self.named.target() }).await
    }

    /// Makes an account a member of this private room.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether it was queued. Adding twice does no
    /// harm.
    ///
    /// # Errors
    /// As of [`leave`](Self::leave).
    pub async fn add(&self, account: &str) -> Result<Sent, SendError> {
        self.client.queue_one(NewBody::Add { room: self.named.target(), name: account.to_owned() }).await
    }

    /// Makes an account a member of this private room no longer; its maker may.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether it was queued. Removing twice does no
    /// harm.
    ///
    /// # Errors
    /// As of [`leave`](Self::leave).
    pub async fn remove(&self, account: &str) -> Result<Sent, SendError> {
        self.client.queue_one(NewBody::Remove { room: self.named.target(), name: account.to_owned() }).await
    }

    /// What this device knows of the room; `None`: nothing yet.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn info(&self) -> Result<Option<RoomInfo>, StoreError> {
        let named = self.named.clone();
        Ok(self.client.reader().read(move |profile| named.find(profile)).await?.map(RoomInfo::of))
    }

    /// Entries of every kind that are stored here, from one room sequence on, ascending, `limit` at most. Where some
    /// are not stored here there is a hole ([`missing`](Self::missing)). None of a room that this device does not know.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn messages(&self, from_sequence: u64, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.read(Vec::new(), move |profile, room| profile.messages(room, from_sequence, limit)).await.map(message::all)
    }

    /// The last messages (entries of no other kind) that are stored here, ascending, `limit` at most.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn last(&self, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.read(Vec::new(), move |profile, room| profile.last_messages(room, limit)).await.map(message::all)
    }

    /// The first hole among the room sequences `from ..= to`: the first and the last that are not stored here in a row.
    /// `None`: all are, or this device does not know the room.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn missing(&self, from: u64, to: u64) -> Result<Option<(u64, u64)>, StoreError> {
        self.read(None, move |profile, room| profile.missing(room, from, to)).await
    }

    /// Asks the server for entries that are older than what came to this device by itself: one page of them, beginning
    /// with `from` (room sequences, both ends included, [`RoomInfo::readable_from`] at least). When this returns they
    /// are stored here; [`missing`](Self::missing) tells what is left to ask for. Waits for the line where it is down.
    ///
    /// Cancel-safe: the page may be stored all the same.
    ///
    /// # Errors
    /// Nothing was stored; [`AskError::NoSuchRoom`] also for a room that this device does not know.
    pub async fn fetch(&self, from: u64, to: u64) -> Result<(), AskError> {
        let named = self.named.clone();
        let room = self.client.reader().read(move |profile| named.find(profile)).await?.ok_or(AskError::NoSuchRoom)?;
        self.client.ask(Request::History { room: room.room, from_sequence: from, to_sequence: to }).await.map(|_| ())
    }

    /// Up to which room sequence this profile printed the room, as a program that prints noted it with
    /// [`set_printed_up_to`](Self::set_printed_up_to); `None`: it never did.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn printed_up_to(&self) -> Result<Option<u64>, StoreError> {
        self.read(None, move |profile, room| profile.printed(room)).await
    }

    /// Everything of the room up to this room sequence was printed. The mark only goes on; but should the server have
    /// gone back to an earlier state, it goes back with it. It survives this process and a kill, not a loss of power.
    ///
    /// Cancel-safe: dropped, it may be noted or not.
    ///
    /// # Errors
    /// The profile can't be written, or the client was closed.
    pub async fn set_printed_up_to(&self, sequence: u64) -> Result<(), StoreError> {
        self.read((), move |profile, room| profile.set_printed(room, sequence)).await
    }

    /// Its id, as far as this device knows it.
    pub(crate) async fn id(&self) -> Result<Option<RoomId>, StoreError> {
        self.read(None, |_, room| Ok(Some(room))).await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How what waits for it is found.
    pub(crate) fn pending_in(&self) -> store::PendingIn {
        match &self.named {
            Named::Public(name) => store::PendingIn::Public(name.clone()),
            Named::Direct(name) => store::PendingIn::Direct(name.clone()),
            Named::Id(room) => store::PendingIn::Room(*room),
        }
    }

    /// Runs something on the profile for this room; `unknown` where this device does not know it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        unknown: T,
        job: impl FnOnce(&dyn ProfileStore, RoomId) -> Result<T, store::ProfileError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let named = self.named.clone();
        let run = move |profile: &mut dyn ProfileStore| match (&named, named.find(profile)?) {
            (_, Some(info)) => job(profile, info.room),
            // Pages may have come of a room that this account was never in.
            (Named::Id(room), None) => job(profile, *room),
            (Named::Public(_) | Named::Direct(_), None) => Ok(unknown),
        };
        Ok(self.client.reader().read(run).await?)
    }
}

//! Consuming what arrives, in order, and noting how far one came.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use steadfast_proto::ids::RoomId;
use steadfast_proto::names::{self, NameError};
use steadfast_store::profile::{ConsumerClaim, StreamPlace};

use crate::client::Client;
use crate::error::{Closed, Failed, ProfileError, StoreError};
use crate::message::Message;
use crate::stream::{self, Cursors, Page};
use crate::watch::Changes;

/// A place in the stream of all rooms, of one profile: everything up to it was consumed.
///
/// For programs that keep it themselves, in the same transaction as what they do with a message, and go on from it with
/// [`Client::feed`]: two numbers to be stored together. A place means something to the profile that gave it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Everything up to this position of the server's log was consumed.
    pub position: u64,
    /// How often the server had gone back to an earlier state, as far as this profile knew: positions are given again
    /// after that.
    pub rewinds: u64,
}

impl Place {
    /// Before everything.
    pub const START: Self = Self { position: 0, rewinds: 0 };

    fn of(place: StreamPlace) -> Self {
        Self { position: place.position, rewinds: place.rewinds }
    }

    fn stored(self) -> StreamPlace {
        StreamPlace { position: self.position, rewinds: self.rewinds }
    }
}

/// An entry that was given to a consumer, with the place behind it. It is on this machine's disk, and stays there
/// whatever becomes of it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    message: Message,
    place: Place,
}

impl Delivery {
    /// The place behind it: for who keeps the place with its own effect.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The entry.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The entry alone.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl Deref for Delivery {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// Something stands between a consumer and the next entry, or its place could not be noted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The server's: it went back to an earlier state (restored from a backup), and what was consumed beyond `to` is no
    /// longer in its history. What this device held of that was moved aside
    /// ([`Client::moved_aside`](crate::Client::moved_aside)). Undo its effects if you can; the next call goes on with
    /// what is new behind `to`. Told once by each inbox that is opened, until a place behind it is noted.
    #[error("the server went back to an earlier state: what was consumed beyond position {to} is not in its history")]
    WentBack {
        /// Up to here was consumed.
        from: u64,
        /// The consumer goes on behind this position.
        to: u64,
    },
    /// This machine's: entries of a room had to go from a profile in memory before they were consumed, for want of
    /// room. [`Room::fetch`](crate::Room::fetch) brings them back; the next call goes on with what is held.
    #[error("entries of room {room} up to {to_sequence} were dropped unread for want of memory")]
    Dropped {
        /// Of which room.
        room: RoomId,
        /// Up to which room sequence.
        to_sequence: u64,
    },
    /// The caller's: another inbox of this name is open, here or in another process. Close that one, or take another
    /// name: two programs that both want every message need two names.
    #[error("the inbox {name:?} is open already, here or in another process: close that one, or take another name")]
    InUse {
        /// The name.
        name: String,
    },
    /// The caller's: an inbox can't have this name.
    #[error("{name:?} can't be the name of an inbox: {error}")]
    NameInvalid {
        /// As it was given.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// The caller's: what was to be committed lies beyond all that this inbox gave; another inbox or feed gave it, or
    /// one of another profile. Commit what this value's own `next` returned; [`Inbox::skip_to`] passes over entries.
    #[error("position {position} can't be committed here: this inbox has not come so far")]
    NotGiven {
        /// The entry's.
        position: u64,
    },
    /// The profile can't be read or written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The client was closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl InboxError {
    /// Whether the same call may be made again, and go on.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::WentBack { .. } | Self::Dropped { .. } => true,
            Self::Profile(error) => error.is_passing(),
            Self::InUse { .. } | Self::NameInvalid { .. } | Self::NotGiven { .. } | Self::Closed(_) => false,
        }
    }
}

impl From<Failed> for InboxError {
    fn from(failed: Failed) -> Self {
        StoreError::from(failed).into()
    }
}

impl From<StoreError> for InboxError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Profile(error) => Self::Profile(error),
            StoreError::Closed(closed) => Self::Closed(closed),
        }
    }
}

/// All entries of all rooms of this account that come to this device, in order of position, from a place on that the
/// caller keeps; made by [`Client::feed`]. It keeps the client open.
#[derive(Debug)]
pub struct Feed {
    client: Client,
    /// What is behind the last entry that was given.
    place: Place,
    page: VecDeque<Delivery>,
    cursors: Cursors,
    /// By room: what was dropped up to here was told.
    told: BTreeMap<RoomId, u64>,
    changes: Changes,
}

impl Feed {
    fn new(client: Client, place: Place) -> Self {
        let changes = client.changes();
        Self { client, place, page: VecDeque::new(), cursors: Cursors::default(), told: BTreeMap::new(), changes }
    }

    /// The next entry, of whatever kind: `message.text()` is `None` for those that say nothing. Waits for it if there
    /// is none yet, for as long as that takes.
    ///
    /// Entries that came by [`Room::fetch`](crate::Room::fetch) are not among them: those were asked for.
    ///
    /// Cancel-safe: an entry that was not returned comes with the next call.
    ///
    /// # Errors
    /// [`InboxError::WentBack`] and [`InboxError::Dropped`] tell of a hole, once, and the next call goes on behind it.
    /// With the others nothing is skipped either.
    pub async fn next(&mut self) -> Result<Delivery, InboxError> {
        loop {
            if let Some(delivery) = self.page.pop_front() {
                self.place = delivery.place;
                return Ok(delivery);
            }
            if !self.read().await? {
                self.changes.changed().await?;
            }
        }
    }

    /// The next entry if there is one by now.
    ///
    /// Cancel-safe, as [`next`](Self::next).
    ///
    /// # Errors
    /// As of [`next`](Self::next).
    pub async fn try_next(&mut self) -> Result<Option<Delivery>, InboxError> {
        if self.page.is_empty() {
            self.read().await?;
        }
        let next = self.page.pop_front();
        self.place = next.as_ref().map_or(self.place, Delivery::place);
        Ok(next)
    }

    /// The place behind the last entry that was given.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Reads the next page; whether there was anything.
    async fn read(&mut self) -> Result<bool, InboxError> {
        // Where this is dropped midway they are found anew.
        let (cursors, told) = (std::mem::take(&mut self.cursors), self.told.clone());
        let place = self.place.stored();
        let page = self.client.reader().read(move |profile| stream::read(profile, place, cursors, &told)).await?;
        match page {
            Page::Entries(entries, now, cursors) => {
                self.place = Place::of(now);
                self.cursors = cursors;
                let delivery = |entry: Message| {
                    let place = Place { position: entry.position, rewinds: now.rewinds };
                    Delivery { message: entry, place }
                };
                self.page.extend(entries.into_iter().map(Message::of).map(delivery));
                Ok(!self.page.is_empty())
            }
            Page::WentBack(now) => {
                let from = self.place.position;
                self.place = Place::of(now);
                Err(InboxError::WentBack { from, to: now.position })
            }
            Page::Dropped(room, to_sequence) => {
                self.told.insert(room, to_sequence);
                Err(InboxError::Dropped { room, to_sequence })
            }
        }
    }
}

/// A consumer with a name, whose place is kept in the profile: a program that goes on where it was, after any crash;
/// made by [`Client::inbox`]. It keeps the client open.
///
/// Act on an entry, then [`commit`](Self::commit) it. A crash between the two shows it again: at least once. For
/// exactly once, keep the place with your own effect and use [`Client::feed`].
///
/// ```no_run
/// # fn print(_: &str) {}
/// # async fn example(client: steadfast::Client) -> Result<(), steadfast::InboxError> {
/// # use steadfast::InboxError;
/// let mut inbox = client.inbox("printer").await?;
/// loop {
///     match inbox.next().await {
///         Ok(message) => {
///             if let Some(text) = message.text() {
///                 print(text);
///             }
///             inbox.commit(&message).await?;
///         }
///         // Not an end: the next call goes on behind the hole.
///         Err(gone @ (InboxError::WentBack { .. } | InboxError::Dropped { .. })) => eprintln!("{gone}"),
///         Err(error) => return Err(error),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Inbox {
    feed: Feed,
    /// By the rewinds that were known: the last position that was given.
    given: BTreeMap<u64, u64>,
    name: String,
    _claim: ConsumerClaim,
}

impl Inbox {
    /// The next entry behind the last one that this value gave: see [`Feed::next`].
    ///
    /// Cancel-safe: an entry that was not returned comes with the next call.
    ///
    /// # Errors
    /// As of [`Feed::next`].
    pub async fn next(&mut self) -> Result<Delivery, InboxError> {
        let delivery = self.feed.next().await?;
        self.note_given(&delivery);
        Ok(delivery)
    }

    /// The next entry if there is one by now.
    ///
    /// Cancel-safe, as [`next`](Self::next).
    ///
    /// # Errors
    /// As of [`Feed::next`].
    pub async fn try_next(&mut self) -> Result<Option<Delivery>, InboxError> {
        let delivery = self.feed.try_next().await?;
        delivery.iter().for_each(|delivery| self.note_given(delivery));
        Ok(delivery)
    }

    fn note_given(&mut self, delivery: &Delivery) {
        self.given.insert(delivery.place.rewinds, delivery.place.position);
    }

    /// Whether it is of this inbox, or is behind it in any case. One from before a rewind may be beyond where the inbox
    /// is now.
    fn has_given(&self, place: Place) -> bool {
        let last = self.given.get(&place.rewinds).copied().unwrap_or(0);
        place.position <= last.max(self.feed.place.position)
    }

    /// Notes that this entry, and with it all that were given before it, are done with: on this machine's disk when
    /// this returns. It takes one sync of the disk, as sending does; a consumer of many entries need not commit each of
    /// them.
    ///
    /// The place only goes on. That the server went back meanwhile is not lost by it: [`next`](Self::next) tells.
    ///
    /// Cancel-safe in so far as it is noted or not; if not, the entry is shown again after a restart.
    ///
    /// # Errors
    /// It was not noted, and after a restart the entry would be shown again. [`InboxError::NotGiven`]: it is not of
    /// this inbox, and would pass over entries that nobody saw.
    pub async fn commit(&self, delivery: &Delivery) -> Result<(), InboxError> {
        if !self.has_given(delivery.place) {
            return Err(InboxError::NotGiven { position: delivery.place.position });
        }
        self.note(delivery.place).await
    }

    /// Goes on behind this place, as if all up to it had been consumed and committed; never back. With
    /// [`Client::place`]: with what comes from now on. A place beyond that one means that one.
    ///
    /// Not cancel-safe in one respect: dropping the future does not tell whether the place was noted.
    ///
    /// # Errors
    /// It was not noted.
    pub async fn skip_to(&mut self, place: Place) -> Result<(), InboxError> {
        let newest = self.feed.client.place().await?;
        let stands = self.feed.client.reader().read(move |profile| profile.set_back(place.stored())).await?;
        // What is yet to come can't have been consumed.
        let place = if stands.position > newest.position { newest } else { place };
        self.note(place).await?;
        if place.position > self.feed.place.position {
            self.feed = Feed::new(self.feed.client.clone(), place);
        }
        Ok(())
    }

    async fn note(&self, place: Place) -> Result<(), InboxError> {
        let name = self.name.clone();
        let note = self.feed.client.writer().read(move |profile| profile.set_consumer(&name, place.stored()));
        Ok(note.await?)
    }
}

impl Client {
    /// Opens the inbox of this name (1 to 64 bytes, as names of rooms; compared without regard to case): from the place
    /// that was committed last, or, of a name that is new to this profile, from the first entry that came to this
    /// device. The name is this value's until it is dropped; another one of that name is refused, here and in other
    /// processes.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`InboxError::InUse`], [`InboxError::NameInvalid`], or the profile can't be used.
    pub async fn inbox(&self, name: &str) -> Result<Inbox, InboxError> {
        let invalid = |error| InboxError::NameInvalid { name: name.to_owned(), error };
        let name = names::folded(name).map_err(invalid)?;
        let claimed = self.reader().read({
            let name = name.clone();
            move |profile| {
                let Some(claim) = profile.claim_consumer(&name)? else { return Ok(None) };
                Ok(Some((claim, profile.consumer(&name)?)))
            }
        });
        let Some((claim, place)) = claimed.await? else { return Err(InboxError::InUse { name }) };
        let feed = Feed::new(self.clone(), place.map_or(Place::START, Place::of));
        Ok(Inbox { feed, given: BTreeMap::new(), name, _claim: claim })
    }

    /// All entries behind a place that the caller keeps: [`Delivery::place`] of the last one that it is done with, or
    /// [`Place::START`].
    ///
    /// Store it in the transaction that holds your own effect, and each message takes effect exactly once, however
    /// often the program crashes.
    pub fn feed(&self, place: Place) -> Feed {
        Feed::new(self.clone(), place)
    }

    /// The place behind everything that is stored here by now.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn place(&self) -> Result<Place, StoreError> {
        let place = self.reader().read(|profile| {
            // In this order: should histories part between the two, the place goes back with them.
            let StreamPlace { rewinds, .. } = profile.set_back(StreamPlace { position: 0, rewinds: 0 })?;
            let position = profile.place()?.map_or(0, |place| place.position);
            profile.set_back(StreamPlace { position, rewinds })
        });
        Ok(Place::of(place.await?))
    }
}

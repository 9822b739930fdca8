//! What a program for people needs besides the messages: what of one's own still waits, what is unread, and a search.

use bytes::Bytes;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_store::profile as store;

use crate::client::Client;
use crate::error::StoreError;
use crate::message::{self, Message};
use crate::room::Room;

/// One's own operation that waits in the outbox for a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// Its id for life: the [`Message::id`] that it will have.
    pub id: OperationId,
    /// Its number among the operations of this device, so far.
    pub sequence: u64,
    /// When it was made, Unix milliseconds.
    pub composed_at_ms: u64,
    /// What it does.
    pub what: PendingWhat,
}

/// What an operation that waits does to its room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PendingWhat {
    /// Enters the room, opens it or makes it.
    Enter,
    /// Says something.
    Message {
        /// The bytes.
        body: Bytes,
        /// Of what kind they are; empty means `text/plain; charset=utf-8`.
        content_type: String,
    },
    /// Is a member no longer.
    Leave,
    /// Makes an account a member.
    Add {
        /// Its name.
        name: String,
    },
    /// Makes an account a member no longer.
    Remove {
        /// Its name.
        name: String,
    },
}

impl Pending {
    fn of(op: store::PendingOp) -> Self {
        let what = match op.what {
            store::PendingWhat::Enter => PendingWhat::Enter,
            store::PendingWhat::Send { body, content_type } => PendingWhat::Message { body, content_type },
            store::PendingWhat::Leave => PendingWhat::Leave,
            store::PendingWhat::Add { name } => PendingWhat::Add { name },
            store::PendingWhat::Remove { name } => PendingWhat::Remove { name },
        };
        Self { id: op.id, sequence: op.sequence, composed_at_ms: op.composed_at_ms, what }
    }
}

/// What is unread in a room, on this device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Messages of others behind the mark.
    pub messages: u64,
    /// There may be more: only the first 1,000 entries behind the mark were looked at.
    pub more: bool,
    /// One of them has this account's name in it, as a word. Of more than a megabyte of unread text only the first is
    /// looked through.
    pub mentioned: bool,
}

impl Room {
    /// One's own operations that wait in the outbox for this room and have a number below `before_sequence`
    /// (`u64::MAX`: all), the last `limit` of them, in the order in which they were made.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn pending(&self, before_sequence: u64, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let place = self.pending_in();
        let run = move |profile: &mut dyn store::ProfileStore| profile.pending(&place, before_sequence, limit);
        let pending = self.client().reader().read(run).await?;
        Ok(pending.into_iter().map(Pending::of).collect())
    }

    /// What is unread in this room: the messages of others behind the [mark](Self::read_up_to), or where none was ever
    /// set, since this device is in the room.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn unread(&self) -> Result<Unread, StoreError> {
        let count = |profile: &dyn store::ProfileStore, room| profile.unread(room, &profile.identity()?.name);
        let store::Unread { messages, more, mentioned } = self.read(store::Unread::default(), count).await?;
        Ok(Unread { messages, more, mentioned })
    }

    /// The last room sequence that the person has read here; `None` if no mark was ever set.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn read_up_to(&self) -> Result<Option<u64>, StoreError> {
        self.read(None, |profile, room| profile.read_up_to(room)).await
    }

    /// Everything of the room up to this room sequence was read, on this device. The mark only goes on; but should the
    /// server have gone back to an earlier state, it goes back with it. It survives this process and a kill, not a loss
    /// of power.
    ///
    /// Cancel-safe: dropped, it may be noted or not.
    ///
    /// # Errors
    /// The profile can't be written, or the client was closed.
    pub async fn set_read_up_to(&self, sequence: u64) -> Result<(), StoreError> {
        self.read((), move |profile, room| profile.set_read_up_to(room, sequence)).await
    }
}

impl Client {
    /// Looks for messages on this device in which each of these words occurs, anywhere in the text and in any case.
    /// Without a word: all messages of text.
    pub fn search(&self, words: &str) -> Search {
        Search { client: self.clone(), sought: store::Search::new(words), from: Some(store::SearchFrom::default()) }
    }
}

/// A search through what this device holds, from the newest message back. It keeps the client open.
///
/// ```no_run
/// # async fn example(client: steadfast::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut search = client.search("invoice march").by("ann");
/// while let Some(found) = search.next(20).await? {
///     for message in found {
///         println!("{}: {}", message.author, message.text().unwrap_or_default());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    client: Client,
    sought: store::Search,
    from: Option<store::SearchFrom>,
}

impl Search {
    /// In this room only.
    #[must_use]
    pub fn in_room(mut self, room: RoomId) -> Self {
        self.sought = self.sought.in_room(room);
        self
    }

    /// By whoever had this name when they wrote it.
    #[must_use]
    pub fn by(mut self, author: &str) -> Self {
        self.sought = self.sought.by(author);
        self
    }

    /// Looks through some thousand messages more: those of them that were found, the newest first, `limit` at most. It
    /// may be none, so that who waits can tell how it goes. `None`: everything was looked at.
    ///
    /// Cancel-safe: dropped, the same are looked at again.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn next(&mut self, limit: usize) -> Result<Option<Vec<Message>>, StoreError> {
        let Some(from) = self.from.clone() else { return Ok(None) };
        let sought = self.sought.clone();
        let run = move |profile: &mut dyn store::ProfileStore| profile.search(&sought, from, limit);
        let searched = self.client.reader().read(run).await?;
        self.from = searched.next;
        Ok(Some(message::all(searched.found)))
    }
}

//! The people in rooms: who is a member, who is there, who types, and how far each has stored everything.
//!
//! All of it is lossy and in memory: what is true now, not what happened.
//!
//! The watched rooms are a level that the server tells by signals; [`Room::members`] and [`Client::public_rooms`] ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steadfast_proto::ids::{AccountId, RoomId};
use steadfast_proto::session::{self, Reply, Request, WATCHED_ROOMS_MAX};
use steadfast_proto::wire;
use tokio::sync::watch;

use crate::client::Client;
use crate::driving::Command;
use crate::error::{AskError, Closed, StoreError};
use crate::room::Room;

/// What is known of the people in the rooms that this program looks at
/// ([`Client::watch_people`](crate::Client::watch_people)).
///
/// Rooms of more than 100 members have nobody here: ask for their members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    rooms: BTreeMap<RoomId, Vec<Person>>,
}

/// One member of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Whether one of the account's devices is connected; `false` as long as this one is not.
    pub online: bool,
    /// Whether somebody types there, in this room.
    pub typing: bool,
    /// One of the account's devices has stored everything for it up to this position; 0: none is known to.
    pub delivered: u64,
}

/// To how many of the others a message was delivered.
///
/// Those are counted who are members now. Whoever came after the message counts, too, though it was never for them:
/// among [`to`](Self::to) as soon as they have stored everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Members, besides the author, with a device that has stored it.
    pub to: usize,
    /// Members besides the author.
    pub of: usize,
}

/// Some of a room's members, in the order of their accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// How many members the room has.
    pub total: u32,
    /// At most 500 of them. Nobody is known to be typing.
    pub people: Vec<Person>,
    /// Where to ask on; `None`: that was all.
    pub next: Option<AccountId>,
}

/// Some of the public rooms, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicRooms {
    /// At most 500 of them.
    pub rooms: Vec<PublicRoom>,
    /// Where to ask on; `None`: that was all.
    pub next: Option<String>,
}

/// A room that anybody may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicRoom {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: String,
    /// How many members it has.
    pub members: u32,
    /// The room sequence of its last entry.
    pub last: u64,
}

/// What is known of people as a level: whoever looks sees what is true now. It does not keep the client open.
#[derive(Clone, Debug)]
pub struct PeopleWatch(watch::Receiver<People>);

impl PeopleWatch {
    /// What is known now. Counts as seen.
    pub fn now(&mut self) -> People {
        self.0.borrow_and_update().clone()
    }

    /// Waits for something that was not seen yet. What came and went meanwhile is passed over.
    ///
    /// Cancel-safe: what was not returned was not seen.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn changed(&mut self) -> Result<People, Closed> {
        self.0.changed().await.map_err(|_| Closed)?;
        Ok(self.now())
    }
}

impl Client {
    /// From now on this program looks at the people in these rooms, over any drop: 16 at most, the first ones count;
    /// what was looked at before no longer is. [`people`](Self::people) shows them. A room that this account is not in
    /// shows nobody, until it enters.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The client was closed.
    pub async fn watch_people(&self, rooms: impl IntoIterator<Item = RoomId>) -> Result<(), Closed> {
        self.command(Command::Watch(rooms.into_iter().take(WATCHED_ROOMS_MAX).collect())).await
    }

    /// What is known of the people in the rooms that are looked at. Without a line nobody is online or typing; what was
    /// delivered stays.
    pub fn people(&self) -> PeopleWatch {
        PeopleWatch(self.people_told())
    }

    /// Asks the server which public rooms there are: a page of them, in the order of their names, behind `after`. Waits
    /// for the line where it is down.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// They are not known. [`AskError::TooOld`]: the server is too old.
    pub async fn public_rooms(&self, after: Option<&str>) -> Result<PublicRooms, AskError> {
        match self.ask(Request::Rooms { after: after.unwrap_or_default().to_owned() }).await? {
            Answered::Rooms(rooms) => Ok(rooms),
            Answered::Stored | Answered::Members(_) => Err(AskError::Refused),
        }
    }
}

impl Room {
    /// Tells those who look at this room that the user is typing in it. To be called with each key: it leaves once a
    /// second at most and only over a line that is up, and counts for five seconds, or until something is sent.
    ///
    /// Cancel-safe: dropped, it was said or not.
    ///
    /// # Errors
    /// The profile can't be read, or the client was closed.
    pub async fn typing(&self) -> Result<(), StoreError> {
        if let Some(room) = self.id().await? {
            self.client().command(Command::TypeIn(room)).await?;
        }
        Ok(())
    }

    /// Asks the server who is a member of this room: a page of them, in the order of their accounts, behind `after`.
    /// Members may ask, and everybody of a public room. Waits for the line where it is down.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// They are not known. [`AskError::NoSuchRoom`] also for a name that this device does not know a room of;
    /// [`AskError::TooOld`]: the server is too old.
    pub async fn members(&self, after: Option<AccountId>) -> Result<Members, AskError> {
        let room = self.id().await.map_err(|error| match error {
            StoreError::Profile(error) => AskError::Profile(error),
            StoreError::Closed(closed) => AskError::Closed(closed),
        })?;
        let room = room.ok_or(AskError::NoSuchRoom)?;
        match self.client().ask(Request::Members { room, after: after.unwrap_or_default() }).await? {
            Answered::Members(members) => Ok(members),
            Answered::Stored | Answered::Rooms(_) => Err(AskError::Refused),
        }
    }
}

impl People {
    /// The people of a room, by name; nobody if it is not watched, or too large.
    pub fn of(&self, room: RoomId) -> &[Person] {
        self.rooms.get(&room).map_or(&[], Vec::as_slice)
    }

    /// To how many others a message of this author at this position was delivered; `None` where nothing is known of the
    /// room's people.
    pub fn delivered(&self, room: RoomId, position: u64, author: AccountId) -> Option<Delivered> {
        let people = self.rooms.get(&room).filter(|people| !people.is_empty())?;
        let others = || people.iter().filter(|person| person.account != author);
        let to = others().filter(|person| person.delivered >= position).count();
        Some(Delivered { to, of: others().count() })
    }

    /// Only these rooms of it.
    pub(crate) fn limited_to(mut self, rooms: &[RoomId]) -> Self {
        self.rooms.retain(|room, _| rooms.contains(room));
        self
    }

    /// For other processes of the profile.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let rows = |people: &Vec<Person>| people.iter().map(Row::from).collect();
        let rooms: BTreeMap<u64, Vec<Row>> = self.rooms.iter().map(|(room, people)| (room.0, rows(people))).collect();
        serde_json::to_string(&rooms)
    }

    #[cfg(any(feature = "durable", test))]
    pub(crate) fn of_json(json: &str) -> serde_json::Result<Self> {
        let rooms: BTreeMap<u64, Vec<Row>> = serde_json::from_str(json)?;
        let people = |rows: Vec<Row>| rows.into_iter().map(Person::from).collect();
        Ok(Self { rooms: rooms.into_iter().map(|(room, rows)| (RoomId(room), people(rows))).collect() })
    }
}

impl People {
    /// As the session knows them.
    pub(crate) fn of_session(known: &session::People) -> Self {
        let rooms = known.rooms().map(|(room, people)| {
            let people = people.iter().map(|(&account, person)| Person {
                account,
                name: person.name.clone(),
                online: person.online,
                typing: person.typing_until.is_some(),
                delivered: person.delivered,
            });
            let mut people: Vec<Person> = people.collect();
            people.sort_by(|a, b| a.name.cmp(&b.name));
            (room, people)
        });
        Self { rooms: rooms.collect() }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// What it brought is stored.
    Stored,
    Members(Members),
    Rooms(PublicRooms),
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Done => Self::Stored,
            Reply::Members(page) => Self::Members(Members {
                total: page.total,
                people: page.members.into_iter().map(Person::of).collect(),
                next: Some(AccountId(page.next_after)).filter(|next| next.0 != 0),
            }),
            Reply::Rooms(page) => {
                let next = page.rooms.last().filter(|_| page.more).map(|room| room.name.clone());
                Self::Rooms(PublicRooms { rooms: page.rooms.into_iter().map(PublicRoom::of).collect(), next })
            }
        }
    }
}

impl Answered {
    /// For another process of the profile.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let text = match self {
            Self::Stored => AnswerText::Stored,
            Self::Members(Members { total, people, next }) => {
                let next = next.map(|next| next.0);
                AnswerText::Members { total: *total, people: people.iter().map(Row::from).collect(), next }
            }
            Self::Rooms(PublicRooms { rooms, next }) => {
                let rows = rooms.iter().map(|room| (room.room.0, room.name.clone(), room.members, room.last));
                AnswerText::Rooms { rooms: rows.collect(), next: next.clone() }
            }
        };
        serde_json::to_string(&text)
    }

    #[cfg(any(feature = "durable", test))]
    pub(crate) fn of_json(json: &str) -> serde_json::Result<Self> {
        Ok(match serde_json::from_str(json)? {
            AnswerText::Stored => Self::Stored,
            AnswerText::Members { total, people, next } => {
                let people = people.into_iter().map(Person::from).collect();
                Self::Members(Members { total, people, next: next.map(AccountId) })
            }
            AnswerText::Rooms { rooms, next } => {
                let rooms = rooms.into_iter().map(|(room, name, members, last)| {
                    let room = RoomId(room);
                    PublicRoom { room, name, members, last }
                });
                Self::Rooms(PublicRooms { rooms: rooms.collect(), next })
            }
        })
    }
}

impl Person {
    fn of(member: wire::Member) -> Self {
        let wire::Member { account, name, online, delivered } = member;
        Self { account: AccountId(account), name, online, typing: false, delivered }
    }
}

impl PublicRoom {
    fn of(room: wire::PublicRoom) -> Self {
        let wire::PublicRoom { room, name, members, room_sequence } = room;
        Self { room: RoomId(room), name, members, last: room_sequence }
    }
}

/// An answer as it goes through the profile.
#[derive(Serialize, Deserialize)]
enum AnswerText {
    Stored,
    Members { total: u32, people: Vec<Row>, next: Option<u64> },
    Rooms { rooms: Vec<(u64, String, u32, u64)>, next: Option<String> },
}

/// A person as it goes through the profile: account, name, online, typing, delivered.
#[derive(Serialize, Deserialize)]
struct Row(u64, String, bool, bool, u64);

impl From<&Person> for Row {
    fn from(person: &Person) -> Self {
        let Person { account, name, online, typing, delivered } = person;
        Self(account.0, name.clone(), *online, *typing, *delivered)
    }
}

impl From<Row> for Person {
    fn from(Row(account, name, online, typing, delivered): Row) -> Self {
        Self { account: AccountId(account), name, online, typing, delivered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(account: u64, name: &str, delivered: u64) -> Person {
        Person { account: AccountId(account), name: name.to_owned(), online: true, typing: account == 1, delivered }
    }

    #[test]
    fn delivered_counts_the_others_who_have_it_and_says_nothing_of_a_room_that_is_not_known() {
        let people = vec![person(1, "ann", 30), person(2, "bob", 20), person(3, "cy", 19)];
        let people = People { rooms: [(RoomId(7), people), (RoomId(8), vec![])].into() };
        assert_eq!(people.delivered(RoomId(7), 20, AccountId(1)), Some(Delivered { to: 1, of: 2 }));
        assert_eq!(people.delivered(RoomId(7), 20, AccountId(9)), Some(Delivered { to: 2, of: 3 }));
        assert_eq!(people.delivered(RoomId(8), 20, AccountId(1)), None);
        assert_eq!(people.delivered(RoomId(9), 20, AccountId(1)), None);
    }

    #[test]
    fn what_goes_through_the_profile_arrives_as_it_was() {
        let people = vec![person(1, "ann", 30), person(u64::MAX, "zoë \"\\\u{1}", u64::MAX)];
        let known = People { rooms: [(RoomId(u64::MAX), people.clone()), (RoomId(8), vec![])].into() };
        let json = known.to_json().expect("it is text");
        assert_eq!(People::of_json(&json).expect("it is ours"), known);
        assert_eq!(known.limited_to(&[RoomId(8)]).rooms.keys().collect::<Vec<_>>(), [&RoomId(8)]);
        let room = PublicRoom { room: RoomId(7), name: "lobby".to_owned(), members: 3, last: 9 };
        for answered in [
            Answered::Stored,
            Answered::Members(Members { total: 700, people, next: Some(AccountId(5)) }),
            Answered::Rooms(PublicRooms { rooms: vec![room], next: Some("lobby".to_owned()) }),
        ] {
            let json = answered.to_json().expect("it is text");
            assert_eq!(Answered::of_json(&json).expect("it is ours"), answered);
        }
    }
}

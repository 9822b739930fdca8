//! Who is there, who types, what was delivered: as the library tells it to a program that looks, over a real server.

use std::time::Duration;

use steadfast::{Client, Delivered, People, PeopleWatch, Person, RoomId};
use steadfast_net::clock::{BootClock, BootTimer};

use crate::rig::{ROOM, SOON, Server, Stopwatch, World};

/// For how long somebody counts as typing.
const TYPING: Duration = Duration::from_secs(5);

async fn open(world: &World, name: &str, server: &Server) -> Client {
    let client = Client::builder(name, server.address()).profile(world.path(name)).open().await;
    client.expect("the profile opens")
}

/// Enters the room that the tests talk in.
async fn enter(client: &Client) -> RoomId {
    let entered = client.room(ROOM).enter().await.expect("it is queued");
    entered.stored().await.expect("the server takes it");
    client.sync().await.expect("the server answers");
    client.find_room(ROOM).await.expect("the profile can be read").expect("it is entered").room
}

/// Waits until what is known is so.
async fn until(what: &str, watch: &mut PeopleWatch, mut holds: impl FnMut(&People) -> bool) -> People {
    let started = Stopwatch::start();
    let so = async {
        let mut known = watch.now();
        while !holds(&known) {
            known = watch.changed().await.expect("the client is open");
        }
        known
    };
    let mut timer = BootTimer::new().expect("a timer");
    let known = timer.within(BootClock::now() + SOON, so).await;
    let known = known.unwrap_or_else(|_| panic!("waited {SOON:?} in vain: {what}"));
    eprintln!("{what}: after {:?}", started.elapsed());
    known
}

fn person<'p>(people: &'p People, room: RoomId, name: &str) -> Option<&'p Person> {
    people.of(room).iter().find(|person| person.name == name)
}

fn are_online(people: &People, room: RoomId, names: &[&str]) -> bool {
    let online: Vec<&str> = people.of(room).iter().filter(|p| p.online).map(|p| p.name.as_str()).collect();
    online == names
}

fn run(scene: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(scene);
}

#[test]
fn a_program_that_looks_at_a_room_sees_who_comes_types_has_it_and_goes_and_knows_nothing_without_a_line() {
    run(async {
        let world = World::new();
        let mut server = world.serve();
        let (ann, bob, cy) =
            tokio::join!(open(&world, "ann", &server), open(&world, "bob", &server), open(&world, "cy", &server));
        let room = enter(&ann).await;
        tokio::join!(enter(&bob), enter(&cy));
        ann.watch_people([room]).await.expect("it is open");
        let mut people = ann.people();
        until("all are seen", &mut people, |known| are_online(known, room, &["ann", "bob", "cy"])).await;

        bob.room(ROOM).typing().await.expect("it is open");
        let types = |known: &People| person(known, room, "bob").is_some_and(|bob| bob.typing);
        until("bob is seen typing", &mut people, types).await;
        let typed = Stopwatch::start();
        drop(bob.room(ROOM).send("hello").await.expect("it is queued"));
        until("bob has sent it", &mut people, |known| !types(known)).await;
        assert!(typed.elapsed() < TYPING, "it ended by the message, not by time");

        let sent = ann.room(ROOM).send("hello, bob").await.expect("it is queued");
        let position = sent.stored().await.expect("the server takes it").position;
        let author = person(&people.now(), room, "ann").expect("ann is a member").account;
        let delivered = |known: &People| known.delivered(room, position, author) == Some(Delivered { to: 2, of: 2 });
        until("both others have it", &mut people, delivered).await;

        cy.close().await;
        until("cy is seen gone", &mut people, |known| are_online(known, room, &["ann", "bob"])).await;
        let members = ann.room(ROOM).members(None).await.expect("the server answers");
        let mut told: Vec<_> = members.people.iter().map(|p| (p.name.as_str(), p.online)).collect();
        told.sort_unstable();
        assert_eq!((told, members.total), (vec![("ann", true), ("bob", true), ("cy", false)], 3));
        let rooms = ann.public_rooms(None).await.expect("the server answers");
        assert_eq!((rooms.rooms.len(), rooms.rooms[0].members, rooms.next), (1, 3, None));

        server.kill();
        let lost = until("nobody is known to be there", &mut people, |known| are_online(known, room, &[])).await;
        assert_eq!(lost.delivered(room, position, author), Some(Delivered { to: 2, of: 2 }), "that stays");
        server.restart();
        ann.try_now().await.expect("it is open");
        bob.try_now().await.expect("it is open");
        until("they are back", &mut people, |known| are_online(known, room, &["ann", "bob"])).await;
        ann.close().await;
        assert!(are_online(&people.now(), room, &[]), "that is the last word");
        bob.close().await;
    });
}

#[test]
fn a_process_that_another_one_drives_for_sees_says_and_asks_the_same_and_goes_on_when_that_ends() {
    run(async {
        let world = World::new();
        let server = world.serve();
        let (driver, bob) = tokio::join!(open(&world, "ann", &server), open(&world, "bob", &server));
        let room = enter(&driver).await;
        enter(&bob).await;
        // The same profile: the first one holds it.
        let follower = open(&world, "ann", &server).await;
        follower.watch_people([room]).await.expect("it is open");
        bob.watch_people([room]).await.expect("it is open");
        let (mut seen, mut by_bob) = (follower.people(), bob.people());
        until("the follower sees all", &mut seen, |known| are_online(known, room, &["ann", "bob"])).await;
        assert_eq!(driver.people().now(), People::default(), "the driver looks at nobody");

        bob.room(ROOM).typing().await.expect("it is open");
        let types = |known: &People, name| person(known, room, name).is_some_and(|person| person.typing);
        until("the follower sees bob typing", &mut seen, |known| types(known, "bob")).await;
        follower.room(ROOM).typing().await.expect("it is open");
        until("bob sees ann typing", &mut by_bob, |known| types(known, "ann")).await;

        let members = follower.room(ROOM).members(None).await.expect("the server answers");
        assert_eq!((members.people.len(), members.total, members.next), (2, 2, None));
        let rooms = follower.public_rooms(None).await.expect("the server answers");
        assert_eq!((rooms.rooms[0].name.as_str(), rooms.rooms[0].members), (ROOM, 2));
        let after = follower.public_rooms(Some(ROOM)).await.expect("the server answers");
        assert_eq!((after.rooms.len(), after.next), (0, None));
        let none = follower.room_by_id(RoomId(4_242)).members(None).await;
        assert_eq!(none, Err(steadfast::AskError::NoSuchRoom));

        driver.close().await;
        follower.sync().await.expect("it drives itself now");
        until("it sees all", &mut seen, |known| are_online(known, room, &["ann", "bob"])).await;
        bob.close().await;
        until("and bob go", &mut seen, |known| are_online(known, room, &["ann"])).await;
        follower.close().await;
    });
}

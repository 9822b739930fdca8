//! A client that keeps everything in memory: while its process lives it loses and doubles nothing, whatever happens to
//! the line and to the server.

use std::time::Duration;

use steadfast::{Client, Inbox, InboxError, Room, RoomId, RoomInfo, Schedule};
use steadfast_net::clock::{BootClock, BootTimer};

use crate::rig::{Member, Proxy, ROOM, SOON, Stopwatch, World, lines_of, pause};

/// Pauses between two tries stay short.
const QUICK: Schedule = Schedule::Exponential { base: Duration::from_millis(50), cap: Duration::from_millis(200) };

fn run(scene: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(scene);
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let started = Stopwatch::start();
    let mut timer = BootTimer::new().expect("a timer");
    let done = timer.within(BootClock::now() + SOON, work).await;
    let done = done.unwrap_or_else(|_| panic!("waited {SOON:?} in vain: {what}"));
    eprintln!("{what}: after {:?}", started.elapsed());
    done
}

async fn info(room: &Room) -> RoomInfo {
    room.info().await.expect("memory can be read").expect("it is entered")
}

/// What is held of a room from this room sequence on: who said what, in order.
async fn said(room: &Room, from: u64) -> Vec<(String, String)> {
    let entries = room.messages(from, usize::MAX).await.expect("memory can be read");
    let text = |text: &str| text.to_owned();
    entries.iter().filter_map(|entry| Some((entry.author.clone(), entry.text().map(text)?))).collect()
}

/// What a consumer is given of a room by now, and up to where it is told that something of it was dropped.
async fn consumed(inbox: &mut Inbox, room: RoomId) -> (Vec<(String, String)>, Option<u64>) {
    let (mut said, mut dropped) = (Vec::new(), None);
    loop {
        match inbox.try_next().await {
            Ok(Some(entry)) => {
                if let Some(text) = entry.text().filter(|_| entry.room == room) {
                    said.push((entry.author.clone(), text.to_owned()));
                }
                inbox.commit(&entry).await.expect("the place is noted");
            }
            Ok(None) => return (said, dropped),
            Err(InboxError::Dropped { room: of, to_sequence }) => {
                assert!(said.is_empty(), "it is told before what comes behind it");
                dropped = dropped.or((of == room).then_some(to_sequence));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The same of all, as a member's profile on a disk has it.
fn said_to(member: &Member) -> Vec<(String, String)> {
    let log = member.read_from_start();
    log.assert_ordered();
    log.entries.into_iter().map(|entry| (entry.from, entry.text)).collect()
}

fn of(name: &str, said: &[(String, String)]) -> Vec<String> {
    said.iter().filter(|(from, _)| from == name).map(|(_, text)| text.clone()).collect()
}

#[test]
fn a_client_in_memory_loses_and_doubles_nothing_over_cuts_and_a_kill_of_the_server_while_it_lives() {
    run(async {
        let world = World::new();
        let mut server = world.serve();
        let proxy = Proxy::before(server.address());
        let bob = world.member("bob", &server);
        let open = || Client::builder("ann", &proxy.address()).memory().schedule(QUICK).open();
        let ann = open().await.expect("there is memory");
        let lobby = ann.room(ROOM);
        let mut inbox = ann.inbox("reader").await.expect("the name is free");
        let mut sent = vec![lobby.enter().await.expect("it is queued")];
        within("she is in", ann.settled(&sent)).await.expect("open");
        // A device holds what comes after its first contact.
        within("her join is there", ann.sync()).await.expect("the server answers");
        for round in 0..10 {
            sent.extend(lobby.send_all(lines_of("ann", 5 * round, 5)).await.expect("they are queued"));
            pause(Duration::from_millis(5 * (round as u64 % 4)));
            proxy.close_all();
        }
        within("what was sent into a line that was cut ten times is stored", ann.settled(&sent)).await.expect("open");

        // She is away: others talk, she writes, the server dies.
        proxy.set_mute(true);
        proxy.close_all();
        bob.send_lines(&lines_of("bob", 0, 30), &[]).expect_code(0);
        sent.extend(lobby.send_all(lines_of("ann", 50, 20)).await.expect("they are queued"));
        assert_eq!(ann.outbox().await.expect("memory can be read").operations, 20);
        server.kill();
        server.restart();
        bob.send_lines(&lines_of("bob", 30, 10), &[]).expect_code(0);
        proxy.set_mute(false);
        proxy.close_all();
        let outcomes = within("what she wrote while she was away is stored", ann.settled(&sent)).await.expect("open");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        within("what she missed is there", ann.sync()).await.expect("the server answers");

        let heard = said(&lobby, 0).await;
        assert_eq!(of("ann", &heard), lines_of("ann", 0, 70), "each once and in order");
        assert_eq!(of("bob", &heard), lines_of("bob", 0, 40), "each once and in order");
        assert_eq!(heard, said_to(&bob), "in the order in which all see it");
        let room = info(&lobby).await;
        assert_eq!(lobby.missing(1, room.last.expect("it is known")).await, Ok(None));
        assert_eq!(consumed(&mut inbox, room.room).await, (heard.clone(), None), "a consumer is given the same");
        eprintln!("{} connections", proxy.accepted());
        ann.close().await;

        // What was in memory is gone: this is another device, to which nothing older comes by itself.
        let again = open().await.expect("there is memory");
        within("the new device is there", again.sync()).await.expect("the server answers");
        let lobby = again.room(ROOM);
        let last = info(&lobby).await.last.expect("it is known");
        assert_eq!(lobby.missing(1, last).await, Ok(Some((1, last))), "and that is a hole, not silence");
        while let Some((from, to)) = lobby.missing(1, last).await.expect("memory can be read") {
            within("a page", lobby.fetch(from, to)).await.expect("the server has it");
        }
        assert_eq!(said(&lobby, 0).await, heard);
        again.close().await;
    });
}

#[test]
fn what_memory_has_no_room_for_is_a_hole_that_the_server_fills() {
    run(async {
        let world = World::new();
        let server = world.serve();
        let bob = world.member("bob", &server);
        let builder = Client::builder("ann", server.address()).memory().messages_bytes_max(200_000);
        let ann = builder.open().await.expect("there is memory");
        let lobby = ann.room(ROOM);
        within("she is in", lobby.enter().await.expect("it is queued").stored()).await.expect("it is stored");
        within("her join is there", ann.sync()).await.expect("the server answers");
        let first = info(&lobby).await.base + 1;
        let mut inbox = ann.inbox("reader").await.expect("the name is free");

        bob.send_lines(&lines_of("bob", 0, 1_000), &[]).expect_code(0);
        within("all that bob said came", ann.sync()).await.expect("the server answers");
        let room = info(&lobby).await;
        let last = room.last.expect("it is known");
        assert!(room.base > first + 100 && last > first + 1_000, "{room:?}");
        assert_eq!(lobby.missing(first, last).await, Ok(Some((first, room.base))), "what went is the oldest");
        assert_eq!(of("bob", &said(&lobby, 0).await).last(), lines_of("bob", 999, 1).first());

        let given = consumed(&mut inbox, room.room).await;
        assert_eq!(given, (said(&lobby, 0).await, Some(room.base)), "a consumer is told of it and goes on behind it");

        // Ann's join, Bob's, and what he said first.
        within("a page of the oldest", lobby.fetch(first, first + 2)).await.expect("the server has it");
        assert_eq!(lobby.missing(first, first + 2).await, Ok(None));
        assert_eq!(of("bob", &said(&lobby, 0).await).first(), lines_of("bob", 0, 1).first());
        ann.close().await;
    });
}

//! The library as programs use it, over a real server: consumers and their places, conversations, private rooms, and
//! what is left of a client that is gone.

use std::time::Duration;

use steadfast::{CauseKind, Client, InboxError, NotStored, NoticeKind, Place, Refusal, RoomKind, SendError};
use steadfast_net::clock::{BootClock, BootTimer};

use crate::rig::{ROOM, SOON, Server, World, copy_directory, lines_of, pause, wait_until};

async fn open(world: &World, profile: &str, name: &str, server: &Server) -> Client {
    let client = Client::builder(name, server.address()).profile(world.path(profile)).open().await;
    client.expect("the profile opens")
}

async fn say(client: &Client, room: &str, texts: &[&str]) {
    let sent = client.room(room).send_all(texts.iter().copied()).await.expect("it is queued");
    let outcomes = client.settled(&sent).await.expect("the profile can be read");
    assert!(outcomes.iter().all(Result::is_ok), "all are stored: {outcomes:?}");
}

/// What it gives, or the words of a panic.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut timer = BootTimer::new().expect("a timer");
    let done = timer.within(BootClock::now() + SOON, future).await;
    done.unwrap_or_else(|_| panic!("waited {SOON:?} in vain: {what}"))
}

/// The texts of the next entries that have one, and where the last of them stands.
async fn texts(inbox: &mut steadfast::Inbox, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let entry = soon("an entry", inbox.next()).await.expect("no hole");
        texts.extend(entry.text().map(str::to_owned));
    }
    texts
}

fn run(scene: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(scene);
}

#[test]
fn consumers_of_one_profile_go_on_each_where_it_committed_and_a_name_has_one_at_a_time() {
    run(async {
        let world = World::new();
        let server = world.serve();
        let (ann, bob) = (open(&world, "ann", "ann", &server).await, open(&world, "bob", "bob", &server).await);
        bob.room(ROOM).enter().await.expect("queued").stored().await.expect("entered");
        bob.room("hall").enter().await.expect("queued").stored().await.expect("entered");
        say(&ann, ROOM, &["one"]).await;
        say(&ann, "hall", &["two"]).await;
        say(&ann, ROOM, &["three", "four"]).await;

        let mut printer = bob.inbox("printer").await.expect("it opens");
        assert_eq!(texts(&mut printer, 2).await, ["one", "two"]);
        let three = loop {
            let entry = soon("an entry", printer.next()).await.expect("no hole");
            if entry.text() == Some("three") {
                break entry;
            }
        };
        printer.commit(&three).await.expect("noted");
        assert_eq!(texts(&mut printer, 1).await, ["four"], "what is given is not what is committed");
        assert_eq!(printer.try_next().await.expect("no hole"), None);

        // Here under another spelling, in another process of the profile by the same lock, and under another name.
        let in_use = |error| matches!(error, InboxError::InUse { name } if name == "printer");
        assert!(bob.inbox("Printer").await.is_err_and(in_use));
        let beside = open(&world, "bob", "bob", &server).await;
        assert!(beside.inbox("printer").await.is_err_and(in_use));
        let mut mailer = beside.inbox("mailer").await.expect("it opens");
        assert_eq!(texts(&mut mailer, 4).await, ["one", "two", "three", "four"]);
        assert!(bob.inbox("no name").await.is_err_and(|error| matches!(error, InboxError::NameInvalid { .. })));
        drop((mailer, beside));

        // Dropped without a goodbye, as a crash would: the place counts, not what was given.
        drop((printer, bob));
        let bob = open(&world, "bob", "bob", &server).await;
        let mut printer = soon("the name is free", async {
            loop {
                match bob.inbox("printer").await {
                    Err(InboxError::InUse { .. }) => tokio::task::yield_now().await,
                    opened => break opened.expect("it opens"),
                }
            }
        })
        .await;
        assert_eq!(texts(&mut printer, 1).await, ["four"]);
        say(&ann, "hall", &["five"]).await;
        assert_eq!(texts(&mut printer, 1).await, ["five"], "it waits for what comes");

        // A consumer that keeps its place itself gets the same.
        let mut feed = bob.feed(three.place());
        let four = soon("an entry", feed.next()).await.expect("no hole");
        assert_eq!(four.text(), Some("four"));
        let mut again = bob.feed(four.place());
        assert_eq!(soon("an entry", again.next()).await.expect("no hole").text(), Some("five"));
        let now = bob.place().await.expect("read");
        assert_eq!(bob.feed(now).try_next().await.expect("no hole"), None);

        // What another one gave passes over nothing here, and what is yet to come can't be skipped.
        let mut late = bob.inbox("late").await.expect("it opens");
        let not_given = late.commit(&four).await;
        assert_eq!(not_given, Err(InboxError::NotGiven { position: four.position }));
        assert_eq!(texts(&mut late, 4).await, ["one", "two", "three", "four"]);
        late.commit(&four).await.expect("it came to it by itself");
        late.skip_to(Place { position: u64::MAX, ..now }).await.expect("noted");
        assert_eq!(late.try_next().await.expect("no hole"), None);
        say(&ann, "hall", &["six"]).await;
        assert_eq!(texts(&mut late, 1).await, ["six"]);
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn a_consumer_is_told_that_the_server_went_back_and_goes_on_with_what_is_new() {
    run(async {
        let world = World::new();
        let mut server = world.serve();
        let (ann, bob) = (open(&world, "ann", "ann", &server).await, open(&world, "bob", "bob", &server).await);
        bob.room(ROOM).enter().await.expect("queued").stored().await.expect("entered");
        say(&ann, ROOM, &["kept"]).await;
        let mut printer = bob.inbox("printer").await.expect("it opens");
        assert_eq!(texts(&mut printer, 1).await, ["kept"]);
        ann.close().await;

        server.stop();
        let copy = world.path("copy-of-server");
        copy_directory(server.data(), &copy);
        server.restart();
        let cid = open(&world, "cid", "cid", &server).await;
        say(&cid, ROOM, &["lost"]).await;
        let lost = loop {
            let entry = soon("an entry", printer.next()).await.expect("no hole");
            if entry.text() == Some("lost") {
                break entry;
            }
        };
        printer.commit(&lost).await.expect("noted");
        let mut own_place = bob.feed(lost.place());
        let mut from_the_start = bob.feed(Place::START);
        cid.close().await;

        server.stop();
        copy_directory(&copy, server.data());
        server.restart();
        let dan = open(&world, "dan", "dan", &server).await;
        // Its positions are those of what is lost, and beyond.
        say(&dan, ROOM, &["new one", "new two", "new three"]).await;
        let went_back = soon("the hole is told", printer.next()).await;
        let Err(InboxError::WentBack { from, to }) = went_back else { panic!("no hole was told: {went_back:?}") };
        assert!(from == lost.position && to < lost.position, "from {from} to {to}, lost {}", lost.position);
        assert_eq!(texts(&mut printer, 3).await, ["new one", "new two", "new three"], "none is skipped");
        // Who keeps its place itself is told, too; who was not that far has nothing to hear of.
        assert!(soon("it is told", own_place.next()).await.is_err_and(|error| error.is_passing()));
        let mut all = Vec::new();
        while all.last().is_none_or(|last| last != "new three") {
            let entry = soon("an entry", from_the_start.next()).await.expect("no hole");
            all.extend(entry.text().map(str::to_owned));
        }
        assert_eq!(all, ["kept", "new one", "new two", "new three"]);
        assert!(!bob.moved_aside(10).await.expect("read").is_empty());

        // Told anew to each that is opened, until a place behind it is noted.
        drop((printer, own_place, from_the_start));
        let mut printer = bob.inbox("printer").await.expect("it opens");
        assert!(printer.next().await.is_err_and(|error| matches!(error, InboxError::WentBack { .. })));
        let entry = soon("an entry", printer.next()).await.expect("no hole");
        printer.commit(&entry).await.expect("noted");
        drop(printer);
        let mut printer = bob.inbox("printer").await.expect("it opens");
        soon("an entry", printer.next()).await.expect("it is told no more");
        drop(printer);
        bob.close().await;
        dan.close().await;
    });
}

#[test]
fn conversations_and_private_rooms_are_made_offline_and_a_refusal_gives_its_text_back() {
    run(async {
        let world = World::new();
        let mut server = world.serve();
        let (ann, bob) = (open(&world, "ann", "ann", &server).await, open(&world, "bob", "bob", &server).await);
        soon("both are known", ann.sync()).await.expect("synced");
        soon("both are known", bob.sync()).await.expect("synced");
        server.stop();

        let to_bob = ann.direct("bob");
        let mut sent =
            vec![to_bob.send("hello bob").await.expect("queued"), to_bob.send("again").await.expect("queued")];
        let (plans, made) = ann.create_private("plans").await.expect("queued");
        sent.extend([made, plans.send("for us").await.expect("queued"), plans.add("bob").await.expect("queued")]);
        sent.push(plans.send("with bob").await.expect("queued"));
        let to_nobody = ann.direct("nobody").send("is anybody there").await.expect("queued");
        assert_eq!(ann.outbox().await.expect("read").operations, 9, "two of them lead into a conversation");
        let outside = ann.room("never-entered").leave().await;
        assert!(matches!(outside, Err(SendError::NotInRoom { .. })), "{outside:?}");

        server.restart();
        ann.try_now().await.expect("open");
        bob.try_now().await.expect("open");
        let outcomes = soon("all are settled", ann.settled(&sent)).await.expect("read");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let refused = soon("it is refused", to_nobody.stored()).await;
        let Err(NotStored::Refused(refused)) = refused else { panic!("not refused: {refused:?}") };
        let foreign = soon("it is no operation of bob's", bob.settled(&sent[..1])).await;
        assert_eq!(foreign, Err(NotStored::Forgotten { id: sent[0].id() }));
        let kept = ann.refused(refused.id).await.expect("read").expect("it is kept");
        assert_eq!(&kept.body[..], b"is anybody there");
        assert_ne!(refused.reason, Refusal::Unknown);

        soon("bob has all", bob.sync()).await.expect("synced");
        let with_ann = bob.direct("ann");
        assert_eq!(with_ann.info().await.expect("read").map(|info| info.kind), Some(RoomKind::Direct));
        let said = |messages: Vec<steadfast::Message>| -> Vec<String> {
            messages.iter().filter_map(|message| message.text().map(str::to_owned)).collect()
        };
        assert_eq!(said(with_ann.last(10).await.expect("read")), ["hello bob", "again"]);
        let plans_of_bob = bob.find_room("plans").await.expect("read").expect("bob was added");
        assert_eq!((plans_of_bob.kind, plans_of_bob.member), (RoomKind::Private, true));
        assert_eq!(said(bob.room_by_id(plans_of_bob.room).last(10).await.expect("read")), ["with bob"]);
        soon("bob is removed", plans.remove("bob").await.expect("queued").stored()).await.expect("stored");
        soon("bob has all", bob.sync()).await.expect("synced");
        let plans_of_bob = bob.room_by_id(plans_of_bob.room).info().await.expect("read").expect("known");
        assert!(!plans_of_bob.member);
        ann.close().await;
        bob.close().await;

        // Whoever was not there to be told is told later.
        let ann = open(&world, "ann", "ann", &server).await;
        let notices = soon("the notice", ann.notices_after(0).next()).await.expect("read");
        let kinds: Vec<NoticeKind> = notices.iter().map(|notice| notice.kind).collect();
        assert!(kinds.contains(&NoticeKind::Refused { operation: refused.id }), "{kinds:?}");
        let shown = notices.last().map_or(0, |notice| notice.number);
        assert!(begin(ann.notices_after(shown).next()).await.is_none(), "it was shown");
        ann.close().await;
    });
}

/// Begins something and lets go of it at once, as a `select!` may.
async fn begin<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = tokio::task::yield_now() => None,
    }
}

#[test]
fn what_is_begun_and_let_go_of_skips_nothing_and_goes_out_all_the_same() {
    const MESSAGES: usize = 300;
    run(async {
        let world = World::new();
        let server = world.serve();
        let (ann, bob) = (open(&world, "ann", "ann", &server).await, open(&world, "bob", "bob", &server).await);
        bob.room(ROOM).enter().await.expect("queued").stored().await.expect("entered");
        ann.room(ROOM).enter().await.expect("queued").stored().await.expect("entered");
        let (lobby, mut inbox) = (ann.room(ROOM), bob.inbox("printer").await.expect("it opens"));
        let (mut got, mut let_go) = (Vec::new(), 0);
        for number in 0..MESSAGES {
            // Of a send that was let go of nobody knows more than that it may have been queued: its disk is there.
            let_go += usize::from(begin(lobby.send(format!("ann {number}"))).await.is_none());
            if let Some(entry) = begin(inbox.next()).await {
                got.extend(entry.expect("no hole").text().map(str::to_owned));
            }
        }
        eprintln!("{let_go} of {MESSAGES} sends and {} of as many reads were let go of", MESSAGES - got.len());
        assert!(let_go > 0, "no send was let go of");
        got.extend(texts(&mut inbox, MESSAGES - got.len()).await);
        assert_eq!(got, lines_of("ann", 0, MESSAGES));
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn a_client_that_is_gone_leaves_no_thread_and_what_watched_it_hears_of_the_end() {
    run(async {
        let world = World::new();
        let server = world.serve();
        let client = open(&world, "ann", "ann", &server).await;
        let (mut status, mut changes, mut notices) = (client.status(), client.changes(), client.notices());
        soon("online", status.until(steadfast::Status::is_online)).await.expect("open");
        let other = client.clone();
        let room = client.room(ROOM);
        let sent = room.send("hello").await.expect("queued");
        soon("stored", sent.stored()).await.expect("stored");
        assert!(profile_threads() >= 2, "they are found by their names");
        drop((client, other, room));
        pause(Duration::from_millis(100));
        assert!(profile_threads() >= 2, "what was sent still asks");
        drop(sent);
        soon("the end", async { while status.changed().await.is_ok() {} }).await;
        soon("the end", async { while changes.changed().await.is_ok() {} }).await;
        assert!(soon("the end", notices.next()).await.is_err());
        wait_until("the threads have ended", SOON, || (profile_threads() == 0).then_some(()));

        // Closed by one handle, it is closed for all.
        let client = open(&world, "ann", "ann", &server).await;
        let (other, room, mut status) = (client.clone(), client.room(ROOM), client.status());
        soon("online", status.until(steadfast::Status::is_online)).await.expect("open");
        soon("closed", client.close()).await;
        let last = other.status().now();
        assert_eq!((last.is_online(), last.cause_kind()), (false, Some(CauseKind::StoppedByUser)), "{last:?}");
        assert_eq!(profile_threads(), 0, "it was waited for");
        assert!(matches!(room.send("late").await, Err(SendError::Closed(_))));
        assert!(other.try_now().await.is_err());
        soon("closed", other.close()).await;
    });
}

/// Threads of this process that keep a profile.
fn profile_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the process's threads");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("profile")).count()
}

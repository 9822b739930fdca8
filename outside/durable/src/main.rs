//! `durable HOST:PORT DIRECTORY`: two people talk, each with a profile on disk, as in a stranger's program.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use steadfast::{Builder, Client, Draft, Inbox, InboxError, KernelLiveness, Place, Room, Schedule, SendError, Status};

type Failure = Box<dyn Error + Send + Sync>;

/// What takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a stranger's program may use tokio's clock")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory] = arguments.as_slice() else { return Err("usage: durable HOST:PORT DIRECTORY".into()) };
    tokio::time::timeout(HANGS, talk(server, directory)).await?
}

async fn talk(server: &str, directory: &str) -> Result<(), Failure> {
    let ann = builder("ann", server, directory).open().await?;
    let bob = builder("bob", server, directory).open().await?;
    ann.status().until(Status::is_online).await?;

    let outside = bob.room("outside");
    outside.enter().await?.stored().await?;
    // In a task of its own: what the library gives may go from thread to thread.
    let listener = tokio::spawn(hear(bob.clone(), 3));
    say(&ann.room("outside")).await?;
    ann.direct("bob").send("and between us").await?.stored().await?;
    let heard = listener.await??;
    if heard != ["hello", "and again", "and between us"] {
        return Err(format!("bob heard {heard:?}").into());
    }

    look(&bob, &outside).await?;
    match ann.direct("not a name").send("hello?").await {
        Err(SendError::NameInvalid { .. }) => {}
        Ok(_) | Err(_) => return Err("nobody can have that name".into()),
    }
    ann.close().await;
    bob.close().await;
    let standing = builder("bob", server, directory).observe().await?.standing().await?;
    println!("bob stands at position {}", standing.position);
    Ok(())
}

fn builder(name: &str, server: &str, directory: &str) -> Builder {
    let second = Duration::from_secs(1);
    Client::builder(name, server)
        .profile(Path::new(directory).join(name))
        .program("durable/0.1")
        .schedule(Schedule::Rounds { tries: 6, pause: second, round_pause: 5 * second })
        .connect_timeout(2 * second)
        .active_bound(3 * second)
        .idle_bound(15 * second)
        .kernel(KernelLiveness { idle: 20 * second, ..KernelLiveness::default() })
        .reconnect(true)
        .auto_login(true)
}

/// Says twice, the second time under a key: sent again under it, that is stored once.
async fn say(room: &Room) -> Result<(), Failure> {
    let keyed = || Draft::bytes("and again", "text/plain").key("outside", 1);
    for sent in room.send_all([Draft::text("hello"), keyed()]).await? {
        sent.stored().await?;
    }
    room.send(keyed()).await?.stored().await?;
    Ok(())
}

/// The next texts, over all rooms.
async fn hear(client: Client, texts: usize) -> Result<Vec<String>, InboxError> {
    let mut inbox: Inbox = client.inbox("ears").await?;
    let mut heard = Vec::new();
    while heard.len() < texts {
        let message = inbox.next().await?;
        heard.extend(message.text().map(str::to_owned));
        inbox.commit(&message).await?;
    }
    Ok(heard)
}

/// What a device can look at by itself.
async fn look(client: &Client, room: &Room) -> Result<(), Failure> {
    let mut changes = client.changes();
    let info = room.info().await?.ok_or("the room is not there")?;
    let of_id = client.room_by_id(info.room).last(10).await?;
    let found = client.search("again").in_room(info.room).next(10).await?.unwrap_or_default();
    let first = client.feed(Place::START).next().await?;
    if of_id.len() != 2 || found.len() != 1 || first.position == 0 {
        return Err(format!("{of_id:?}, {found:?}, {first:?}").into());
    }
    room.set_read_up_to(info.last.unwrap_or_default()).await?;
    tokio::select! {
        biased;
        changed = changes.changed() => changed?,
        () = std::future::ready(()) => {}
    }
    client.flights(10).await?;
    client.stop().await?;
    client.status().until(Status::is_stopped).await?;
    Ok(client.resume().await?)
}

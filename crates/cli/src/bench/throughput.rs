//! One sender, one receiver, everything durable on both sides.

use steadfast::{Changes, Client, OUTBOX_OPERATIONS_MAX, SendError};
use steadfast_net::clock::BootClock;

use super::Load;
use super::scene::{Scene, stored};
use crate::exit::Exit;
use crate::output;

const MESSAGES: u64 = 200_000;
/// Messages that the sender hands over at a time: a program that has many has them together.
const HANDFUL: u64 = 1_000;
const ROOM: &str = "bench";
/// Entries of the room before the first message: two joins.
const JOINS: u64 = 2;

/// Waits until half of a full outbox has left.
async fn drain(sender: &Client, changed: &mut Changes) -> Result<(), Exit> {
    loop {
        changed.changed().await.map_err(Exit::failed)?;
        if sender.outbox().await.map_err(Exit::failed)?.operations < OUTBOX_OPERATIONS_MAX / 2 {
            return Ok(());
        }
    }
}

pub(super) async fn run(load: &Load) -> Result<(), Exit> {
    let scene = Scene::set(&load.data)?;
    let messages = load.messages.unwrap_or(MESSAGES);
    let (receiver, sender) = (scene.client("receiver").await?, scene.client("sender").await?);
    for client in [&receiver, &sender] {
        let entered = client.room(ROOM).enter().await.map_err(Exit::failed)?;
        entered.stored().await.map_err(Exit::failed)?;
    }
    stored(&receiver, ROOM, JOINS).await?;
    let started = BootClock::now();
    let body = "x".repeat(load.size);
    let mut last = Vec::new();
    let room = sender.room(ROOM);
    let mut changed = sender.changes();
    let mut queued = 0;
    while queued < messages {
        let count = HANDFUL.min(messages - queued);
        let batch = (0..count).map(|_| body.as_str());
        match room.send_all(batch).await {
            Ok(sent) => {
                last = sent;
                queued += count;
            }
            Err(SendError::Full { .. }) => drain(&sender, &mut changed).await?,
            Err(error) => return Err(Exit::failed(error)),
        }
    }
    sender.settled(&last).await.map_err(Exit::failed)?;
    stored(&receiver, ROOM, JOINS + messages).await?;
    let seconds = BootClock::now().since(started).as_secs_f64();
    let rate = messages as f64 / seconds;
    sender.close().await;
    receiver.close().await;
    output::print(&[if load.json {
        let size = load.size;
        format!(r#"{{"messages":{messages},"bytes":{size},"seconds":{seconds:.3},"per_second":{rate:.0}}}"#)
    } else {
        format!("{messages} messages of {} B in {seconds:.2} s: {rate:.0} a second, durable on both sides", load.size)
    }])
}

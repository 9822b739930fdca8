//! One message at a time.

use std::time::Duration;

use steadfast_net::clock::BootClock;

use super::Load;
use super::scene::{Scene, stored};
use crate::exit::Exit;
use crate::output;

const MESSAGES: u64 = 1_000;
const ROOM: &str = "bench";
/// Entries of the room before the first message: two joins.
const JOINS: u64 = 2;

pub(super) async fn run(load: &Load) -> Result<(), Exit> {
    let scene = Scene::set(&load.data)?;
    let messages = load.messages.unwrap_or(MESSAGES).max(1);
    let (receiver, sender) = (scene.client("receiver").await?, scene.client("sender").await?);
    for client in [&receiver, &sender] {
        let entered = client.room(ROOM).enter().await.map_err(Exit::failed)?;
        entered.stored().await.map_err(Exit::failed)?;
    }
    stored(&receiver, ROOM, JOINS).await?;
    let body = "x".repeat(load.size);
    let room = sender.room(ROOM);
    let mut delivered = Vec::new();
    for number in 1..=messages {
        let started = BootClock::now();
        // That it is stored here, the receiver tells.
        drop(room.send(body.as_str()).await.map_err(Exit::failed)?);
        stored(&receiver, ROOM, JOINS + number).await?;
        delivered.push(BootClock::now().since(started));
    }
    sender.close().await;
    receiver.close().await;
    delivered.sort_unstable();
    let at = |share: f64| ms(delivered[((delivered.len() - 1) as f64 * share) as usize]);
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    output::print(&[if load.json {
        format!(r#"{{"messages":{messages},"ms":{{"p50":{p50:.3},"p99":{p99:.3},"max":{max:.3}}}}}"#)
    } else {
        format!(
            "{messages} messages, send to stored at the receiver: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"
        )
    }])
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

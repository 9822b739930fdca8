//! `memory HOST:PORT`: says something in a room and hears it from there, and keeps nothing on a disk of its own.

use std::error::Error;
use std::time::Duration;

use steadfast::Client;

/// What takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a stranger's program may use tokio's clock")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, ..] = arguments.as_slice() else { return Err("usage: memory HOST:PORT".into()) };
    tokio::time::timeout(HANGS, talk(server)).await?
}

async fn talk(server: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::builder("cid", server).memory().open().await?;
    let mut inbox = client.inbox("ears").await?;
    client.room("outside").send("hello").await?.stored().await?;
    loop {
        let message = inbox.next().await?;
        inbox.commit(&message).await?;
        if message.text() == Some("hello") && message.author == "cid" {
            break;
        }
    }
    client.close().await;
    Ok(())
}

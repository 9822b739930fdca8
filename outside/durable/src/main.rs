//! `durable HOST:PORT DIRECTORY`: sends a message and reads it back as somebody else, each with a profile on disk.

use std::error::Error;
use std::path::Path;

use steadfast::{Client, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory] = arguments.as_slice() else { return Err("usage: durable HOST:PORT DIRECTORY".into()) };
    let directory = Path::new(directory);
    let open = |name: &str| Client::builder(name, server).profile(directory.join(name)).program("outside/1.0").open();
    let ann = open("ann").await?;
    ann.room("outside").send("hello").await?.stored().await?;

    let bob = open("bob").await?;
    let outside = bob.room("outside");
    outside.enter().await?.stored().await?;
    ann.room("outside").send("and again").await?.stored().await?;
    bob.sync().await?;
    let stored = outside.messages(0, 10).await?;
    let texts: Vec<&str> = stored.iter().filter_map(Message::text).collect();
    if texts != ["and again"] {
        return Err(format!("bob read {texts:?}").into());
    }
    ann.close().await;
    bob.close().await;
    Ok(())
}

//! `durable HOST:PORT DIRECTORY`: sends a message and reads it back as somebody else, each with a profile on disk.

use std::error::Error;
use std::path::Path;

use steadfast::{Client, Draft, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory] = arguments.as_slice() else { return Err("usage: durable HOST:PORT DIRECTORY".into()) };
    let builder =
        |name: &str| Client::builder(name, server).profile(Path::new(directory).join(name)).program("durable/0.1");
    let ann = builder("ann").open().await?;
    let bob = builder("bob").open().await?;
    ann.status().until(Status::is_online).await?;

    let theirs = bob.room("outside");
    theirs.enter().await?.stored().await?;
    let drafts = ["hello", "and again"].map(Draft::text);
    let sent = ann.room("outside").send_all(drafts).await?;
    for outcome in ann.settled(&sent).await? {
        outcome?;
    }
    bob.sync().await?;
    let stored = theirs.last(10).await?;
    let texts: Vec<_> = stored.iter().filter_map(|message| message.text()).collect();
    if texts != ["hello", "and again"] {
        return Err(format!("bob read {texts:?}").into());
    }
    ann.close().await;
    bob.close().await;
    Ok(())
}

//! `durable HOST:PORT DIRECTORY`: sends a message and reads it back as somebody else, each with a profile on disk.

use std::error::Error;
use std::path::Path;

use steadfast::{Client, Options, What};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory] = arguments.as_slice() else { return Err("usage: durable HOST:PORT DIRECTORY".into()) };
    let open = |name: &str| {
        let mut options = Options::new(name, server);
        options.profile = Some(Path::new(directory).join(name));
        Client::open(options)
    };
    let ann = open("ann")?;
    let sent = ann.send("outside", ["hello"]).await?;
    ann.settled(&sent).await?;

    let bob = open("bob")?;
    let entered = bob.enter("outside").await?;
    bob.settled(&[entered]).await?;
    let again = ann.send("outside", ["and again"]).await?;
    ann.settled(&again).await?;
    bob.sync().await?;
    let room = bob.room("outside").await?.ok_or("the room that was entered is not there")?;
    let stored = bob.messages(room.room, 0, 10).await?;
    let texts = stored.iter().filter_map(|message| match &message.what {
        What::Message { body, .. } => Some(String::from_utf8_lossy(body)),
        What::Joined { .. } | What::Left { .. } | What::Added { .. } => None,
        What::Removed { .. } | What::DeviceAdded { .. } | What::Other => None,
    });
    let texts: Vec<_> = texts.collect();
    if texts != ["and again"] {
        return Err(format!("bob read {texts:?}").into());
    }
    ann.close().await;
    bob.close().await;
    Ok(())
}

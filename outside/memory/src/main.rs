//! `memory HOST:PORT DIRECTORY`: sends a message and waits until the server has it on its disk.

use std::error::Error;
use std::path::Path;

use steadfast::{Client, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, directory] = arguments.as_slice() else { return Err("usage: memory HOST:PORT DIRECTORY".into()) };
    let mut options = Options::new("cid", server);
    options.profile = Some(Path::new(directory).to_owned());
    let client = Client::open(options)?;
    let sent = client.send("outside", ["hello"]).await?;
    let outcomes = client.settled(&sent).await?;
    if outcomes.iter().any(|outcome| outcome.refusal.is_some()) {
        return Err(format!("not stored: {outcomes:?}").into());
    }
    client.close().await;
    Ok(())
}

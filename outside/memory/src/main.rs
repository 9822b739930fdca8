//! `memory HOST:PORT`: sends a message and waits until the server has it on its disk. Keeps nothing itself.

use std::error::Error;

use steadfast::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, ..] = arguments.as_slice() else { return Err("usage: memory HOST:PORT".into()) };
    let client = Client::builder("cid", server).memory().open().await?;
    client.room("outside").send("hello").await?.stored().await?;
    client.close().await;
    Ok(())
}

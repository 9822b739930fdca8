//! Says again what is said in the room "echo": `cargo run -p steadfast --example echo [HOST:PORT]`.
//!
//! Kill it, kill the server, cut the line: every message is answered, and none twice.

use steadfast::{Client, Draft, InboxError};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7400".to_owned());
    let client = Client::builder("echo", &server).open().await?;
    let room = client.room("echo");
    let mut here = room.enter().await?.stored().await?.room;
    println!("in the room");
    let mut inbox = client.inbox("answered").await?;
    loop {
        let message = match inbox.next().await {
            Ok(message) => message,
            // The server was restored from a copy: what came after that is gone, and this goes on with what is new.
            Err(gone @ InboxError::WentBack { .. }) => {
                eprintln!("{gone}");
                here = room.enter().await?.stored().await?.room;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // An inbox has all rooms of its account in it: what is said to this one alone is not for all.
        let is_asked = here == Some(message.room) && message.author != "echo";
        if let Some(text) = message.text().filter(|_| is_asked) {
            // Killed before the commit it sees this message again, and answers under the same key: that is stored once.
            let answer = Draft::text(text).key(message.id.to_string(), 0);
            drop(room.send(answer).await?);
        }
        inbox.commit(&message).await?;
    }
}

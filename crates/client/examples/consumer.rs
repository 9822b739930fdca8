//! Books every order exactly once, end to end:
//! `cargo run -p steadfast --example consumer -- HOST:PORT DATABASE [PAUSE_MS]`.
//!
//! Its place is committed in the same transaction of its own database as what it did with the message. Killed at any
//! moment it has done both or neither, and goes on behind its place. (The pause stands between the two, for whoever
//! wants to kill it there.)

use std::error::Error;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use steadfast::{Client, Place};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS bookings (customer TEXT NOT NULL, amount INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS total (amount INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS place (position INTEGER NOT NULL, rewinds INTEGER NOT NULL) STRICT;
    INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT * FROM total);
";

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "the pause is there to be killed in")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, database, pause @ ..] = arguments.as_slice() else {
        return Err("usage: consumer HOST:PORT DATABASE [PAUSE_MS]".into());
    };
    let pause = pause.first().map(|ms| ms.parse().map(Duration::from_millis)).transpose()?;

    let mut books = Connection::open(database)?;
    books.execute_batch(TABLES)?;
    let place = books.query_row("SELECT position, rewinds FROM place", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let place = match place.optional()? {
        Some((position, rewinds)) => Place { position: unsigned(position)?, rewinds: unsigned(rewinds)? },
        None => Place::START,
    };

    let client = Client::builder("books", server).open().await?;
    let orders = client.room("orders").enter().await?.stored().await?.room;
    println!("in the room");
    // Should the server have been restored from a copy, `next` says so, and this ends, at each start anew: what was
    // booked of a history that is gone is for a person to look at. Who can undo it by program matches
    // `InboxError::WentBack`, takes back what was booked behind its `to`, and calls `next` again, which goes on there.
    let mut feed = client.feed(place);
    loop {
        let message = feed.next().await?;
        let transaction = books.transaction()?;
        // A feed has all rooms of its account in it, and a number that somebody says elsewhere is no order.
        let text = message.text().filter(|_| orders == Some(message.room));
        if let Some(amount) = text.and_then(|text| text.parse().ok()) {
            book(&transaction, &message.author, amount)?;
            println!("booked {amount}, not committed");
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        let Place { position, rewinds } = message.place();
        transaction.execute("DELETE FROM place", [])?;
        transaction.execute("INSERT INTO place VALUES (?, ?)", [i64::try_from(position)?, i64::try_from(rewinds)?])?;
        transaction.commit()?;
    }
}

/// The effect of an order: a row, and a sum that would tell of a second time.
fn book(transaction: &Transaction<'_>, customer: &str, amount: i64) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO bookings VALUES (?, ?)", (customer, amount))?;
    transaction.execute("UPDATE total SET amount = amount + ?", [amount])?;
    Ok(())
}

fn unsigned(number: i64) -> Result<u64, std::num::TryFromIntError> {
    number.try_into()
}

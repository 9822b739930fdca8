//! A sensor far out: it measures, keeps for hours what it measured while there is no line, and sends it when there is
//! one: `cargo run -p steadfast --example sensor -- HOST:PORT NAME [FILE] [EVERY_MS] [WAITING_MAX]`. It reads FILE
//! (default: `/proc/loadavg`) for a measurement.
//!
//! A reading that it printed is on the disk, and no kill of anybody loses it or doubles it. What waits is bounded: with
//! WAITING_MAX readings in the outbox newer ones are left out, and the next that finds room says how many.

use std::error::Error;
use std::time::Duration;

use steadfast::Client;
use tokio::time::MissedTickBehavior;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "the pace of measuring: a sleep of the machine may stretch it")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, default: &str| arguments.get(at).cloned().unwrap_or_else(|| default.to_owned());
    let (server, name) = (argument(0, "127.0.0.1:7400"), argument(1, "sensor"));
    let file = argument(2, "/proc/loadavg");
    let every = Duration::from_millis(argument(3, "1000").parse()?);
    let waiting_max: u64 = argument(4, "50000").parse()?;

    let client = Client::builder(&name, &server).open().await?;
    let readings = client.room("readings");
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left_out = 0_u64;
    loop {
        pace.tick().await;
        let mut reading = measured(&file)?;
        if client.outbox().await?.operations >= waiting_max {
            if left_out == 0 {
                println!("full: newer readings are left out until some of those that wait are sent");
            }
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            reading += &format!(" ({left_out} before it were left out)");
        }
        match readings.send(&reading).await {
            Ok(_on_this_disk) => {
                println!("kept {reading}");
                left_out = 0;
            }
            // The disk is full, say: it may have room again.
            Err(error) if error.is_passing() => {
                eprintln!("left out: {error}");
                left_out += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn measured(file: &str) -> std::io::Result<String> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.split_whitespace().next().unwrap_or("nothing").to_owned())
}

//! The chat client of a blog post of 2012 on dropped sockets, with this library:
//! `cargo run -p steadfast --example post2012 -- HOST:PORT NAME`. What is written by hand there are settings here; the
//! names in the comments are those of that client.

use std::io::BufRead as _;
use std::time::Duration;

use steadfast::{Client, InboxError, KernelLiveness, Message, Schedule, State, Status};
use tokio::sync::mpsc;

type Failure = Box<dyn std::error::Error>;

/// Lines that may have been typed and not been looked at.
const TYPED_MAX: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, name] = arguments.as_slice() else { return Err("usage: post2012 HOST:PORT NAME".into()) };
    let client = Client::builder(name, server)
        // TCP_KeepAlive. His 24 hours were never the cure: 20 s, and then three probes 5 s apart.
        .kernel(KernelLiveness { idle: Duration::from_secs(20), ..KernelLiveness::default() })
        // Timer_KeepConnect, in both directions, never behind what is being sent. His own writes provoked the error in
        // the end; here silence alone tells, after 3 s while an answer is due and 15 s on an idle line.
        .active_bound(Duration::from_secs(3))
        .idle_bound(Duration::from_secs(15))
        // ReConnectServer: nMax = 6 tries of at most 2 s, and 1 s between; Timer_ReConnect: the next round.
        .schedule(Schedule::Rounds { tries: 6, pause: Duration::from_secs(1), round_pause: Duration::from_secs(5) })
        .connect_timeout(Duration::from_secs(2))
        // lAskForReConnect and lAutoLogon: switches, also while it runs.
        .reconnect(true)
        .auto_login(true)
        .open()
        .await?;
    let room = client.room("post2012");
    drop(room.enter().await?);
    // clsAskForNewMessages: what was missed comes by itself, in order, once, from where this device's store ends.
    let mut inbox = client.inbox("screen").await?;
    let mut status = client.status();
    show_info(&status.now());
    let mut typed = keyboard();
    loop {
        tokio::select! {
            // Sck_MainError, Sck_MainDisconnect and the label that tells of them.
            changed = status.changed() => show_info(&changed?),
            message = inbox.next() => match message {
                Ok(message) => {
                    show_message(&message);
                    inbox.commit(&message).await?;
                }
                // Restored from a copy, the server has fewer messages than were shown; new ones follow.
                Err(gone @ InboxError::WentBack { .. }) => println!("* {gone}"),
                Err(error) => return Err(error.into()),
            },
            line = typed.recv() => match line.as_deref() {
                None | Some("/quit") => break,
                Some(line) => obey(&client, line).await?,
            },
        }
    }
    // lGlobalTerminate: the server is told, and what is not sent yet stays in the outbox.
    client.close().await;
    Ok(())
}

/// What was typed: a switch, or a message.
async fn obey(client: &Client, line: &str) -> Result<(), Failure> {
    match line {
        "/reconnect on" => client.set_reconnect(true).await?,
        "/reconnect off" => client.set_reconnect(false).await?,
        "/autologon on" => client.set_auto_login(true).await?,
        "/autologon off" => client.set_auto_login(false).await?,
        "/logon" => client.log_in().await?,
        // sendMessage. It is on the disk when this returns: no line, and no full socket, makes it fail.
        text => {
            drop(client.room("post2012").send(text).await?);
            println!("kept: {text}");
        }
    }
    Ok(())
}

/// showInfo: a line for each thing that happens to the line.
fn show_info(status: &Status) {
    let why = status.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    let of = status.tries_max.map(|max| format!(" of {max}")).unwrap_or_default();
    match status.state {
        State::Online => {
            println!("the line is up; keepalive of the kernel: {}", status.kernel.as_deref().unwrap_or("-"));
        }
        State::Connecting => println!("calling the server, try {}{of}", status.try_number),
        State::Offline if status.asks_login => println!("the line is back: /logon to log in"),
        State::Offline => println!("no line ({why}): try {}{of} is next", status.try_number),
        State::Stopped => println!("no line ({why}), and nobody calls: /reconnect on"),
    }
}

fn show_message(message: &Message) {
    if let Some(text) = message.text() {
        println!("{}: {text}", message.author);
    }
}

fn keyboard() -> mpsc::Receiver<String> {
    let (typed, lines) = mpsc::channel(TYPED_MAX);
    // It ends with the input, or with the process.
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.is_empty());
        for line in lines {
            if typed.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

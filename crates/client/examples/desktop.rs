//! The shape of a program with a window: `cargo run -p steadfast --example desktop -- HOST:PORT NAME ROOM`. The window
//! here is the terminal: what is typed are the user's events, what is printed is what would be drawn.
//!
//! The window's loop owns its thread and waits for one thing only, the next event; it never waits for a network or a
//! disk. All that may wait is in one task beside it, and bounded queues lie between: orders there, events back. What it
//! has drawn last goes there, too: only what was drawn is committed, so that closing the window skips nothing.
//!
//! `/stop`, `/resume` and `/now` steer the line, `/quit` (or the end of the input) closes the window.

use std::io::BufRead as _;
use std::thread;

use steadfast::{Client, Delivery, Inbox, InboxError, Status};
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::{mpsc, watch};

/// Orders and events that may wait.
const WAITING_MAX: usize = 64;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the window reacts to.
enum Event {
    /// The user typed a line.
    Typed(String),
    /// The user closed the window.
    Closed,
    /// The line is another.
    Line(Status),
    /// Somebody said something.
    Arrived(Delivery),
    /// What was said before is no longer so.
    WentBack(String),
    /// What was said is safe on this disk; the server will have it.
    Kept(String),
    /// What was said is not: the text goes back to where it was typed.
    NotKept(String, String),
}

/// What the window wants done.
enum Order {
    Say(String),
    Stop,
    Resume,
    TryNow,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, name, room] = arguments.as_slice() else { return Err("usage: desktop HOST:PORT NAME ROOM".into()) };
    let (events, happened) = mpsc::channel(WAITING_MAX);
    let (orders, ordered) = mpsc::channel(WAITING_MAX);
    let (drawn, shown) = watch::channel(None);
    let typed = events.clone();
    // It ends with the input, or with the process.
    thread::spawn(move || read_keyboard(&typed));
    let runtime = tokio::runtime::Runtime::new()?;
    let work = runtime.spawn(work(server.clone(), name.clone(), room.clone(), ordered, shown, events));
    show(happened, &orders, &drawn);
    // The work ends when nobody can give an order any more.
    drop(orders);
    runtime.block_on(work)?
}

/// The window's loop. Returns when the window is closed.
fn show(mut happened: mpsc::Receiver<Event>, orders: &mpsc::Sender<Order>, drawn: &watch::Sender<Option<Delivery>>) {
    while let Some(event) = happened.blocking_recv() {
        let order = match event {
            Event::Typed(text) if text == "/stop" => Order::Stop,
            Event::Typed(text) if text == "/resume" => Order::Resume,
            Event::Typed(text) if text == "/now" => Order::TryNow,
            Event::Typed(text) if text == "/quit" => return,
            Event::Typed(text) => Order::Say(text),
            Event::Closed => return,
            Event::Line(status) => {
                println!("[{}]", title(&status));
                continue;
            }
            Event::Arrived(message) => {
                if let Some(text) = message.text() {
                    println!("{}: {text}", message.author);
                }
                // A level, as the status is: the last one stands for all before it, and never has to wait.
                drawn.send_replace(Some(message));
                continue;
            }
            Event::WentBack(what) => {
                println!("* {what}");
                continue;
            }
            Event::Kept(text) => {
                println!("kept: {text}");
                continue;
            }
            Event::NotKept(text, why) => {
                println!("not kept, {why}: {text}");
                continue;
            }
        };
        // Never waits: a window that stands still is worse than an order that has to be given again.
        match orders.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => println!("busy: try again"),
            // The work has ended by itself, and says why.
            Err(TrySendError::Closed(_)) => return,
        }
    }
}

/// What a title bar would say. The status is a level: the last one that was drawn is true.
fn title(status: &Status) -> String {
    let state = status.state.name();
    match (&status.cause, status.is_online()) {
        (_, true) | (None, false) => state.to_owned(),
        (Some(cause), false) => format!("{state}: {cause}; try {}", status.try_number),
    }
}

/// Everything that may wait. Each branch is cancel-safe: what was not taken comes again.
async fn work(
    server: String,
    name: String,
    room: String,
    mut ordered: mpsc::Receiver<Order>,
    mut shown: watch::Receiver<Option<Delivery>>,
    events: mpsc::Sender<Event>,
) -> Result<(), Failure> {
    let client = Client::builder(&name, &server).open().await?;
    let room = client.room(&room);
    drop(room.enter().await?);
    let mut status = client.status();
    let mut inbox = client.inbox("window").await?;
    loop {
        let event = tokio::select! {
            line = status.changed() => Event::Line(line?),
            message = inbox.next() => match message {
                Ok(message) => Event::Arrived(message),
                Err(gone @ InboxError::WentBack { .. }) => Event::WentBack(gone.to_string()),
                Err(error) => return Err(error.into()),
            },
            Ok(()) = shown.changed() => { commit(&inbox, &mut shown).await?; continue }
            order = ordered.recv() => match order {
                Some(Order::Say(text)) => match room.send(&text).await {
                    Ok(_on_this_disk) => Event::Kept(text),
                    Err(error) => Event::NotKept(text, error.to_string()),
                },
                Some(Order::Stop) => { client.stop().await?; continue }
                Some(Order::Resume) => { client.resume().await?; continue }
                Some(Order::TryNow) => { client.try_now().await?; continue }
                None => break,
            },
        };
        // The window may be gone, and what it ordered last is done all the same.
        if let Err(SendError(Event::NotKept(text, why))) = events.send(event).await {
            eprintln!("not kept, {why}: {text}");
        }
    }
    commit(&inbox, &mut shown).await?;
    client.close().await;
    Ok(())
}

/// Notes how far the window came.
async fn commit(inbox: &Inbox, shown: &mut watch::Receiver<Option<Delivery>>) -> Result<(), InboxError> {
    let last = shown.borrow_and_update().clone();
    match last {
        Some(message) => inbox.commit(&message).await,
        None => Ok(()),
    }
}

fn read_keyboard(typed: &mpsc::Sender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.is_empty()) {
        if typed.blocking_send(Event::Typed(line)).is_err() {
            return;
        }
    }
    // The window may be gone already.
    typed.blocking_send(Event::Closed).ok();
}

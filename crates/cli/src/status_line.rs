//! What happens to the line and to what was sent, in plain words on standard error.

use steadfast::{Client, Notices, Status};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Says what happens to the line until it is dropped. A line that simply comes up is not worth a word.
pub(crate) struct Teller(Vec<JoinHandle<()>>);

impl Teller {
    pub(crate) fn start(client: &Client) -> Self {
        Self(vec![tokio::spawn(tell_status(client.status())), tokio::spawn(tell_notices(client.notices()))])
    }

    /// The line only: for a command that reads the notices itself.
    pub(crate) fn of_the_line(client: &Client) -> Self {
        Self(vec![tokio::spawn(tell_status(client.status()))])
    }
}

async fn tell_status(mut status: watch::Receiver<Status>) {
    let mut was_down = false;
    let mut said = String::new();
    while status.changed().await.is_ok() {
        let now = status.borrow_and_update().clone();
        let words = words(&now, was_down);
        was_down |= now.cause.is_some();
        match words {
            Some(words) if words != said => {
                eprintln!("steadfast: {words}");
                said = words;
            }
            _ => {}
        }
    }
}

/// What concerns the person: refused, moved aside, gone on as a new device.
async fn tell_notices(mut notices: Notices) {
    while let Ok(new) = notices.next().await {
        for notice in new {
            eprintln!("steadfast: {}", notice.text);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

fn words(status: &Status, was_down: bool) -> Option<String> {
    let cause = status.cause_text.as_deref().unwrap_or("not connected");
    if status.is_online() {
        return match &status.held {
            Some(why) => Some(format!("online, but the server asks to wait: {}", why.replace('_', " "))),
            None => was_down.then(|| "online again".to_owned()),
        };
    }
    if status.is_stopped() {
        return Some(format!("stopped: {cause}"));
    }
    status.cause.as_ref()?;
    let of = status.tries_max.map(|max| format!(" of {max}")).unwrap_or_default();
    match status.next_try_at_ms {
        Some(at) => {
            let in_ms = at.saturating_sub(steadfast_net::clock::wall_ms());
            let seconds = in_ms / 1_000;
            let tenths = in_ms % 1_000 / 100;
            Some(format!("offline: {cause}; try {}{of} in {seconds}.{tenths} s", status.try_number))
        }
        None if status.cause.as_deref() == Some("holder_silent") => Some(cause.to_owned()),
        None if status.state == "offline" => Some(format!("offline: {cause}; no further try will be made")),
        None => None,
    }
}

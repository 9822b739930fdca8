//! What happens to the line and to what was sent, in plain words on standard error.

use std::io;

use steadfast::{Cause, CauseKind, Client, Notices, State, Status, StatusWatch};
use steadfast_net::terminal::{self, Keyboard};
use tokio::task::JoinHandle;

use crate::output;

/// Why storing is delayed, where nothing else is known.
pub(crate) const SLOW_DISK: &str = "the disk of this machine is slow";
const STORED: &str = "online, what had arrived is stored";
/// A store that takes longer than this is told: shorter ones would be a line each.
const STORING_TOLD_MS: u64 = 1_000;

/// Says what happens to the line until it is dropped. A line that simply comes up is not worth a word.
pub(crate) struct Teller(Vec<JoinHandle<()>>);

impl Teller {
    /// The line and the notices, for a command that hears the keyboard, too.
    pub(crate) fn start(client: &Client, name: &str) -> Self {
        let notices = tokio::spawn(tell_notices(client.notices()));
        Self(vec![tokio::spawn(tell_status(client.status(), name.to_owned(), true)), notices])
    }

    /// The line only: for a command that reads the notices itself.
    pub(crate) fn of_the_line(client: &Client, name: &str) -> Self {
        Self(vec![tokio::spawn(tell_status(client.status(), name.to_owned(), false))])
    }
}

/// Where a person sits at the keyboard: the Enter key answers each question whether to log in again. Never returns.
pub(crate) async fn answer_login_by_key(client: &Client) {
    match Keyboard::open() {
        Ok(Some(keyboard)) => {
            // The keyboard is gone; another process may still give the answers.
            if let Err(error) = answer_with(keyboard, client).await {
                tracing::debug!(%error, "the keyboard is not heard any more");
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the keyboard can't be heard"),
    }
    std::future::pending::<()>().await;
}

async fn answer_with(mut keyboard: Keyboard, client: &Client) -> io::Result<()> {
    let mut status = client.status();
    let mut answered = client.status();
    while status.until(|status| status.asks_login).await.is_ok() {
        // What was typed before was typed to something else.
        keyboard.discard();
        let typed = tokio::select! {
            typed = keyboard.line() => typed?,
            // Somebody else answered, or the server is away again.
            _ = answered.until(|status| !status.asks_login) => continue,
        };
        if !typed {
            return Ok(());
        }
        if status.now().asks_login && client.log_in().await.is_err() {
            break;
        }
        // The answer is on its way.
        if status.until(|status| !status.asks_login).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn tell_status(mut status: StatusWatch, name: String, hears_keys: bool) {
    let mut was_down = false;
    let mut was_delayed = false;
    let mut said = String::new();
    // Of this outage. A try that follows at once may leave nothing else of the loss to be seen.
    let mut cause_told = None;
    while let Ok(now) = status.changed().await {
        let of_the_line = match &now.cause {
            Some(cause) if now.is_connecting() && cause_told.is_none() => Some(format!("offline: {cause}; trying now")),
            _ => words(&now, was_down, &name, hears_keys),
        };
        let words = storing_words(&now, was_delayed).or_else(|| of_the_line.clone());
        was_down |= now.cause.is_some();
        was_delayed = is_delayed(&now) || was_delayed && now.storing_for_ms.is_some();
        cause_told = now.cause.filter(|_| of_the_line.is_some() || cause_told.is_some());
        match words {
            Some(words) if words != said => {
                output::tell(words.clone()).await;
                // What would be said of such a line was said before storing was delayed.
                said = if words == STORED { of_the_line.unwrap_or_default() } else { words };
            }
            _ => {}
        }
    }
}

/// What concerns the person: refused, moved aside, set back.
async fn tell_notices(mut notices: Notices) {
    while let Ok(new) = notices.next().await {
        output::tell_all(new.into_iter().map(|notice| notice.text).collect()).await;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// What waits for this machine's disk: that the line is up says nothing about that.
fn storing_words(status: &Status, was_delayed: bool) -> Option<String> {
    if !status.is_online() {
        return None;
    }
    if is_delayed(status) {
        return Some(format!("online, storing delayed: {}", status.storing_text.as_deref().unwrap_or(SLOW_DISK)));
    }
    (was_delayed && status.storing_for_ms.is_none()).then(|| STORED.to_owned())
}

fn is_delayed(status: &Status) -> bool {
    status.storing_for_ms.is_some_and(|ms| ms >= STORING_TOLD_MS)
}

/// Why nothing is tried any more.
pub(crate) fn why_given_up(status: &Status) -> String {
    let cause = status.cause.as_ref().map_or("not connected", Cause::text);
    if status.reconnect { cause.to_owned() } else { format!("{cause}; reconnecting is off") }
}

fn words(status: &Status, was_down: bool, name: &str, hears_keys: bool) -> Option<String> {
    let cause = status.cause.as_ref().map_or("not connected", Cause::text);
    if status.is_online() {
        return match &status.held {
            Some(why) => Some(format!("online, but the server asks to wait: {}", why.name().replace('_', " "))),
            None => was_down.then(|| "online again".to_owned()),
        };
    }
    if status.asks_login {
        let key = if hears_keys && terminal::is_heard() { "the Enter key, or " } else { "" };
        return Some(format!(
            "offline: the server is there again; log in? {key}`steadfast line --as {name} login` does"
        ));
    }
    if status.is_stopped() {
        if !status.has_given_up() {
            return Some(format!("stopped; `steadfast line --as {name} resume` brings the line back"));
        }
        return Some(format!("stopped: {}", why_given_up(status)));
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
        None if status.cause_kind() == Some(CauseKind::HolderSilent) => Some(cause.to_owned()),
        None if status.state == State::Offline => Some(format!("offline: {cause}; no further try will be made")),
        None => None,
    }
}

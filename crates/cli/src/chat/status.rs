//! The status line: what is so with the line, and why, in few words. It is made anew for every frame from the status
//! itself, which is a level: no word of it can be of yesterday.

use steadfast::{CauseKind, Status};

use super::text::{clipped, harmless, width};

/// How much a person should mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Waiting,
    Down,
}

/// What the line is, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    state: String,
    /// Why: `: REASON`, or nothing.
    because: String,
    /// What comes next: `, WORDS`, or nothing.
    next: String,
    pub(crate) mood: Mood,
    /// Keys that help, for where there is room.
    pub(crate) keys: &'static str,
}

impl Words {
    fn new(state: impl Into<String>, mood: Mood, keys: &'static str) -> Self {
        Self { state: state.into(), because: String::new(), next: String::new(), mood, keys }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        format!("{}{}{}", self.state, self.because, self.next)
    }

    /// In so many columns, with `more` behind it. Where that is too little the reason gives way first: what is so and
    /// what comes next must be seen.
    pub(crate) fn within(&self, columns: usize, more: &str) -> String {
        let others = width(&self.state) + width(&self.next) + width(more);
        let because = clipped(&self.because, columns.saturating_sub(others)).into_owned();
        clipped(&format!("{}{because}{}{more}", self.state, self.next), columns).into_owned()
    }
}

/// The words for this status at this time, Unix milliseconds.
pub(crate) fn words(status: &Status, now_ms: u64) -> Words {
    if status.is_online() {
        online(status)
    } else if status.asks_login {
        Words::new("offline: the server is there again, log in?", Mood::Down, "Enter yes · Ctrl-X stop")
    } else if status.is_stopped() {
        stopped(status)
    } else if status.is_connecting() {
        let words = Words::new("connecting", Mood::Waiting, "Ctrl-X stop");
        Words { because: because(status), next: format!(", try {}", tries(status)), ..words }
    } else {
        offline(status, now_ms)
    }
}

fn online(status: &Status) -> Words {
    let round_trip = match status.round_trip_ms {
        None => String::new(),
        Some(0) => " < 1 ms".to_owned(),
        Some(ms) => format!(" {ms} ms"),
    };
    if let Some(ms) = status.storing_for_ms {
        let because = status.storing_text.as_deref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
        let state = format!("online{round_trip}, storing delayed {}", seconds(ms));
        return Words { because, ..Words::new(state, Mood::Waiting, "") };
    }
    if let Some(catching_up) = status.catching_up {
        let state = format!("online{round_trip}, catching up {} of {}", catching_up.entries, catching_up.of);
        return Words::new(state, Mood::Waiting, "");
    }
    match &status.held {
        Some(why) => {
            let why = why.name().replace('_', " ");
            Words::new(format!("online{round_trip}, held by the server: {why}"), Mood::Waiting, "")
        }
        None => Words::new(format!("online{round_trip}"), Mood::Well, ""),
    }
}

fn stopped(status: &Status) -> Words {
    if status.cause.as_ref().is_some_and(|cause| cause.kind() == CauseKind::StoreFailed) {
        let hint = "Ctrl-Q, and start again when the disk is well";
        return Words { because: because(status), ..Words::new("stopped", Mood::Down, hint) };
    }
    if status.has_given_up() {
        return Words { because: because(status), ..Words::new("stopped", Mood::Down, "Ctrl-R try again") };
    }
    Words::new("stopped by you", Mood::Down, "Ctrl-O resume")
}

fn offline(status: &Status, now_ms: u64) -> Words {
    let because = because(status);
    match status.next_try_at_ms {
        Some(at_ms) => {
            // Rounded up, so that "next in 0 s" is never said.
            let left = at_ms.saturating_sub(now_ms).div_ceil(1_000).max(1);
            let next = format!(", try {}, next in {left} s", tries(status));
            Words { because, next, ..Words::new("offline", Mood::Down, "Ctrl-R now · Ctrl-X stop") }
        }
        None if status.cause.is_none() => Words::new("offline, connecting", Mood::Waiting, ""),
        None => Words { because, ..Words::new("offline", Mood::Down, "Ctrl-R try now") },
    }
}

fn because(status: &Status) -> String {
    status.cause.as_ref().map(|cause| format!(": {}", harmless(&cause.to_string()))).unwrap_or_default()
}

fn tries(status: &Status) -> String {
    match status.tries_max {
        Some(max) => format!("{} of {max}", status.try_number),
        None => status.try_number.to_string(),
    }
}

fn seconds(ms: u64) -> String {
    format!("{} s", ms / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFLINE: &str = r#"{"state":"offline","cause":null,"round_trip_ms":null,"bound_ms":null,"try_number":1,
        "tries_max":null,"next_try_at_ms":null,"held":null,"storing_for_ms":null,"storing_text":null,"process":1}"#;

    fn status(json: &str) -> Status {
        let mut all = serde_json::from_str::<serde_json::Value>(OFFLINE).expect("it is plain");
        let given: serde_json::Value = serde_json::from_str(json).expect("the test gives JSON");
        for (key, value) in given.as_object().expect("an object") {
            all[key] = value.clone();
        }
        serde_json::from_value(all).expect("a status")
    }

    fn said(json: &str) -> String {
        words(&status(json), 10_000).text()
    }

    #[test]
    fn a_line_that_is_up_says_its_round_trip_and_what_is_held_up() {
        assert_eq!(said(r#"{"state":"online","round_trip_ms":23}"#), "online 23 ms");
        assert_eq!(
            said(r#"{"state":"online","round_trip_ms":1,"storing_for_ms":4200}"#),
            "online 1 ms, storing delayed 4 s"
        );
        assert_eq!(
            said(r#"{"state":"online","round_trip_ms":1,"catching_up":{"entries":30,"of":400}}"#),
            "online 1 ms, catching up 30 of 400"
        );
        assert_eq!(
            said(r#"{"state":"online","round_trip_ms":1,"held":"disk_full"}"#),
            "online 1 ms, held by the server: disk full"
        );
    }

    #[test]
    fn a_line_that_is_down_says_why_and_what_comes_next() {
        let down = r#"{"state":"offline","cause":{"name":"refused","text":"no server listens there"},"try_number":2,
            "tries_max":6,"next_try_at_ms":12100}"#;
        assert_eq!(said(down), "offline: no server listens there, try 2 of 6, next in 3 s");
        assert_eq!(words(&status(down), 99_000).text(), "offline: no server listens there, try 2 of 6, next in 1 s");
        let trying = down.replace("offline", "connecting").replace("12100", "null");
        assert_eq!(said(&trying), "connecting: no server listens there, try 2 of 6");
        assert_eq!(said(r#"{"state":"connecting"}"#), "connecting, try 1");
    }

    #[test]
    fn where_there_is_little_room_the_reason_gives_way_before_what_comes_next() {
        let down = r#"{"state":"offline","cause":{"name":"refused","text":"no server listens there"},"try_number":2,
            "tries_max":6,"next_try_at_ms":12100}"#;
        let words = words(&status(down), 10_000);
        let more = " · 3 queued";
        assert_eq!(words.within(80, more), "offline: no server listens there, try 2 of 6, next in 3 s · 3 queued");
        assert_eq!(words.within(60, more), "offline: no server list…, try 2 of 6, next in 3 s · 3 queued");
        assert_eq!(words.within(43, more), "offline, try 2 of 6, next in 3 s · 3 queued");
        assert_eq!(words.within(20, more), "offline, try 2 of 6…");
    }

    #[test]
    fn a_line_that_nobody_tries_says_so() {
        assert_eq!(
            said(r#"{"state":"stopped","cause":{"name":"stopped_by_user","text":"stopped"}}"#),
            "stopped by you"
        );
        assert_eq!(
            said(r#"{"state":"stopped","cause":{"name":"taken_over","text":"another copy is connected"}}"#),
            "stopped: another copy is connected"
        );
        assert_eq!(said(r#"{"state":"offline","asks_login":true}"#), "offline: the server is there again, log in?");
        assert_eq!(
            said(r#"{"state":"offline","cause":{"name":"holder_silent","text":"process 4711 holds the profile"}}"#),
            "offline: process 4711 holds the profile"
        );
    }
}

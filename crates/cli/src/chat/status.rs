//! The status line: what is so with the line, and why, in few words. It is made anew for every frame from the status
//! itself, which is a level: no word of it can be of yesterday.

use steadfast::Status;

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
    pub(crate) text: String,
    pub(crate) mood: Mood,
    /// Keys that help, for where there is room.
    pub(crate) keys: &'static str,
}

/// The words for this status at this time, Unix milliseconds.
pub(crate) fn words(status: &Status, now_ms: u64) -> Words {
    let (text, mood, keys) = if status.is_online() {
        let (text, mood) = online(status);
        (text, mood, "")
    } else if status.asks_login {
        ("offline: the server is there again, log in?".to_owned(), Mood::Down, "Enter yes · Ctrl-X stop")
    } else if status.is_stopped() {
        stopped(status)
    } else if status.is_connecting() {
        (format!("connecting{}, try {}", because(status), tries(status)), Mood::Waiting, "Ctrl-X stop")
    } else {
        offline(status, now_ms)
    };
    Words { text, mood, keys }
}

fn online(status: &Status) -> (String, Mood) {
    let round_trip = status.round_trip_ms.map(|ms| format!(" {ms} ms")).unwrap_or_default();
    if let Some(ms) = status.storing_for_ms {
        let why = status.storing_text.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        return (format!("online{round_trip}, storing delayed {}{why}", seconds(ms)), Mood::Waiting);
    }
    match &status.held {
        Some(why) => {
            (format!("online{round_trip}, held by the server: {}", why.name().replace('_', " ")), Mood::Waiting)
        }
        None => (format!("online{round_trip}"), Mood::Well),
    }
}

fn stopped(status: &Status) -> (String, Mood, &'static str) {
    if status.has_given_up() {
        return (format!("stopped{}", because(status)), Mood::Down, "Ctrl-R try again");
    }
    ("stopped by you".to_owned(), Mood::Down, "Ctrl-O resume")
}

fn offline(status: &Status, now_ms: u64) -> (String, Mood, &'static str) {
    let because = because(status);
    match status.next_try_at_ms {
        Some(at_ms) => {
            // Rounded up, so that "next in 0 s" is never said.
            let left = at_ms.saturating_sub(now_ms).div_ceil(1_000).max(1);
            let text = format!("offline{because}, try {}, next in {left} s", tries(status));
            (text, Mood::Down, "Ctrl-R now · Ctrl-X stop")
        }
        None if status.cause.is_none() => ("offline, connecting".to_owned(), Mood::Waiting, ""),
        None => (format!("offline{because}"), Mood::Down, "Ctrl-R try now"),
    }
}

fn because(status: &Status) -> String {
    status.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default()
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
        words(&status(json), 10_000).text
    }

    #[test]
    fn a_line_that_is_up_says_its_round_trip_and_what_is_held_up() {
        assert_eq!(said(r#"{"state":"online","round_trip_ms":23}"#), "online 23 ms");
        assert_eq!(
            said(r#"{"state":"online","round_trip_ms":1,"storing_for_ms":4200}"#),
            "online 1 ms, storing delayed 4 s"
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
        assert_eq!(words(&status(down), 99_000).text, "offline: no server listens there, try 2 of 6, next in 1 s");
        let trying = down.replace("offline", "connecting").replace("12100", "null");
        assert_eq!(said(&trying), "connecting: no server listens there, try 2 of 6");
        assert_eq!(said(r#"{"state":"connecting"}"#), "connecting, try 1");
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

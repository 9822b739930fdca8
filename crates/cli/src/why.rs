//! `steadfast why`: what happened to the last drops, in plain words.

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;
use steadfast::{Cause, CauseKind, Flight, Loss};

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;

/// Links that a profile keeps.
const FLIGHTS_MAX: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// How many drops, the last ones
    #[arg(long, env = "STEADFAST_LIMIT", value_name = "N", default_value_t = 10)]
    limit: usize,
    /// One JSON object a drop
    #[arg(long, env = "STEADFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

pub(crate) async fn run(options: &Options) -> Result<(), Exit> {
    let observer = options.client.client()?.observe().await.map_err(Exit::failed)?;
    let flights = observer.flights(FLIGHTS_MAX).await;
    observer.close().await;
    let flights = flights.map_err(Exit::failed)?;
    let told: Vec<(&Flight, &Loss)> = flights
        .iter()
        .filter(|flight| flight.is_drop() || flight.is_unfinished())
        .filter_map(|flight| Some((flight, flight.loss.as_ref()?)))
        .collect();
    let last = &told[told.len().saturating_sub(options.limit)..];
    if options.json {
        let lines: Result<Vec<String>, _> = last.iter().map(|told| serde_json::to_string(&Told::of(*told))).collect();
        return output::print(&lines.map_err(Exit::failed)?);
    }
    if last.is_empty() {
        return output::print(&[no_drop(flights.last())]);
    }
    output::print(&last.iter().map(|told| sentence(*told)).collect::<Vec<_>>())
}

/// The same for one who asks while it runs; `None`: it was no drop.
pub(crate) fn told(flight: &Flight) -> Option<String> {
    let loss = flight.loss.as_ref().filter(|_| flight.is_drop() || flight.is_unfinished())?;
    Some(sentence((flight, loss)))
}

fn no_drop(last: Option<&Flight>) -> String {
    match last {
        Some(flight) => format!("no drop is on record; the last line came up {}", moment(flight.online_at_ms)),
        None => "no drop is on record: this profile has not been online yet".to_owned(),
    }
}

/// One drop in one sentence, which begins with the moment at which it was known.
fn sentence((flight, loss): (&Flight, &Loss)) -> String {
    if flight.is_unfinished() {
        return format!("{}  found: {}", moment(loss.at_ms), loss.cause);
    }
    let what = if loss.cause.kind() == CauseKind::Silent {
        let since = time_of_day(loss.last_byte_at_ms);
        format!("the line went silent {since}; noticed after {}{}", seconds(loss.silent_for_ms), asked(loss))
    } else {
        loss.cause.to_string()
    };
    format!("{}  {what}; {}", moment(loss.at_ms), back(loss))
}

fn asked(loss: &Loss) -> String {
    match loss.pings {
        0 => String::new(),
        1 => " (a ping had no answer)".to_owned(),
        pings => format!(" ({pings} pings had no answer)"),
    }
}

fn back(loss: &Loss) -> String {
    let why = loss.last_failure.as_ref().map(|cause| format!(", the last one: {cause}")).unwrap_or_default();
    let Some(back) = &loss.back else {
        return match loss.tries_failed {
            0 => "not back yet".to_owned(),
            1 => format!("not back yet; one try failed{}", why.replace(", the last one:", ":")),
            tries => format!("not back yet; {tries} tries failed{why}"),
        };
    };
    let lasted = seconds(back.lasted_ms);
    let (Some(caught_up), Some(sent)) = (back.caught_up, back.sent) else {
        return format!("another process of the profile was online {lasted} later");
    };
    let messages = if caught_up == 1 { "message" } else { "messages" };
    let so_far = if back.settled_after_ms.is_some() { "" } else { " so far" };
    let on_try = loss.tries_failed + 1;
    format!("back after {lasted} on try {on_try}; {caught_up} {messages} caught up, {sent} sent{so_far}")
}

/// As `2026-11-24 14:02:11Z`.
pub(crate) fn moment(at_ms: u64) -> String {
    format!("{} {}", output::rfc3339(at_ms).split('T').next().unwrap_or_default(), time_of_day(at_ms))
}

/// As `14:02:11Z`.
fn time_of_day(at_ms: u64) -> String {
    let text = output::rfc3339(at_ms);
    let time = text.split('T').nth(1).unwrap_or_default();
    format!("{}Z", time.split('.').next().unwrap_or_default())
}

pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// A drop for programs.
#[derive(Debug, Serialize)]
struct Told<'f> {
    opened_at: String,
    online_at: String,
    at: String,
    cause: &'f str,
    cause_text: &'f str,
    last_byte_at: String,
    silent_for_ms: u64,
    suspected_at: Option<String>,
    pings: u32,
    bound_ms: u64,
    tries_failed: u32,
    last_failure: Option<&'f str>,
    back_at: Option<String>,
    lasted_ms: Option<u64>,
    caught_up: Option<u64>,
    sent: Option<u64>,
    settled_after_ms: Option<u64>,
}

impl<'f> Told<'f> {
    fn of((flight, loss): (&'f Flight, &'f Loss)) -> Self {
        let back = loss.back.as_ref();
        Self {
            opened_at: output::rfc3339(flight.opened_at_ms),
            online_at: output::rfc3339(flight.online_at_ms),
            at: output::rfc3339(loss.at_ms),
            cause: loss.cause.name(),
            cause_text: loss.cause.text(),
            last_byte_at: output::rfc3339(loss.last_byte_at_ms),
            silent_for_ms: loss.silent_for_ms,
            suspected_at: loss.suspected_at_ms.map(output::rfc3339),
            pings: loss.pings,
            bound_ms: loss.bound_ms,
            tries_failed: loss.tries_failed,
            last_failure: loss.last_failure.as_ref().map(Cause::name),
            back_at: back.map(|back| output::rfc3339(back.at_ms)),
            lasted_ms: back.map(|back| back.lasted_ms),
            caught_up: back.and_then(|back| back.caught_up),
            sent: back.and_then(|back| back.sent),
            settled_after_ms: back.and_then(|back| back.settled_after_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(loss: &str) -> Flight {
        let json = format!(r#"{{"opened_at_ms":1767225600000,"online_at_ms":1767225600100,"loss":{loss}}}"#);
        serde_json::from_str(&json).expect("it is a flight")
    }

    fn said(cause: &str, text: &str, pings: u32, failed: u32, back: &str) -> String {
        let failure = if failed > 0 { r#"{"name":"refused","text":"no server listens"}"# } else { "null" };
        let flight = flight(&format!(
            r#"{{"at_ms":1767225671500,"cause":{{"name":"{cause}","text":"{text}"}},"last_byte_at_ms":1767225668600,
            "silent_for_ms":2900,"suspected_at_ms":null,"pings":{pings},"bound_ms":3000,"tries_failed":{failed},
            "last_failure":{failure},"back":{back}}}"#
        ));
        sentence((&flight, flight.loss.as_ref().expect("it is lost")))
    }

    const BACK: &str = r#"{"at_ms":1767225675600,"lasted_ms":4100,"caught_up":37,"sent":12,"settled_after_ms":20}"#;

    #[test]
    fn a_drop_is_told_in_one_sentence() {
        assert_eq!(
            said("silent", "nothing was received for 2.9 s", 2, 1, BACK),
            "2026-01-01 00:01:11Z  the line went silent 00:01:08Z; noticed after 2.9 s (2 pings had no answer); \
             back after 4.1 s on try 2; 37 messages caught up, 12 sent"
        );
        assert_eq!(
            said("reset", "the connection was reset", 0, 0, &BACK.replace("37", "1").replace("20", "null")),
            "2026-01-01 00:01:11Z  the connection was reset; back after 4.1 s on try 1; 1 message caught up, \
             12 sent so far"
        );
    }

    #[test]
    fn a_drop_that_is_not_over_says_what_was_tried() {
        let said = |failed| said("reset", "reset", 0, failed, "null").split_off("2026-01-01 00:01:11Z  reset; ".len());
        assert_eq!(said(0), "not back yet");
        assert_eq!(said(1), "not back yet; one try failed: no server listens");
        assert_eq!(said(9), "not back yet; 9 tries failed, the last one: no server listens");
    }
}

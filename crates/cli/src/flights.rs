//! `steadfast flights`: how the last links of a server ended, read from its data directory.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;
use steadfast_server::{EndedBy, Flight, Stream, Traffic};

use crate::exit::Exit;
use crate::output;
use crate::why::{moment, seconds};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the server keeps everything; it may be running
    #[arg(long, env = "STEADFAST_DATA", value_name = "DIR", default_value = "./steadfast-data")]
    data: PathBuf,
    /// How many links, the last ones
    #[arg(long, env = "STEADFAST_LIMIT", value_name = "N", default_value_t = 20)]
    limit: usize,
    /// One JSON object a link
    #[arg(long, env = "STEADFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Exit> {
    let failed = |error| Exit::failed(format!("{}: {error}", options.data.display()));
    if !options.data.is_dir() {
        return Err(Exit::failed(format!("{} is no data directory: name one with --data", options.data.display())));
    }
    let flights = steadfast_server::flights(&options.data).map_err(failed)?;
    let last = &flights[flights.len().saturating_sub(options.limit)..];
    if options.json {
        let lines: Result<Vec<String>, _> =
            last.iter().map(|flight| serde_json::to_string(&Told::of(flight))).collect();
        return output::print(&lines.map_err(Exit::failed)?);
    }
    if last.is_empty() {
        return output::print(&["no link has ended yet".to_owned()]);
    }
    output::print(&last.iter().map(sentence).collect::<Vec<_>>())
}

/// One link in one sentence, which begins with the moment at which it ended.
fn sentence(flight: &Flight) -> String {
    let who = flight.who.as_ref().map_or("a stranger".to_owned(), |who| format!("account {}", who.account));
    let away = flight.away_ms.map(|ms| format!(", back after {} away", seconds(ms))).unwrap_or_default();
    let went_on = flight.stream.as_ref().map(went_on).unwrap_or_default();
    let by = match flight.end.ended_by {
        EndedBy::Server => "the server let go",
        EndedBy::Client => "the client said goodbye",
        EndedBy::Line => "the line broke off",
    };
    let silent = flight.ended_at_ms.saturating_sub(flight.last_in_at_ms);
    let unanswered = match flight.traffic.pings_unanswered {
        0 => String::new(),
        1 => ", a ping had no answer".to_owned(),
        pings => format!(", {pings} pings had no answer"),
    };
    format!(
        "{}  {who} from {}{away}{went_on}: {by} after {}: {}; the last byte had come {} before{unanswered}",
        moment(flight.ended_at_ms),
        flight.peer,
        seconds(flight.ended_at_ms.saturating_sub(flight.opened_at_ms)),
        flight.end.words,
        seconds(silent),
    )
}

/// As `, went on after position 17, 38 entries sent`.
fn went_on(stream: &Stream) -> String {
    let after = stream.resumed_from.map(|position| format!(", went on after position {position}")).unwrap_or_default();
    let entries = if stream.entries_out == 1 { "entry" } else { "entries" };
    format!("{after}, {} {entries} sent", stream.entries_out)
}

/// One link for programs.
#[derive(Debug, Serialize)]
struct Told<'f> {
    peer: String,
    account: Option<&'f str>,
    device: Option<&'f str>,
    opened_at: String,
    admitted_at: Option<String>,
    away_ms: Option<u64>,
    resumed_from: Option<u64>,
    entries_out: Option<u64>,
    last_in_at: String,
    suspected_at: Option<String>,
    ended_at: String,
    ended_by: EndedBy,
    cause: &'f str,
    cause_text: &'f str,
    #[serde(flatten)]
    traffic: Traffic,
    kernel: &'f str,
}

impl<'f> Told<'f> {
    fn of(flight: &'f Flight) -> Self {
        Self {
            peer: flight.peer.to_string(),
            account: flight.who.as_ref().map(|who| who.account.as_str()),
            device: flight.who.as_ref().map(|who| who.device.as_str()),
            opened_at: output::rfc3339(flight.opened_at_ms),
            admitted_at: flight.admitted_at_ms.map(output::rfc3339),
            away_ms: flight.away_ms,
            resumed_from: flight.stream.and_then(|stream| stream.resumed_from),
            entries_out: flight.stream.map(|stream| stream.entries_out),
            last_in_at: output::rfc3339(flight.last_in_at_ms),
            suspected_at: flight.suspected_at_ms.map(output::rfc3339),
            ended_at: output::rfc3339(flight.ended_at_ms),
            ended_by: flight.end.ended_by,
            cause: &flight.end.cause,
            cause_text: &flight.end.words,
            traffic: flight.traffic,
            kernel: &flight.kernel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these fields besides, each with its comma.
    fn flight(stream: &str) -> Flight {
        let line = format!(
            r#"{{"peer":"192.0.2.7:50112","account":"a11","device":"d0","opened_at_ms":1767225600000,
            "admitted_at_ms":1767225600010,"away_ms":4100,{stream}"last_in_at_ms":1767225668600,
            "ended_at_ms":1767225671500,"ended_by":"server","cause":"silent","words":"no byte for 2.9 s","frames_in":1,
            "bytes_in":2,"frames_out":3,"bytes_out":4,"pings_out":5,"pings_unanswered":2,"kernel":"keepalive off"}}"#
        );
        serde_json::from_str(&line).expect("it is a flight")
    }

    #[test]
    fn a_link_is_told_in_one_sentence() {
        let told = |stream: &str, went_on: &str| {
            assert_eq!(
                sentence(&flight(stream)),
                format!(
                    "2026-01-01 00:01:11Z  account a11 from 192.0.2.7:50112, back after 4.1 s away{went_on}: the \
                     server let go after 71.5 s: no byte for 2.9 s; the last byte had come 2.9 s before, 2 pings had \
                     no answer"
                )
            );
        };
        told("", "");
        told(r#""resumed_from":17,"entries_out":38,"#, ", went on after position 17, 38 entries sent");
        told(r#""entries_out":1,"#, ", 1 entry sent");
    }

    #[test]
    fn a_link_is_told_to_programs_with_times_of_rfc_3339() {
        let told = serde_json::to_value(Told::of(&flight(r#""resumed_from":17,"entries_out":38,"#))).expect("plain");
        let expected = serde_json::json!({
            "peer": "192.0.2.7:50112", "account": "a11", "device": "d0", "opened_at": "2026-01-01T00:00:00.000Z",
            "admitted_at": "2026-01-01T00:00:00.010Z", "away_ms": 4_100, "resumed_from": 17, "entries_out": 38,
            "last_in_at": "2026-01-01T00:01:08.600Z", "suspected_at": null, "ended_at": "2026-01-01T00:01:11.500Z",
            "ended_by": "server", "cause": "silent", "cause_text": "no byte for 2.9 s", "frames_in": 1, "bytes_in": 2,
            "frames_out": 3, "bytes_out": 4, "pings_out": 5, "pings_unanswered": 2, "kernel": "keepalive off",
        });
        assert_eq!(told, expected);
    }
}

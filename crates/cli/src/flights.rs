//! `steadfast flights`: how the last links of a server ended, read from its data directory.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use steadfast_server::{EndedBy, Flight};

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
    /// One JSON object a link, as it is kept; times are Unix milliseconds
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
        let lines: Result<Vec<String>, _> = last.iter().map(serde_json::to_string).collect();
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
        "{}  {who} from {}{away}: {by} after {}: {}; the last byte had come {} before{unanswered}",
        moment(flight.ended_at_ms),
        flight.peer,
        seconds(flight.ended_at_ms.saturating_sub(flight.opened_at_ms)),
        flight.end.words,
        seconds(silent),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_in_one_sentence() {
        let flight: Flight = serde_json::from_str(
            r#"{"peer":"192.0.2.7:50112","account":"a11","device":"d0","opened_at_ms":1767225600000,
            "admitted_at_ms":1767225600010,"away_ms":4100,"last_in_at_ms":1767225668600,"ended_at_ms":1767225671500,
            "ended_by":"server","cause":"silent","words":"no byte for 2.9 s","frames_in":1,"bytes_in":2,"frames_out":3,
            "bytes_out":4,"pings_out":5,"pings_unanswered":2,"kernel":"keepalive off"}"#,
        )
        .expect("it is a flight");
        assert_eq!(
            sentence(&flight),
            "2026-01-01 00:01:11Z  account a11 from 192.0.2.7:50112, back after 4.1 s away: the server let go after \
             71.5 s: no byte for 2.9 s; the last byte had come 2.9 s before, 2 pings had no answer"
        );
    }
}

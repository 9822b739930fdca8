//! `steadfast status`: what the profile says of itself. Never connects.

use clap::Args;
use serde::Serialize;
use steadfast::{CauseKind, Flight, Held, Observer};

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;
use crate::status_line::SLOW_DISK;

/// Links whose drops are told.
const FLIGHTS_MAX: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// One JSON object
    #[arg(long, env = "STEADFAST_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    account: String,
    device: String,
    server: String,
    state: &'static str,
    cause: Option<String>,
    cause_text: Option<String>,
    #[serde(rename = "try")]
    try_number: Option<u32>,
    tries_max: Option<u32>,
    next_try_at: Option<String>,
    asks_login: bool,
    reconnect: bool,
    auto_login: bool,
    kernel: Option<String>,
    round_trip_ms: Option<u64>,
    bound_ms: Option<u64>,
    position: u64,
    outbox: u64,
    held: Option<&'static str>,
    storing_for_ms: Option<u64>,
    storing_text: Option<String>,
    process: Option<u32>,
    drops: Vec<ReportedDrop>,
}

#[derive(Debug, Serialize)]
struct ReportedDrop {
    at: String,
    cause: String,
    lasted_ms: Option<u64>,
    resumed: bool,
}

impl ReportedDrop {
    fn of(flight: &Flight) -> Option<Self> {
        let loss = flight.loss.as_ref()?;
        Some(Self {
            at: output::rfc3339(loss.at_ms),
            cause: loss.cause.name().to_owned(),
            lasted_ms: loss.back.as_ref().map(|back| back.lasted_ms),
            resumed: loss.back.is_some(),
        })
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let observer = options.client.client()?.observe().await.map_err(Exit::failed)?;
    let report = report(&options, &observer).await;
    observer.close().await;
    let report = report?;
    if options.json {
        let line = serde_json::to_string(&report).map_err(Exit::failed)?;
        return output::print(&[line]);
    }
    output::print(&lines(&report))
}

async fn report(options: &Options, observer: &Observer) -> Result<Report, Exit> {
    let standing = observer.standing().await.map_err(Exit::failed)?;
    let flights = observer.flights(FLIGHTS_MAX).await.map_err(Exit::failed)?;
    let (told, process) = (standing.status, standing.process);
    // A try is under way, or to come, while the line is down and wanted.
    let silent = told.cause_kind() == Some(CauseKind::HolderSilent);
    let tries = !told.is_online() && !told.is_stopped() && !told.asks_login && !silent && process.is_some();
    Ok(Report {
        account: standing.account,
        device: standing.device.to_string(),
        server: options.client.server().to_owned(),
        state: told.state.name(),
        cause: told.cause.as_ref().map(|cause| cause.name().to_owned()),
        cause_text: told.cause.as_ref().map(ToString::to_string),
        try_number: tries.then_some(told.try_number),
        tries_max: told.tries_max.filter(|_| tries),
        next_try_at: told.next_try_at_ms.filter(|_| tries).map(output::rfc3339),
        asks_login: told.asks_login,
        reconnect: told.reconnect,
        auto_login: told.auto_login,
        kernel: told.kernel,
        round_trip_ms: told.round_trip_ms,
        bound_ms: told.bound_ms,
        position: standing.position,
        outbox: standing.outbox.operations,
        held: told.held.map(Held::name),
        storing_for_ms: told.storing_for_ms,
        storing_text: told.storing_text,
        process,
        drops: flights.iter().filter(|flight| flight.is_drop()).filter_map(ReportedDrop::of).collect(),
    })
}

fn lines(report: &Report) -> Vec<String> {
    let cause = report.cause_text.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let driver = match report.process {
        Some(process) if report.cause.as_deref() == Some(CauseKind::HolderSilent.name()) => {
            format!("process {process} holds the profile and does not answer")
        }
        Some(process) => format!("process {process} drives the line"),
        None => "no process of this profile is running".to_owned(),
    };
    let mut lines = vec![
        format!("{} on {}: {}{cause}", report.account, report.server, report.state),
        format!(
            "{driver}; everything up to position {} is here; {} wait in the outbox",
            report.position, report.outbox
        ),
    ];
    lines.extend(what_comes_next(report));
    lines.extend(report.held.as_ref().map(|why| format!("the server asks to wait: {}", why.replace('_', " "))));
    lines.extend(report.storing_for_ms.map(|ms| {
        let why = report.storing_text.as_deref().unwrap_or(SLOW_DISK);
        format!("what arrived has waited {ms} ms to be stored: {why}")
    }));
    if let Some(bound) = report.bound_ms {
        let round_trip = report.round_trip_ms.map(|ms| format!("round trip {ms} ms; ")).unwrap_or_default();
        lines.push(format!("{round_trip}a silence of {bound} ms means that the line is dead"));
    }
    if !report.reconnect {
        lines.push("reconnecting is off: a lost line stays lost until `resume` or `reconnect on`".to_owned());
    }
    if !report.auto_login {
        lines.push("automatic login is off: after a drop the user is asked".to_owned());
    }
    lines.extend(report.kernel.as_ref().map(|kernel| format!("the kernel watches too: {kernel}")));
    lines.extend(report.drops.iter().map(|drop| {
        let lasted = drop.lasted_ms.map_or("not back yet".to_owned(), |ms| format!("back after {ms} ms"));
        format!("{} lost: {}; {lasted}", drop.at, drop.cause.replace('_', " "))
    }));
    lines
}

/// What is tried next, or what the user is asked.
fn what_comes_next(report: &Report) -> Option<String> {
    let name = &report.account;
    if report.asks_login {
        return Some(format!("the server was there again; log in? `steadfast line --as {name} login` does"));
    }
    if report.state == "stopped" {
        return Some(format!("nothing is tried; `steadfast line --as {name} resume` brings the line back"));
    }
    let of = report.tries_max.map(|max| format!(" of {max}")).unwrap_or_default();
    let when = report.next_try_at.as_ref().map_or("is under way".to_owned(), |at| format!("at {at}"));
    report.try_number.map(|number| format!("try {number}{of} {when}"))
}

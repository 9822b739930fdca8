//! `steadfast audit`: whether a server keeps its promises, on the network that is there.
//!
//! Clients of the public library, each on a line of its own that is cut again and again, say things in a room, and an
//! oracle compares what was accepted with what each of them has on its disk.

mod line;
mod member;
mod oracle;
mod report;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::options;
use crate::output;
use run::{Audit, End, Plan};

/// More would be work for the clock alone.
const CUT_EVERY_MIN: Duration = Duration::from_millis(100);

const HELP: &str = "\
What it does: N clients in this process, each with a profile of its own in a temporary directory
and a line of its own to the server, enter a new public room and send. A box within this process
cuts each line about every --cut-every, at a random byte: by a reset, by an end, by silence, by a
stall, one way or both; nobody else's line is touched. The messages are spread over the time of ten
cuts of each line. In the end everything that the server accepted has to be on the disk of each
client exactly once, in one order.

What it leaves behind at the server: one room `audit-…` with the messages, and the accounts NAME-1
to NAME-N with a device each; the next audit uses the same accounts again. There is no way to take
them back. At this machine nothing is left, unless something was found: then the profiles are kept
and named.

Exit codes: 0 every promise was kept; 1 a promise broke, or the audit could not be made; 2 nothing
went on for the time of --patience, and what is not settled is neither lost nor proved; 130 Ctrl-C,
with the verdict over what was accepted until then (a second one ends it at once).";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Where the server is
    #[arg(long, env = "STEADFAST_SERVER", value_name = "HOST:PORT", default_value = "127.0.0.1:7400")]
    server: String,
    /// What the accounts' names begin with
    #[arg(long = "as", env = "STEADFAST_AS", value_name = "NAME", default_value = "audit")]
    name: String,
    /// How many clients
    #[arg(long, env = "STEADFAST_CLIENTS", value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    clients: u32,
    /// How many messages each of them sends
    #[arg(long, env = "STEADFAST_MESSAGES", value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    messages: u64,
    /// How often each line is cut, about
    #[arg(long, env = "STEADFAST_CUT_EVERY", value_name = "D", default_value = "2s",
          value_parser = humantime::parse_duration)]
    cut_every: Duration,
    /// How long nothing may go on before the audit gives up
    #[arg(long, env = "STEADFAST_PATIENCE", value_name = "D", default_value = "60s",
          value_parser = humantime::parse_duration)]
    patience: Duration,
    /// Where to make the profiles' directory [default: where the system keeps what is temporary]
    #[arg(long, env = "STEADFAST_SCRATCH", value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// One JSON object; the words go to standard error
    #[arg(long, env = "STEADFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    if options.cut_every < CUT_EVERY_MIN {
        return Err(Exit::usage(format!("--cut-every can't be below {CUT_EVERY_MIN:?}")));
    }
    let plan = Plan {
        server: options::host_port(&options.server)?.to_owned(),
        base: options.name,
        clients: options.clients as usize,
        messages: options.messages,
        cut_every: options.cut_every,
        patience: options.patience,
        scratch: options.scratch,
    };
    let caught = signal(SignalKind::interrupt());
    let mut interrupt = caught.map_err(|error| Exit::failed(format!("signals can't be caught: {error}")))?;
    let set = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(Exit::interrupted()),
        set = Audit::set(plan) => set,
    };
    audit(set?, &mut interrupt, options.json).await
}

async fn audit(mut audit: Audit, interrupt: &mut Signal, json: bool) -> Result<(), Exit> {
    output::tell(format!("auditing in the room {}", audit.room())).await;
    let end = audit.run(interrupt).await?;
    let (verdict, report, kept) = audit.report().await?;
    let mut lines = report.lines();
    if let Some(directory) = kept {
        lines.insert(lines.len() - 1, format!("the profiles of the clients are kept in {}", directory.display()));
    }
    if json {
        output::tell_all(lines).await;
        output::print(&[serde_json::to_string(&report).map_err(Exit::failed)?])?;
    } else {
        output::print(&lines)?;
    }
    match end {
        End::Failed(why) => Err(Exit::failed(why)),
        _ if verdict.is_broken() || verdict.refused > 0 => Err(Exit::told()),
        End::Interrupted => Err(Exit::interrupted()),
        End::Stuck(patience) => Err(Exit::timed_out(format!("nothing went on for {patience:?}: gave up"))),
        End::Settled if verdict.is_all_well() => Ok(()),
        End::Settled => Err(Exit::failed("the audit ended, and not everything is settled")),
    }
}

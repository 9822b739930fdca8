//! How soon both sides notice that a line has died silently.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use steadfast::{Cause, CauseKind, Client};
use steadfast_net::clock::{BootClock, BootTimer, Instant};
use tokio::task::JoinSet;

use super::gate::Gate;
use super::scene::Scene;
use crate::exit::Exit;
use crate::output;

const ROOM: &str = "bench";
/// The clients whose lines are busy are cut within this time, one after another.
const BUSY_CUTS: Duration = Duration::from_secs(1);
/// A side that has not noticed after so many idle bounds is not going to.
const IDLE_BOUNDS_MAX: u32 = 3;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// How many clients, each with a line of its own
    #[arg(long, env = "STEADFAST_CLIENTS", value_name = "N", default_value_t = 40,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// The least silence that means death while an answer is due, on both sides
    #[arg(long, env = "STEADFAST_ACTIVE_BOUND", value_name = "D", default_value = "3s",
          value_parser = humantime::parse_duration)]
    active_bound: Duration,
    /// The silence that means death in any case
    #[arg(long, env = "STEADFAST_IDLE_BOUND", value_name = "D", default_value = "15s",
          value_parser = humantime::parse_duration)]
    idle_bound: Duration,
    /// Where to make the scratch directory
    #[arg(long, env = "STEADFAST_DATA", value_name = "DIR", default_value = ".")]
    data: PathBuf,
    /// One JSON object
    #[arg(long, env = "STEADFAST_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    clients: u32,
    active_bound_ms: u64,
    idle_bound_ms: u64,
    /// From the cut; something is asked of both sides right behind it.
    active_ms: Sides,
    /// From the cut, on idle lines.
    idle_ms: Sides,
}

#[derive(Debug, Serialize)]
struct Sides {
    client: Spread,
    server: Spread,
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Spread {
    p50: u64,
    p99: u64,
    max: u64,
}

/// A client behind a gate.
struct Watched {
    client: Client,
    gate: Gate,
}

/// How long after the cut each side noticed.
struct Noticed {
    client: Duration,
    server: Duration,
}

pub(super) async fn run(options: &Options) -> Result<(), Exit> {
    if options.idle_bound < options.active_bound {
        return Err(Exit::usage("--idle-bound can't be shorter than --active-bound"));
    }
    let scene = Scene::set(&options.data)?;
    let speaker = Arc::new(scene.client("speaker").await?);
    enter(&speaker).await?;
    let mut watched = Vec::new();
    for number in 0..options.clients {
        watched.push(Arc::new(Watched::start(&scene, number, options).await?));
    }
    let limit = IDLE_BOUNDS_MAX * options.idle_bound;
    let active = cut_all(&watched, BUSY_CUTS, Some(&speaker), limit).await?;
    // Spread over the bound, so that every moment between two signs of life has its cut.
    let idle = cut_all(&watched, options.idle_bound, None, limit).await?;
    let report = Report {
        clients: options.clients,
        active_bound_ms: whole_ms(options.active_bound),
        idle_bound_ms: whole_ms(options.idle_bound),
        active_ms: Sides::of(&active),
        idle_ms: Sides::of(&idle),
    };
    output::print(&if options.json {
        vec![serde_json::to_string(&report).map_err(Exit::failed)?]
    } else {
        report.lines()
    })
}

async fn enter(client: &Client) -> Result<(), Exit> {
    let entered = client.room(ROOM).enter().await.map_err(Exit::failed)?;
    entered.stored().await.map_err(Exit::failed)?;
    Ok(())
}

/// Cuts the lines one after another within `within`, and waits until both sides of each have noticed.
async fn cut_all(
    watched: &[Arc<Watched>],
    within: Duration,
    speaker: Option<&Arc<Client>>,
    limit: Duration,
) -> Result<Vec<Noticed>, Exit> {
    for one in watched {
        // Everything is there and acknowledged: whatever was asked is answered.
        one.client.sync().await.map_err(Exit::failed)?;
    }
    let (start, count) = (BootClock::now(), u32::try_from(watched.len()).unwrap_or(u32::MAX));
    let mut cuts = JoinSet::new();
    for (one, number) in watched.iter().zip(0..) {
        let at = start + within * number / count;
        let (one, speaker) = (Arc::clone(one), speaker.cloned());
        cuts.spawn(async move { one.cut(at, speaker.as_deref(), limit).await });
    }
    let mut noticed = Vec::new();
    while let Some(cut) = cuts.join_next().await {
        noticed.push(cut.map_err(Exit::failed)??);
    }
    Ok(noticed)
}

impl Watched {
    async fn start(scene: &Scene, number: u32, options: &Options) -> Result<Self, Exit> {
        let gate = Gate::open(scene.address().to_owned()).await.map_err(Exit::failed)?;
        let builder = scene.builder(&format!("client{number}"), &gate.address());
        let builder = builder.active_bound(options.active_bound).idle_bound(options.idle_bound);
        let client = builder.open().await.map_err(Exit::failed)?;
        enter(&client).await?;
        Ok(Self { client, gate })
    }

    /// Cuts the line at this moment; with a speaker something is asked of both sides right behind it.
    async fn cut(&self, at: Instant, speaker: Option<&Client>, limit: Duration) -> Result<Noticed, Exit> {
        let mut timer = BootTimer::new().map_err(Exit::failed)?;
        timer.set(Some(at));
        timer.expired().await.map_err(Exit::failed)?;
        let mut status = self.client.status();
        let before = status.now();
        if !before.is_online() {
            return Err(Exit::failed(format!("a line was lost before it was cut: {before:?}")));
        }
        let cut = self.gate.cut();
        if let Some(speaker) = speaker {
            // The client waits for an outcome, and the server for an acknowledgement.
            drop(self.client.room(ROOM).send("asked").await.map_err(Exit::failed)?);
            drop(speaker.room(ROOM).send("told").await.map_err(Exit::failed)?);
        }
        let unnoticed = |_| Exit::failed(format!("nobody noticed within {limit:?}"));
        let lost = async {
            let lost = status.until(|status| !status.is_online()).await;
            lost.map(|status| (BootClock::now(), status.cause)).map_err(Exit::failed)
        };
        let (client, cause) = timer.within(cut + limit, lost).await.map_err(unnoticed)??;
        if cause.as_ref().map(Cause::kind) != Some(CauseKind::Silent) {
            return Err(Exit::failed(format!("a line was lost for another reason than the cut: {cause:?}")));
        }
        let server = timer.within(cut + limit, self.gate.let_go()).await.map_err(unnoticed)?;
        let server = server.ok_or_else(|| Exit::failed("the gate closed"))?;
        Ok(Noticed { client: client.since(cut), server: server.since(cut) })
    }
}

impl Sides {
    fn of(noticed: &[Noticed]) -> Self {
        let spread = |side: fn(&Noticed) -> Duration| Spread::of(noticed.iter().map(side).collect());
        Self { client: spread(|noticed| noticed.client), server: spread(|noticed| noticed.server) }
    }
}

impl Spread {
    /// Of at least one.
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        // By the nearest rank: so many percent took no longer.
        let at = |percent: usize| whole_ms(all[(all.len() * percent).div_ceil(100) - 1]);
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

impl Report {
    fn lines(&self) -> Vec<String> {
        let side = |who: &str, spread: &Spread| {
            format!("  {who}: p50 {} ms, p99 {} ms, max {} ms", spread.p50, spread.p99, spread.max)
        };
        let sides = |sides: &Sides| [side("client", &sides.client), side("server", &sides.server)];
        let (clients, active, idle) = (self.clients, self.active_bound_ms, self.idle_bound_ms);
        let mut lines =
            vec![format!("{clients} lines cut silently while an answer is due (bound {active} ms), noticed by")];
        lines.extend(sides(&self.active_ms));
        lines.push(format!("{clients} idle lines cut silently (bound {idle} ms), noticed by"));
        lines.extend(sides(&self.idle_ms));
        lines
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! The course of an audit: the clients come in, speak while their lines are cut, are waited for, and are read.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steadfast::{Builder, CauseKind, Client, NotStored, Schedule, Status};
use steadfast_net::clock::{BootClock, BootTimer, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::line::{Cuts, Cutting, Line};
use super::member::{Closed, Member, Phase, Shared};
use super::oracle::{Evidence, Verdict, judge};
use super::report::Report;
use crate::exit::Exit;
use crate::output;
use crate::status_line::why_given_up;

/// How long the server has to take a first connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Lines are never stable for long here: pauses that grow as for others would be most of the time.
const TRIES: Schedule = Schedule::Exponential { base: Duration::from_millis(200), cap: Duration::from_secs(1) };
/// The messages are spread over the time in which each line is cut about so often.
const CUTS_OF_A_LINE: u32 = 10;
/// How often is looked whether something goes on.
const LOOK: Duration = Duration::from_millis(250);
/// How often is said how far it is.
const SAY: Duration = Duration::from_secs(1);
/// What an interrupt leaves for what was sent before it.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// What is audited, and how.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// `HOST:PORT`.
    pub(super) server: String,
    /// What the accounts' names begin with.
    pub(super) base: String,
    pub(super) clients: usize,
    pub(super) messages: u64,
    pub(super) cut_every: Duration,
    pub(super) patience: Duration,
    /// Where the profiles are made.
    pub(super) scratch: Option<PathBuf>,
}

/// How the audit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All was said and is settled.
    Settled,
    Interrupted,
    /// Nothing had gone on for the time that is waited.
    Stuck(Duration),
    /// Something else than the server failed, or the server sent somebody away for good.
    Failed(String),
}

/// An audit whose clients are in the room.
#[derive(Debug)]
pub(super) struct Audit {
    plan: Plan,
    directory: TempDir,
    names: Vec<String>,
    lines: Vec<Line>,
    members: Vec<Arc<Member>>,
    shared: Arc<Shared>,
    cuts: Arc<Cuts>,
    armed: watch::Sender<bool>,
    phase: watch::Sender<Phase>,
    /// By client: it was synced after everything had been said.
    synced: Vec<bool>,
    watch: Watch,
}

/// Whether anything goes on, and who wants it to end.
#[derive(Debug)]
struct Watch {
    timer: BootTimer,
    patience: Duration,
    last: (u64, Instant),
    said_at: Instant,
    interrupted: bool,
}

/// Whether the server is there: behind their lines the clients could not tell that it is not.
async fn reach(server: &str) -> Result<(), Exit> {
    let mut timer = BootTimer::new().map_err(Exit::failed)?;
    let connect = timer.within(BootClock::now() + CONNECT, TcpStream::connect(server)).await;
    match connect {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Exit::failed(format!("{server} can't be reached: {error}; start a server there first"))),
        Err(_) => Err(Exit::failed(format!("{server} did not answer in {} s", CONNECT.as_secs()))),
    }
}

impl Audit {
    /// Opens the clients and brings them into the room. Nothing is cut meanwhile.
    pub(super) async fn set(plan: Plan) -> Result<Self, Exit> {
        reach(&plan.server).await?;
        let mut maker = tempfile::Builder::new();
        maker.prefix("steadfast-audit-");
        let directory = plan.scratch.as_ref().map_or_else(|| maker.tempdir(), |scratch| maker.tempdir_in(scratch));
        let directory = directory.map_err(|error| Exit::failed(format!("no directory for the profiles: {error}")))?;
        let room = format!("audit-{:016x}", fastrand::u64(..));
        let within = plan.cut_every * CUTS_OF_A_LINE;
        let (armed, phase) = (watch::Sender::new(false), watch::Sender::new(Phase::Sending));
        let timer = BootTimer::new().map_err(Exit::failed)?;
        let (patience, now) = (plan.patience, BootClock::now());
        let mut audit = Self {
            directory,
            names: (1..=plan.clients).map(|number| format!("{}-{number}", plan.base)).collect(),
            lines: Vec::new(),
            members: Vec::new(),
            shared: Arc::new(Shared::new(room, plan.clients, plan.messages, within)),
            cuts: Arc::default(),
            armed,
            phase,
            synced: vec![false; plan.clients],
            watch: Watch { timer, patience, last: (0, now), said_at: now, interrupted: false },
            plan,
        };
        for index in 0..audit.plan.clients {
            audit.bring_in(index).await?;
        }
        Ok(audit)
    }

    async fn bring_in(&mut self, index: usize) -> Result<(), Exit> {
        let cutting =
            Cutting { every: self.plan.cut_every, armed: self.armed.subscribe(), cuts: Arc::clone(&self.cuts) };
        let line = Line::open(self.plan.server.clone(), cutting).await.map_err(Exit::failed)?;
        let builder = self.builder(index, &line.address()).schedule(TRIES).program("steadfast audit");
        self.lines.push(line);
        let client = builder.open().await.map_err(Exit::failed)?;
        let mut timer = BootTimer::new().map_err(Exit::failed)?;
        let until = BootClock::now() + self.plan.patience;
        let entered = timer.within(until, self.enter(&client)).await;
        entered.map_err(|_| {
            let why = client.status().now().cause.map_or_else(String::new, |cause| format!(": {cause}"));
            Exit::failed(format!("client {} did not get into the room in {:?}{why}", index + 1, self.plan.patience))
        })??;
        let room = client.find_room(&self.shared.room).await.map_err(Exit::failed)?;
        let room = room.ok_or_else(|| Exit::failed("the room is not there"))?.room;
        self.members.push(Arc::new(Member { index, client, room, shared: Arc::clone(&self.shared) }));
        Ok(())
    }

    fn builder(&self, index: usize, address: &str) -> Builder {
        Client::builder(&self.names[index], address).profile(self.directory.path().join(&self.names[index]))
    }

    /// Returns when the room is in the client's store.
    async fn enter(&self, client: &Client) -> Result<(), Exit> {
        let mut changes = client.changes();
        let entered = client.room(&self.shared.room).enter().await.map_err(Exit::failed)?;
        let mut status = client.status();
        tokio::select! {
            stored = entered.stored() => stored.map(drop).map_err(|error| match error {
                NotStored::Refused(_) => Exit::failed("the server refused to make a room"),
                error => Exit::failed(error),
            })?,
            gone = status.until(Status::has_given_up) => {
                return Err(Exit::failed(sent_away(&gone.map_err(Exit::failed)?)));
            }
        }
        loop {
            let room = client.find_room(&self.shared.room).await.map_err(Exit::failed)?;
            if room.is_some_and(|room| room.member) {
                return Ok(());
            }
            changes.changed().await.map_err(Exit::failed)?;
        }
    }

    pub(super) fn room(&self) -> &str {
        &self.shared.room
    }

    /// Speaks and waits until everything is settled, or it can't be.
    pub(super) async fn run(&mut self, interrupt: &mut Signal) -> Result<End, Exit> {
        let mut listeners = JoinSet::new();
        let mut speakers = JoinSet::new();
        for member in &self.members {
            listeners.spawn(Arc::clone(member).listen(self.phase.subscribe()));
            speakers.spawn(Arc::clone(member).speak(self.phase.subscribe()));
        }
        self.armed.send_replace(true);
        let mut end = self.wait_for(&mut speakers, interrupt).await?;
        self.armed.send_replace(false);
        if matches!(end, End::Settled | End::Interrupted) && !self.is_over() {
            let mut syncs = JoinSet::new();
            for member in &self.members {
                syncs.spawn(Arc::clone(member).sync());
            }
            let synced = self.wait_for_syncs(&mut syncs, interrupt).await?;
            end = if end == End::Settled || matches!(synced, End::Failed(_)) { synced } else { end };
            syncs.shutdown().await;
        }
        // Whoever still speaks finishes what it is at; whoever listens takes what there is.
        self.phase.send_replace(Phase::Over);
        for result in [join(&mut speakers).await, join(&mut listeners).await] {
            if let Err(words) = result {
                end = End::Failed(words);
            }
        }
        Ok(end)
    }

    fn is_over(&self) -> bool {
        *self.phase.borrow() == Phase::Over
    }

    /// Waits for the clients to have said everything and to know what became of it.
    async fn wait_for(&mut self, tasks: &mut JoinSet<Result<(), String>>, interrupt: &mut Signal) -> Result<End, Exit> {
        loop {
            tokio::select! {
                joined = tasks.join_next() => match joined {
                    Some(done) => {
                        if let Err(words) = done.map_err(Exit::failed)? {
                            return Ok(End::Failed(words));
                        }
                    }
                    None => return Ok(self.watch.end()),
                },
                end = self.watch.look(&self.members, &self.shared, &self.cuts) => if let Some(end) = end? {
                    return Ok(end);
                },
                _ = interrupt.recv() => self.hear_interrupt()?,
            }
            if self.shared.counts.sent.load(Ordering::Relaxed) == self.shared.messages_in_all() {
                self.armed.send_replace(false);
            }
        }
    }

    /// Waits for the clients to have stored all that the server has by now.
    async fn wait_for_syncs(
        &mut self,
        tasks: &mut JoinSet<Result<usize, String>>,
        interrupt: &mut Signal,
    ) -> Result<End, Exit> {
        loop {
            tokio::select! {
                joined = tasks.join_next() => match joined {
                    Some(done) => match done.map_err(Exit::failed)? {
                        Ok(index) => self.synced[index] = true,
                        Err(words) => return Ok(End::Failed(words)),
                    },
                    None => return Ok(self.watch.end()),
                },
                end = self.watch.look(&self.members, &self.shared, &self.cuts) => if let Some(end) = end? {
                    return Ok(end);
                },
                _ = interrupt.recv() => self.hear_interrupt()?,
            }
        }
    }

    /// The first one ends the sending; with the second one nobody wants to know any more.
    fn hear_interrupt(&mut self) -> Result<(), Exit> {
        if self.watch.interrupted {
            return Err(Exit::interrupted());
        }
        self.watch.interrupted = true;
        self.watch.patience = self.watch.patience.min(LAST_PATIENCE);
        self.armed.send_replace(false);
        self.phase.send_replace(Phase::Settling);
        Ok(())
    }

    /// Closes the clients and reads their profiles, as another program would. Gives the report, and the directory of
    /// the profiles where they are worth a look.
    pub(super) async fn report(self) -> Result<(Verdict, Report, Option<PathBuf>), Exit> {
        let mut closing = JoinSet::new();
        for member in self.members {
            let client = member.client.clone();
            drop(member);
            closing.spawn(client.close());
        }
        while let Some(closed) = closing.join_next().await {
            closed.map_err(Exit::failed)?;
        }
        for line in self.lines {
            line.close().await;
        }
        let mut evidence = Evidence { clients: Vec::new(), rewinds: self.shared.rewinds() };
        for (index, name) in self.names.iter().enumerate() {
            let directory = self.directory.path().join(name);
            let closed = Closed { index, name: name.clone(), directory, synced: self.synced[index] };
            let account = closed.account(&self.names, &self.shared).await;
            evidence.clients.push(account.map_err(Exit::failed)?);
        }
        let verdict = judge(&evidence);
        let kept = (!verdict.is_all_well()).then(|| self.directory.keep());
        let report = Report::new(&verdict, &self.shared.delays_ms(), self.plan.clients, &self.cuts);
        Ok((verdict, report, kept))
    }
}

impl Watch {
    fn end(&self) -> End {
        if self.interrupted { End::Interrupted } else { End::Settled }
    }

    /// Looks after a moment. Says how far it is, where a person looks on.
    async fn look(&mut self, members: &[Arc<Member>], shared: &Shared, cuts: &Cuts) -> Result<Option<End>, Exit> {
        if self.timer.deadline().is_none() {
            self.timer.set(Some(BootClock::now() + LOOK));
        }
        self.timer.expired().await.map_err(Exit::failed)?;
        self.timer.set(None);
        let statuses: Vec<Status> = members.iter().map(|member| member.client.status().now()).collect();
        if let Some(gone) = statuses.iter().find(|status| status.has_given_up()) {
            return Ok(Some(End::Failed(sent_away(gone))));
        }
        let counts = &shared.counts;
        let (stored, delivered) = (counts.stored.load(Ordering::Relaxed), counts.delivered.load(Ordering::Relaxed));
        let (done, now) = (stored + delivered, BootClock::now());
        if done != self.last.0 {
            self.last = (done, now);
        }
        if now.since(self.last.1) >= self.patience {
            let end = if self.interrupted { End::Interrupted } else { End::Stuck(self.patience) };
            return Ok(Some(end));
        }
        if now.since(self.said_at) >= SAY && std::io::stderr().is_terminal() {
            self.said_at = now;
            let online = statuses.iter().filter(|status| status.is_online()).count();
            let sent = counts.sent.load(Ordering::Relaxed);
            let (all, clients, cut) = (shared.messages_in_all(), shared.clients, cuts.all());
            let to_deliver = all * clients as u64;
            output::tell(format!(
                "{sent} of {all} sent, {stored} stored, {delivered} of {to_deliver} delivered, {cut} cuts; \
                 {online} of {clients} online"
            ))
            .await;
        }
        Ok(None)
    }
}

/// Waits for tasks that end by themselves; the first thing that went wrong.
async fn join(tasks: &mut JoinSet<Result<(), String>>) -> Result<(), String> {
    let mut all = Ok(());
    while let Some(done) = tasks.join_next().await {
        all = all.and(done.unwrap_or_else(|error| Err(error.to_string())));
    }
    all
}

/// Why a client was sent away, and what helps.
fn sent_away(status: &Status) -> String {
    let why = why_given_up(status);
    match status.cause_kind() {
        Some(CauseKind::SignupClosed) => {
            format!("{why}: an audit makes accounts, so it needs a server with `--signup open`")
        }
        Some(CauseKind::CredentialsRefused) => format!("{why}: take another name for the accounts with --as"),
        _ => why,
    }
}

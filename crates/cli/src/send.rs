//! `steadfast send`

mod input;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use steadfast::{
    Client, Draft, Notice, NoticeKind, OUTBOX_OPERATIONS_MAX, OperationId, Outcome, ProfileFault, SendError, Sent,
};
use steadfast_net::clock::{BootClock, BootTimer, Instant};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;
use crate::status_line::{Teller, why_given_up};
use input::{Input, Line};

/// Messages that wait for their outcome before more input is read: the outbox is the bound.
const WAITING_MAX: usize = OUTBOX_OPERATIONS_MAX as usize;
/// Outcomes looked up at a time.
const LOOK_UP: usize = 1_024;
/// Outcomes looked up first: in most turns nothing has happened.
const FIRST_LOOK: usize = 16;
/// How long a full outbox is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(200);
/// How long this machine's disk has for a batch in any case: one that is merely busy takes it, whatever the time.
const DISK_GRACE: Duration = Duration::from_secs(2);
/// When no more is waited for the server: how long the next lines may take to come.
const GRACE: Duration = Duration::from_millis(300);
/// The same for all lines together, so that an input that trickles for ever ends the command too.
const GRACE_TOTAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// The room; made if it is not there
    #[arg(long, env = "STEADFAST_ROOM", value_name = "ROOM")]
    room: String,
    /// What to send; without it: each line of standard input
    text: Vec<String>,
    /// How long to wait until all is stored
    #[arg(long, env = "STEADFAST_TIMEOUT", value_name = "D", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Return as soon as all is safe on this machine
    #[arg(long, env = "STEADFAST_QUEUE", value_parser = FalseyValueParser::new())]
    queue: bool,
    /// Running it again with the same key and input stores nothing twice
    #[arg(long, env = "STEADFAST_KEY", value_name = "KEY")]
    key: Option<String>,
    /// One JSON object for each stored message
    #[arg(long, env = "STEADFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

/// What one run keeps.
struct Sending<'o> {
    options: &'o Options,
    client: Client,
    input: Input,
    /// What was queued and has no outcome yet, in order.
    waiting: VecDeque<Sent>,
    /// A batch that the outbox had no room for.
    refused_batch: Option<Vec<Line>>,
    /// Messages that were queued.
    queued: usize,
    /// The number of the last line that was taken from the input.
    last_line: u64,
    /// Refused messages of this run, of which it said so.
    refused_told: BTreeSet<OperationId>,
    full_told: bool,
    /// Whoever read standard output has gone.
    muted: bool,
    failed: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let caught = signal(SignalKind::interrupt());
    let mut interrupt = caught.map_err(|error| Exit::failed(format!("signals can't be caught: {error}")))?;
    let client = options.client.client()?.open().await.map_err(Exit::failed)?;
    let teller = Teller::of_the_line(&client, options.client.name());
    let mut sending = Sending::new(&options, client);
    // Around all of it: neither a long look into the store nor a reader who does not read holds Ctrl-C up.
    let done = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(Exit::interrupted()),
        done = sending.run() => done,
    };
    drop(teller);
    let failed = sending.failed;
    tokio::select! {
        () = sending.client.close() => {}
        // Who presses it again does not want to wait for the goodbye; what was queued is on the disk.
        _ = interrupt.recv() => {}
    }
    done.and(if failed { Err(Exit::told()) } else { Ok(()) })
}

impl<'o> Sending<'o> {
    fn new(options: &'o Options, client: Client) -> Self {
        Self {
            options,
            client,
            input: Input::open(&options.text),
            waiting: VecDeque::new(),
            refused_batch: None,
            queued: 0,
            last_line: 0,
            refused_told: BTreeSet::new(),
            full_told: false,
            muted: false,
            failed: false,
        }
    }

    async fn run(&mut self) -> Result<(), Exit> {
        let mut timer = BootTimer::new().map_err(Exit::failed)?;
        timer.set(self.options.timeout.map(|timeout| BootClock::now() + timeout));
        let mut queueing = BootTimer::new().map_err(Exit::failed)?;
        let mut pause = BootTimer::new().map_err(Exit::failed)?;
        let mut changed = self.client.changes();
        let mut status = self.client.status();
        let mut notices = self.client.notices();
        loop {
            self.look_up().await?;
            if self.is_done() {
                return Ok(());
            }
            if status.now().has_given_up() && !self.options.queue {
                return self.give_up(&mut queueing).await;
            }
            let room = self.waiting.len() < WAITING_MAX && self.refused_batch.is_none();
            tokio::select! {
                batch = self.input.next(), if room && !self.input.is_over() => if let Some(batch) = batch {
                    self.queue_in_time(batch, timer.deadline(), &mut queueing).await?;
                },
                moved = changed.changed(), if !self.waiting.is_empty() => moved.map_err(|_| closed())?,
                moved = status.changed() => drop(moved.map_err(|_| closed())?),
                new = notices.next() => self.tell_notices(new.map_err(Exit::failed)?).await,
                _ = pause.expired() => {
                    pause.set(None);
                    if let Some(batch) = self.refused_batch.take() {
                        self.queue_in_time(batch, timer.deadline(), &mut queueing).await?;
                    }
                }
                _ = timer.expired() => return self.time_is_up(&mut queueing).await,
            }
            if self.refused_batch.is_some() && pause.deadline().is_none() {
                pause.set(Some(BootClock::now() + FULL_PAUSE));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.refused_batch.is_none() && self.input.is_over()
    }

    /// Queues, unless this machine's disk takes longer than there is time, and longer than it has in any case.
    async fn queue_in_time(
        &mut self,
        batch: Vec<Line>,
        time_is_up: Option<Instant>,
        timer: &mut BootTimer,
    ) -> Result<(), Exit> {
        let first = batch.first().map_or(0, Line::number);
        timer.set(time_is_up.map(|at| at.max(BootClock::now() + DISK_GRACE)));
        tokio::select! {
            biased;
            queued = self.queue(batch) => queued,
            _ = timer.expired() => Err(Exit::failed(format!(
                "time is up and the disk does not answer; whether anything was queued from line {first} on is not known"
            ))),
        }
    }

    async fn queue(&mut self, batch: Vec<Line>) -> Result<(), Exit> {
        let mut lines = Vec::with_capacity(batch.len());
        let mut not_sent = Vec::new();
        for line in batch {
            self.last_line = line.number();
            match line.checked() {
                Ok(line) => lines.push(line),
                Err(words) => not_sent.push(words),
            }
        }
        self.failed |= !not_sent.is_empty();
        output::tell_all(not_sent).await;
        let Some(first) = lines.first().map(Line::number) else { return Ok(()) };
        let drafts: Vec<Draft> = lines.iter().map(|line| line.draft(self.options.key.as_deref())).collect();
        match self.client.room(&self.options.room).send_all(drafts).await {
            Ok(queued) => self.queued(queued).await,
            Err(SendError::Full { .. }) if self.options.queue => {
                Err(Exit::failed(format!("the outbox is full; {}", self.not_queued_from(first))))
            }
            Err(SendError::Full { operations: rows, .. }) => {
                if !self.full_told {
                    self.full_told = true;
                    let words = format!("{rows} messages wait in the outbox, which is full: waiting for the server");
                    output::tell(words).await;
                }
                self.refused_batch = Some(lines);
                Ok(())
            }
            Err(SendError::Profile(error)) if error.fault() == ProfileFault::DiskFailed => {
                Err(Exit::failed(format!("{error}; whether anything was queued from line {first} on is not known")))
            }
            Err(SendError::Profile(error)) => Err(Exit::failed(format!("{error}; {}", self.not_queued_from(first)))),
            Err(error) => Err(Exit::failed(error)),
        }
    }

    async fn queued(&mut self, queued: Vec<Sent>) -> Result<(), Exit> {
        self.queued += queued.len();
        if !self.options.queue {
            self.waiting.extend(queued);
            return Ok(());
        }
        if !self.options.json {
            return Ok(());
        }
        let line = |sent: &Sent| format!(r#"{{"sequence":{}}}"#, sent.sequence());
        self.print(queued.iter().map(line).collect()).await
    }

    /// Prints what is settled, in order.
    async fn look_up(&mut self) -> Result<(), Exit> {
        let mut many = FIRST_LOOK;
        while !self.waiting.is_empty() {
            let outcomes = self.client.outcomes(self.waiting.iter().take(many)).await.map_err(Exit::failed)?;
            let mut lines = Vec::new();
            let mut refused = Vec::new();
            let settled: Vec<Outcome> = outcomes.into_iter().map_while(|outcome| outcome).collect();
            for outcome in &settled {
                self.waiting.pop_front();
                match outcome {
                    Ok(stored) if self.options.json => {
                        let (sequence, position) = (stored.sequence, stored.position);
                        lines.push(format!(r#"{{"sequence":{sequence},"position":{position}}}"#));
                    }
                    Ok(_) => {}
                    Err(no) => {
                        refused.push(format!("message {} was refused: {}", no.sequence, no.reason));
                        self.refused_told.insert(no.id);
                        self.failed = true;
                    }
                }
            }
            output::tell_all(refused).await;
            self.print(lines).await?;
            if settled.len() < many {
                break;
            }
            many = LOOK_UP;
        }
        Ok(())
    }

    /// What concerns the person, but for refused messages of this run: those are told by their sequence, in order.
    async fn tell_notices(&self, mut notices: Vec<Notice>) {
        notices.retain(|notice| match notice.kind {
            NoticeKind::Refused { operation } => {
                !self.refused_told.contains(&operation) && self.waiting.iter().all(|sent| sent.id() != operation)
            }
            _ => true,
        });
        output::tell_all(notices.into_iter().map(|notice| notice.text).collect()).await;
    }

    /// Prints results, as long as anybody reads them: that nobody does is no reason to leave messages unsent.
    async fn print(&mut self, lines: Vec<String>) -> Result<(), Exit> {
        if self.muted || lines.is_empty() {
            return Ok(());
        }
        match output::write_aside(lines).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.muted = true;
                Ok(())
            }
            written => written.map_err(|error| output::failed(&error)),
        }
    }

    async fn time_is_up(&mut self, queueing: &mut BootTimer) -> Result<(), Exit> {
        if let Some(line) = self.queue_what_is_there(queueing).await? {
            return Err(Exit::failed(format!("time is up; {}", self.not_queued_from(line))));
        }
        if self.is_done() {
            return Ok(());
        }
        Err(Exit::timed_out(format!("time is up; {}", self.what_is_safe())))
    }

    async fn give_up(&mut self, queueing: &mut BootTimer) -> Result<(), Exit> {
        let why = why_given_up(&self.client.status().now());
        let rest = match self.queue_what_is_there(queueing).await? {
            Some(line) => self.not_queued_from(line),
            None => self.what_is_safe(),
        };
        Err(Exit::failed(format!("{why}; {rest}")))
    }

    /// Queues what the input has by now, so that it is safe when this ends. Answers the number of the first line for
    /// which there was no room.
    async fn queue_what_is_there(&mut self, queueing: &mut BootTimer) -> Result<Option<u64>, Exit> {
        let mut patience = GRACE_TOTAL;
        let mut room = WAITING_MAX;
        loop {
            let batch = match self.refused_batch.take() {
                Some(batch) => batch,
                None => {
                    let asked = BootClock::now();
                    let Some(batch) = self.input.next_within(patience.min(GRACE)).await.map_err(Exit::failed)? else {
                        break;
                    };
                    patience = patience.saturating_sub(BootClock::now().since(asked));
                    batch
                }
            };
            let first = batch.first().map(Line::number);
            // An input without end, which the server takes as fast as it comes, never fills the outbox.
            if room < batch.len() {
                return Ok(first);
            }
            room -= batch.len();
            self.queue_in_time(batch, Some(BootClock::now()), queueing).await?;
            if let Some(refused) = &self.refused_batch {
                return Ok(refused.first().map(Line::number));
            }
        }
        self.look_up().await?;
        Ok(None)
    }

    /// What became of the messages, where not all of the input could be queued.
    fn not_queued_from(&self, line: u64) -> String {
        if self.queued == 0 {
            return "nothing was queued".to_owned();
        }
        format!("from line {line} on nothing was queued; what came before is safe in the outbox or on the server")
    }

    /// What became of the messages, where all that could be read was queued.
    fn what_is_safe(&self) -> String {
        let mut words = if self.options.queue {
            format!("{} safe in the outbox", count(self.queued))
        } else {
            format!("{} safe in the outbox and will go out with the next connection", count(self.waiting.len()))
        };
        if !self.input.is_over() {
            words += &match self.last_line {
                0 => "; no line of the input had come".to_owned(),
                last => format!("; the input was not over after line {last}"),
            };
        }
        words
    }
}

fn closed() -> Exit {
    Exit::failed("the client ended unexpectedly; what was queued is safe in the outbox")
}

fn count(messages: usize) -> String {
    match messages {
        1 => "1 message is".to_owned(),
        more => format!("{more} messages are"),
    }
}

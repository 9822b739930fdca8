//! `steadfast send`

mod input;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use steadfast::{AppendError, Client, Draft, Queued, Refusal, SendError, SettledOutcome};
use steadfast_net::clock::{BootClock, BootTimer};

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;
use crate::status_line::Teller;
use input::{Input, Line};

/// Messages that wait for their outcome before more input is read: memory stays flat whatever the input.
const WAITING_MAX: usize = 8_192;
/// Outcomes looked up at a time.
const LOOK_UP: usize = 1_024;
/// How long a full outbox is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(200);

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
    #[arg(long)]
    queue: bool,
    /// Running it again with the same key and input stores nothing twice
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// One JSON object for each stored message
    #[arg(long)]
    json: bool,
}

/// What one run keeps.
struct Sending<'o> {
    options: &'o Options,
    client: Client,
    input: Input,
    waiting: VecDeque<Queued>,
    /// A batch that the outbox had no room for.
    refused_batch: Option<Vec<Line>>,
    full_told: bool,
    failed: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let client = Client::open(options.client.client()?).map_err(Exit::failed)?;
    let teller = Teller::start(&client);
    let input = Input::open(&options.text);
    let mut sending = Sending {
        options: &options,
        client,
        input,
        waiting: VecDeque::new(),
        refused_batch: None,
        full_told: false,
        failed: false,
    };
    let done = sending.run().await;
    drop(teller);
    let failed = sending.failed;
    sending.client.close().await;
    done.and(if failed { Err(Exit::told()) } else { Ok(()) })
}

impl Sending<'_> {
    async fn run(&mut self) -> Result<(), Exit> {
        let mut timer = BootTimer::new().map_err(Exit::failed)?;
        timer.set(self.options.timeout.map(|timeout| BootClock::now() + timeout));
        let mut pause = BootTimer::new().map_err(Exit::failed)?;
        let mut changed = self.client.changes();
        let mut status = self.client.status();
        loop {
            changed.borrow_and_update();
            self.look_up().await?;
            if self.waiting.is_empty() && self.refused_batch.is_none() && self.input.is_over() {
                return Ok(());
            }
            if status.borrow_and_update().is_stopped() && !self.options.queue {
                return Err(self.give_up());
            }
            let room = self.waiting.len() < WAITING_MAX && self.refused_batch.is_none();
            tokio::select! {
                batch = self.input.next(), if room && !self.input.is_over() => if let Some(batch) = batch {
                    self.queue(batch).await?;
                },
                moved = changed.changed(), if !self.waiting.is_empty() => moved.map_err(|_| closed())?,
                _ = status.changed() => {}
                _ = pause.expired() => {
                    pause.set(None);
                    if let Some(batch) = self.refused_batch.take() {
                        self.queue(batch).await?;
                    }
                }
                _ = timer.expired() => return Err(self.timed_out()),
                _ = tokio::signal::ctrl_c() => return Err(Exit::interrupted()),
            }
            if self.refused_batch.is_some() && pause.deadline().is_none() {
                pause.set(Some(BootClock::now() + FULL_PAUSE));
            }
        }
    }

    async fn queue(&mut self, batch: Vec<Line>) -> Result<(), Exit> {
        let mut lines = Vec::with_capacity(batch.len());
        for line in batch {
            match line.checked() {
                Ok(line) => lines.push(line),
                Err(words) => {
                    eprintln!("steadfast: {words}");
                    self.failed = true;
                }
            }
        }
        let drafts: Vec<Draft> = lines.iter().map(|line| line.draft(self.options.key.as_deref())).collect();
        if drafts.is_empty() {
            return Ok(());
        }
        match self.client.send(&self.options.room, drafts).await {
            Ok(queued) => self.queued(queued),
            Err(SendError::Append(AppendError::Full { rows, .. })) => {
                if !self.full_told {
                    eprintln!("steadfast: {rows} messages wait in the outbox, which is full: waiting for the server");
                    self.full_told = true;
                }
                if self.options.queue {
                    return Err(Exit::failed("the outbox is full; what was queued before this is safe"));
                }
                self.refused_batch = Some(lines);
                Ok(())
            }
            Err(error) => Err(Exit::failed(error)),
        }
    }

    fn queued(&mut self, queued: Vec<Queued>) -> Result<(), Exit> {
        if !self.options.queue {
            self.waiting.extend(queued);
            return Ok(());
        }
        if !self.options.json {
            return Ok(());
        }
        let line = |queued: &Queued| format!(r#"{{"sequence":{}}}"#, queued.sequence);
        output::print(&queued.iter().map(line).collect::<Vec<_>>())
    }

    /// Prints what is settled, in order.
    async fn look_up(&mut self) -> Result<(), Exit> {
        while !self.waiting.is_empty() {
            let ids = self.waiting.iter().take(LOOK_UP).map(|queued| queued.id).collect();
            let outcomes = self.client.outcomes(ids).await.map_err(Exit::failed)?;
            let mut lines = Vec::new();
            let settled: Vec<SettledOutcome> = outcomes.into_iter().map_while(|outcome| outcome).collect();
            for outcome in &settled {
                self.waiting.pop_front();
                match outcome.refusal {
                    None if self.options.json => {
                        let (sequence, position) = (outcome.sequence, outcome.position);
                        lines.push(format!(r#"{{"sequence":{sequence},"position":{position}}}"#));
                    }
                    None => {}
                    Some(code) => {
                        eprintln!("steadfast: message {} was refused: {}", outcome.sequence, refusal_words(code));
                        self.failed = true;
                    }
                }
            }
            output::print(&lines)?;
            if settled.len() < LOOK_UP {
                break;
            }
        }
        Ok(())
    }

    fn timed_out(&self) -> Exit {
        let left = count(self.waiting.len());
        Exit::timed_out(format!("time is up; {left} safe in the outbox and will go out with the next connection"))
    }

    fn give_up(&self) -> Exit {
        let left = count(self.waiting.len());
        let why = self.client.status().borrow().cause_text.clone().unwrap_or_default();
        Exit::failed(format!("{why}; {left} safe in the outbox"))
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

fn refusal_words(code: i32) -> &'static str {
    match Refusal::try_from(code) {
        Ok(Refusal::NoSuchRoom) => "there is no such room",
        Ok(Refusal::NotAMember) => "you are not a member of the room",
        Ok(Refusal::NoSuchAccount) => "there is no such account",
        Ok(Refusal::NameInvalid) => "that is no name a room can have",
        Ok(Refusal::BodyTooLarge) => "it is too long",
        Ok(Refusal::NotAllowed) => "it is not allowed there",
        Ok(Refusal::IdTaken) => "its id is taken",
        Ok(Refusal::UnknownOperation) => "the server does not know this operation; it may be older",
        Ok(Refusal::Unspecified) | Err(_) => "the server gave a reason that this version does not know",
    }
}

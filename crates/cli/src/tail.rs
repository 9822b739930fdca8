//! `steadfast tail`

use std::time::Duration;

use clap::Args;
use steadfast::{Client, Closed, Message, NotStored, Room, RoomInfo};
use steadfast_net::clock::{BootClock, BootTimer};

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;
use crate::status_line::{Teller, answer_login_by_key, why_given_up};

/// Entries read, printed and marked as printed at a time.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// The room; made if it is not there
    #[arg(long, env = "STEADFAST_ROOM", value_name = "ROOM")]
    room: String,
    /// Go on printing what comes
    #[arg(long, short, env = "STEADFAST_FOLLOW", value_parser = clap::builder::FalseyValueParser::new())]
    follow: bool,
    /// Begin with the first message that may be read, whatever was printed before
    #[arg(long, env = "STEADFAST_FROM_START", value_parser = clap::builder::FalseyValueParser::new())]
    from_start: bool,
    /// How long to run
    #[arg(long, env = "STEADFAST_TIMEOUT", value_name = "D", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// One JSON object for each message
    #[arg(long, env = "STEADFAST_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let client = options.client.client()?.open().await.map_err(Exit::failed)?;
    let teller = Teller::start(&client, options.client.name());
    let mut timer = BootTimer::new().map_err(Exit::failed)?;
    timer.set(options.timeout.map(|timeout| BootClock::now() + timeout));
    let done = tokio::select! {
        done = tail(&options, &client) => done,
        stopped = stopped(&client) => Err(stopped),
        () = answer_login_by_key(&client) => Ok(()),
        _ = timer.expired() => Err(Exit::timed_out("time is up")),
        _ = tokio::signal::ctrl_c() => Err(Exit::interrupted()),
    };
    drop(teller);
    client.close().await;
    done
}

async fn tail(options: &Options, client: &Client) -> Result<(), Exit> {
    let room = enter(options, client).await?;
    if !options.follow {
        client.sync().await.map_err(Exit::failed)?;
    }
    let mut tail = Tail::start(options, client, room).await?;
    let mut changed = client.changes();
    loop {
        if tail.print_more().await? {
            continue;
        }
        if !options.follow {
            return Ok(());
        }
        changed.changed().await.map_err(Exit::failed)?;
    }
}

/// Becomes a member of the room, if this account is none.
async fn enter(options: &Options, client: &Client) -> Result<RoomInfo, Exit> {
    if let Some(room) = member_of(options, client).await? {
        return Ok(room);
    }
    let entered = client.room(&options.room).enter().await.map_err(Exit::failed)?;
    entered.stored().await.map_err(|error| match error {
        NotStored::Refused(_) => Exit::failed(format!("the server refused to let {:?} be entered", options.room)),
        error => Exit::failed(error),
    })?;
    // The outcome says that it is done; what the room is comes with the stream.
    let mut changed = client.changes();
    loop {
        if let Some(room) = member_of(options, client).await? {
            return Ok(room);
        }
        changed.changed().await.map_err(Exit::failed)?;
    }
}

async fn member_of(options: &Options, client: &Client) -> Result<Option<RoomInfo>, Exit> {
    let room = client.find_room(&options.room).await.map_err(Exit::failed)?;
    Ok(room.filter(|room| room.member))
}

/// Ends when no try will be made any more.
async fn stopped(client: &Client) -> Exit {
    let stopped = client.status().until(steadfast::Status::has_given_up).await;
    Exit::failed(stopped.map_or_else(|closed: Closed| closed.to_string(), |status| why_given_up(&status)))
}

struct Tail<'c> {
    options: &'c Options,
    room: Room,
    name: String,
    /// The room sequence to print next.
    next: u64,
    /// It was said that what was printed can't be noted.
    unmarked_told: bool,
}

impl<'c> Tail<'c> {
    async fn start(options: &'c Options, client: &'c Client, room: RoomInfo) -> Result<Self, Exit> {
        let RoomInfo { room, name, readable_from, .. } = room;
        let room = client.room_by_id(room);
        let printed = room.printed_up_to().await.map_err(Exit::failed)?;
        let first = readable_from.max(1);
        let next = match printed {
            Some(printed) if !options.from_start => (printed + 1).max(first),
            _ => first,
        };
        Ok(Self { options, room, name, next, unmarked_told: false })
    }

    /// Prints what can be printed; whether there may be more at once.
    async fn print_more(&mut self) -> Result<bool, Exit> {
        let messages = self.room.messages(self.next, PAGE).await.map_err(Exit::failed)?;
        let in_a_row = messages.iter().zip(self.next..).take_while(|(m, next)| m.room_sequence == *next).count();
        if in_a_row > 0 {
            self.print(&messages[..in_a_row]).await?;
            return Ok(true);
        }
        let Some(info) = self.room.info().await.map_err(Exit::failed)? else { return Ok(false) };
        if self.next > info.base {
            return Ok(self.skip_what_never_comes(&info, messages.first()).await);
        }
        let to = info.base.min(self.next + PAGE as u64 - 1);
        self.room.fetch(self.next, to).await.map_err(Exit::failed)?;
        let missing = self.room.missing(self.next, to).await.map_err(Exit::failed)?;
        if let Some((first, last)) = missing
            && first == self.next
        {
            let many = last + 1 - first;
            output::tell(format!("{many} entries of {} can't be read by this account", self.name)).await;
            self.next = last + 1;
        }
        Ok(true)
    }

    /// A membership that began anew left a hole that nothing fills.
    async fn skip_what_never_comes(&mut self, info: &RoomInfo, after: Option<&Message>) -> bool {
        match after {
            Some(after) if info.last.is_some_and(|last| self.next <= last) => {
                let last = after.room_sequence - 1;
                output::tell(format!("entries {} to {last} are missing", self.next)).await;
                self.next = after.room_sequence;
                true
            }
            Some(_) | None => false,
        }
    }

    async fn print(&mut self, messages: &[Message]) -> Result<(), Exit> {
        let line = |message| output::message_line(&self.name, message, self.options.json);
        let lines: Vec<String> = messages.iter().filter_map(line).collect();
        output::print_aside(lines).await?;
        let Some(last) = messages.last().map(|message| message.room_sequence) else { return Ok(()) };
        self.next = last + 1;
        match self.room.set_printed_up_to(last).await {
            // The next mark stands for this one, and at worst lines are printed again.
            Err(error) if error.is_passing() => {
                if !std::mem::replace(&mut self.unmarked_told, true) {
                    let words = format!("what was printed can't be noted, the next run may print it again: {error}");
                    output::tell(words).await;
                }
                Ok(())
            }
            marked => {
                self.unmarked_told = false;
                marked.map_err(Exit::failed)
            }
        }
    }
}

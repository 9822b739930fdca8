//! Following: another process of this profile drives the link. What it stores is read, what it should do is asked of
//! it through the profile, and its place is taken when it ends.

use std::ops::ControlFlow;

use steadfast_net::clock::{BootClock, Instant, wall_ms};
use steadfast_proto::ids::RoomId;
use steadfast_proto::session::{Begin, Request};
use steadfast_proto::time::Duration;
use steadfast_proto::wire::RequestError;
use steadfast_store::profile::{Answer, DriverLock, ProfileError, Want};

use crate::driving::{Asked, Command, Driving, Turn};
use crate::error::AskError;
use crate::people::{Answered, People};
use crate::status::Status;
use crate::wake;

/// How often the profile is looked at, and the lock tried.
const POLL: Duration = Duration::from_millis(50);
/// How often the process that drives is asked whether it is there, and how long it may take to say so.
const CALL: Duration = Duration::from_secs(1);

pub(crate) struct Following<'d> {
    driving: &'d mut Driving,
    /// Requests that were handed to the driver, by the number of the want.
    asked: Vec<(u64, Request, Asked)>,
    version: i64,
    call: Option<Call>,
    /// The switches of the process that drives, as they were seen last: reconnect, and log in by itself.
    switches: Option<(bool, bool)>,
}

/// A question to the process that drives: are you there?
struct Call {
    number: u64,
    at: Instant,
    answered: bool,
}

/// What one look at the profile found.
struct Look {
    lock: Option<DriverLock>,
    version: i64,
    status: Option<String>,
    answers: Vec<(u64, Answer)>,
    people: Option<String>,
    holder: Option<u32>,
}

impl<'d> Following<'d> {
    pub(crate) fn new(driving: &'d mut Driving) -> Self {
        Self { driving, asked: Vec::new(), version: 0, call: None, switches: None }
    }

    pub(crate) async fn run(mut self) -> Turn {
        loop {
            // What was open when this process last drove is asked of the one that does now.
            for (request, asked) in std::mem::take(&mut self.driving.open) {
                self.hand_over(Command::Ask(request, asked)).await;
            }
            match self.look().await {
                Ok(Some(lock)) => {
                    self.keep_unanswered();
                    return ControlFlow::Continue(Some(lock));
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the profile can't be read for now"),
            }
            self.driving.timer.set(Some(BootClock::now() + POLL));
            tokio::select! {
                command = self.driving.commands.recv() => match command {
                    None => return ControlFlow::Break(None),
                    Some(Command::Close(done)) => return ControlFlow::Break(Some(done)),
                    Some(command) => self.hand_over(command).await,
                },
                _ = self.driving.timer.expired() => {}
            }
        }
    }

    async fn look(&mut self) -> Result<Option<DriverLock>, ProfileError> {
        let directory = self.driving.directory.clone();
        // Nobody waits for the answers to these any more.
        let let_go = self.asked.extract_if(.., |(.., asked)| asked.is_closed()).map(|(number, ..)| number);
        let let_go: Vec<u64> = let_go.collect();
        let called = self.call.iter().map(|call| call.number);
        let asked: Vec<u64> = self.asked.iter().map(|&(number, ..)| number).chain(called).collect();
        let watches = !self.driving.watched.is_empty();
        let looked = self.driving.live.run_on_disk(move |profile| -> Result<Look, ProfileError> {
            let live = profile.live();
            if let Some(lock) = DriverLock::try_take(&directory)? {
                let status = live.status()?;
                return Ok(Look {
                    lock: Some(lock),
                    version: 0,
                    status,
                    answers: Vec::new(),
                    people: None,
                    holder: None,
                });
            }
            for number in let_go {
                live.forget(number)?;
            }
            let mut answers = Vec::new();
            for number in asked {
                match live.answered(number)? {
                    Answer::Waiting => {}
                    answer => answers.push((number, answer)),
                }
            }
            let holder = DriverLock::holder(&directory)?;
            let people = if watches { live.people()? } else { None };
            Ok(Look { lock: None, version: profile.version()?, status: live.status()?, answers, people, holder })
        });
        let look = match looked.await {
            Ok(look) => look?,
            Err(_) => return Ok(None),
        };
        let status = look.status.and_then(|json| serde_json::from_str::<Status>(&json).ok());
        if look.lock.is_some() {
            // Its last word may have come since the last look. What stands there before the first one is of old.
            if let Some(status) = status.filter(|_| self.switches.is_some()) {
                self.note_line(&status);
            }
            return Ok(look.lock);
        }
        self.call_holder().await?;
        for (number, answer) in look.answers {
            self.answer(number, answer).await;
        }
        let silent = self.call.as_ref().is_some_and(|call| !call.answered && BootClock::now() >= call.at + CALL);
        match status {
            _ if silent => drop(self.driving.show(Status::of_silent_holder(look.holder))),
            Some(status) => {
                self.note_line(&status);
                self.driving.show(status);
            }
            None => {}
        }
        let people = look.people.and_then(|json| People::of_json(&json).ok());
        // Who does not answer knows nothing, and keeps nobody else's word.
        self.driving.show_people(people.filter(|_| !silent).unwrap_or_default());
        if look.version != self.version {
            self.version = look.version;
            self.driving.note_change();
        }
        Ok(look.lock)
    }

    /// How the line is to begin and behave here, should this process take it over. A switch that the user changed
    /// meanwhile counts; as it stood before, it was another command's flag.
    fn note_line(&mut self, status: &Status) {
        if status.is_last_word() {
            return;
        }
        let (reconnect, auto_login) = (status.reconnect, status.auto_login);
        let (reconnect_before, auto_login_before) = *self.switches.get_or_insert((reconnect, auto_login));
        let options = &mut self.driving.options;
        if reconnect != reconnect_before {
            options.reconnect = reconnect;
        }
        if auto_login != auto_login_before {
            options.auto_login = auto_login;
        }
        self.switches = Some((reconnect, auto_login));
        self.driving.begin = if status.is_stopped() && !status.has_given_up() {
            Begin::Stopped
        } else if status.asks_login && !self.driving.options.auto_login {
            Begin::AskLogin
        } else {
            Begin::Connect
        };
    }

    /// Asks the process that drives whether it is there, once it has answered before or the time for that is over.
    async fn call_holder(&mut self) -> Result<(), ProfileError> {
        let now = BootClock::now();
        match &self.call {
            Some(call) if now < call.at + CALL => return Ok(()),
            // It was asked and has not answered: the question stands until it does.
            Some(call) if !call.answered => return Ok(()),
            Some(_) | None => {}
        }
        if !self.driving.watched.is_empty() {
            self.say_watched(&self.driving.watched).await;
        }
        let number = self.want(Want::Answer).await?;
        self.call = Some(Call { number, at: now, answered: false });
        Ok(())
    }

    async fn hand_over(&mut self, command: Command) {
        match command {
            Command::Appended => wake::call(&self.driving.directory),
            Command::Ask(request, asked) => {
                let want = match &request {
                    Request::Sync => Want::Sync,
                    &Request::History { room, from_sequence, to_sequence } => {
                        Want::History { room, from: from_sequence, to: to_sequence }
                    }
                    &Request::Members { room, after } => Want::Members { room, after },
                    Request::Rooms { after } => Want::Rooms { after: after.clone() },
                };
                match self.want(want).await {
                    Ok(number) => self.asked.push((number, request, asked)),
                    // The asker may have gone.
                    Err(error) => drop(asked.send(Err(AskError::of_profile(error)))),
                }
            }
            Command::TryNow => self.wish(Want::TryNow).await,
            Command::Stop => self.wish(Want::Stop).await,
            Command::Resume => self.wish(Want::Resume).await,
            Command::LogIn => self.wish(Want::LogIn).await,
            // Said to the driver of now, and kept for the time when this process drives.
            Command::Reconnect(on) => {
                self.driving.options.reconnect = on;
                self.wish(Want::Reconnect(on)).await;
            }
            Command::AutoLogin(on) => {
                self.driving.options.auto_login = on;
                self.wish(Want::AutoLogin(on)).await;
            }
            Command::Watch(rooms) => {
                self.driving.watched = rooms;
                self.say_watched(&self.driving.watched).await;
                wake::call(&self.driving.directory);
            }
            Command::TypeIn(room) => self.wish(Want::TypeIn(room)).await,
            // Handled by the loop.
            Command::Close(_) => {}
        }
    }

    /// Tells the process that drives which rooms this one looks at.
    async fn say_watched(&self, rooms: &[RoomId]) {
        let (process, rooms) = (self.driving.process, rooms.to_vec());
        let said = self.driving.live.run_on_disk(move |profile| profile.live().set_watched(process, &rooms, wall_ms()));
        if let Ok(Err(error)) = said.await {
            tracing::warn!(%error, "the process that drives can't be told what is looked at");
        }
    }

    async fn wish(&self, want: Want) {
        if let Err(error) = self.want(want).await {
            tracing::warn!(%error, "the process that drives can't be asked");
        }
    }

    async fn want(&self, want: Want) -> Result<u64, ProfileError> {
        let number = self.driving.live.run_on_disk(move |profile| profile.live().ask(&want, wall_ms())).await;
        wake::call(&self.driving.directory);
        number.unwrap_or(Ok(0))
    }

    async fn answer(&mut self, number: u64, answer: Answer) {
        if let Some(call) = self.call.as_mut().filter(|call| call.number == number) {
            match answer {
                Answer::Is(_) => call.answered = true,
                // It was lost among others: ask anew.
                Answer::Gone | Answer::Waiting => self.call = None,
            }
        }
        let Some(index) = self.asked.iter().position(|&(asked, ..)| asked == number) else { return };
        let (_, request, asked) = self.asked.swap_remove(index);
        match answer {
            // The asker may have gone.
            Answer::Is(text) => drop(asked.send(answer_of_text(&text))),
            Answer::Gone | Answer::Waiting => self.hand_over(Command::Ask(request, asked)).await,
        }
        self.driving.live.start_on_disk(move |profile| profile.live().forget(number)).await.ok();
    }

    /// What was handed over and not answered is asked by whoever drives next.
    fn keep_unanswered(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        self.driving.open.extend(asked.into_iter().map(|(_, request, asked)| (request, asked)));
    }
}

/// An answer as it came through the profile.
fn answer_of_text(text: &str) -> Result<Answered, AskError> {
    Answered::of_json(text).map_err(|_| {
        let error = text.parse().ok().and_then(|code: i32| RequestError::try_from(code).ok());
        AskError::of(error.unwrap_or(RequestError::Unspecified))
    })
}

//! What the task behind a client owns, whether it drives the link or follows another process that does.

use std::ops::ControlFlow;

use steadfast_net::clock::BootTimer;
use steadfast_proto::ids::RoomId;
use steadfast_proto::session::{Begin, Request};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::AskError;
use crate::keeper::Keeper;
use crate::options::Options;
use crate::others::Lock;
use crate::people::{Answered, People};
use crate::status::Status;

/// What a client asks of its task.
#[derive(Debug)]
pub(crate) enum Command {
    /// The outbox grew.
    Appended,
    /// Something of the server.
    Ask(Request, Asked),
    TryNow,
    Stop,
    Resume,
    LogIn,
    Reconnect(bool),
    AutoLogin(bool),
    /// The rooms whose people the program looks at.
    Watch(Vec<RoomId>),
    TypeIn(RoomId),
    Close(oneshot::Sender<()>),
}

/// Where the answer to a request goes.
pub(crate) type Asked = oneshot::Sender<Result<Answered, AskError>>;

/// What the task owns, whether it drives or follows.
#[derive(Debug)]
pub(crate) struct Driving {
    /// Of a profile on a disk.
    #[cfg(feature = "durable")]
    pub(crate) directory: std::path::PathBuf,
    pub(crate) options: Options,
    pub(crate) process: u64,
    /// Writes what must be synced.
    pub(crate) keeper: Keeper,
    /// Reads, and writes what is never synced: it must not stand behind a disk that stalls.
    pub(crate) live: Keeper,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) changed: watch::Sender<u64>,
    pub(crate) people: watch::Sender<People>,
    /// The rooms whose people this program looks at, whoever drives.
    pub(crate) watched: Vec<RoomId>,
    /// How the user left the line, as the process that drives it said last: whoever takes it over goes on from there.
    pub(crate) begin: Begin,
    /// For the pauses between roles and within following. Made once: whoever has no descriptor left still waits.
    pub(crate) timer: BootTimer,
    /// What was asked and not answered when a role ended: the next one goes on with it.
    pub(crate) open: Vec<(Request, Asked)>,
}

/// What a wait for one's turn to drive ended with: the turn, with the lock where there is one; or the client is closed.
pub(crate) type Turn = ControlFlow<Option<oneshot::Sender<()>>, Option<Lock>>;

impl Driving {
    /// Something was stored, or may have been.
    pub(crate) fn note_change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Shows what is known of the people in the rooms that this program looks at, if it is something new.
    pub(crate) fn show_people(&self, people: People) {
        let people = people.limited_to(&self.watched);
        self.people.send_if_modified(|shown| {
            let differs = *shown != people;
            *shown = people;
            differs
        });
    }

    /// Shows the status, if it says something new.
    pub(crate) fn show(&self, status: Status) -> bool {
        let mut told = false;
        self.status.send_if_modified(|shown| {
            told = !shown.says_the_same(&status);
            let differs = *shown != status;
            *shown = status;
            differs
        });
        told
    }
}

/// However the task ends, a status that is shown on is true: there is no line.
impl Drop for Driving {
    fn drop(&mut self) {
        let shown = self.status.borrow().clone();
        if !shown.is_stopped() && !shown.is_last_word() {
            self.show(shown.ended(std::thread::panicking()));
        }
    }
}

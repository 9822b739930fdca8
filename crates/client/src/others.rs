//! The other processes of a profile on a disk, for the one that drives: it is called by them, reads what they want,
//! answers, and shows them how the line and the people are.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_proto::ids::RoomId;
use steadfast_proto::time::{Duration, Instant};
use steadfast_store::profile::{DriverLock, Live, ProfileError, Want};
use tokio::sync::oneshot;

use crate::driving::Driving;
use crate::error::{Failed, OpenError};
use crate::keeper::Keeper;
use crate::wake::Ear;

/// How often wishes of other processes are looked for where no datagram can reach us.
const DEAF_POLL: Duration = Duration::from_millis(50);
/// Orders are of their moment: what was asked so long ago is passed over.
const STALE_MS: u64 = 60_000;
/// What another process looks at counts for so long after it last said so.
const WATCHED_MS: u64 = 5_000;

/// The right to drive.
pub(crate) type Lock = DriverLock;

/// See the module's documentation.
pub(crate) struct Others {
    live: Keeper,
    ear: Option<Ear>,
    /// Held until this value goes; after `ear`, whose socket is the next holder's once the lock is free.
    _lock: DriverLock,
    looking: Option<oneshot::Receiver<Result<Wanted, ProfileError>>>,
    /// Somebody called while the wishes were being read.
    look_again: bool,
    looked_at: Instant,
    /// What they are to see next.
    status: Untold,
    people: Untold,
    deaf_timer: BootTimer,
}

/// What other processes want, and the rooms whose people they look at.
pub(crate) struct Wanted {
    pub(crate) wants: Vec<(u64, Want)>,
    pub(crate) watched: Vec<RoomId>,
}

/// What came from other processes.
pub(crate) enum Heard {
    /// One of them has stored or wants something.
    Called,
    /// That is what they want.
    Wanted(Result<Wanted, ProfileError>),
}

/// Behind a disk that is wedged the newest thing waits, not each of them.
#[derive(Clone, Default)]
struct Untold(Arc<Mutex<Option<String>>>);

impl Others {
    pub(crate) async fn start(driving: &Driving, lock: DriverLock) -> Result<Self, OpenError> {
        let ear = Ear::listen(&driving.directory);
        let ear = ear.inspect_err(|error| tracing::debug!(%error, "no wake socket: polling")).ok();
        let released = driving.live.run_on_disk(|profile| {
            // What the process before this one knew of people was of its line.
            profile.live().forget_people()?;
            profile.live().release_wants()
        });
        released.await.map_err(Failed::from)?.map_err(Failed::from)?;
        Ok(Self {
            live: driving.live.clone(),
            ear,
            _lock: lock,
            looking: None,
            look_again: false,
            looked_at: BootClock::now(),
            status: Untold::default(),
            people: Untold::default(),
            deaf_timer: BootTimer::new().map_err(|error| OpenError::System(error.to_string()))?,
        })
    }

    /// Waits for a call, or for what they want. Cancel-safe.
    pub(crate) async fn heard(&mut self) -> Heard {
        if self.ear.is_none() && self.deaf_timer.deadline().is_none() {
            self.deaf_timer.set(Some(BootClock::now() + DEAF_POLL));
        }
        let ear = &self.ear;
        tokio::select! {
            wanted = crate::hold::received(&mut self.looking) => {
                if std::mem::take(&mut self.look_again) {
                    self.look();
                }
                Heard::Wanted(wanted)
            }
            _ = async { match ear { Some(ear) => ear.heard().await, None => pending().await } } => Heard::Called,
            _ = self.deaf_timer.expired(), if ear.is_none() => {
                self.deaf_timer.set(None);
                Heard::Called
            }
        }
    }

    /// Reads what they want, now or once that is done. Never waits: the disk may be slow, and the line is alive.
    pub(crate) fn look(&mut self) {
        if self.looking.is_some() {
            self.look_again = true;
            return;
        }
        self.looked_at = BootClock::now();
        let (since, watched_since) = (wall_ms().saturating_sub(STALE_MS), wall_ms().saturating_sub(WATCHED_MS));
        self.looking = Some(self.live.start_on_disk(move |profile| {
            let live = profile.live();
            Ok(Wanted { wants: live.take_wants(since)?, watched: live.watched(watched_since)? })
        }));
    }

    /// Whether what they look at may count no more: who was killed says nothing, not even that it looks at nobody.
    pub(crate) fn may_have_gone(&self) -> bool {
        BootClock::now() > self.looked_at + Duration::from_millis(WATCHED_MS)
    }

    pub(crate) fn answer(&self, want: u64, text: String) {
        drop(self.live.start_on_disk(move |profile| {
            if let Err(error) = profile.live().answer(want, &text) {
                tracing::warn!(%error, "another process can't be answered");
            }
        }));
    }

    pub(crate) fn tell_status(&self, json: String) {
        self.status.tell(&self.live, json, Live::set_status);
    }

    pub(crate) fn tell_people(&self, json: String) {
        self.people.tell(&self.live, json, Live::set_people);
    }
}

impl Untold {
    fn tell(&self, live: &Keeper, json: String, set: fn(&Live, &str) -> Result<(), ProfileError>) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(json).is_some() {
            return;
        }
        let untold = self.clone();
        // What others can't read now is read by them with the next one.
        let taken = live.leave(move |profile| {
            let told = untold.take().zip(profile.on_disk()).map(|(json, profile)| set(profile.live(), &json));
            if let Some(Err(error)) = told {
                tracing::debug!(%error, "this can't be shown to other processes");
            }
        });
        if !taken {
            self.take();
        }
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

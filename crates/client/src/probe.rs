//! Whether the process that holds a profile is alive: a stopped one holds the lock like any other.

use std::path::Path;

use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_proto::time::Duration;
use steadfast_store::profile::{Answer, Profile, ProfileError, Want};

use crate::error::{Failed, OrderError};
use crate::keeper::Keeper;
use crate::wake;

/// How long an answer is waited for. A process that drives looks at what is asked when it is called.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Asks the process that holds a profile, for a program that does not use the profile otherwise; a client does this by
/// itself.
pub(crate) struct Probe<'p> {
    directory: &'p Path,
    profile: &'p Keeper,
    timer: BootTimer,
}

impl<'p> Probe<'p> {
    pub(crate) fn new(directory: &'p Path, profile: &'p Keeper) -> std::io::Result<Self> {
        Ok(Self { directory, profile, timer: BootTimer::new()? })
    }

    /// Whether the holder is there; waits up to a second for it to say so.
    ///
    /// Can be dropped at any point: nothing is half done then. The question stays in the profile until a holder has
    /// answered it and later ones take its place, and an answer reaches nobody else, as no number is given twice.
    pub(crate) async fn holder_answers(mut self) -> Result<bool, OrderError> {
        self.answers().await
    }

    /// Gives an order to the holder, and waits up to a second for it to have carried it out; whether it has. If it has
    /// not, the order is taken back.
    pub(crate) async fn order(mut self, order: Want) -> Result<bool, OrderError> {
        let number = self.run(move |profile| profile.live().ask(&order, wall_ms())).await?;
        // Wants are served in their order: whoever has answered this one has done what was asked before it.
        let done = self.answers().await;
        if done != Ok(true) {
            // Whoever is told that nothing was done does not expect it to be done later.
            self.run(move |profile| profile.live().forget(number)).await?;
        }
        done
    }

    async fn answers(&mut self) -> Result<bool, OrderError> {
        let until = BootClock::now() + PATIENCE;
        let mut number = self.ask().await?;
        let answers = loop {
            match self.run(move |profile| profile.live().answered(number)).await? {
                Answer::Is(_) => break true,
                Answer::Gone => number = self.ask().await?,
                Answer::Waiting => {}
            }
            let now = BootClock::now();
            if now >= until {
                break false;
            }
            self.timer.set(Some(now + LOOK));
            self.timer.expired().await.map_err(|error| OrderError::System(error.to_string()))?;
        };
        self.run(move |profile| profile.live().forget(number)).await?;
        Ok(answers)
    }

    async fn ask(&self) -> Result<u64, OrderError> {
        let number = self.run(|profile| profile.live().ask(&Want::Answer, wall_ms())).await?;
        wake::call(self.directory);
        Ok(number)
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Profile) -> Result<T, ProfileError> + Send + 'static,
    ) -> Result<T, OrderError> {
        Ok(self.profile.run_on_disk(job).await.map_err(Failed::from)?.map_err(Failed::from)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use steadfast_proto::ids::{AccountId, DeviceId};
    use steadfast_store::profile::Fresh;

    use super::*;

    /// A directory of its own, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Self {
            Self(std::env::temp_dir().join(format!("steadfast-probe-{test}-{}", std::process::id())))
        }

        fn open(&self) -> Profile {
            let fresh = Fresh { device_id: DeviceId([1; 16]), secret: [2; 32], account: AccountId(3) };
            Profile::open(&self.0, "ann", Some(&fresh)).expect("a profile")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            // What stays behind is the system's to clear.
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    #[tokio::test]
    async fn a_holder_that_says_so_is_there_and_the_question_is_gone() {
        let directory = Directory::new("there");
        let (asking, holding) = (directory.open(), directory.open());
        let (keeper, thread) = Keeper::start(Box::new(asking), "test").expect("a thread");
        let answer = async {
            let wants = loop {
                let wants = holding.live().take_wants(0).expect("wants");
                if !wants.is_empty() {
                    break wants;
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(wants.iter().map(|(_, want)| want).collect::<Vec<_>>(), [&Want::Answer]);
            holding.live().answer(wants[0].0, "").expect("answered");
            wants[0].0
        };
        let probe = Probe::new(&directory.0, &keeper).expect("a timer");
        let (answers, number) = tokio::join!(probe.holder_answers(), answer);
        assert_eq!(answers, Ok(true));
        assert_eq!(holding.live().answered(number), Ok(Answer::Gone));
        keeper.stop();
        thread.join().expect("the thread ends");
    }

    #[tokio::test]
    async fn one_that_says_nothing_is_not() {
        let directory = Directory::new("silent");
        let (asking, holding) = (directory.open(), directory.open());
        let (keeper, thread) = Keeper::start(Box::new(asking), "test").expect("a thread");
        let probe = Probe::new(&directory.0, &keeper).expect("a timer");
        assert_eq!(probe.holder_answers().await, Ok(false));
        keeper.stop();
        thread.join().expect("the thread ends");
        assert_eq!(holding.live().take_wants(0), Ok(vec![]));
    }
}

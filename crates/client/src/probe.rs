//! Whether the process that holds a profile is alive: a stopped one holds the lock like any other.

use std::path::Path;

use steadfast_net::clock::{BootClock, BootTimer, wall_ms};
use steadfast_proto::time::Duration;
use steadfast_store::profile::{Answer, Profile, ProfileError, Want};

use crate::wake;

/// How long an answer is waited for. A process that drives looks at what is asked when it is called.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Asks the process that holds the profile in `directory` whether it is there, and waits up to a second for it to say
/// so. For a program that does not use the profile otherwise; a [`Client`](crate::Client) does this by itself.
///
/// Can be dropped at any point: nothing is half done then. The question stays in the profile until a holder has
/// answered it and later ones take its place, and an answer reaches nobody else, as no number is given twice.
///
/// # Errors
/// The profile can't be read or written, or the process is out of descriptors.
pub async fn holder_answers(directory: &Path, profile: &Profile) -> Result<bool, ProfileError> {
    let no_timer = |error: std::io::Error| ProfileError::Io { path: directory.to_owned(), kind: error.kind() };
    let mut timer = BootTimer::new().map_err(no_timer)?;
    let live = profile.live();
    let until = BootClock::now() + PATIENCE;
    let mut number = ask(directory, profile)?;
    let answers = loop {
        match live.answered(number)? {
            Answer::Is(_) => break true,
            Answer::Gone => number = ask(directory, profile)?,
            Answer::Waiting => {}
        }
        let now = BootClock::now();
        if now >= until {
            break false;
        }
        timer.set(Some(now + LOOK));
        timer.expired().await.map_err(no_timer)?;
    };
    live.forget(number)?;
    Ok(answers)
}

/// Gives an order to the process that holds the profile in `directory`, and waits up to a second for it to have carried
/// it out; whether it has. If it has not, the order is taken back.
///
/// # Errors
/// As of [`holder_answers`].
pub async fn order_holder(directory: &Path, profile: &Profile, order: Want) -> Result<bool, ProfileError> {
    let number = profile.live().ask(order, wall_ms())?;
    // Wants are served in their order: whoever has answered this one has done what was asked before it.
    let done = holder_answers(directory, profile).await;
    if done != Ok(true) {
        // Whoever is told that nothing was done does not expect it to be done later.
        profile.live().forget(number)?;
    }
    done
}

fn ask(directory: &Path, profile: &Profile) -> Result<u64, ProfileError> {
    let number = profile.live().ask(Want::Answer, wall_ms())?;
    wake::call(directory);
    Ok(number)
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
        let answer = async {
            let wants = holding.live().take_wants(0).expect("wants");
            assert_eq!(wants.iter().map(|&(_, want)| want).collect::<Vec<_>>(), [Want::Answer]);
            holding.live().answer(wants[0].0, "").expect("answered");
            wants[0].0
        };
        // The first is polled first: it has asked when the second looks.
        let (answers, number) = tokio::join!(biased; holder_answers(&directory.0, &asking), answer);
        assert_eq!(answers, Ok(true));
        assert_eq!(asking.live().answered(number), Ok(Answer::Gone));
    }

    #[tokio::test]
    async fn one_that_says_nothing_is_not() {
        let directory = Directory::new("silent");
        let (asking, holding) = (directory.open(), directory.open());
        assert_eq!(holder_answers(&directory.0, &asking).await, Ok(false));
        assert_eq!(holding.live().take_wants(0), Ok(vec![]));
    }
}

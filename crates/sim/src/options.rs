//! The command line.

/// How it is used.
pub(crate) const USAGE: &str =
    "usage: steadfast-sim --seeds N [--seed S] [--jobs J] [--without-kept] [--first-failure] [--watch]

  --seeds N         runs N seeds: S, S + 1, …
  --seed S          the first one; default 1
  --jobs J          processes that share them; default: as many as there are cores
  --without-kept    leaves out the seeds that once failed
  --first-failure   ends at the first seed that fails, and does not make it short
  --watch           shows all that is seen of the first seed's world";

/// See [`USAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) seeds: u64,
    pub(crate) seed: u64,
    pub(crate) jobs: u64,
    pub(crate) kept: bool,
    pub(crate) first_failure: bool,
    pub(crate) watch: bool,
    /// Which share of the seeds this process runs, if a parent started it.
    pub(crate) share: u64,
    pub(crate) is_child: bool,
}

impl Options {
    /// `None`: help is wanted.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let jobs = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let mut options =
            Self { seeds: 0, seed: 1, jobs, kept: true, first_failure: false, watch: false, share: 0, is_child: false };
        while let Some(flag) = arguments.next() {
            let mut number = || {
                let value = arguments.next().ok_or_else(|| format!("{flag} needs a number"))?;
                value.parse::<u64>().map_err(|_| format!("{flag} {value} is no number"))
            };
            match flag.as_str() {
                "--seeds" => options.seeds = number()?,
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1),
                "--share" => (options.share, options.is_child) = (number()?, true),
                "--without-kept" => options.kept = false,
                "--first-failure" => options.first_failure = true,
                "--watch" => options.watch = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("`{flag}` is not known here")),
            }
        }
        if options.seeds == 0 { Err("say how many with --seeds".to_owned()) } else { Ok(Some(options)) }
    }

    /// What a child is started with.
    pub(crate) fn for_child(&self, share: u64) -> Vec<String> {
        let numbers = [("--seeds", self.seeds), ("--seed", self.seed), ("--jobs", self.jobs), ("--share", share)];
        let mut arguments: Vec<String> =
            numbers.iter().flat_map(|(flag, number)| [(*flag).to_owned(), number.to_string()]).collect();
        let switches = [("--without-kept", !self.kept), ("--first-failure", self.first_failure)];
        arguments.extend(switches.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Options>, String> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_child_gets_what_its_parent_was_given_and_its_share() {
        let parent = parse("--seeds 9 --seed 4 --jobs 3 --first-failure").expect("known").expect("no help");
        let child = Options::parse(parent.for_child(2).into_iter()).expect("known").expect("no help");
        assert_eq!(child, Options { share: 2, is_child: true, ..parent });
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert_eq!(parse("--seeds"), Err("--seeds needs a number".to_owned()));
        assert_eq!(parse("--seeds x"), Err("--seeds x is no number".to_owned()));
        assert_eq!(parse("--sed 1"), Err("`--sed` is not known here".to_owned()));
        assert_eq!(parse("--seed 1"), Err("say how many with --seeds".to_owned()));
        assert_eq!(parse("--help"), Ok(None));
    }
}

//! What takes arguments of its own, and is more than a check.

use std::process::ExitCode;

use crate::process::{Failure, Workspace};
use crate::sim::First;
use crate::{chaos, mutants, sim};

/// One tool.
pub(crate) struct Tool {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) arguments: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    run: fn(&Workspace, &Flags) -> Result<(), Trouble>,
}

/// All of them.
pub(crate) const TOOLS: [Tool; 3] = [
    Tool {
        name: "sim",
        arguments: "--seeds N [--seed S] [--random]",
        about: "runs the simulated world; its seeds come from the sources, unless told otherwise",
        run: simulate,
    },
    Tool {
        name: "mutants",
        arguments: "[--only WORDS] [--seeds N]",
        about: "puts faults into a copy of the sources; the simulator has to catch each",
        run: mutate,
    },
    Tool {
        name: "chaos",
        arguments: "--minutes M [--seed S]",
        about: "runs the real programs in network namespaces under fire; needs root",
        run: burn,
    },
];

/// Why a tool did not do what it should.
enum Trouble {
    /// The command line was not understood.
    Usage(String),
    /// It ran.
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs a tool. An error is a complaint about the command line.
pub(crate) fn run(tool: &Tool, arguments: &[String]) -> Result<ExitCode, String> {
    let flags = Flags::parse(tool.arguments, arguments)?;
    let ran = Workspace::locate().map_err(Trouble::from).and_then(|workspace| (tool.run)(&workspace, &flags));
    match ran {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Trouble::Usage(complaint)) => Err(complaint),
        Err(Trouble::Failed(failure)) => {
            eprintln!("xtask: {failure}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn simulate(workspace: &Workspace, flags: &Flags) -> Result<(), Trouble> {
    let seeds = flags.number("--seeds")?.ok_or_else(|| Trouble::Usage("say how many with --seeds".to_owned()))?;
    let first = match (flags.number("--seed")?, flags.has("--random")) {
        (Some(_), true) => return Err(Trouble::Usage("--seed and --random exclude each other".to_owned())),
        (Some(seed), false) => First::Given(seed),
        (None, true) => First::Random,
        (None, false) => First::OfTree,
    };
    Ok(sim::run(workspace, seeds, first)?)
}

fn mutate(workspace: &Workspace, flags: &Flags) -> Result<(), Trouble> {
    Ok(mutants::run(workspace, flags.value("--only").unwrap_or_default(), flags.number("--seeds")?)?)
}

fn burn(workspace: &Workspace, flags: &Flags) -> Result<(), Trouble> {
    let minutes = flags.number("--minutes")?.filter(|&minutes: &u64| minutes > 0);
    let minutes = minutes.ok_or_else(|| Trouble::Usage("say for how many minutes with --minutes".to_owned()))?;
    let first = flags.number("--seed")?.map_or(First::Random, First::Given);
    Ok(chaos::run(workspace, minutes, first)?)
}

/// `--name VALUE` and `--name`, as they were given.
#[derive(Debug, PartialEq)]
struct Flags(Vec<(String, Option<String>)>);

impl Flags {
    /// Takes what `known` names, as it is shown in the help: `[--a VALUE] --b VALUE [--c]`.
    fn parse(known: &str, arguments: &[String]) -> Result<Self, String> {
        let words: Vec<&str> = known.split([' ', '[', ']']).filter(|word| !word.is_empty()).collect();
        let mut flags = Vec::new();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let place = words.iter().position(|word| word == name && word.starts_with("--"));
            let place = place.ok_or_else(|| format!("`{name}` is not known here: {known}"))?;
            let takes_value = words.get(place + 1).is_some_and(|word| !word.starts_with("--"));
            let value =
                if takes_value { Some(rest.next().ok_or_else(|| format!("{name} needs a value"))?) } else { None };
            if flags.iter().any(|(given, _)| given == name) {
                return Err(format!("{name} is given twice"));
            }
            flags.push((name.clone(), value.cloned()));
        }
        Ok(Self(flags))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name)?.1.as_deref()
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Trouble> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| Trouble::Usage(format!("{name} {value} is not a number that fits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "--seeds N [--seed S] [--random]";

    fn parse(text: &str) -> Result<Flags, String> {
        Flags::parse(KNOWN, &text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_and_their_values_are_found_in_any_order() {
        let flags = parse("--random --seeds 20").expect("they are known");
        assert_eq!((flags.has("--random"), flags.has("--seed"), flags.value("--seeds")), (true, false, Some("20")));
        assert_eq!(flags.number::<u32>("--seeds").ok().flatten(), Some(20));
        assert!(matches!(parse("--seeds x").expect("known").number::<u32>("--seeds"), Err(Trouble::Usage(_))));
    }

    #[test]
    fn what_is_not_known_or_lacks_its_value_is_complained_about() {
        assert!(parse("--sed 1").is_err_and(|told| told.contains("`--sed` is not known here")));
        assert!(parse("N").is_err_and(|told| told.contains("`N` is not known here")));
        assert_eq!(parse("--seed"), Err("--seed needs a value".to_owned()));
        assert_eq!(parse("--seed 1 --seed 2"), Err("--seed is given twice".to_owned()));
    }
}

//! Flag > environment > config file > default, one name for all three.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::exit::Exit;

/// The command line with the config file's values as defaults.
pub(crate) fn command<C: CommandFactory>() -> Result<Command, Exit> {
    let Some((path, named)) = config_file() else { return Ok(C::command()) };
    let wrong = |why: String| Exit::usage(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(C::command()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let table = text.parse::<toml::Table>();
    let table = table.map_err(|error| wrong(error.message().lines().next().unwrap_or_default().to_owned()))?;
    with_defaults(C::command(), &table).map_err(wrong)
}

/// Reads the command line.
pub(crate) fn parse<C: FromArgMatches>(mut command: Command) -> Result<C, Exit> {
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let read = parsed.and_then(|matches: ArgMatches| C::from_arg_matches(&matches));
    read.map_err(|error| {
        // Where standard error is closed nobody can be told.
        error.print().ok();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::said(0),
            _ => Exit::said(64),
        }
    })
}

/// The command with the table's values as its defaults, or what is wrong with them.
fn with_defaults(mut command: Command, table: &toml::Table) -> Result<Command, String> {
    for (key, value) in table {
        let setting = Setting { key, values: plain_values(value) };
        let mut known = false;
        command = setting.set_in(command, &mut known)?;
        if !known {
            return Err(format!("{key:?} is no setting"));
        }
    }
    Ok(command)
}

fn plain_values(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(items) => items.iter().map(plain).collect(),
        one => vec![plain(one)],
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of the config file.
struct Setting<'t> {
    key: &'t str,
    values: Vec<String>,
}

impl Setting<'_> {
    /// Sets the default of the flag of this name, here and in the subcommands.
    fn set_in(&self, mut command: Command, known: &mut bool) -> Result<Command, String> {
        let named = command.get_arguments().find(|arg| self.names(arg)).cloned();
        if let Some(arg) = named {
            self.check(&arg)?;
            *known = true;
            let id = arg.get_id().clone();
            command = command.mut_arg(id, |arg| arg.required(false).default_values(self.values.clone()));
        }
        let subcommands: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in subcommands {
            let mut wrong = None;
            command = command.mut_subcommand(name, |sub| {
                let unset = sub.clone();
                self.set_in(sub, known).unwrap_or_else(|why| {
                    wrong = Some(why);
                    unset
                })
            });
            if let Some(why) = wrong {
                return Err(why);
            }
        }
        Ok(command)
    }

    /// Whether this is the flag's long name. The file can't name another file.
    fn names(&self, arg: &Arg) -> bool {
        arg.get_long().is_some_and(|long| long != "config" && long == self.key.replace('_', "-"))
    }

    /// Whether the flag takes these values. Clap takes it for granted that defaults are right, and panics in a debug
    /// build where they are not.
    fn check(&self, arg: &Arg) -> Result<(), String> {
        if self.values.len() != 1 && !matches!(arg.get_action(), ArgAction::Append) {
            return Err(format!("{:?} takes one value", self.key));
        }
        let taker = arg.clone().action(ArgAction::Append).num_args(1).required(false).global(false);
        let given = self.values.iter().map(|value| format!("--{}={value}", arg.get_long().unwrap_or_default()));
        let parsed = Command::new("config").no_binary_name(true).arg(taker).try_get_matches_from(given);
        parsed.map(drop).map_err(|error| {
            let words = error.to_string();
            words.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }
}

/// The config file, and whether the user named it. Clap can't be asked yet: the file says what its defaults are.
fn config_file() -> Option<(PathBuf, bool)> {
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(|path| (path.into(), true));
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some((path.into(), true));
        }
    }
    if let Some(path) = std::env::var_os("STEADFAST_CONFIG") {
        return Some((path.into(), true));
    }
    let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some((home.join("steadfast/config.toml"), false))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::builder::FalseyValueParser;

    use super::*;

    /// Without environment: what is set around the tests is nothing to them.
    #[derive(Debug, Parser)]
    struct Example {
        #[command(subcommand)]
        command: Subcommand,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Subcommand {
        Say {
            #[arg(long = "as")]
            name: String,
            #[arg(long, default_value_t = 20)]
            line_limit: usize,
            #[arg(long, default_value = "one")]
            listen: Vec<String>,
            #[arg(long, value_parser = FalseyValueParser::new())]
            json: bool,
        },
    }

    fn said(file: &str, line: &[&str]) -> Result<(String, usize, Vec<String>, bool), String> {
        let table = file.parse().expect("the example is TOML");
        let command = with_defaults(Example::command(), &table)?;
        let matches = command.try_get_matches_from([&["example", "say"], line].concat());
        let example = matches.and_then(|matches| Example::from_arg_matches(&matches));
        let Subcommand::Say { name, line_limit, listen, json } = example.map_err(|error| error.to_string())?.command;
        Ok((name, line_limit, listen, json))
    }

    #[test]
    fn the_file_sets_flags_by_their_long_names_the_required_ones_too() {
        let file = "as = 'ann'\nline-limit = 5\nlisten = ['a', 'b']\njson = true";
        let all = ("ann".to_owned(), 5, vec!["a".to_owned(), "b".to_owned()], true);
        assert_eq!(said(file, &[]), Ok(all.clone()));
        assert_eq!(said(&file.replace("line-limit", "line_limit"), &[]), Ok(all));
        assert_eq!(said("as = 'ann'\njson = false", &[]), Ok(("ann".to_owned(), 20, vec!["one".to_owned()], false)));
    }

    #[test]
    fn a_flag_beats_the_file() {
        let (name, limit, listen, json) =
            said("as = 'ann'\nlisten = 'a'\njson = 0", &["--as", "bob", "--listen", "b", "--json"])
                .expect("it is right");
        assert_eq!((name.as_str(), limit, listen, json), ("bob", 20, vec!["b".to_owned()], true));
    }

    #[test]
    fn what_the_file_can_not_set_is_said() {
        let why = |file| said(file, &["--as", "ann"]).expect_err(file);
        assert_eq!(why("name = 'ann'"), "\"name\" is no setting");
        assert_eq!(why("config = 'other'"), "\"config\" is no setting");
        assert_eq!(why("as = ['ann', 'bob']"), "\"as\" takes one value");
        assert!(why("line-limit = 'many'").starts_with("invalid value 'many' for '--line-limit"), "it names the flag");
    }

    #[test]
    fn every_flag_has_its_environment_variable() {
        fn assert_set(command: &Command) {
            for arg in command.get_arguments() {
                let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
                let variable = format!("STEADFAST_{}", long.replace('-', "_").to_uppercase());
                let found = arg.get_env().and_then(std::ffi::OsStr::to_str);
                assert_eq!(found, Some(variable.as_str()), "--{long} of {}", command.get_name());
            }
            command.get_subcommands().for_each(assert_set);
        }
        assert_set(&crate::Cli::command());
    }
}

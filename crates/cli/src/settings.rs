//! Flag > environment > config file > default, one name for all three.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::exit::Exit;

/// The command line with the config file's values as defaults.
pub(crate) fn command<C: CommandFactory>() -> Result<Command, Exit> {
    let table = match config_file() {
        None => return Ok(C::command()),
        Some((path, named)) => match std::fs::read_to_string(&path) {
            Ok(text) => text.parse::<toml::Table>().map_err(|error| {
                let line = error.message().lines().next().unwrap_or_default().to_owned();
                Exit::usage(format!("{}: {line}", path.display()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(C::command()),
            Err(error) => return Err(Exit::usage(format!("{}: {error}", path.display()))),
        },
    };
    let mut command = C::command();
    for (key, value) in table {
        let values = match value {
            toml::Value::String(text) => vec![text],
            toml::Value::Array(items) => items.iter().map(plain).collect(),
            other => vec![plain(&other)],
        };
        let mut known = false;
        command = set_default(command, &key.replace('-', "_"), &values, &mut known);
        if !known {
            return Err(Exit::usage(format!("the config file sets {key:?}, which is no setting")));
        }
    }
    Ok(command)
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

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn set_default(command: Command, id: &str, values: &[String], known: &mut bool) -> Command {
    let mut command = command;
    if id != "config" && command.get_arguments().any(|arg| arg.get_id() == id && arg.get_long().is_some()) {
        *known = true;
        let values = values.to_vec();
        command = command.mut_arg(id, |arg| arg.default_values(values));
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| set_default(sub, id, values, known));
    }
    command
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

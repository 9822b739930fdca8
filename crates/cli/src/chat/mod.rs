//! `steadfast chat`: the terminal chat.
//!
//! [`model`] is what is known, [`update`] changes it, [`view`] draws it; neither touches anything outside. The shell in
//! here carries events in and effects out, between the terminal, the client and the clock.

mod blocks;
mod body;
mod commands;
mod complete;
mod event;
mod input;
mod layout;
mod log;
mod model;
mod palette;
mod room;
mod screen;
mod scroll;
mod shell;
mod status;
mod store;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod update;
mod view;
mod window;

use std::io::IsTerminal as _;

use clap::Args;
pub(crate) use log::{ChatLog, LogLines};

use crate::exit::Exit;
use crate::options::{ClientOptions, Switch};
use event::Leaving;
use model::{Model, Settings};
use room::Address;
use shell::Shell;
use terminal::Tty;
use time::Zone;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// The room to begin with; made if it is not there
    #[arg(value_name = "ROOM")]
    room: Option<String>,
    /// Whether the terminal makes a sound when somebody names you
    #[arg(long, env = "STEADFAST_BELL", default_value = "on")]
    bell: Switch,
}

pub(crate) async fn run(options: Options, log: LogLines) -> Result<(), Exit> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let words = "chat needs a terminal: use `steadfast send` to send and `steadfast tail` to read without one";
        return Err(Exit::usage(words));
    }
    let name = options.client.name().to_owned();
    let client = options.client.client()?.open().await.map_err(Exit::failed)?;
    let size = crossterm::terminal::size().map_err(|error| not_usable(&error))?;
    // https://no-color.org: set, and not empty.
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let settings = Settings { bell: options.bell == Switch::On, colour };
    let mut model = Model::new(&name, size, Zone::of_the_system(), settings, client.status().now());
    // As it is written on the screen, too.
    model.wanted = options.room.map(|room| Address::Public(room.strip_prefix('#').unwrap_or(&room).to_owned()));
    let tty = Tty::take(size).map_err(|error| not_usable(&error))?;
    let shell = Shell::new(client, model, tty, log)?;
    match shell.run().await? {
        Leaving::Done => Ok(()),
        Leaving::Interrupted => Err(Exit::interrupted()),
    }
}

fn not_usable(error: &std::io::Error) -> Exit {
    Exit::failed(format!("the terminal can't be used: {error}"))
}

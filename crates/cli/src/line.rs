//! `steadfast line`: tells the process that drives a profile's line what to do with it.

use std::path::Path;

use clap::{Args, ValueEnum};
use steadfast_store::profile::{DriverLock, Want};

use crate::exit::Exit;
use crate::options::{ClientOptions, Switch};
use crate::status::open_existing;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// What to do
    action: Action,
    /// For reconnect and auto-login
    switch: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Try now where a pause is running
    Try,
    /// End the line, and every try, until `resume`
    Stop,
    /// Want the line back
    Resume,
    /// Log in, where the user is asked after a drop
    Login,
    /// Whether to connect again after a drop: on or off
    Reconnect,
    /// Whether to log in by itself after a drop: on or off
    AutoLogin,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let order = order(options.action, options.switch)?;
    let profile = open_existing(&options.client)?;
    let directory = options.client.client()?.directory();
    let Some(process) = holder(&directory)? else {
        return Err(Exit::failed("no process of this profile is running: there is no line to be told"));
    };
    if steadfast::order_holder(&directory, &profile, order).await.map_err(Exit::failed)? {
        return Ok(());
    }
    // It may have ended meanwhile, which is another matter than not answering.
    match holder(&directory)? {
        Some(still) if still == process => {
            Err(Exit::failed(format!("process {process} holds the profile and does not answer")))
        }
        Some(_) | None => Err(Exit::failed(format!("process {process} has ended: try again"))),
    }
}

fn holder(directory: &Path) -> Result<Option<u32>, Exit> {
    DriverLock::holder(directory).map_err(Exit::failed)
}

fn order(action: Action, switch: Option<Switch>) -> Result<Want, Exit> {
    let on = |name| match switch {
        Some(switch) => Ok(switch == Switch::On),
        None => Err(Exit::usage(format!("line {name} needs on or off"))),
    };
    let order = match action {
        Action::Reconnect => return Ok(Want::Reconnect(on("reconnect")?)),
        Action::AutoLogin => return Ok(Want::AutoLogin(on("auto-login")?)),
        Action::Try => Want::TryNow,
        Action::Stop => Want::Stop,
        Action::Resume => Want::Resume,
        Action::Login => Want::LogIn,
    };
    match switch {
        None => Ok(order),
        Some(_) => Err(Exit::usage("on and off belong to reconnect and auto-login")),
    }
}

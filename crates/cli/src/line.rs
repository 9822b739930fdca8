//! `steadfast line`: tells the process that drives a profile's line what to do with it.

use std::path::Path;

use clap::{Args, ValueEnum};
use steadfast::Status;
use steadfast_store::profile::{DriverLock, Want};

use crate::exit::Exit;
use crate::options::{ClientOptions, Switch};
use crate::status::{open_existing, standing};

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
    let (process, status) = standing(&directory, &profile).await.map_err(Exit::failed)?;
    let Some(process) = process else {
        return Err(Exit::failed("no process of this profile is running: there is no line to be told"));
    };
    if let Some(why) = in_vain(options.action, &status, options.client.name()) {
        return Err(Exit::failed(why));
    }
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

/// Why the action would change nothing.
fn in_vain(action: Action, status: &Status, name: &str) -> Option<String> {
    match action {
        Action::Try if status.is_stopped() && !status.has_given_up() => {
            Some(format!("the line is stopped: `steadfast line --as {name} resume` brings it back"))
        }
        Action::Login if !status.asks_login => Some("nobody is asked whether to log in".to_owned()),
        Action::Try | Action::Login | Action::Stop | Action::Resume | Action::Reconnect | Action::AutoLogin => None,
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

//! `steadfast line`: tells the process that drives a profile's line what to do with it.

use clap::{Args, ValueEnum};
use steadfast::{Observer, Order, OrderError, Status};

use crate::exit::Exit;
use crate::options::{ClientOptions, Switch};

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
    let observer = options.client.client()?.observe().await.map_err(Exit::failed)?;
    let told = tell(&options, &observer, order).await;
    observer.close().await;
    told
}

async fn tell(options: &Options, observer: &Observer, order: Order) -> Result<(), Exit> {
    let standing = observer.standing().await.map_err(Exit::failed)?;
    if standing.process.is_none() {
        return Err(Exit::failed(OrderError::NobodyDrives));
    }
    if let Some(why) = in_vain(options.action, &standing.status, options.client.name()) {
        return Err(Exit::failed(why));
    }
    observer.order(order).await.map_err(Exit::failed)
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

fn order(action: Action, switch: Option<Switch>) -> Result<Order, Exit> {
    let on = |name| match switch {
        Some(switch) => Ok(switch == Switch::On),
        None => Err(Exit::usage(format!("line {name} needs on or off"))),
    };
    let order = match action {
        Action::Reconnect => return Ok(Order::Reconnect(on("reconnect")?)),
        Action::AutoLogin => return Ok(Order::AutoLogin(on("auto-login")?)),
        Action::Try => Order::TryNow,
        Action::Stop => Order::Stop,
        Action::Resume => Order::Resume,
        Action::Login => Order::LogIn,
    };
    match switch {
        None => Ok(order),
        Some(_) => Err(Exit::usage("on and off belong to reconnect and auto-login")),
    }
}

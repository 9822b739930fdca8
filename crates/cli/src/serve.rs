//! `steadfast serve`

mod limits;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use steadfast_server::{Config, Server, SignUpPolicy};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::options::KernelOptions;
use crate::output;
use limits::LimitOptions;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "STEADFAST_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:7400")]
    listen: Vec<String>,
    /// Where to keep everything
    #[arg(long, env = "STEADFAST_DATA", value_name = "DIR", default_value = "./steadfast-data")]
    data: PathBuf,
    /// Who may make an account [default: open on loopback, else invite]
    #[arg(long, env = "STEADFAST_SIGNUP")]
    signup: Option<SignUp>,
    /// The least silence that means death while an answer is due, where the client asks for none
    #[arg(long, env = "STEADFAST_ACTIVE_BOUND", value_name = "D", default_value = "3s",
          value_parser = humantime::parse_duration)]
    active_bound: Duration,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    kernel: KernelOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SignUp {
    Open,
    Invite,
    Closed,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for text in &options.listen {
        let resolved = text.to_socket_addrs().map_err(|_| {
            Exit::usage(format!("--listen {text}: not an address; write HOST:PORT as in 127.0.0.1:7400"))
        })?;
        addresses.extend(resolved);
    }
    let loopback = addresses.iter().all(|address| address.ip().is_loopback());
    let sign_up = match options.signup {
        Some(SignUp::Open) => SignUpPolicy::Open,
        Some(SignUp::Invite) => SignUpPolicy::Invite,
        Some(SignUp::Closed) => SignUpPolicy::Closed,
        None if loopback => SignUpPolicy::Open,
        None => SignUpPolicy::Invite,
    };
    if !loopback && sign_up == SignUpPolicy::Open {
        let words = "warning: whoever reaches this address can sign up, and nothing is encrypted yet";
        output::tell(words.to_owned()).await;
    }
    let config = Config {
        sign_up,
        active_bound: options.active_bound,
        kernel: options.kernel.liveness(),
        limits: options.limits.limits(),
        ..Config::default()
    };
    let (mut interrupt, mut terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
    let server = Server::start(&options.data, &addresses, config).map_err(Exit::failed)?;
    let lines: Vec<String> = server.addresses().iter().map(|address| format!("listening tcp {address}")).collect();
    output::print(&lines)?;
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            at_once();
        });
    };
    server.run(stop).await.map_err(Exit::failed)
}

fn catch(kind: SignalKind) -> Result<Signal, Exit> {
    signal(kind).map_err(|error| Exit::failed(format!("signals can't be caught: {error}")))
}

#[expect(clippy::disallowed_methods, reason = "a second signal means at once; what is acknowledged is on the disk")]
fn at_once() {
    std::process::exit(1);
}

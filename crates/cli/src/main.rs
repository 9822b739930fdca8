//! The `steadfast` command: dispatch only; one file a subcommand.

mod audit;
mod bench;
mod chat;
mod exit;
mod flights;
mod history;
mod line;
mod logging;
mod options;
mod output;
mod relay;
mod send;
mod serve;
mod settings;
mod status;
mod status_line;
mod tail;
mod why;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;
use options::LogOptions;

/// Messaging over TCP that always knows whether the line is alive, and loses nothing when it dies.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, after_help = exit::HELP)]
struct Cli {
    #[command(flatten)]
    log: LogOptions,
    /// Settings, one name for flag, environment and file; default $XDG_CONFIG_HOME/steadfast/config.toml
    #[arg(long, global = true, env = "STEADFAST_CONFIG", value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server
    Serve(serve::Options),
    /// Send TEXT, or each line of standard input, to a room
    Send(send::Options),
    /// Chat in the terminal
    Chat(chat::Options),
    /// Print a room's messages, continuing after the last one printed
    Tail(tail::Options),
    /// Print the last messages of this device's own store, also offline
    History(history::Options),
    /// Say how the line of a profile is; never connects
    Status(status::Options),
    /// Say what happened to the last drops of a profile's line
    Why(why::Options),
    /// Say how the last links of a server ended
    Flights(flights::Options),
    /// Tell the process that drives a profile's line: try, stop, resume, log in, switch
    Line(line::Options),
    /// Check that a server loses, doubles and reorders nothing, on the network that is there
    Audit(audit::Options),
    /// Measure this machine with a server of its own
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let cli = match settings::command::<Cli>().and_then(settings::parse::<Cli>) {
        Ok(cli) => cli,
        Err(exit) => return exit.report(),
    };
    let (log, log_lines) = log_of(&cli.command);
    let logging = match cli.log.start(matches!(cli.command, Command::Serve(_)), log) {
        Ok(logging) => logging,
        Err(exit) => return exit.report(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::failed(format!("the system refused threads: {error}")).report(),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve::run(options).await,
            Command::Send(options) => send::run(options).await,
            Command::Chat(options) => chat::run(options, log_lines).await,
            Command::Tail(options) => tail::run(options).await,
            Command::History(options) => history::run(&options).await,
            Command::Status(options) => status::run(options).await,
            Command::Why(options) => why::run(&options).await,
            Command::Flights(options) => flights::run(&options),
            Command::Line(options) => line::run(options).await,
            Command::Audit(options) => audit::run(options).await,
            Command::Bench(options) => bench::run(options).await,
        }
    });
    // A name that is being looked up, or a read of standard input, can't be cancelled and is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    match (done, logging.end()) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(exit), true) => exit.report(),
        // Words would wait as the log lines do.
        (Err(exit), false) => exit.code(),
    }
}

/// Where the log goes: standard error, or the chat's own screen where that would be torn.
fn log_of(command: &Command) -> (Box<dyn std::io::Write + Send>, chat::LogLines) {
    if matches!(command, Command::Chat(_)) && std::io::stderr().is_terminal() {
        let (log, lines) = chat::ChatLog::new();
        return (Box::new(log), lines);
    }
    (Box::new(std::io::stderr()), chat::LogLines::none())
}

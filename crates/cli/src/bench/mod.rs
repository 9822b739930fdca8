//! `steadfast bench`: what this machine does with a server of its own, in a process of its own, on a scratch
//! directory of the disk that `--data` names.

mod detect;
mod gate;
mod latency;
mod scene;
mod throughput;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Messages a second from one sender to one receiver: stored by the server, delivered, stored, acknowledged
    Throughput(Load),
    /// How long one message takes from `send` until the receiver has stored it
    Latency(Load),
    /// How soon client and server notice that a line has died silently: while an answer is due, and idle
    Detect(detect::Options),
}

#[derive(Debug, Args)]
struct Load {
    /// How many messages
    #[arg(long, env = "STEADFAST_MESSAGES", value_name = "N")]
    messages: Option<u64>,
    /// Bytes of each
    #[arg(long, env = "STEADFAST_SIZE", value_name = "BYTES", default_value_t = 100)]
    size: usize,
    /// Where to make the scratch directory: its disk is measured
    #[arg(long, env = "STEADFAST_DATA", value_name = "DIR", default_value = ".")]
    data: PathBuf,
    /// One JSON object
    #[arg(long, env = "STEADFAST_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), Exit> {
    match options.what {
        What::Throughput(load) => throughput::run(&load).await,
        What::Latency(load) => latency::run(&load).await,
        What::Detect(options) => detect::run(&options).await,
    }
}

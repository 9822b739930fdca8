//! `steadfast history`: this device's own store, without the network.

use clap::Args;
use steadfast::Observer;

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    client: ClientOptions,
    /// The room
    #[arg(long, env = "STEADFAST_ROOM", value_name = "ROOM")]
    room: String,
    /// How many messages, the last ones
    #[arg(long, env = "STEADFAST_LIMIT", value_name = "N", default_value_t = 20)]
    limit: usize,
    /// One JSON object a line
    #[arg(long, env = "STEADFAST_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
}

pub(crate) async fn run(options: &Options) -> Result<(), Exit> {
    let observer = options.client.client()?.observe().await.map_err(Exit::failed)?;
    let lines = lines(options, &observer).await;
    observer.close().await;
    output::print(&lines?)
}

async fn lines(options: &Options, observer: &Observer) -> Result<Vec<String>, Exit> {
    let Some(room) = observer.find_room(&options.room).await.map_err(Exit::failed)? else {
        let message = format!("this device knows no room {:?}; `steadfast tail --room` enters it", options.room);
        return Err(Exit::failed(message));
    };
    let messages = observer.last(&room, options.limit).await.map_err(Exit::failed)?;
    Ok(messages.iter().filter_map(|message| output::message_line(&room.name, message, options.json)).collect())
}

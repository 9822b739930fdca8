//! `steadfast history`: this device's own store, without the network.

use clap::Args;

use crate::exit::Exit;
use crate::options::ClientOptions;
use crate::output;
use crate::status::open_existing;

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

pub(crate) fn run(options: &Options) -> Result<(), Exit> {
    let profile = open_existing(&options.client)?;
    let Some(room) = profile.room_by_name(&options.room).map_err(Exit::failed)? else {
        let message = format!("this device knows no room {:?}; `steadfast tail --room` enters it", options.room);
        return Err(Exit::failed(message));
    };
    let messages = profile.last_messages(room.room, options.limit).map_err(Exit::failed)?;
    let lines: Vec<String> =
        messages.iter().filter_map(|message| output::message_line(&room.name, message, options.json)).collect();
    output::print(&lines)
}

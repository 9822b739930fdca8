//! What a line that was written does: it is said, or it is a command.

use super::scrolling::go_to_end;
use super::{note_in, show_room};
use crate::chat::commands::{self, Command};
use crate::chat::event::{Effect, Leaving, Operation};
use crate::chat::model::{Address, Kind, Model, NoteKind, Overlay, Room};
use crate::chat::status;

/// What is said where there is no room to do it in.
const NO_ROOM: &str = "you are in no room: /join ROOM enters one";

/// Enter: a command, a message, or the answer to the question of login.
pub(super) fn send(model: &mut Model) -> Vec<Effect> {
    let text = model.input.text();
    if text.trim().is_empty() {
        return if model.status.asks_login { vec![Effect::LogIn] } else { Vec::new() };
    }
    if let Some(line) = text.strip_prefix('/').filter(|line| !line.starts_with('/')) {
        model.input.remember(&text);
        return match commands::parse(line) {
            Ok(command) => {
                model.input.take();
                run(model, command)
            }
            Err(why) => {
                note_in(model, None, NoteKind::Error, why);
                Vec::new()
            }
        };
    }
    let Some(room) = model.rooms.current_mut() else {
        model.homeless.push(NO_ROOM.to_owned());
        return Vec::new();
    };
    let address = room.address.clone();
    room.new_after = None;
    model.input.take();
    model.input.remember(&text);
    let said = text.strip_prefix("//").map_or(text.clone(), |rest| format!("/{rest}"));
    let mut effects = vec![Effect::Queue(Operation::Send { address, text: said })];
    // What one said is to be seen.
    effects.extend(go_to_end(model));
    effects
}

fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    let here = model.rooms.current().map(|room| room.address.clone());
    match command {
        Command::Join(name) => open(model, Address::Public(name)),
        Command::Message { name, text } if text.is_empty() => open(model, Address::Direct(name)),
        Command::Message { name, text } => {
            let address = Address::Direct(name);
            vec![Effect::Queue(Operation::Say { address, text })]
        }
        Command::Private(name) => vec![Effect::Queue(Operation::MakePrivate(name))],
        Command::Add(name) => in_this_room(model, here, |address| Operation::Add { address, name }),
        Command::Remove(name) => in_this_room(model, here, |address| Operation::Remove { address, name }),
        Command::Leave => in_this_room(model, here, Operation::Leave),
        Command::Rooms => {
            room_lines(model).into_iter().for_each(|line| note_in(model, None, NoteKind::Answer, line));
            Vec::new()
        }
        Command::Search(words) => vec![Effect::Search { address: here, words }],
        Command::Try => vec![Effect::TryNow],
        Command::Stop => vec![Effect::Stop],
        Command::Resume => vec![Effect::Resume],
        Command::LogIn => vec![Effect::LogIn],
        Command::Why => vec![Effect::Why { address: here }],
        Command::Status => {
            let words = status::words(&model.status, model.now_ms).text;
            note_in(model, None, NoteKind::Answer, words);
            Vec::new()
        }
        Command::Help => {
            model.overlay = Some(Overlay::Help { scrolled: 0 });
            Vec::new()
        }
        Command::Quit => vec![Effect::Quit(Leaving::Done)],
    }
}

fn in_this_room(model: &mut Model, here: Option<Address>, operation: impl FnOnce(Address) -> Operation) -> Vec<Effect> {
    match here {
        Some(address) => vec![Effect::Queue(operation(address))],
        None => {
            note_in(model, None, NoteKind::Error, NO_ROOM.to_owned());
            Vec::new()
        }
    }
}

/// Goes to a room; one that this person is not in yet is asked for.
pub(super) fn open(model: &mut Model, address: Address) -> Vec<Effect> {
    if let Some(index) = model.rooms.find(&address)
        && model.rooms.list()[index].member
    {
        return show_room(model, index);
    }
    vec![Effect::Queue(Operation::Open(address))]
}

fn room_lines(model: &Model) -> Vec<String> {
    let line = |room: &Room| {
        let kind = match room.kind {
            Kind::Public => "public",
            Kind::Private => "private",
            Kind::Direct => "conversation",
            Kind::Other => "room",
        };
        let unread = match room.unread.messages {
            0 => String::new(),
            many => format!(", {many}{} unread", if room.unread.more { "+" } else { "" }),
        };
        format!("{} ({kind}{unread})", room.title())
    };
    let lines: Vec<String> = model.rooms.list().iter().map(line).collect();
    if lines.is_empty() { vec![NO_ROOM.to_owned()] } else { lines }
}

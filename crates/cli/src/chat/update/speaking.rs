//! What a line that was written does: it is said, or it is a command.

use steadfast_proto::names;

use super::scrolling::go_to_end;
use super::{give_back_here, note_in, show_room};
use crate::chat::commands::{self, Command};
use crate::chat::event::{Effect, Leaving, Operation};
use crate::chat::model::{Going, Model, NoteKind, Overlay};
use crate::chat::room::{Address, Kind, Room, is_at, same_name};
use crate::chat::status;

/// What is said where there is no room to do it in.
const NO_ROOM: &str = "you are in no room: /join ROOM enters one";

/// The Enter key: what was written is entered, or the question of login is answered.
pub(super) fn send(model: &mut Model) -> Vec<Effect> {
    let text = model.input.text();
    if text.trim().is_empty() {
        return if model.status.asks_login { vec![Effect::LogIn] } else { Vec::new() };
    }
    model.input.take();
    model.input.remember(&text);
    let here = model.rooms.current();
    match &mut model.going {
        Some(going) if going.is_from(here) => {
            going.lines.push(text);
            Vec::new()
        }
        Some(_) | None => enter(model, &text),
    }
}

/// A command, or a message to the room that is shown.
pub(super) fn enter(model: &mut Model, text: &str) -> Vec<Effect> {
    if let Some(line) = text.strip_prefix('/').filter(|line| !line.starts_with('/')) {
        return match commands::parse(line) {
            Ok(command) => run(model, command),
            Err(why) => {
                note_in(model, None, NoteKind::Error, why);
                give_back_here(model, text);
                go_to_end(model)
            }
        };
    }
    if model.rooms.current().is_none() {
        give_back_here(model, text);
        return no_room(model);
    }
    say(model, text.strip_prefix("//").map_or(text.to_owned(), |rest| format!("/{rest}")))
}

/// A message to the room that is shown.
fn say(model: &mut Model, text: String) -> Vec<Effect> {
    let Some(room) = model.rooms.current_mut() else { return Vec::new() };
    room.new_after = None;
    let mut effects = vec![Effect::Queue(Operation::Send { address: room.address.clone(), text })];
    // What one said is to be seen.
    effects.extend(go_to_end(model));
    effects
}

fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    let here = model.rooms.current().map(|room| room.address.clone());
    match command {
        Command::Join(name) => open(model, Address::Public(name)),
        Command::Message { name, text } => {
            let address = Address::Direct(name);
            let mut effects = open(model, address.clone());
            let is_there = model.rooms.current().is_some_and(|room| is_at(room, &address));
            if is_there && !text.is_empty() {
                effects.extend(say(model, text));
            }
            effects
        }
        Command::Private(name) => match check(model, &name) {
            true => {
                if let Some(going) = &mut model.going {
                    // One after the other: what is held is for the first of them.
                    going.lines.push(format!("/private {name}"));
                    return Vec::new();
                }
                model.going = Some(Going { from: here, lines: Vec::new() });
                vec![Effect::Queue(Operation::MakePrivate(name))]
            }
            false => Vec::new(),
        },
        Command::Add(name) => in_this_room(model, here, |address| Operation::Add { address, name }),
        Command::Remove(name) => in_this_room(model, here, |address| Operation::Remove { address, name }),
        Command::Leave => in_this_room(model, here, Operation::Leave),
        Command::Rooms => {
            room_lines(model).into_iter().for_each(|line| note_in(model, None, NoteKind::Answer, line));
            seen(model, Effect::PublicRooms { address: here })
        }
        Command::Who => match here {
            Some(address) => seen(model, Effect::Who(address)),
            None => no_room(model),
        },
        Command::Search(words) => seen(model, Effect::Search { address: here, words }),
        Command::Try => vec![Effect::TryNow],
        Command::Stop => vec![Effect::Stop],
        Command::Resume => vec![Effect::Resume],
        Command::LogIn => vec![Effect::LogIn],
        Command::Why => seen(model, Effect::Why { address: here }),
        Command::Status => {
            let words = status::words(&model.status, model.now_ms).text();
            note_in(model, None, NoteKind::Answer, words);
            go_to_end(model)
        }
        Command::Help => {
            model.overlay = Some(Overlay::Help { scrolled: 0 });
            Vec::new()
        }
        Command::Quit => vec![Effect::Quit(Leaving::Done)],
    }
}

/// Asks, and goes to where the answer will stand.
fn seen(model: &mut Model, asks: Effect) -> Vec<Effect> {
    let mut effects = go_to_end(model);
    effects.push(asks);
    effects
}

fn in_this_room(model: &mut Model, here: Option<Address>, operation: impl FnOnce(Address) -> Operation) -> Vec<Effect> {
    match here {
        Some(address) => vec![Effect::Queue(operation(address))],
        None => no_room(model),
    }
}

/// Goes to a room, at once; one that this person is not in yet is asked for.
pub(super) fn open(model: &mut Model, address: Address) -> Vec<Effect> {
    let (Address::Public(name) | Address::Direct(name)) = &address else { return Vec::new() };
    if !check(model, name) {
        return Vec::new();
    }
    if matches!(address, Address::Direct(_)) && same_name(name, &model.me) {
        note_in(model, None, NoteKind::Error, "that is you".to_owned());
        return Vec::new();
    }
    let Some(index) = model.rooms.add(address.clone(), None) else { return Vec::new() };
    let is_member = model.rooms.list()[index].member;
    let mut effects = show_room(model, index);
    if !is_member {
        effects.push(Effect::Queue(Operation::Open(address)));
    }
    effects
}

/// Whether it can be a name; if not, it is said.
fn check(model: &mut Model, name: &str) -> bool {
    match names::folded(name) {
        Ok(_) => true,
        Err(error) => {
            note_in(model, None, NoteKind::Error, format!("{name:?} can't be a name: {error}"));
            false
        }
    }
}

fn no_room(model: &mut Model) -> Vec<Effect> {
    note_in(model, None, NoteKind::Error, NO_ROOM.to_owned());
    Vec::new()
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

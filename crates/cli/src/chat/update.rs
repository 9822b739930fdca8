//! What an event changes, and what is to be done then. Pure: the same model and event give the same effects.

mod keys;
mod scrolling;
mod speaking;

use crossterm::event::KeyEventKind;
use steadfast::Status;

use super::event::{Effect, Event, Held, Look, Looking, Page};
use super::model::{LookState, Model, NoteKind};
use super::room::{Address, Kind, Room, Unread, is_at};
use keys::on_key;
use scrolling::fetch_if_near_top;
use speaking::{enter, open};

/// What is told before there is a room to tell it in; the newest.
const HOMELESS_MAX: usize = 100;

/// The effects come in the order in which they are to be done.
pub(crate) fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => {}
        Event::Key(key) => return on_key(model, key),
        Event::Paste(text) => {
            model.leaving = false;
            model.overlay = None;
            model.input.insert(&text);
        }
        Event::Resize(columns, rows) => model.size = (columns, rows),
        Event::Tick(now_ms) => return on_tick(model, now_ms),
        Event::Status(status) => return on_status(model, *status),
        Event::People { room, people } => {
            let index = model.rooms.find(&Address::Room(room));
            if let Some(room) = index.and_then(|index| model.rooms.get_mut(index)) {
                room.people = people;
            }
        }
        Event::Changed => return look(model),
        Event::Looked(found) => return on_looked(model, *found),
        Event::LookFailed(why) => {
            model.looking = LookState::Idle;
            // Told once, and tried again with each tick.
            if !std::mem::replace(&mut model.look_due, true) {
                note_in(model, None, NoteKind::Error, format!("this device's store can't be read: {why}"));
            }
        }
        Event::Page(page) => return on_page(model, page),
        Event::Queued { address, made, show } => return on_queued(model, address, made, show),
        Event::NotQueued { address, why, text } => on_not_queued(model, address.as_ref(), &why, &text),
        Event::Refused { operation, room, why, text } => {
            let address = room.map(Address::Room);
            if let Some(room) = room_at(model, address.as_ref()) {
                room.window.refuse(operation);
            }
            give_back(model, address.as_ref(), &text);
            let words = if text.is_empty() { why } else { format!("{why}: {text}") };
            note_in(model, address.as_ref(), NoteKind::Error, words);
        }
        Event::Notice(text) => note_in(model, None, NoteKind::Error, text),
        Event::Rewound(text) => {
            model.rooms.rewind();
            note_in(model, None, NoteKind::Error, text);
            return look_again(model);
        }
        Event::Answer { address, lines } => {
            lines.into_iter().for_each(|line| note_in(model, address.as_ref(), NoteKind::Answer, line));
        }
    }
    Vec::new()
}

fn on_queued(model: &mut Model, address: Address, made: Option<String>, show: bool) -> Vec<Effect> {
    let is_made = made.is_some();
    let index = model.rooms.add(address, made);
    let index = index.filter(|index| show && Some(*index) != model.rooms.current_index());
    let mut effects = index.map(|index| show_room(model, index)).unwrap_or_default();
    if is_made {
        effects.extend(enter_what_was_held(model));
    }
    effects.extend(look(model));
    effects
}

fn on_not_queued(model: &mut Model, address: Option<&Address>, why: &str, text: &str) {
    let held = if address.is_none() { model.going.take() } else { None };
    let what = if text.is_empty() { "not done" } else { "not sent" };
    give_back(model, address, text);
    // What was for a room that is not made is for no other.
    held.into_iter().flat_map(|held| held.lines).for_each(|line| model.input.remember(&line));
    note_in(model, address, NoteKind::Error, format!("{what}: {why}"));
}

/// What was entered on the way to a new room is entered there.
fn enter_what_was_held(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    for line in model.going.take().map(|held| held.lines).unwrap_or_default() {
        match &mut model.going {
            // One of them makes yet another room: the rest is for that.
            Some(next) => next.lines.push(line),
            None => effects.extend(enter(model, &line)),
        }
    }
    effects
}

fn on_tick(model: &mut Model, now_ms: u64) -> Vec<Effect> {
    let was_caught_up = model.is_caught_up();
    model.now_ms = now_ms;
    if !was_caught_up
        && model.is_caught_up()
        && let Some(room) = model.rooms.current_mut()
    {
        room.expect_no_news();
    }
    if model.look_due && model.looking == LookState::Idle { look(model) } else { Vec::new() }
}

fn on_status(model: &mut Model, status: Status) -> Vec<Effect> {
    let came_up = status.is_online() && !model.status.is_online();
    if !status.is_online() || status.catching_up.is_some() {
        model.caught_up_ms = None;
        if let Some(room) = model.rooms.current_mut().filter(|room| room.window.known) {
            room.expect_news();
        }
    } else {
        model.caught_up_ms.get_or_insert(model.now_ms);
    }
    model.status = status;
    if came_up && let Some(room) = model.rooms.current_mut() {
        room.window.retry();
        return fetch_if_near_top(model);
    }
    Vec::new()
}

/// A look at the store, or a note that one is due.
fn look(model: &mut Model) -> Vec<Effect> {
    match model.looking {
        LookState::Idle => model.looking = LookState::Looking,
        LookState::Looking => model.looking = LookState::LookingAndStale,
        LookState::LookingAndStale | LookState::LookingInVain => {}
    }
    if model.looking != LookState::Looking {
        return Vec::new();
    }
    let looking = match model.rooms.current() {
        Some(room) => Looking { current: Some(room.address.clone()), held: room.window.held() },
        None => Looking::default(),
    };
    vec![Effect::Look(looking)]
}

/// A look at the store that owes nothing to one that is under way: what that one finds is not so any more.
fn look_again(model: &mut Model) -> Vec<Effect> {
    let effects = look(model);
    if effects.is_empty() {
        model.looking = LookState::LookingInVain;
    }
    effects
}

fn on_looked(model: &mut Model, found: Look) -> Vec<Effect> {
    let mut stale = match std::mem::replace(&mut model.looking, LookState::Idle) {
        LookState::Idle | LookState::Looking => false,
        LookState::LookingAndStale => true,
        LookState::LookingInVain => return look(model),
    };
    model.look_due = false;
    let called_before = called(model);
    model.outbox = found.outbox;
    model.rooms.take(found.rooms);
    let mut effects = Vec::new();
    let asked = found.looking;
    let mut bell = false;
    if let Some(room) = model.rooms.current_mut()
        && asked.current.as_ref().is_some_and(|asked| is_at(room, asked))
    {
        // Another page may have come in meanwhile; then it is asked again.
        if asked.held == room.window.held() {
            bell = asked.held != Held::Nothing && found.entries.iter().any(|entry| !entry.own && entry.mentions_me());
            room.window.append(found.entries, found.skipped, room.readable_from, room.newest);
            room.place_notes();
        } else {
            stale = true;
        }
        room.window.take_pending(found.pending, found.pending_more);
        effects.extend(mark_read(room));
    }
    if model.settings.bell && (bell || called(model) > called_before) {
        effects.push(Effect::Bell);
    }
    effects.extend(fetch_if_near_top(model));
    if !model.rooms.list().is_empty() || model.wanted.is_some() {
        effects.extend(first_room(model));
    }
    if stale {
        effects.extend(look(model));
    }
    effects.extend(watch(model));
    effects
}

/// Looks at the people of the room that is shown.
fn watch(model: &mut Model) -> Option<Effect> {
    let room = model.rooms.current().filter(|room| room.member).and_then(Room::id);
    (std::mem::replace(&mut model.watched, room) != room).then_some(Effect::Watch(room))
}

/// Shows the room that was asked for, or else one with something new in it.
fn first_room(model: &mut Model) -> Vec<Effect> {
    if let Some(address) = model.wanted.take() {
        return open(model, address);
    }
    if model.rooms.current_index().is_some() {
        return Vec::new();
    }
    let unread = |room: &Room| room.unread.messages > 0;
    let index = model.rooms.list().iter().position(unread).unwrap_or(0);
    show_room(model, index)
}

/// What in other rooms is for this person: each message of a conversation, and a room in which they were named.
fn called(model: &Model) -> u64 {
    let shown = model.rooms.current_index();
    let others = model.rooms.list().iter().enumerate().filter(|(index, _)| Some(*index) != shown);
    let calls = |room: &Room| match room.kind {
        Kind::Direct => room.unread.messages,
        Kind::Public | Kind::Private | Kind::Other => room.unread.mentioned.into(),
    };
    others.map(|(_, room)| calls(room)).sum()
}

/// What is on the screen counts as read.
fn mark_read(room: &mut Room) -> Option<Effect> {
    let (Some(id), Some(newest)) = (room.id(), room.window.newest()) else { return None };
    if !room.window.follows() || !room.window.at_end() || room.read_up_to >= Some(newest) {
        return None;
    }
    room.read_up_to = Some(newest);
    room.unread = Unread::default();
    Some(Effect::MarkRead { room: id, sequence: newest })
}

fn on_page(model: &mut Model, page: Page) -> Vec<Effect> {
    let index = model.rooms.find(&Address::Room(page.room));
    let Some(room) = index.and_then(|index| model.rooms.get_mut(index)) else { return Vec::new() };
    room.window.take(page);
    fetch_if_near_top(model)
}

/// Shows a room; what was written in the other one stays there.
fn show_room(model: &mut Model, index: usize) -> Vec<Effect> {
    if index >= model.rooms.list().len() || model.rooms.current_index() == Some(index) {
        return Vec::new();
    }
    // What was typed before there was any room goes along.
    let mut draft = model.input.take();
    if let Some(room) = model.rooms.current_mut() {
        room.draft = std::mem::take(&mut draft);
        // Memory holds one room.
        room.window.forget();
        room.new_after = None;
    }
    model.rooms.show(index);
    let is_caught_up = model.is_caught_up();
    if let Some(room) = model.rooms.current_mut() {
        draft.push_str(&std::mem::take(&mut room.draft));
        if room.unread.messages > 0 || !is_caught_up {
            room.new_after = Some(room.read_up_to.unwrap_or(room.base));
        }
        model.input.set(&draft);
    }
    look(model)
}

/// Says something in a room, or in the one that is shown.
fn note_in(model: &mut Model, address: Option<&Address>, kind: NoteKind, text: String) {
    let now_ms = model.now_ms;
    match room_at(model, address) {
        Some(room) => room.note(now_ms, kind, text),
        None => {
            model.homeless.push_back(text);
            while model.homeless.len() > HOMELESS_MAX {
                model.homeless.pop_front();
            }
        }
    }
}

/// The room at this address, or else the one that is shown.
fn room_at<'m>(model: &'m mut Model, address: Option<&Address>) -> Option<&'m mut Room> {
    let index = address.and_then(|address| model.rooms.find(address)).or(model.rooms.current_index());
    model.rooms.get_mut(index?)
}

/// Gives a text back for editing where it was written, and in no other room: the next Enter would publish it there.
fn give_back(model: &mut Model, address: Option<&Address>, text: &str) {
    if text.is_empty() {
        return;
    }
    let index = address.and_then(|address| model.rooms.find(address));
    if index.is_some() && index == model.rooms.current_index() {
        return give_back_here(model, text);
    }
    match index.and_then(|index| model.rooms.get_mut(index)) {
        Some(room) if room.draft.is_empty() => text.clone_into(&mut room.draft),
        Some(_) | None => model.input.remember(text),
    }
}

/// Gives a text back into the input, or where that is in use into its history.
fn give_back_here(model: &mut Model, text: &str) {
    if model.input.is_empty() {
        model.input.set(text);
    } else {
        model.input.remember(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::Settings;
    use crate::chat::time::Zone;

    #[test]
    fn what_was_typed_before_there_was_a_room_is_there_when_the_first_one_is_shown() {
        let status = r#"{"state":"offline","cause":null,"round_trip_ms":null,"bound_ms":null,"try_number":1,
            "tries_max":null,"next_try_at_ms":null,"held":null,"storing_for_ms":null,"storing_text":null,"process":1}"#;
        let status: Status = serde_json::from_str(status).expect("a status");
        let settings = Settings { bell: false, colour: false };
        let mut model = Model::new("ann", (80, 24), Zone::utc(), settings, status);
        update(&mut model, Event::Paste("hello".to_owned()));
        let lobby = Address::Public("lobby".to_owned());
        update(&mut model, Event::Queued { address: lobby, made: None, show: true });
        assert_eq!(model.rooms.current().map(Room::title).as_deref(), Some("#lobby"));
        assert_eq!(model.input.text(), "hello");
    }
}

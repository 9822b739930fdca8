//! Moving through a room, and asking for what is beyond what is held.

use super::{look, mark_read};
use crate::chat::blocks::Block;
use crate::chat::event::Effect;
use crate::chat::layout::Layout;
use crate::chat::model::Model;
use crate::chat::palette::Palette;
use crate::chat::room::Room;
use crate::chat::screen::Screen;
use crate::chat::scroll::{self, Reached, Rows, Scroll};

/// Asks for older messages where the oldest that is held is in sight.
pub(super) fn fetch_if_near_top(model: &mut Model) -> Vec<Effect> {
    match scroll(model, Scroll::Up(0)) {
        Some(Reached::Oldest) => ask_older(model),
        Some(Reached::Newest) if is_short(model) => ask_older(model),
        Some(_) | None => Vec::new(),
    }
}

fn is_short(model: &Model) -> bool {
    on_screen(model, |room, rows| scroll::is_short(room, &model.zone, rows)).unwrap_or(false)
}

fn ask_older(model: &mut Model) -> Vec<Effect> {
    let Some(room) = model.rooms.current_mut() else { return Vec::new() };
    let Some(id) = room.id() else { return Vec::new() };
    room.window.ask_older().map(|before| Effect::Older { room: id, before }).into_iter().collect()
}

fn ask_newer(model: &mut Model) -> Vec<Effect> {
    let Some(room) = model.rooms.current_mut() else { return Vec::new() };
    let Some(id) = room.id() else { return Vec::new() };
    room.window.ask_newer().map(|after| Effect::Newer { room: id, after }).into_iter().collect()
}

fn scroll(model: &mut Model, by: Scroll) -> Option<Reached> {
    let (anchor, reached) = on_screen(model, |room, rows| scroll::moved(room, &model.zone, by, rows)).flatten()?;
    model.rooms.current_mut()?.window.move_to(anchor);
    Some(reached)
}

/// Looks at the room that is shown, with the rows that its blocks take on this screen.
fn on_screen<T>(model: &Model, look: impl FnOnce(&Room, &Rows<&dyn Fn(&Block<'_>) -> usize>) -> T) -> Option<T> {
    let written = model.input.rows(Screen::input_columns(model.size.0));
    let screen = Screen::of(model.size, written)?;
    let layout = Layout::new(screen.messages.width, model, Palette::new(false));
    let of = |block: &Block<'_>| layout.height(block);
    let rows = Rows { height: screen.messages.height.into(), of: &of as &dyn Fn(&Block<'_>) -> usize };
    Some(look(model.rooms.current()?, &rows))
}

pub(super) fn page_rows(model: &Model) -> usize {
    let written = model.input.rows(Screen::input_columns(model.size.0));
    let height = Screen::of(model.size, written).map_or(1, |screen| screen.messages.height);
    // Two rows stay in sight, so that one finds the place again.
    usize::from(height).saturating_sub(2).max(1)
}

/// What could not be had before is asked for again.
fn retry(model: &mut Model) {
    if let Some(room) = model.rooms.current_mut() {
        room.window.retry();
    }
}

pub(super) fn scroll_up(model: &mut Model, by: Scroll) -> Vec<Effect> {
    retry(model);
    match scroll(model, by) {
        Some(Reached::Oldest) => ask_older(model),
        Some(Reached::Middle | Reached::Newest) | None => Vec::new(),
    }
}

pub(super) fn scroll_down(model: &mut Model, by: usize) -> Vec<Effect> {
    retry(model);
    if scroll(model, Scroll::Down(by)) != Some(Reached::Newest) {
        return Vec::new();
    }
    let Some(room) = model.rooms.current_mut() else { return Vec::new() };
    if room.window.at_end() { mark_read(room).into_iter().collect() } else { ask_newer(model) }
}

pub(super) fn go_to_end(model: &mut Model) -> Vec<Effect> {
    let Some(room) = model.rooms.current_mut() else { return Vec::new() };
    if room.window.go_to_end() { mark_read(room).into_iter().collect() } else { look(model) }
}

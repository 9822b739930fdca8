//! What a key does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::scrolling::{go_to_end, page_rows, scroll_down, scroll_up};
use super::show_room;
use super::speaking::send;
use crate::chat::commands;
use crate::chat::complete::complete;
use crate::chat::event::{Effect, Leaving};
use crate::chat::model::{Model, Overlay};
use crate::chat::room::Room;
use crate::chat::scroll::Scroll;

/// How often others are told that one types.
const TYPING_MS: u64 = 1_000;

pub(super) fn on_key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    if key.code == KeyCode::Char('c') && control {
        return interrupt(model);
    }
    model.leaving = false;
    if key.code != KeyCode::Tab {
        model.completion = None;
    }
    if let Some(effects) = on_global_key(model, key.code, control, alt) {
        return effects;
    }
    if let Some(overlay) = model.overlay {
        on_overlay_key(model, overlay, key.code);
        return Vec::new();
    }
    if let Some(effects) = on_scroll_key(model, key.code, control, alt) {
        return effects;
    }
    match key.code {
        KeyCode::Enter if !alt && !control => send(model),
        KeyCode::Tab => {
            complete(model);
            Vec::new()
        }
        _ => {
            let before = model.input.text();
            model.input.key(key);
            // Moving about, or among what was written before, is not typing.
            let browses = matches!(key.code, KeyCode::Up | KeyCode::Down);
            if browses || model.input.text() == before { Vec::new() } else { typing(model) }
        }
    }
}

/// Others are told, now and then, that a message is being written.
fn typing(model: &mut Model) -> Vec<Effect> {
    let is_message = !model.input.is_empty() && !model.input.text().starts_with('/');
    // Either way: the clock may be set back.
    let is_due = model.now_ms.abs_diff(model.typed_at_ms) >= TYPING_MS;
    match model.rooms.current().and_then(Room::id).filter(|_| is_message && is_due) {
        Some(room) => {
            model.typed_at_ms = model.now_ms;
            vec![Effect::Typing(room)]
        }
        None => Vec::new(),
    }
}

/// Keys that do the same wherever one is.
fn on_global_key(model: &mut Model, code: KeyCode, control: bool, alt: bool) -> Option<Vec<Effect>> {
    Some(match (code, control, alt) {
        (KeyCode::Char('q'), true, false) => vec![Effect::Quit(Leaving::Done)],
        (KeyCode::Char('r'), true, false) => vec![Effect::TryNow],
        (KeyCode::Char('x'), true, false) => vec![Effect::Stop],
        (KeyCode::Char('o'), true, false) => vec![Effect::Resume],
        (KeyCode::Char('z'), true, false) => vec![Effect::Suspend],
        (KeyCode::Char('l'), true, false) => vec![Effect::Redraw],
        (KeyCode::F(1), ..) => {
            model.overlay = if model.overlay.is_none() { Some(Overlay::Help { scrolled: 0 }) } else { None };
            Vec::new()
        }
        (KeyCode::Char('n'), true, false) | (KeyCode::Down, false, true) => switch(model, 1),
        (KeyCode::Char('p'), true, false) | (KeyCode::Up, false, true) => switch(model, -1),
        (KeyCode::Char('a'), false, true) => next_unread(model),
        (KeyCode::Char(c @ '1'..='9'), false, true) => {
            model.overlay = None;
            show_room(model, usize::from(c as u8 - b'1'))
        }
        _ => return None,
    })
}

fn on_scroll_key(model: &mut Model, code: KeyCode, control: bool, alt: bool) -> Option<Vec<Effect>> {
    let whole = control || alt || model.input.is_empty();
    Some(match code {
        KeyCode::PageUp => scroll_up(model, Scroll::Up(page_rows(model))),
        KeyCode::PageDown => scroll_down(model, page_rows(model)),
        KeyCode::Home if whole => scroll_up(model, Scroll::Top),
        KeyCode::End if whole => go_to_end(model),
        _ => return None,
    })
}

fn on_overlay_key(model: &mut Model, overlay: Overlay, code: KeyCode) {
    let Overlay::Help { scrolled } = overlay;
    let last = u16::try_from(commands::help_lines().len()).unwrap_or(u16::MAX).saturating_sub(1);
    let page = u16::try_from(page_rows(model)).unwrap_or(1);
    let to = match code {
        KeyCode::Up => scrolled.saturating_sub(1),
        KeyCode::Down => scrolled + 1,
        KeyCode::PageUp => scrolled.saturating_sub(page),
        KeyCode::PageDown | KeyCode::Char(' ') => scrolled + page,
        KeyCode::Home => 0,
        KeyCode::End => last,
        _ => {
            model.overlay = None;
            return;
        }
    };
    model.overlay = Some(Overlay::Help { scrolled: to.min(last) });
}

/// Ctrl-C: empties the input, and ends where it is empty and was pressed twice.
fn interrupt(model: &mut Model) -> Vec<Effect> {
    model.overlay = None;
    if !model.input.is_empty() {
        let text = model.input.take();
        model.input.remember(&text);
        return Vec::new();
    }
    if std::mem::replace(&mut model.leaving, true) {
        return vec![Effect::Quit(Leaving::Interrupted)];
    }
    Vec::new()
}

fn switch(model: &mut Model, by: isize) -> Vec<Effect> {
    model.overlay = None;
    let many = model.rooms.list().len();
    if many == 0 {
        return Vec::new();
    }
    let index = (model.rooms.current_index().unwrap_or(0) + many).saturating_add_signed(by) % many;
    show_room(model, index)
}

fn next_unread(model: &mut Model) -> Vec<Effect> {
    let (many, shown) = (model.rooms.list().len(), model.rooms.current_index().unwrap_or(0));
    let after = (1..many).map(|step| (shown + step) % many);
    let unread = |index: &usize| model.rooms.list()[*index].unread;
    let mentioned = after.clone().find(|index| unread(index).mentioned);
    match mentioned.or_else(|| after.clone().find(|index| unread(index).messages > 0)) {
        Some(index) => show_room(model, index),
        None => Vec::new(),
    }
}

//! Completion by the Tab key: commands, rooms behind them, names anywhere. Tab again takes the next one.

use super::model::{Model, Said};
use super::room::same_name;
use super::{commands, text};

/// A completion that can go on with the next candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    candidates: Vec<String>,
    chosen: usize,
    /// What the input shows of the chosen one.
    shown: String,
}

/// Completes what stands before the cursor, or takes the next candidate. Whether there was one.
pub(crate) fn complete(model: &mut Model) -> bool {
    let (before, _) = model.input.around_cursor();
    if let Some(mut going_on) = model.completion.take()
        && before.ends_with(&going_on.shown)
        && !going_on.candidates.is_empty()
    {
        going_on.chosen = (going_on.chosen + 1) % going_on.candidates.len();
        let erased = going_on.shown.chars().count();
        going_on.shown = going_on.candidates[going_on.chosen].clone();
        model.input.replace_before_cursor(erased, &going_on.shown);
        model.completion = Some(going_on);
        return true;
    }
    let word_at = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = &before[word_at..];
    if word.is_empty() {
        return false;
    }
    let at_start = word_at == 0 && model.input.in_first_line();
    let candidates = candidates(model, word, at_start, before.starts_with('/'));
    let Some(first) = candidates.first().cloned() else { return false };
    model.input.replace_before_cursor(word.chars().count(), &first);
    model.completion = Some(Completion { candidates, chosen: 0, shown: first });
    true
}

fn candidates(model: &Model, word: &str, at_start: bool, in_command: bool) -> Vec<String> {
    if at_start && let Some(name) = word.strip_prefix('/') {
        return commands::beginning_with(name).into_iter().map(|name| format!("{name} ")).collect();
    }
    let (sign, beginning) = match word.strip_prefix(['@', '#', '&']) {
        Some(rest) => (&word[..1], rest),
        None => ("", word),
    };
    let beginning = beginning.to_lowercase();
    let fits = |name: &str| name.to_lowercase().starts_with(&beginning);
    let rooms = model.rooms.list().iter().map(|room| room.name.clone());
    let names: Vec<String> = match sign {
        "#" | "&" => rooms.collect(),
        "@" => names(model),
        _ if in_command => names(model).into_iter().chain(rooms).collect(),
        _ => names(model),
    };
    // Whoever is spoken to at the beginning is followed by a colon, as on every other chat.
    let end = if at_start && sign.is_empty() { ": " } else { " " };
    let mut fitting: Vec<String> = Vec::new();
    for name in names.into_iter().filter(|name| fits(name)) {
        let shown = format!("{sign}{}{end}", text::harmless(&name));
        if !fitting.contains(&shown) {
            fitting.push(shown);
        }
    }
    fitting
}

/// Names of the room, those who spoke last first, and then those who say nothing.
fn names(model: &Model) -> Vec<String> {
    let Some(room) = model.rooms.current() else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for entry in room.window.entries().rev() {
        let name = match &entry.said {
            Said::Joined(name) => name,
            Said::Text { .. } | Said::Data { .. } => &entry.author,
            Said::Left(_) | Said::Other => continue,
        };
        if !same_name(name, &model.me) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    for person in room.people.iter().filter(|person| !person.own) {
        if !names.contains(&person.name) {
            names.push(person.name.clone());
        }
    }
    names
}

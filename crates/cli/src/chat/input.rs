//! The line, or the few lines, that the person writes in: an editor, and what was sent before.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

/// Sent texts that are kept for the arrow keys.
const HISTORY_MAX: usize = 100;

/// What is being written.
#[derive(Debug)]
pub(crate) struct InputBox {
    area: TextArea<'static>,
    history: VecDeque<String>,
    /// Which text of the history is shown.
    shown: Option<usize>,
    /// What was being written before the history was looked at.
    draft: String,
}

impl Default for InputBox {
    fn default() -> Self {
        Self { area: area_with(""), history: VecDeque::new(), shown: None, draft: String::new() }
    }
}

impl InputBox {
    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    pub(crate) fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// Replaces the text; the cursor stands at its end.
    pub(crate) fn set(&mut self, text: &str) {
        self.area = area_with(text);
        self.shown = None;
    }

    /// Empties it; answers what stood there.
    pub(crate) fn take(&mut self) -> String {
        let text = self.text();
        self.set("");
        text
    }

    /// The text was sent: the arrow key brings it back.
    pub(crate) fn remember(&mut self, text: &str) {
        if self.history.back().is_none_or(|last| last != text) {
            self.history.push_back(text.to_owned());
        }
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Puts a text where the cursor is, lines and all.
    pub(crate) fn insert(&mut self, text: &str) {
        self.area.insert_str(typeable(text));
        self.shown = None;
    }

    /// The text before the cursor, in its line, and the one behind it.
    pub(crate) fn around_cursor(&self) -> (String, String) {
        let cursor = self.area.cursor();
        let line = self.area.lines().get(cursor.0).map_or("", String::as_str);
        let at = line.char_indices().nth(cursor.1).map_or(line.len(), |(at, _)| at);
        (line[..at].to_owned(), line[at..].to_owned())
    }

    pub(crate) fn in_first_line(&self) -> bool {
        self.area.cursor().0 == 0
    }

    /// Takes the last characters before the cursor away and puts a text in their place.
    pub(crate) fn replace_before_cursor(&mut self, characters: usize, text: &str) {
        for _ in 0..characters {
            self.area.delete_char();
        }
        self.area.insert_str(text);
    }

    /// Rows that it would like to have.
    pub(crate) fn rows(&self, columns: u16) -> usize {
        // One cell is the cursor's, behind the text.
        let columns = usize::from(columns).saturating_sub(1).max(1);
        self.area.lines().iter().map(|line| super::text::wrapped(line, columns).len()).sum()
    }

    /// A key that writes, erases or moves; whether it was one.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match (key.code, control, alt) {
            (KeyCode::Char(c), false, false) => self.insert(c.encode_utf8(&mut [0; 4])),
            (KeyCode::Enter, false, true) | (KeyCode::Char('j'), true, false) => self.area.insert_newline(),
            (KeyCode::Up, false, false) => self.up(),
            (KeyCode::Down, false, false) => self.down(),
            _ => return self.erase(key.code, control, alt) || self.walk(key.code, control, alt),
        }
        true
    }

    fn erase(&mut self, code: KeyCode, control: bool, alt: bool) -> bool {
        match (code, control, alt) {
            (KeyCode::Backspace, true, _) | (KeyCode::Backspace, false, true) => self.area.delete_word(),
            // Some terminals have this for Backspace.
            (KeyCode::Backspace, false, false) | (KeyCode::Char('h'), true, false) => self.area.delete_char(),
            (KeyCode::Char('w'), true, false) => self.area.delete_word(),
            (KeyCode::Delete, false, false) | (KeyCode::Char('d'), true, false) => self.area.delete_next_char(),
            (KeyCode::Delete, true, false) | (KeyCode::Char('d'), false, true) => self.area.delete_next_word(),
            (KeyCode::Char('u'), true, false) => self.area.delete_line_by_head(),
            (KeyCode::Char('k'), true, false) => self.area.delete_line_by_end(),
            (KeyCode::Char('y'), true, false) => self.area.paste(),
            (KeyCode::Char('_' | '7'), true, false) => self.area.undo(),
            _ => return false,
        };
        self.shown = None;
        true
    }

    fn walk(&mut self, code: KeyCode, control: bool, alt: bool) -> bool {
        let to = match (code, control, alt) {
            (KeyCode::Left, false, false) | (KeyCode::Char('b'), true, false) => CursorMove::Back,
            (KeyCode::Right, false, false) | (KeyCode::Char('f'), true, false) => CursorMove::Forward,
            (KeyCode::Left, true, false) | (KeyCode::Left | KeyCode::Char('b'), false, true) => CursorMove::WordBack,
            (KeyCode::Right, true, false) | (KeyCode::Right | KeyCode::Char('f'), false, true) => {
                CursorMove::WordForward
            }
            (KeyCode::Home, false, false) | (KeyCode::Char('a'), true, false) => CursorMove::Head,
            (KeyCode::End, false, false) | (KeyCode::Char('e'), true, false) => CursorMove::End,
            _ => return false,
        };
        self.area.move_cursor(to);
        true
    }

    fn up(&mut self) {
        let before = self.area.cursor();
        self.area.move_cursor(CursorMove::Up);
        if self.area.cursor() == before {
            self.older();
        }
    }

    fn down(&mut self) {
        let before = self.area.cursor();
        self.area.move_cursor(CursorMove::Down);
        if self.area.cursor() == before {
            self.newer();
        }
    }

    fn older(&mut self) {
        let index = match self.shown {
            None => {
                self.draft = self.text();
                self.history.len().checked_sub(1)
            }
            Some(index) => index.checked_sub(1),
        };
        if let Some(text) = index.and_then(|index| self.history.get(index)).cloned() {
            self.set(&text);
            self.shown = index;
        }
    }

    fn newer(&mut self) {
        let Some(index) = self.shown.map(|index| index + 1) else { return };
        match self.history.get(index).cloned() {
            Some(text) => {
                self.set(&text);
                self.shown = Some(index);
            }
            None => {
                let draft = std::mem::take(&mut self.draft);
                self.set(&draft);
            }
        }
    }
}

fn area_with(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(typeable(text).split('\n').map(str::to_owned).collect());
    area.set_cursor_line_style(Style::default());
    area.set_cursor_style(Style::default().add_modifier(Modifier::REVERSED));
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

/// What may be pasted: lines, and no characters that nobody could have typed.
fn typeable(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    lines.chars().filter(|&c| c == '\n' || !super::text::is_unseen(c)).collect()
}

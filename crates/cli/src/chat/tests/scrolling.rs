//! Scrolling through a room of any length, of which memory holds a few hundred entries.

use std::collections::VecDeque;

use crossterm::event::KeyCode;

use super::*;
use crate::chat::event::{Page, PageEnd, Toward};
use crate::chat::window::{ENTRIES_MAX, PAGE};

/// A room as the store has it: answers what the chat asks.
struct Stored {
    chat: Chat,
    entries: Vec<Entry>,
    pages: usize,
}

impl Stored {
    fn new(many: u64) -> Self {
        let entries = talk(1..=many);
        let newest = entries[entries.len().saturating_sub(PAGE)..].to_vec();
        Self { chat: Chat::in_lobby(80, 24, newest), entries, pages: 0 }
    }

    /// Presses a key and answers until nothing more is asked.
    fn press(&mut self, code: KeyCode) {
        let mut open: VecDeque<Effect> = self.chat.press(code).into();
        while let Some(effect) = open.pop_front() {
            open.extend(self.answer(&effect));
        }
    }

    fn answer(&mut self, effect: &Effect) -> Vec<Effect> {
        let many = self.entries.len();
        let index = |sequence: u64| usize::try_from(sequence).expect("a small number");
        match *effect {
            Effect::Older { room, before } => {
                self.pages += 1;
                let to = index(before) - 1;
                let from = to.saturating_sub(PAGE);
                let end = if from == 0 { PageEnd::Edge } else { PageEnd::More };
                let entries = self.entries[from..to].to_vec();
                self.chat.apply(Event::Page(Page { room, toward: Toward::Older { before }, entries, end }))
            }
            Effect::Newer { room, after } => {
                self.pages += 1;
                let from = index(after);
                let to = (from + PAGE).min(many);
                let end = if to == many { PageEnd::Edge } else { PageEnd::More };
                let entries = self.entries[from..to].to_vec();
                self.chat.apply(Event::Page(Page { room, toward: Toward::Newer { after }, entries, end }))
            }
            Effect::Look(ref looking) => {
                let from = match looking.held {
                    Held::Nothing => many.saturating_sub(PAGE),
                    Held::Through(held) => index(held),
                    Held::Enough => many,
                };
                let entries = self.entries[from..].to_vec();
                self.chat.looked(vec![summary(LOBBY, "lobby", many as u64)], entries)
            }
            _ => Vec::new(),
        }
    }

    fn held(&self) -> usize {
        self.chat.model.rooms.current().map_or(0, |room| room.window.entries().count())
    }

    /// Numbers of the messages on the screen, from the top.
    fn on_screen(&self) -> Vec<u64> {
        let numbers = self.chat.screen();
        numbers.lines().filter_map(|row| row.rsplit_once("message ")?.1.trim().parse().ok()).collect()
    }

    fn assert_in_a_row(&self) {
        let shown = self.on_screen();
        assert!(!shown.is_empty(), "{}", self.chat.screen());
        assert!(shown.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{}", self.chat.screen());
    }
}

#[test]
fn every_message_of_a_long_room_comes_by_on_the_way_up_and_down_and_memory_stays_flat() {
    const MANY: u64 = 1_200;
    let mut stored = Stored::new(MANY);
    let mut seen: std::collections::BTreeSet<u64> = stored.on_screen().into_iter().collect();
    while stored.on_screen().first() != Some(&1) {
        let before = stored.on_screen();
        stored.press(KeyCode::PageUp);
        stored.assert_in_a_row();
        assert_ne!(stored.on_screen(), before, "it moves on");
        assert!(stored.held() <= ENTRIES_MAX, "{} are held", stored.held());
        seen.extend(stored.on_screen());
    }
    assert_eq!(seen.len() as u64, MANY, "up");
    assert!(stored.chat.shows("the beginning of the room"), "{}", stored.chat.screen());
    seen.clear();
    seen.extend(stored.on_screen());
    while stored.on_screen().last() != Some(&MANY) {
        stored.press(KeyCode::PageDown);
        stored.assert_in_a_row();
        assert!(stored.held() <= ENTRIES_MAX, "{} are held", stored.held());
        seen.extend(stored.on_screen());
    }
    assert_eq!(seen.len() as u64, MANY, "down");
    eprintln!("{} pages were read for {MANY} messages both ways", stored.pages);
}

#[test]
fn end_goes_to_the_newest_from_wherever_one_is() {
    let mut stored = Stored::new(2_000);
    for _ in 0..60 {
        stored.press(KeyCode::PageUp);
    }
    assert!(stored.on_screen().last() < Some(&1_000), "{:?}", stored.on_screen());
    stored.press(KeyCode::End);
    assert_eq!(stored.on_screen().last(), Some(&2_000));
    stored.assert_in_a_row();
}

#[test]
fn what_comes_in_moves_nothing_on_the_screen_of_who_reads_further_up() {
    let mut stored = Stored::new(400);
    for _ in 0..5 {
        stored.press(KeyCode::PageUp);
    }
    let before = stored.on_screen();
    stored.chat.arrives(talk(401..=450));
    assert_eq!(stored.on_screen(), before);
    assert!(stored.chat.shows("50 new below"), "{}", stored.chat.screen());
    stored.chat.resize(80, 40);
    assert_eq!(stored.on_screen().last(), before.last(), "nor does another size");
}

#[test]
fn a_message_taller_than_the_screen_can_be_read_to_its_end() {
    let text: Vec<String> = (0..60).map(|line| format!("line {line}")).collect();
    let mut chat = Chat::in_lobby(80, 12, vec![says(1, "bob", &text.join("\n")), says(2, "bob", "after it")]);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let screen = chat.screen();
        seen.extend(screen.lines().filter_map(|row| row.rsplit_once("line ")?.1.parse::<u32>().ok()));
        chat.press(KeyCode::PageUp);
    }
    assert_eq!(seen.len(), 60);
    assert!(chat.shows("the beginning of the room"), "{}", chat.screen());
}

#[test]
fn what_is_fetched_is_said_and_what_can_not_be_had_is_tried_again_when_the_line_is_back() {
    let mut chat = Chat::new(80, 12);
    chat.apply(Event::Changed);
    let rooms = || vec![summary(LOBBY, "lobby", 500)];
    chat.looked(rooms(), Vec::new());
    // The device came late: it holds the last three.
    let effects = chat.looked(rooms(), talk(498..=500));
    let older = Effect::Older { room: LOBBY, before: 498 };
    assert!(effects.contains(&older), "{effects:?}");
    assert!(chat.shows("fetching older messages …"), "{}", chat.screen());
    chat.apply(Event::Status(Box::new(status(OFFLINE))));
    let end = PageEnd::Away("the line is down".to_owned());
    let toward = Toward::Older { before: 498 };
    chat.apply(Event::Page(Page { room: LOBBY, toward, entries: Vec::new(), end }));
    assert!(chat.shows("older messages are not here: the line is down"), "{}", chat.screen());
    assert!(chat.apply(Event::Status(Box::new(status(ONLINE)))).contains(&older));
    let entries = talk(490..=497);
    chat.apply(Event::Page(Page { room: LOBBY, toward, entries, end: PageEnd::Edge }));
    assert!(chat.shows("message 497") && !chat.shows("fetching"), "{}", chat.screen());
}

#[test]
fn entries_that_are_not_for_this_device_leave_a_gap_that_is_named() {
    let entries = [talk(1..=2), talk(6..=7)].concat();
    let chat = Chat::in_lobby(80, 24, entries);
    assert!(chat.shows("3 entries are not for this device"), "{}", chat.screen());
}

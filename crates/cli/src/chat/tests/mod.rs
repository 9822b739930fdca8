//! The chat without a terminal, a client or a clock: events go in, effects and frames come out.

mod frames;
mod hostile;
mod keys;
mod rooms;
mod scrolling;
mod talking;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use steadfast::{OperationId, RoomId, Status};

use super::body::Body;
use super::event::{Effect, Event, Held, Look, Looking};
use super::model::{Entry, Model, Pending, PendingSaid, Person, Said, Settings};
use super::room::{Address, Kind, Summary, Unread, same_name};
use super::text::mentions;
use super::time::Zone;
use super::update::update;
use super::view::view;

/// Wednesday, 25 November 2026, 09:00 UTC.
pub(super) const MORNING_MS: u64 = 1_795_597_200_000;
pub(super) const LOBBY: RoomId = RoomId(7);

/// A chat of ann's.
pub(super) struct Chat {
    pub(super) model: Model,
}

impl Chat {
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        let settings = Settings { bell: true, colour: true };
        let mut model = Model::new("ann", (columns, rows), Zone::utc(), settings, status(ONLINE));
        update(&mut model, Event::Tick(MORNING_MS + 3_590_000));
        update(&mut model, Event::Status(Box::new(status(ONLINE))));
        update(&mut model, Event::Tick(MORNING_MS + 3_600_000));
        Self { model }
    }

    /// In the lobby, which has these entries.
    pub(super) fn in_lobby(columns: u16, rows: u16, entries: Vec<Entry>) -> Self {
        let mut chat = Self::new(columns, rows);
        chat.apply(Event::Changed);
        let newest = entries.last().map_or(0, |entry| entry.sequence);
        chat.looked(vec![summary(LOBBY, "lobby", newest)], Vec::new());
        let effects = chat.looked(vec![summary(LOBBY, "lobby", newest)], entries);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Look(_))), "one look is enough: {effects:?}");
        chat
    }

    pub(super) fn apply(&mut self, event: Event) -> Vec<Effect> {
        update(&mut self.model, event)
    }

    /// The store answers the look that is under way.
    pub(super) fn looked(&mut self, rooms: Vec<Summary>, entries: Vec<Entry>) -> Vec<Effect> {
        let looking = self.looking();
        self.apply(Event::Looked(Box::new(Look { looking, rooms, entries, ..Look::default() })))
    }

    /// What a look that is under way asked for.
    pub(super) fn looking(&self) -> Looking {
        match self.model.rooms.current() {
            Some(room) => Looking { current: Some(room.address.clone()), held: room.window.held() },
            None => Looking::default(),
        }
    }

    /// The newest entries come in.
    pub(super) fn arrives(&mut self, entries: Vec<Entry>) -> Vec<Effect> {
        self.apply(Event::Changed);
        let newest = entries.last().map_or(0, |entry| entry.sequence);
        self.looked(vec![summary(LOBBY, "lobby", newest)], entries)
    }

    pub(super) fn type_text(&mut self, text: &str) -> Vec<Effect> {
        text.chars().flat_map(|c| self.press(KeyCode::Char(c))).collect()
    }

    /// Types a line and enters it.
    pub(super) fn enter(&mut self, line: &str) -> Vec<Effect> {
        self.type_text(line);
        self.press(KeyCode::Enter)
    }

    pub(super) fn press(&mut self, code: KeyCode) -> Vec<Effect> {
        self.press_with(KeyModifiers::NONE, code)
    }

    pub(super) fn control(&mut self, c: char) -> Vec<Effect> {
        self.press_with(KeyModifiers::CONTROL, KeyCode::Char(c))
    }

    pub(super) fn alt(&mut self, code: KeyCode) -> Vec<Effect> {
        self.press_with(KeyModifiers::ALT, code)
    }

    fn press_with(&mut self, modifiers: KeyModifiers, code: KeyCode) -> Vec<Effect> {
        self.apply(Event::Key(KeyEvent::new(code, modifiers)))
    }

    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.apply(Event::Resize(columns, rows));
    }

    pub(super) fn buffer(&self) -> Buffer {
        let (columns, rows) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal in memory");
        terminal.draw(|frame| view(&self.model, frame)).expect("it draws");
        terminal.backend().buffer().clone()
    }

    /// The screen, row by row, without the space at the end of each.
    pub(super) fn screen(&self) -> String {
        let buffer = self.buffer();
        let rows = (0..buffer.area.height).map(|y| {
            // A wide character's second cell says nothing of its own.
            let mut row = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                x += u16::try_from(super::text::width(symbol).max(1)).expect("a cell is not that wide");
            }
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn shows(&self, words: &str) -> bool {
        self.screen().contains(words)
    }
}

pub(super) const ONLINE: &str = r#""state":"online","round_trip_ms":23"#;
pub(super) const OFFLINE: &str = r#""state":"offline","cause":{"name":"refused","text":"nothing listens there"},
    "try_number":2,"tries_max":6,"next_try_at_ms":1795600803000"#;

pub(super) fn status(fields: &str) -> Status {
    const REST: &str = r#""cause":null,"round_trip_ms":null,"bound_ms":null,"try_number":1,"tries_max":null,
        "next_try_at_ms":null,"held":null,"storing_for_ms":null,"storing_text":null,"process":1"#;
    let object = |fields: &str| serde_json::from_str::<serde_json::Value>(&format!("{{{fields}}}")).expect("JSON");
    let mut all = object(REST);
    for (key, value) in object(fields).as_object().expect("an object") {
        all[key] = value.clone();
    }
    serde_json::from_value(all).expect("a status")
}

pub(super) fn summary(id: RoomId, name: &str, newest: u64) -> Summary {
    Summary {
        id,
        name: name.to_owned(),
        kind: Kind::Public,
        member: true,
        newest,
        readable_from: 1,
        base: 0,
        unread: Unread::default(),
        read_up_to: None,
    }
}

pub(super) fn unread(summary: Summary, messages: u64, mentioned: bool) -> Summary {
    Summary { unread: Unread { messages, more: false, mentioned }, ..summary }
}

/// The entry of this number, a minute after the one before.
pub(super) fn entry(sequence: u64, author: &str, said: Said) -> Entry {
    Entry {
        sequence,
        position: sequence * 10,
        id: OperationId(1_000 + sequence),
        at_ms: MORNING_MS + sequence * 60_000,
        author: author.to_owned(),
        own: same_name(author, "ann"),
        said,
    }
}

pub(super) fn says(sequence: u64, author: &str, text: &str) -> Entry {
    let mentions_me = !mentions(text, "ann").is_empty();
    entry(sequence, author, Said::Text { body: Body::new(text), mentions_me })
}

/// Messages of bob's, with these numbers.
pub(super) fn talk(numbers: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    numbers.map(|number| says(number, "bob", &format!("message {number}"))).collect()
}

pub(super) fn queued(id: u64, text: &str) -> Pending {
    let what = PendingSaid::Text(Body::new(text));
    Pending { id: OperationId(id), composed_at_ms: MORNING_MS + 3_600_000, what }
}

pub(super) fn person(name: &str, online: bool, delivered: u64) -> Person {
    Person { name: name.to_owned(), own: name == "ann", online, typing: false, delivered }
}

pub(super) fn is_held(chat: &Chat, held: Held) -> bool {
    chat.looking().held == held
}

pub(super) fn public(name: &str) -> Address {
    Address::Public(name.to_owned())
}

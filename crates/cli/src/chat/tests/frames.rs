//! Whole screens, as a person sees them.

use super::*;

fn conversation() -> Vec<Entry> {
    let image = Said::Data { content_type: "image/png".to_owned(), bytes: 12_345 };
    let yesterday = |entry: Entry| Entry { at_ms: entry.at_ms - 86_400_000, ..entry };
    vec![
        yesterday(entry(1, "ann", Said::Joined("ann".to_owned()))),
        yesterday(entry(2, "bob", Said::Joined("bob".to_owned()))),
        yesterday(says(3, "ann", "Is anybody here?")),
        entry(4, "cid", Said::Joined("cid".to_owned())),
        says(5, "bob", "Good morning, ann. I wrote a longer message, which does not fit into one row of the screen."),
        entry(6, "cid", image),
        says(7, "cid", "日本語 and é, 👩‍👩‍👧‍👦\nin two lines"),
        says(8, "ann", "thanks"),
    ]
}

/// A conversation with everything that a screen may have.
fn full(columns: u16, rows: u16) -> Chat {
    let mut chat = Chat::in_lobby(columns, rows, conversation());
    let people = vec![person("ann", true, 80), person("bob", true, 80), person("cid", false, 50)];
    chat.apply(Event::People { room: LOBBY, people });
    chat.apply(Event::Changed);
    let plans = Summary { kind: Kind::Private, ..unread(summary(RoomId(9), "plans", 30), 12, true) };
    let bob = Summary { kind: Kind::Direct, ..unread(summary(RoomId(10), "bob", 3), 1, false) };
    let look = Look {
        looking: chat.looking(),
        rooms: vec![summary(LOBBY, "lobby", 8), plans, bob],
        pending: vec![queued(77, "still here")],
        outbox: 1,
        ..Look::default()
    };
    chat.apply(Event::Looked(Box::new(look)));
    chat.type_text("a draft");
    chat
}

#[test]
fn a_conversation_on_a_screen_of_80_by_24() {
    insta::assert_snapshot!(full(80, 24).screen());
}

#[test]
fn a_conversation_on_a_large_screen() {
    insta::assert_snapshot!(full(120, 40).screen());
}

#[test]
fn a_conversation_on_a_small_screen() {
    insta::assert_snapshot!(full(40, 12).screen());
}

#[test]
fn a_line_that_is_down_with_its_cause_and_the_next_try() {
    let mut chat = full(100, 16);
    chat.apply(Event::Status(Box::new(status(OFFLINE))));
    insta::assert_snapshot!(chat.screen());
}

#[test]
fn the_help() {
    let mut chat = full(80, 60);
    chat.press(crossterm::event::KeyCode::F(1));
    insta::assert_snapshot!(chat.screen());
}

#[test]
fn a_screen_that_is_too_small_says_so_and_comes_back() {
    let mut chat = full(80, 24);
    chat.resize(29, 5);
    assert_eq!(chat.screen().trim(), "too small: 30×6 at least");
    chat.resize(3, 1);
    chat.screen();
    chat.resize(80, 24);
    assert!(chat.shows("still here"));
}

#[test]
fn without_colours_a_screen_says_the_same() {
    let coloured = full(80, 24);
    let mut plain = full(80, 24);
    plain.model.settings.colour = false;
    assert_eq!(plain.screen(), coloured.screen());
    let cells = plain.buffer();
    let reset = ratatui::style::Color::Reset;
    assert!(cells.content().iter().all(|cell| cell.fg == reset && cell.bg == reset), "no cell has a colour");
    assert!(coloured.buffer().content().iter().any(|cell| cell.fg != reset), "the other one has");
}

#[test]
fn colours_are_the_sixteen_of_the_terminal_and_its_ground_stays_its_own() {
    use ratatui::style::Color;
    for cell in full(120, 40).buffer().content() {
        assert_eq!(cell.bg, Color::Reset, "the ground is the theme's");
        assert!(!matches!(cell.fg, Color::Rgb(..) | Color::Indexed(_) | Color::White | Color::Black), "{:?}", cell.fg);
    }
}

//! Bodies and names that somebody chose to do harm: whatever they are, the screen stays whole.

use crossterm::event::KeyCode;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::*;
use crate::chat::text;

fn assert_whole(chat: &Chat) {
    let buffer = chat.buffer();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            assert!(!symbol.chars().any(text::is_unseen), "{symbol:?} at {x},{y}");
            let wide = text::width(symbol);
            assert!((1..=16).contains(&wide), "{symbol:?} is {wide} wide at {x},{y}");
            assert!(x + u16::try_from(wide).expect("small") <= buffer.area.width, "{symbol:?} hangs over at {x},{y}");
            assert!(symbol.graphemes(true).count() == 1, "{symbol:?} is more than one");
            x += u16::try_from(wide).expect("small");
        }
    }
}

#[test]
fn a_message_of_escape_sequences_is_shown_as_what_it_is() {
    let body = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[?1049l\u{9b}5n";
    let chat = Chat::in_lobby(80, 24, vec![says(1, "bob\u{1b}[2J", body)]);
    assert!(chat.shows("␛]0;title␇␛[2J␛[31mred␛[?1049l"), "{}", chat.screen());
    assert_whole(&chat);
}

#[test]
fn sixty_kilobytes_without_a_space_are_cut_into_rows() {
    for letter in ["x", "日", "e\u{301}", "👩‍👩‍👧‍👦"] {
        let body = letter.repeat(60 * 1_024 / letter.len());
        let mut chat = Chat::in_lobby(80, 24, vec![says(1, "bob", &body)]);
        assert_whole(&chat);
        chat.press(KeyCode::Home);
        assert_whole(&chat);
        assert!(chat.shows("09:01          bob"), "{}", chat.screen());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_is_said_by_whomever_the_screen_stays_whole(
        body in "\\PC{0,120}|[\\x00-\\u{ffff}]{0,120}|[ \u{300}-\u{36f}\u{200b}-\u{202e}\u{1f3fb}-\u{1f9ff}]{0,60}",
        name in "\\PC{1,24}|[\\x00-\\u{2fff}]{1,24}",
        columns in 30_u16..130,
        rows in 6_u16..40,
    ) {
        let mut entries = vec![says(1, &name, &body), entry(2, &name, Said::Joined(name.clone()))];
        entries.push(entry(3, &name, Said::Data { content_type: body.clone(), bytes: 12_345 }));
        let mut chat = Chat::in_lobby(columns, rows, entries);
        chat.apply(Event::People { room: LOBBY, people: vec![Person { typing: true, ..person(&name, true, 0) }] });
        chat.apply(Event::Notice(body.clone()));
        chat.apply(Event::Changed);
        chat.looked(vec![summary(LOBBY, "lobby", 3), summary(RoomId(9), &name, 1)], Vec::new());
        assert_whole(&chat);
        chat.apply(Event::Paste(body));
        assert_whole(&chat);
    }
}

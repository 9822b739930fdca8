//! Keys: the line, leaving, the input's history and completion.

use crossterm::event::KeyCode;

use super::*;
use crate::chat::event::Leaving;

#[test]
fn the_keys_of_the_line_do_what_they_are_pinned_to() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    for (key, effect) in [
        ('r', Effect::TryNow),
        ('x', Effect::Stop),
        ('o', Effect::Resume),
        ('q', Effect::Quit(Leaving::Done)),
        ('z', Effect::Suspend),
        ('l', Effect::Redraw),
    ] {
        assert_eq!(chat.control(key), [effect], "Ctrl-{key}");
    }
    for (line, effect) in [("/try", Effect::TryNow), ("/stop", Effect::Stop), ("/quit", Effect::Quit(Leaving::Done))] {
        assert_eq!(chat.enter(line), [effect], "{line}");
    }
}

#[test]
fn ctrl_c_empties_the_input_and_leaves_when_it_was_empty_twice() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    chat.type_text("half a tho");
    assert_eq!(chat.control('c'), []);
    assert!(chat.model.input.is_empty());
    assert_eq!(chat.control('c'), []);
    assert!(chat.shows("Ctrl-C once more leaves"), "{}", chat.screen());
    chat.type_text("x");
    assert!(!chat.shows("once more"), "another key means that one stays");
    chat.control('c');
    chat.control('c');
    assert_eq!(chat.control('c'), [Effect::Quit(Leaving::Interrupted)]);
    chat.press(KeyCode::Up);
    assert_eq!(chat.model.input.text(), "x", "what was thrown away can be had back");
}

#[test]
fn the_help_opens_scrolls_and_closes() {
    let mut chat = Chat::in_lobby(80, 12, talk(1..=1));
    chat.press(KeyCode::F(1));
    assert!(chat.shows("Keys") && !chat.shows("message 1"), "{}", chat.screen());
    chat.press(KeyCode::PageDown);
    assert!(!chat.shows("Keys"), "{}", chat.screen());
    chat.press(KeyCode::End);
    assert!(chat.shows("it names you"), "{}", chat.screen());
    chat.press(KeyCode::Esc);
    assert!(chat.shows("message 1"), "{}", chat.screen());
    chat.enter("/help");
    assert!(chat.shows("Keys"));
    chat.press(KeyCode::F(1));
    assert!(!chat.shows("Keys"));
}

#[test]
fn the_arrow_keys_bring_back_what_was_sent_at_the_edges_of_the_input() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    chat.enter("first");
    chat.enter("second");
    chat.type_text("draft");
    chat.alt(KeyCode::Enter);
    chat.type_text("of two lines");
    chat.press(KeyCode::Up);
    assert_eq!(chat.model.input.text(), "draft\nof two lines", "the cursor went up a line");
    for expected in ["second", "first", "first"] {
        chat.press(KeyCode::Up);
        chat.press(KeyCode::Home);
        assert_eq!(chat.model.input.text(), expected);
    }
    chat.press(KeyCode::Down);
    chat.press(KeyCode::Down);
    assert_eq!(chat.model.input.text(), "draft\nof two lines");
}

#[test]
fn tab_completes_names_rooms_and_commands_and_goes_on_to_the_next_one() {
    let entries = vec![says(1, "bob", "hi"), says(2, "bert", "hi"), says(3, "Zoë", "hi"), says(4, "ann", "hi")];
    let mut chat = Chat::in_lobby(80, 24, entries);
    let mut completed = |typed: &str, tabs: usize| {
        chat.model.input.set(typed);
        (0..tabs).for_each(|_| drop(chat.press(KeyCode::Tab)));
        chat.model.input.text()
    };
    assert_eq!(completed("b", 1), "bert: ", "who spoke last comes first");
    assert_eq!(completed("b", 2), "bob: ");
    assert_eq!(completed("b", 3), "bert: ");
    assert_eq!(completed("ask @bo", 1), "ask @bob ");
    assert_eq!(completed("zo", 1), "Zoë: ");
    assert_eq!(completed("/jo", 1), "/join ");
    assert_eq!(completed("/join lo", 1), "/join lobby ");
    assert_eq!(completed("see #l", 1), "see #lobby ");
    assert_eq!(completed("nobody", 1), "nobody");
    assert_eq!(completed("an", 1), "an", "oneself is not spoken to");
    assert_eq!(completed("", 1), "");
}

#[test]
fn a_command_that_is_not_there_says_what_is_and_stays_for_editing() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    assert_eq!(chat.enter("/jion lobby"), []);
    assert_eq!(chat.model.input.text(), "/jion lobby");
    assert!(chat.shows("! there is no /jion; there are /join"), "{}", chat.screen());
    assert!(chat.shows("/quit"), "{}", chat.screen());
}

#[test]
fn enter_at_an_empty_input_answers_the_question_of_login() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    assert_eq!(chat.press(KeyCode::Enter), []);
    chat.apply(Event::Status(Box::new(status(r#""state":"offline","asks_login":true"#))));
    assert!(chat.shows("log in?") && chat.shows("Enter yes"), "{}", chat.screen());
    assert_eq!(chat.press(KeyCode::Enter), [Effect::LogIn]);
}

#[test]
fn the_input_is_edited_as_on_a_shell() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    chat.type_text("one two three");
    let after = |chat: &mut Chat, key: char| {
        chat.control(key);
        chat.model.input.text()
    };
    assert_eq!(after(&mut chat, 'h'), "one two thre", "some terminals have it for Backspace");
    assert_eq!(after(&mut chat, 'w'), "one two ");
    chat.control('a');
    assert_eq!(after(&mut chat, 'd'), "ne two ");
    chat.alt(KeyCode::Char('f'));
    assert_eq!(after(&mut chat, 'k'), "ne ");
    assert_eq!(after(&mut chat, 'y'), "ne two ");
    assert_eq!(after(&mut chat, 'u'), "");
    chat.type_text("a");
    chat.control('j');
    chat.type_text("b");
    chat.alt(KeyCode::Enter);
    chat.type_text("c");
    assert_eq!(chat.model.input.text(), "a\nb\nc");
}

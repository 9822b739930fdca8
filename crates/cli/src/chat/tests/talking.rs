//! What one says, and what comes back of it.

use crossterm::event::KeyCode;

use super::*;
use crate::chat::event::Operation;

fn sent(text: &str) -> Effect {
    Effect::Queue(Operation::Send { address: Address::Room(LOBBY), text: text.to_owned() })
}

#[test]
fn what_is_entered_is_queued_for_the_room_that_is_shown() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    assert_eq!(chat.enter("hello"), [sent("hello")]);
    assert!(chat.model.input.is_empty());
    assert_eq!(chat.enter("   "), [], "nothing is no message");
    chat.control('c');
    assert_eq!(chat.enter("//not a command"), [sent("/not a command")]);
}

#[test]
fn a_message_is_queued_then_stored_then_delivered() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    chat.apply(Event::Changed);
    let look = Look {
        looking: chat.looking(),
        rooms: vec![summary(LOBBY, "lobby", 2)],
        pending: vec![queued(1_003, "on its way")],
        outbox: 1,
        ..Look::default()
    };
    chat.apply(Event::Looked(Box::new(look)));
    assert!(chat.shows("on its way … queued") && chat.shows("1 queued"), "{}", chat.screen());
    // The server has it, and it has not come back: it is neither gone nor twice there.
    chat.apply(Event::Changed);
    chat.looked(vec![summary(LOBBY, "lobby", 2)], Vec::new());
    assert!(chat.shows("on its way ✓") && !chat.shows("queued"), "{}", chat.screen());
    chat.arrives(vec![says(3, "ann", "on its way")]);
    assert_eq!(chat.screen().matches("on its way").count(), 1, "{}", chat.screen());
    let people = vec![person("ann", true, 30), person("bob", true, 29), person("cid", false, 0)];
    chat.apply(Event::People { room: LOBBY, people: people.clone() });
    assert!(chat.shows("on its way ✓") && !chat.shows("✓ 1/2"));
    let some = people.into_iter().map(|person| Person { delivered: person.delivered + 1, ..person });
    chat.apply(Event::People { room: LOBBY, people: some.collect() });
    assert!(chat.shows("on its way ✓ 1/2"), "{}", chat.screen());
    let all = vec![person("ann", true, 30), person("bob", true, 30), person("cid", false, 30)];
    chat.apply(Event::People { room: LOBBY, people: all });
    assert!(chat.shows("on its way ✓✓"), "{}", chat.screen());
}

/// The store answers a look with what waits.
fn waiting(chat: &mut Chat, pending: Vec<Pending>, pending_more: bool) {
    chat.apply(Event::Changed);
    let rooms = vec![summary(LOBBY, "lobby", 2)];
    let look = Look { looking: chat.looking(), rooms, pending, pending_more, ..Look::default() };
    chat.apply(Event::Looked(Box::new(look)));
}

#[test]
fn a_message_behind_which_more_wait_than_are_shown_is_not_said_to_be_stored() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    let many = |ids: std::ops::RangeInclusive<u64>| ids.map(|id| queued(id, &format!("line {id}"))).collect();
    waiting(&mut chat, many(1..=200), false);
    waiting(&mut chat, many(11..=210), true);
    let arriving = |chat: &Chat| chat.model.rooms.current().map(|room| room.window.arriving.len());
    assert_eq!(arriving(&chat), Some(0), "{}", chat.screen());
    // The server has those and five more.
    waiting(&mut chat, many(16..=215), false);
    assert_eq!(arriving(&chat), Some(5));
    // The rest of it is stored, and none of it comes back: what is kept of that has a limit.
    waiting(&mut chat, Vec::new(), false);
    assert_eq!(arriving(&chat), Some(crate::chat::window::PENDING_MAX));
    // The newest page comes with a hole before it, in which they may be.
    chat.apply(Event::Changed);
    let rooms = vec![summary(LOBBY, "lobby", 900)];
    let look = Look { looking: chat.looking(), rooms, entries: talk(701..=900), skipped: true, ..Look::default() };
    chat.apply(Event::Looked(Box::new(look)));
    assert_eq!(arriving(&chat), Some(0), "{}", chat.screen());
}

#[test]
fn a_refused_message_is_said_with_its_reason_and_given_back() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    let refused = |text: &str| Event::Refused {
        operation: OperationId(5),
        room: Some(LOBBY),
        why: "the server refused a message to the room \"lobby\": it is too large".to_owned(),
        text: text.to_owned(),
    };
    chat.apply(refused("my long text"));
    assert_eq!(chat.model.input.text(), "my long text");
    assert!(chat.shows("it is too") && chat.shows("my long text"), "{}", chat.screen());
    // What is being written is not written over: the arrow key has it.
    chat.apply(refused("another one"));
    assert_eq!(chat.model.input.text(), "my long text");
    chat.press(KeyCode::Up);
    assert_eq!(chat.model.input.text(), "another one");
}

#[test]
fn a_message_that_is_refused_in_another_room_is_not_put_where_it_would_be_published() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    let why = "the server refused a message to the room \"secret\": you are not a member".to_owned();
    let room = Some(RoomId(LOBBY.0 + 1));
    chat.apply(Event::Refused { operation: OperationId(5), room, why, text: "for few".to_owned() });
    assert_eq!(chat.model.input.text(), "");
    assert!(chat.shows("for few"), "{}", chat.screen());
}

#[test]
fn a_message_that_could_not_be_queued_is_given_back_with_the_reason() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    chat.enter("hello");
    let address = Some(Address::Room(LOBBY));
    let (why, text) = ("the outbox is full".to_owned(), "hello".to_owned());
    chat.apply(Event::NotQueued { address, why, text });
    assert_eq!(chat.model.input.text(), "hello");
    assert!(chat.shows("! not sent: the outbox is full"), "{}", chat.screen());
}

#[test]
fn what_is_said_while_more_waits_than_fits_the_screen_is_in_sight() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=2));
    chat.apply(Event::Changed);
    let pending = (1..=50).map(|id| queued(id, &format!("waits {id}"))).collect();
    let (looking, rooms) = (chat.looking(), vec![summary(LOBBY, "lobby", 2)]);
    chat.apply(Event::Looked(Box::new(Look { looking, rooms, pending, ..Look::default() })));
    let address = Some(Address::Room(LOBBY));
    let (why, text) = ("the outbox is full".to_owned(), "hello".to_owned());
    chat.apply(Event::NotQueued { address, why, text });
    assert!(chat.shows("! not sent: the outbox is full") && chat.shows("waits 50"), "{}", chat.screen());
}

#[test]
fn a_mention_rings_unless_one_said_it_oneself_or_turned_the_bell_off() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    assert!(chat.arrives(vec![says(2, "bob", "Ann: are you there?")]).contains(&Effect::Bell));
    assert!(chat.shows("»bob Ann: are"), "{}", chat.screen());
    assert!(!chat.arrives(vec![says(3, "bob", "hannah, annual")]).contains(&Effect::Bell));
    assert!(!chat.arrives(vec![says(4, "ann", "I am ann")]).contains(&Effect::Bell));
    chat.model.settings.bell = false;
    assert!(!chat.arrives(vec![says(5, "bob", "ann?")]).contains(&Effect::Bell));
}

#[test]
fn a_mention_in_another_room_rings_once() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    let rooms = |many| vec![summary(LOBBY, "lobby", 1), unread(summary(RoomId(9), "plans", 4), many, true)];
    chat.apply(Event::Changed);
    assert!(chat.looked(rooms(1), Vec::new()).contains(&Effect::Bell));
    assert!(chat.shows("unread in 1 room (you)"), "{}", chat.screen());
    chat.apply(Event::Changed);
    assert!(!chat.looked(rooms(2), Vec::new()).contains(&Effect::Bell));
}

#[test]
fn each_message_of_a_conversation_in_another_room_rings() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    let bob = |many| {
        let bob = Summary { kind: Kind::Direct, ..summary(RoomId(9), "bob", 4) };
        vec![summary(LOBBY, "lobby", 1), unread(bob, many, false)]
    };
    for many in 1..=2 {
        chat.apply(Event::Changed);
        assert!(chat.looked(bob(many), Vec::new()).contains(&Effect::Bell));
    }
    chat.apply(Event::Changed);
    assert!(!chat.looked(bob(2), Vec::new()).contains(&Effect::Bell));
}

#[test]
fn what_is_on_the_screen_is_read_and_what_is_below_it_is_not() {
    let mut chat = Chat::in_lobby(80, 10, talk(1..=40));
    let read = |sequence| Effect::MarkRead { room: LOBBY, sequence };
    assert!(chat.arrives(talk(41..=41)).contains(&read(41)));
    chat.press(KeyCode::PageUp);
    assert!(!chat.arrives(talk(42..=43)).iter().any(|effect| matches!(effect, Effect::MarkRead { .. })));
    assert!(chat.shows("2 new below"), "{}", chat.screen());
    assert!(chat.press(KeyCode::End).contains(&read(43)));
    assert!(chat.shows("message 43"), "{}", chat.screen());
}

#[test]
fn others_hear_that_one_types_at_most_once_a_second_and_never_of_a_command() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    assert_eq!(chat.type_text("hello"), [Effect::Typing(LOBBY)]);
    chat.apply(Event::Tick(MORNING_MS + 3_601_000));
    assert_eq!(chat.type_text("!"), [Effect::Typing(LOBBY)]);
    chat.control('c');
    chat.apply(Event::Tick(MORNING_MS + 3_609_000));
    assert_eq!(chat.type_text("/who"), []);
}

#[test]
fn a_paste_is_one_message_with_its_lines() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=1));
    chat.apply(Event::Paste("one\r\ntwo\n\n\tthree\u{1b}[2J\u{202e}".to_owned()));
    assert_eq!(chat.press(KeyCode::Enter), [sent("one\ntwo\n\n    three[2J")]);
}

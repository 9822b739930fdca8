//! Rooms at the side: entering, making, switching, what is unread.

use crossterm::event::KeyCode;

use super::*;
use crate::chat::event::Operation;
use crate::chat::room::Room;

const PLANS: RoomId = RoomId(9);

fn shown(chat: &Chat) -> String {
    chat.model.rooms.current().map(Room::title).unwrap_or_default()
}

fn lobby_and_plans(plans_unread: u64) -> Vec<Summary> {
    vec![summary(LOBBY, "lobby", 3), unread(summary(PLANS, "plans", 8), plans_unread, false)]
}

#[test]
fn a_room_is_gone_to_at_once_and_is_the_same_room_when_the_server_knows_it() {
    let mut chat = Chat::new(80, 24);
    chat.apply(Event::Changed);
    chat.looked(Vec::new(), Vec::new());
    assert!(chat.shows("You are in no room yet"), "{}", chat.screen());
    assert_eq!(chat.enter("hello?"), []);
    assert!(chat.shows("you are in no room"), "{}", chat.screen());
    chat.control('c');
    let effects = chat.enter("/join Lobby");
    assert!(effects.contains(&Effect::Queue(Operation::Open(public("Lobby")))), "{effects:?}");
    assert_eq!(shown(&chat), "#Lobby");
    let said = chat.enter("first!");
    assert!(said.contains(&Effect::Queue(Operation::Send { address: public("Lobby"), text: "first!".to_owned() })));
    chat.looked(vec![summary(LOBBY, "lobby", 1)], Vec::new());
    assert_eq!(chat.model.rooms.list().len(), 1, "it is no second room");
    assert_eq!(chat.model.rooms.current().and_then(Room::id), Some(LOBBY));
}

#[test]
fn the_room_of_the_command_line_is_entered_or_just_shown() {
    let mut chat = Chat::new(80, 24);
    chat.model.wanted = Some(public("plans"));
    chat.apply(Event::Changed);
    let effects = chat.looked(lobby_and_plans(0), Vec::new());
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Queue(_))), "{effects:?}");
    assert_eq!(shown(&chat), "#plans");
    let mut chat = Chat::new(80, 24);
    chat.model.wanted = Some(public("new"));
    chat.apply(Event::Changed);
    let effects = chat.looked(lobby_and_plans(0), Vec::new());
    assert!(effects.contains(&Effect::Queue(Operation::Open(public("new")))), "{effects:?}");
}

#[test]
fn what_is_entered_behind_the_making_of_a_room_is_for_that_room() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    assert_eq!(chat.enter("/private plans"), [Effect::Queue(Operation::MakePrivate("plans".to_owned()))]);
    assert_eq!(chat.enter("not for the lobby"), []);
    assert_eq!(chat.enter("/add bob"), []);
    let address = Address::Room(PLANS);
    let effects = chat.apply(Event::Queued { address: address.clone(), made: Some("plans".to_owned()), show: true });
    assert_eq!(shown(&chat), "&plans");
    let text = "not for the lobby".to_owned();
    assert!(effects.contains(&Effect::Queue(Operation::Send { address: address.clone(), text })), "{effects:?}");
    assert!(effects.contains(&Effect::Queue(Operation::Add { address, name: "bob".to_owned() })), "{effects:?}");
}

#[test]
fn what_was_meant_for_a_room_that_could_not_be_made_is_given_back() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    chat.enter("/private plans");
    chat.enter("not for the lobby");
    chat.apply(Event::NotQueued { address: None, why: "the disk is full".to_owned(), text: String::new() });
    assert_eq!(chat.model.input.text(), "", "the next Enter would say it in the lobby");
    assert!(chat.shows("! not done: the disk is full"), "{}", chat.screen());
    chat.press(KeyCode::Up);
    assert_eq!(chat.model.input.text(), "not for the lobby");
}

#[test]
fn a_message_to_a_person_opens_the_conversation_and_goes_there() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    let bob = Address::Direct("bob".to_owned());
    let said = |text: &str| Effect::Queue(Operation::Send { address: bob.clone(), text: text.to_owned() });
    let effects = chat.enter("/msg @bob the secret");
    assert!(effects.contains(&said("the secret")), "{effects:?}");
    assert_eq!(shown(&chat), "@bob");
    assert!(chat.enter("/msg bob more").contains(&said("more")));
    assert!(chat.enter("/msg ann hello me").is_empty());
    assert!(chat.shows("that is you"), "{}", chat.screen());
    let wrong = chat.enter("/join a/b");
    assert!(wrong.is_empty() && chat.shows("can't be a name"), "{}", chat.screen());
}

#[test]
fn rooms_are_switched_by_keys_and_a_draft_stays_where_it_was_written() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    chat.apply(Event::Changed);
    chat.looked(lobby_and_plans(2), Vec::new());
    assert!(chat.shows("#plans        2 "), "{}", chat.screen());
    chat.type_text("for the lobby");
    for (there, back) in [
        (KeyCode::Down, KeyCode::Up),
        (KeyCode::Up, KeyCode::Down),
        (KeyCode::Char('2'), KeyCode::Char('1')),
        (KeyCode::Char('a'), KeyCode::Char('1')),
    ] {
        chat.apply(Event::Changed);
        chat.looked(lobby_and_plans(2), Vec::new());
        chat.alt(there);
        assert_eq!((shown(&chat).as_str(), chat.model.input.text().as_str()), ("#plans", ""), "{there:?}");
        chat.alt(back);
        assert_eq!((shown(&chat).as_str(), chat.model.input.text().as_str()), ("#lobby", "for the lobby"), "{back:?}");
    }
    chat.alt(KeyCode::Char('9'));
    assert_eq!(shown(&chat), "#lobby", "there is no ninth room");
}

#[test]
fn unread_begins_at_a_line_and_the_count_goes_when_it_is_on_the_screen() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    let rooms = vec![
        summary(LOBBY, "lobby", 3),
        Summary { read_up_to: Some(6), ..unread(summary(PLANS, "plans", 8), 2, false) },
    ];
    chat.apply(Event::Changed);
    chat.looked(rooms.clone(), Vec::new());
    chat.control('n');
    let effects = chat.looked(rooms, talk(1..=8));
    assert!(effects.contains(&Effect::MarkRead { room: PLANS, sequence: 8 }), "{effects:?}");
    let screen = chat.screen();
    let at = |words: &str| screen.find(words).unwrap_or_else(|| panic!("{words} in\n{screen}"));
    assert!(at("message 6") < at(" new ") && at(" new ") < at("message 7"), "{screen}");
    assert!(!screen.contains("unread"), "{screen}");
}

#[test]
fn what_was_missed_while_the_line_was_down_stands_behind_the_line_new_and_what_is_said_now_does_not() {
    let is_new = |chat: &Chat| chat.shows("─ new ─");
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    let mut now_ms = MORNING_MS + 4_000_000;
    let mut pass = |chat: &mut Chat| {
        now_ms += 1_500;
        chat.apply(Event::Tick(now_ms));
    };
    let line = |chat: &mut Chat, fields: &str| drop(chat.apply(Event::Status(Box::new(status(fields)))));
    pass(&mut chat);
    chat.arrives(talk(4..=4));
    assert!(!is_new(&chat), "{}", chat.screen());
    line(&mut chat, OFFLINE);
    line(&mut chat, &format!(r#"{ONLINE},"catching_up":{{"entries":0,"of":2}}"#));
    chat.arrives(talk(5..=6));
    line(&mut chat, ONLINE);
    pass(&mut chat);
    assert!(is_new(&chat), "{}", chat.screen());
    chat.enter("thanks");
    assert!(!is_new(&chat), "who answers has read it");
    // A drop in which nothing was missed.
    line(&mut chat, OFFLINE);
    line(&mut chat, ONLINE);
    pass(&mut chat);
    chat.arrives(talk(7..=7));
    assert!(!is_new(&chat), "{}", chat.screen());
}

#[test]
fn a_history_that_went_back_is_read_as_it_is_now() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=40));
    let read = |sequence| Effect::MarkRead { room: LOBBY, sequence };
    assert!(chat.arrives(talk(41..=41)).contains(&read(41)));
    // A look is under way that began before; one at a time.
    chat.apply(Event::Changed);
    let before = Look { looking: chat.looking(), ..Look::default() };
    assert_eq!(chat.apply(Event::Rewound("the server went back".to_owned())), []);
    let summary_before = Summary { read_up_to: Some(41), ..summary(LOBBY, "lobby", 41) };
    let before = Look { rooms: vec![summary_before], entries: talk(41..=41), ..before };
    let effects = chat.apply(Event::Looked(Box::new(before)));
    let looking = Looking { current: Some(Address::Room(LOBBY)), held: Held::Nothing };
    assert_eq!(effects, [Effect::Look(looking)], "what it found is not so any more");
    // What it has now is new as far as it is not marked as read, and is read by being shown.
    let now = Summary { read_up_to: Some(10), ..summary(LOBBY, "lobby", 12) };
    assert!(chat.looked(vec![now], talk(1..=12)).contains(&read(12)));
    assert!(chat.shows("message 12") && !chat.shows("message 41"), "{}", chat.screen());
    // The same while the first page of the room is on its way.
    chat.apply(Event::Changed);
    let mut first = Look { looking: chat.looking(), ..Look::default() };
    first.looking.held = Held::Nothing;
    first.entries = talk(30..=40);
    chat.apply(Event::Rewound("the server went back".to_owned()));
    chat.apply(Event::Looked(Box::new(first)));
    chat.looked(vec![summary(LOBBY, "lobby", 5)], talk(1..=5));
    assert!(chat.shows("message 5") && !chat.shows("message 40"), "{}", chat.screen());
}

#[test]
fn a_room_that_was_left_goes_from_the_side_once_another_one_is_shown() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    let leave = Effect::Queue(Operation::Leave(Address::Room(LOBBY)));
    assert_eq!(chat.enter("/leave"), [leave]);
    let left = Summary { member: false, ..summary(LOBBY, "lobby", 4) };
    chat.apply(Event::Changed);
    chat.looked(vec![left.clone(), summary(PLANS, "plans", 8)], Vec::new());
    assert!(chat.shows("#lobby"), "what was said there can still be read");
    chat.control('n');
    chat.looked(vec![left, summary(PLANS, "plans", 8)], Vec::new());
    assert!(!chat.shows("#lobby"), "{}", chat.screen());
}

#[test]
fn the_people_of_the_room_that_is_shown_are_looked_at() {
    let mut chat = Chat::new(80, 24);
    chat.apply(Event::Changed);
    chat.looked(lobby_and_plans(0), Vec::new());
    let watched = chat.looked(lobby_and_plans(0), talk(1..=3));
    assert!(!watched.contains(&Effect::Watch(None)), "{watched:?}");
    assert_eq!(chat.model.watched, Some(LOBBY));
    let people = vec![person("bob", false, 0), Person { typing: true, ..person("cid", true, 0) }];
    chat.apply(Event::People { room: LOBBY, people });
    assert!(chat.shows("● cid …") && chat.shows("○ bob") && chat.shows("cid types …"), "{}", chat.screen());
    chat.control('n');
    assert!(chat.looked(lobby_and_plans(0), talk(1..=8)).contains(&Effect::Watch(Some(PLANS))));
    assert!(!chat.shows("cid"), "{}", chat.screen());
}

#[test]
fn one_look_at_the_store_at_a_time_and_one_more_for_what_changed_meanwhile() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    let looks = |effects: Vec<Effect>| effects.iter().filter(|effect| matches!(effect, Effect::Look(_))).count();
    let many: usize = (0..50).map(|_| looks(chat.apply(Event::Changed))).sum();
    assert_eq!(many, 1);
    assert_eq!(looks(chat.looked(lobby_and_plans(0), Vec::new())), 1);
    assert_eq!(looks(chat.looked(lobby_and_plans(0), Vec::new())), 0);
    assert!(is_held(&chat, Held::Through(3)));
}

#[test]
fn a_refused_text_is_given_back_in_its_own_room_and_in_no_other() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    chat.apply(Event::Changed);
    chat.looked(vec![summary(LOBBY, "lobby", 3), summary(PLANS, "secret", 0)], Vec::new());
    let refused = |room| Event::Refused {
        operation: steadfast::OperationId(5),
        room,
        why: "you are not in it".to_owned(),
        text: "the secret".to_owned(),
    };
    chat.apply(refused(Some(PLANS)));
    chat.apply(refused(None));
    assert_eq!((shown(&chat).as_str(), chat.model.input.text().as_str()), ("#lobby", ""));
    chat.control('n');
    assert_eq!((shown(&chat).as_str(), chat.model.input.text().as_str()), ("#secret", "the secret"));
}

#[test]
fn what_is_held_for_a_new_room_overwrites_no_input_and_takes_no_lines_of_other_rooms() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    chat.apply(Event::Changed);
    chat.looked(vec![summary(LOBBY, "lobby", 3), summary(RoomId(8), "tea", 0)], Vec::new());
    chat.enter("/private plans");
    for line in ["/private more", "for more", "/nonsense", "/nonsense too"] {
        assert_eq!(chat.enter(line), []);
    }
    chat.control('n');
    let tea = Effect::Queue(Operation::Send { address: Address::Room(RoomId(8)), text: "for tea".to_owned() });
    assert!(chat.enter("for tea").contains(&tea));
    chat.type_text("half a");
    let made = |id, name: &str| Event::Queued { address: Address::Room(id), made: Some(name.to_owned()), show: true };
    let effects = chat.apply(made(PLANS, "plans"));
    assert!(effects.contains(&Effect::Queue(Operation::MakePrivate("more".to_owned()))), "{effects:?}");
    let said = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Queue(Operation::Send { .. })));
    assert!(!said(&effects), "{effects:?}");
    let effects = chat.apply(made(RoomId(99), "more"));
    let address = Address::Room(RoomId(99));
    let more = Effect::Queue(Operation::Send { address, text: "for more".to_owned() });
    assert!(effects.contains(&more), "{effects:?}");
    assert_eq!(chat.model.input.text(), "/nonsense");
}

#[test]
fn a_look_that_failed_is_said_once_and_done_again_with_the_next_tick() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    chat.apply(Event::Changed);
    for second in 1..=2 {
        assert!(chat.apply(Event::LookFailed("away".to_owned())).is_empty());
        let effects = chat.apply(Event::Tick(MORNING_MS + 3_600_000 + second * 1_000));
        assert!(matches!(effects[..], [Effect::Look(_)]), "{effects:?}");
    }
    assert_eq!(chat.screen().matches("be read:").count(), 1, "{}", chat.screen());
    chat.looked(vec![summary(LOBBY, "lobby", 4)], talk(4..=4));
    assert!(chat.shows("message 4"), "{}", chat.screen());
    assert_eq!(chat.apply(Event::Tick(MORNING_MS + 3_609_000)), []);
}

#[test]
fn going_to_the_room_that_is_shown_changes_nothing_and_moving_in_the_input_is_not_typing() {
    let mut chat = Chat::in_lobby(80, 24, talk(1..=3));
    assert_eq!(chat.alt(KeyCode::Char('1')), []);
    assert_eq!(chat.enter("/join lobby"), []);
    assert!(chat.shows("message 3"), "{}", chat.screen());
    chat.type_text("word");
    chat.apply(Event::Tick(MORNING_MS + 3_700_000));
    for code in [KeyCode::Left, KeyCode::Up, KeyCode::Down] {
        assert_eq!(chat.press(code), []);
    }
    assert_eq!(chat.press(KeyCode::Char('s')), [Effect::Typing(LOBBY)]);
}

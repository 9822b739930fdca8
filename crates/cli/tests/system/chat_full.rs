//! The terminal chat on a device whose outbox has no room left.

use crate::rig::{ROOM, SOON, Screen, Stopwatch, World, lines_of};

/// How many messages fit the outbox, beside the way into the room.
const OUTBOX: usize = 99_999;

#[test]
fn a_chat_that_starts_on_a_full_outbox_gives_back_what_is_typed_and_sends_each_message_once() {
    let world = World::in_memory();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    let filling = Stopwatch::start();
    ann.send_lines(&lines_of("ann", 1, OUTBOX), &["--queue"]).expect_code(0);
    eprintln!("the outbox was filled in {:?}", filling.elapsed());
    assert_eq!(ann.status().number("outbox"), Some(OUTBOX as u64 + 1));

    let hers = Screen::start(&world.path("screen"), &ann.command("chat", &[ROOM]));
    hers.wait_to_show("ann 99999 … queued", SOON);
    hers.enter("one too many");
    hers.wait_to_show("not sent: ", SOON);
    hers.wait_until_screen("what she typed is hers again", SOON, |lines| lines[23].contains("one too many"));
    assert_eq!(ann.status().number("outbox"), Some(OUTBOX as u64 + 1));

    let sending = Stopwatch::start();
    server.restart();
    hers.wait_to_show("ann 99999 ✓", 6 * SOON);
    hers.wait_to_hide("queued", SOON);
    eprintln!("all of it was sent in {:?}", sending.elapsed());
    hers.press(&["Enter"]);
    hers.wait_to_show("one too many ✓", SOON);
    hers.press(&["C-q"]);
    hers.wait_to_end(0, SOON);
    let history = ann.stored_history();
    let sent = history.texts_of("ann");
    let mut all = lines_of("ann", 1, OUTBOX);
    all.push("one too many".to_owned());
    assert!(sent == all, "each is there once and in order: {} of {}", sent.len(), all.len());
}

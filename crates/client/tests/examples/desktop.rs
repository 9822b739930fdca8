use crate::rig::World;

#[test]
fn a_window_shows_what_is_so_and_keeps_what_is_typed_whoever_is_killed() {
    let mut world = World::with_server();
    let listener = world.listener("hall");
    let mut window = world.example("desktop", &["wendy", "hall"]);
    window.wait_for("[online]");
    window.type_line("hello");
    window.wait_for("kept: hello");
    window.wait_for("wendy: hello");

    world.kill_server();
    window.wait_for("[offline: ");
    window.type_line("typed without a line");
    window.wait_for("kept: typed without a line");
    let seen = window.so_far().len();
    world.start_server();
    window.type_line("/now");
    window.wait_for_after("[online]", seen);
    window.wait_for("wendy: typed without a line");

    let seen = window.so_far().len();
    window.type_line("/stop");
    window.wait_for_after("[stopped: ", seen);
    world.say("ann", "hall", &["while you were away".to_owned()]);
    window.type_line("and typed while stopped");
    window.wait_for("kept: and typed while stopped");
    // Killed, it has lost nothing: who opens the window again finds all of it.
    window.kill();
    let mut window = world.example("desktop", &["wendy", "hall"]);
    window.wait_for("ann: while you were away");
    window.wait_for("wendy: and typed while stopped");
    window.type_line("/quit");
    window.wait_to_end();
    let twice = window.so_far().iter().filter(|line| line.contains("hello")).count();
    assert_eq!(twice, 0, "what was shown is shown once: {:#?}", window.so_far());

    let expected =
        ["wendy: hello", "wendy: typed without a line", "ann: while you were away", "wendy: and typed while stopped"];
    assert_eq!(listener.heard(expected.len()), expected);
}

#[test]
fn what_a_closed_window_did_not_show_is_shown_by_the_next_one() {
    const LINES: usize = 400;
    let world = World::with_server();
    let mut window = world.example("desktop", &["wendy", "hall"]);
    window.wait_for("[online]");
    window.type_line("/quit");
    window.wait_to_end();
    let lines: Vec<String> = (1..=LINES).map(|line| format!("line {line}")).collect();
    world.say("ann", "hall", &lines);

    let mut shown: Vec<String> = Vec::new();
    let mut windows = 0;
    while shown.len() < LINES {
        let mut window = world.example("desktop", &["wendy", "hall"]);
        window.wait_for("ann: ");
        window.type_line("/quit");
        window.wait_to_end();
        shown.extend(window.so_far().into_iter().filter(|line| line.starts_with("ann: ")));
        windows += 1;
    }
    assert_eq!(shown, lines.iter().map(|line| format!("ann: {line}")).collect::<Vec<_>>());
    eprintln!("{windows} windows showed {LINES} lines, each once");
}

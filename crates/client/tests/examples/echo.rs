use crate::rig::World;

#[test]
fn everything_said_is_echoed_once_whoever_is_killed() {
    const ROUNDS: usize = 4;
    const LINES: usize = 60;
    let mut world = World::with_server();
    let listener = world.listener("echo");
    let mut expected: Vec<String> = Vec::new();
    let mut killed_in_the_middle = 0;
    for round in 0..ROUNDS {
        let mut echo = world.example("echo", &[]);
        echo.wait_for("in the room");
        // Not for all to hear.
        world.whisper("eve", "echo", "secret");
        let lines: Vec<String> = (0..LINES).map(|line| format!("line {round}.{line}")).collect();
        world.say("ann", "echo", &lines);
        expected.extend(lines.iter().map(|line| format!("echo: {line}")));
        let all_before = 2 * round * LINES;
        listener.heard(all_before + LINES + LINES / 4);
        echo.kill();
        if round % 2 == 1 {
            world.kill_server();
            world.start_server();
        }
        let heard = listener.heard(0).len() - all_before;
        eprintln!("killed after {heard} of {} lines", 2 * LINES);
        killed_in_the_middle += usize::from(heard < 2 * LINES);
        // Who comes next answers the rest.
        let mut next = world.example("echo", &[]);
        listener.heard(all_before + 2 * LINES);
        next.kill();
    }
    assert!(killed_in_the_middle > 0, "every kill came too late");
    let heard = listener.heard(2 * ROUNDS * LINES);
    let echoed: Vec<&String> = heard.iter().filter(|line| line.starts_with("echo: ")).collect();
    assert_eq!(echoed, expected.iter().collect::<Vec<_>>());
}

#[test]
fn an_echo_of_a_server_that_was_put_back_from_a_copy_goes_on_with_what_is_new() {
    let said = |line: &str| [format!("ann: {line}"), format!("echo: {line}")];
    let mut world = World::with_server();
    let mut echo = world.example("echo", &[]);
    echo.wait_for("in the room");
    let listener = world.listener("echo");
    world.say("ann", "echo", &["kept".to_owned()]);
    listener.heard(2);
    world.kill_server();
    world.copy("server", "copy");
    world.start_server();
    world.say("ann", "echo", &["lost".to_owned()]);
    assert_eq!(listener.heard(4), [said("kept"), said("lost")].concat());
    drop(listener);
    world.kill_server();
    world.copy("copy", "server");

    // It is told while it runs, and goes on after a restart, too.
    world.start_server();
    let listener = world.listener_as("dan", "echo");
    let mut expected = said("kept").to_vec();
    for line in ["new", "newer"] {
        world.say("bob", "echo", &[line.to_owned()]);
        expected.extend([format!("bob: {line}"), format!("echo: {line}")]);
        assert_eq!(listener.heard(expected.len()), expected);
        echo.kill();
        echo = world.example("echo", &[]);
    }
    echo.kill();
}

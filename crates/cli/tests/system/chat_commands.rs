//! What is asked of the terminal chat by a command or a key, in whole sessions, and what its status line tells of a
//! device that is slow.

use std::process::Command;
use std::time::Duration;

use crate::rig::{Injection, Member, ROOM, SOON, Screen, TwoHosts, World, is_root, line_of, lines_of};

/// A chat of this person in the lobby, once its line is up.
fn chat(world: &World, member: &Member, flags: &[&str]) -> Screen {
    let command = member.command("chat", &[flags, &[ROOM]].concat());
    let screen = Screen::start(&world.path(&format!("screen of {}", member.name)), &command);
    wait_for_room(&screen, ROOM);
    screen.wait_to_show("online", SOON);
    screen
}

/// Waits until this room is the one that is shown: the first row says so.
fn wait_for_room(screen: &Screen, room: &str) {
    screen.wait_until_screen(&format!("{room} is shown"), SOON, |lines| lines[0].contains(room));
}

#[test]
fn rooms_are_made_filled_looked_at_and_left_by_command() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let (hers, his) = (chat(&world, &ann, &[]), chat(&world, &bob, &[]));
    his.enter("here I am");
    hers.wait_to_show("here I am", SOON);
    hers.enter("/who");
    hers.wait_to_show("2 people in this room", SOON);
    hers.enter("/rooms");
    hers.wait_to_show("#lobby (public", SOON);
    hers.enter("/status");
    hers.wait_until_screen("the status is told among the messages", SOON, |lines| {
        lines[1..22].iter().any(|line| line.contains("online") && line.contains(" ms"))
    });
    hers.enter("/why");
    hers.wait_to_show("no drop is on record", SOON);

    hers.enter("/private den");
    wait_for_room(&hers, "den");
    hers.enter("/add bob");
    hers.enter("between us, bob");
    hers.wait_to_show("between us, bob ✓", SOON);
    // He is in the lobby, and learns of it there; a key takes him to it.
    his.wait_to_show("den", SOON);
    his.wait_until_screen("it rings, since he is named", SOON, |_| his.has_rung());
    assert!(!hers.has_rung(), "nobody named her");
    his.press(&["M-a"]);
    wait_for_room(&his, "den");
    his.wait_to_show("between us, bob", SOON);
    hers.enter("/remove bob");
    hers.wait_until_screen("she is alone in the den", SOON, |lines| {
        hers.enter("/who");
        lines.iter().any(|line| line.contains("1 person in this room"))
    });
    hers.enter("to myself");
    hers.wait_to_show("to myself ✓", SOON);
    assert!(his.lines().iter().all(|line| !line.contains("to myself")), "he is out of it");

    hers.enter("/msg bob psst");
    hers.wait_to_show("psst ✓", SOON);
    his.wait_until_screen("he has something unread of her", SOON, |lines| {
        his.press(&["M-a"]);
        lines[0].contains("ann") && lines.iter().any(|line| line.contains("psst"))
    });
    his.enter(&format!("/join {ROOM}"));
    wait_for_room(&his, ROOM);
    his.enter("/leave");
    hers.enter(&format!("/join {ROOM}"));
    wait_for_room(&hers, ROOM);
    hers.wait_until_screen("she is alone in the lobby", SOON, |lines| {
        hers.enter("/who");
        lines.iter().any(|line| line.contains("1 person in this room"))
    });
}

#[test]
fn a_chat_goes_back_to_its_shell_for_a_while_and_then_goes_on() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let command = ann.command("chat", &[ROOM]);
    // A shell with jobs, which has the chat as its arguments.
    let mut shell = Command::new("sh");
    shell.args(["-i", "-s"]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let hers = Screen::start(&world.path("screen"), &shell);
    hers.enter("\"$@\"");
    wait_for_room(&hers, ROOM);
    hers.wait_to_show("online", SOON);
    for round in 0..2 {
        hers.type_text("half a thought");
        hers.wait_to_show("half a thought", SOON);
        hers.press(&["C-z"]);
        hers.wait_until_screen("the shell tells of its job", SOON, |lines| {
            lines.iter().filter(|line| line.contains("Stopped")).count() == round + 1
        });
        let terminal = hers.terminal();
        assert!(!terminal.alternate && terminal.cursor_shown, "the shell has its terminal: {terminal:?}");
        bob.send_lines(&[line_of("bob", round)], &[]).expect_code(0);
        hers.enter("fg");
        hers.wait_to_show(&line_of("bob", round), SOON);
        assert!(hers.terminal().alternate, "it has a screen of its own again");
        hers.wait_to_show("half a thought", SOON);
        hers.press(&["Enter"]);
        hers.wait_to_show("half a thought ✓", SOON);
    }
    hers.press(&["C-q"]);
    hers.wait_until_screen("the shell is there again", SOON, |_| !hers.terminal().alternate);
    hers.enter("exit");
    hers.wait_to_end(0, SOON);
}

#[test]
fn with_automatic_login_off_a_chat_asks_and_a_command_logs_in_and_resumes() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let hers = chat(&world, &ann, &["--auto-login", "off"]);
    server.kill();
    hers.wait_to_show("offline: ", SOON);
    server.restart();
    hers.wait_to_show("log in?", SOON);
    bob.send_lines(&lines_of("bob", 0, 1), &[]).expect_code(0);
    assert!(hers.lines().iter().all(|line| !line.contains("bob 0")), "nothing comes before the answer");
    hers.enter("/login");
    hers.wait_to_show("bob 0", SOON);
    hers.enter("/stop");
    hers.wait_to_show("stopped by you", SOON);
    hers.enter("/resume");
    hers.wait_to_show("online", SOON);
}

#[test]
fn the_status_line_tells_how_far_catching_up_is_and_that_a_slow_disk_delays_storing() {
    const MISSED: usize = 3_000;
    if !is_root() {
        return;
    }
    let hosts = TwoHosts::new(&[]);
    let (ann, bob) = (hosts.member("ann"), hosts.neighbour("bob"));
    let hers = chat(&hosts.world, &ann, &[]);
    hers.press(&["C-x"]);
    hers.wait_to_show("stopped by you", SOON);
    bob.send_lines(&lines_of("bob", 1, MISSED), &[]).expect_code(0);
    hosts.network.slow_down("1mbit");
    hers.press(&["C-o"]);
    hers.wait_until_screen("it catches up", SOON, |lines| {
        lines[22].contains("catching up ") && lines[22].contains(" of 3")
    });
    hers.wait_to_show(&line_of("bob", MISSED), SOON);
    hers.wait_to_hide("catching up", SOON);

    let slow = Injection::slow_syncs(hers.process(), Duration::from_secs(2));
    bob.send_lines(&["slowly".to_owned()], &[]).expect_code(0);
    hers.wait_until_screen("storing takes", SOON, |lines| lines[22].contains("storing delayed "));
    drop(slow);
    hers.wait_to_show("slowly", SOON);
    hers.wait_to_hide("storing delayed", SOON);
}

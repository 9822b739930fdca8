//! The terminal chat in a terminal that takes nothing in: its window hangs, or its line does.

use std::process::Command;
use std::time::Duration;

use crate::rig::{ROOM, SOON, Screen, Stopwatch, World, pause, wait_until};

#[test]
fn a_chat_ends_by_a_signal_though_its_terminal_takes_nothing_in() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let hers = Screen::start_sized(&world.path("screen of ann"), &ann.command("chat", &[ROOM]), (200, 60));
    hers.wait_to_show("online", SOON);
    hers.paste(&"a full screen ".repeat(800));
    hers.press(&["Enter"]);
    hers.wait_to_show("✓", SOON);
    let process = hers.process();
    let terminal = std::fs::read_link(format!("/proc/{process}/fd/0")).expect("it has a terminal");
    let _held = hers.hold();
    // For each of them the whole screen is painted: more than a terminal takes in by itself.
    for _ in 0..20 {
        hers.signal("CONT");
        pause(Duration::from_millis(50));
    }
    let asked = Stopwatch::start();
    hers.signal("TERM");
    wait_until("the chat has ended", SOON, || (!is_there(process)).then_some(()));
    eprintln!("it ended {:?} after the signal", asked.elapsed());
    let settings = Command::new("stty").arg("-a").arg("-F").arg(terminal).output().expect("stty is installed");
    let settings = String::from_utf8_lossy(&settings.stdout).into_owned();
    let on = |name| settings.split_whitespace().any(|setting| setting == name);
    assert!(on("icanon") && on("echo"), "it is read line by line again, and echoes: {settings}");
}

fn is_there(process: u32) -> bool {
    std::fs::exists(format!("/proc/{process}")).expect("there is a /proc")
}

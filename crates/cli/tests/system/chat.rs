//! Whole sessions of the terminal chat, each in a terminal of its own: what is typed, what stands on the screens, and
//! what is in the stores when it is over.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::rig::{
    Injection, Member, Pty, ROOM, SOON, Screen, Server, Stopwatch, World, anonymous_bytes, assert_stored, is_root,
    line_of, lines_of, pause, wait_until,
};

/// A chat of hers in the lobby, on a screen of the usual size, when it shows that room.
fn chat(world: &World, member: &Member) -> Screen {
    let screen = Screen::start(&world.path(&format!("screen of {}", member.name)), &member.command("chat", &[ROOM]));
    wait_for_room(&screen, ROOM);
    screen
}

/// Waits until this room is the one that is shown: the first row says so.
fn wait_for_room(screen: &Screen, room: &str) {
    screen.wait_until_screen(&format!("#{room} is shown"), SOON, |lines| lines[0].contains(&format!(" #{room} ")));
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The rows that have this in them, in the order in which they stand on the screen.
fn rows_with<'l>(lines: &'l [String], part: &str) -> Vec<&'l str> {
    lines.iter().map(String::as_str).filter(|line| line.contains(part)).collect()
}

#[test]
fn two_people_talk_and_see_each_other_and_a_send_beside_an_open_chat_shows_up_in_it() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let hers = chat(&world, &ann);
    hers.wait_to_show("online", SOON);
    let his = chat(&world, &bob);
    his.wait_to_show("online", SOON);

    hers.enter("hello bob; are you there?");
    his.wait_to_show("hello bob; are you there?", SOON);
    hers.wait_to_show("hello bob; are you there? ✓", SOON);
    his.enter("yes, 日本 and Zoë too");
    hers.wait_to_show("are you there? ✓✓", SOON);
    let shown = hers.wait_to_show("yes, 日本 and Zoë too", SOON);
    assert!(rows_with(&shown, "Zoë too")[0].contains("bob"), "it is his: {shown:#?}");
    // What is pasted is one message, and goes when it is sent.
    hers.paste("first of three\nsecond of three\nthird of three");
    hers.wait_to_show("third of three", SOON);
    assert!(his.lines().iter().all(|line| !line.contains("of three")), "nothing was sent by pasting");
    hers.press(&["Enter"]);
    let shown = his.wait_to_show("third of three", SOON);
    assert_eq!(rows_with(&shown, "of three").len(), 3);
    ann.start_send(&["from a script"]).wait(SOON).expect_code(0);
    hers.wait_to_show("from a script ✓", SOON);
    his.wait_to_show("from a script", SOON);
    assert_eq!(ann.status().number("process"), Some(u64::from(hers.process())), "the chat drives on");

    wait_until("it shows that he types", SOON, || {
        his.type_text("hm ");
        pause(Duration::from_millis(200));
        hers.lines().iter().any(|line| line.contains("● bob …")).then_some(())
    });
    his.press(&["C-q"]);
    his.wait_to_end(0, SOON);
    hers.wait_to_show("○ bob", SOON);
    hers.press(&["C-q"]);
    hers.wait_to_end(0, SOON);
    let pasted = "first of three\nsecond of three\nthird of three";
    let sent = [
        ("ann", texts(&["hello bob; are you there?", pasted, "from a script"])),
        ("bob", texts(&["yes, 日本 and Zoë too"])),
    ];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn a_server_that_is_killed_and_comes_back_while_both_type_costs_no_message() {
    let world = World::new();
    let mut server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let screens = [chat(&world, &ann), chat(&world, &bob)];
    let names = ["ann", "bob"];
    for screen in &screens {
        screen.wait_to_show("online", SOON);
    }
    let say = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            for (name, screen) in names.iter().zip(&screens) {
                screen.enter(&line_of(name, number));
            }
        }
    };
    say(0..3);
    server.kill();
    say(3..6);
    for (name, screen) in names.iter().zip(&screens) {
        screen.wait_to_show(&format!("{} … queued", line_of(name, 5)), SOON);
        screen.wait_until_screen("the status says why, and what waits", SOON, |lines| {
            let status = &lines[22];
            (status.contains("offline: ") || status.contains("connecting: ")) && status.contains(" queued")
        });
    }
    server.restart();
    say(6..8);
    for screen in &screens {
        for name in names {
            screen.wait_to_show(&line_of(name, 7), SOON);
        }
        screen.wait_until_screen("nothing waits and the line is up", SOON, |lines| {
            !lines.iter().any(|line| line.contains("queued")) && lines.iter().any(|line| line.contains("online"))
        });
    }
    let said = |lines: Vec<String>| {
        let text = |line: &String| {
            let at = names.iter().filter_map(|name| line.rfind(&format!(" {name} "))).max()?;
            let mut words = line[at..].split_whitespace();
            let (name, number) = (words.next()?, words.next()?.parse::<usize>().ok()?);
            Some(line_of(name, number))
        };
        lines.iter().filter_map(text).collect::<Vec<_>>()
    };
    let shown = screens.each_ref().map(|screen| said(screen.lines()));
    assert_eq!(shown[0].len(), 16, "all on one screen: {shown:#?}");
    assert_eq!(shown[0], shown[1], "both see one order");
    let sent = names.map(|name| (name, lines_of(name, 0, 8)));
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn what_was_written_offline_outlives_a_killed_chat_and_goes_out_once() {
    let world = World::new();
    let mut server = world.serve();
    let ann = world.member("ann", &server);
    let hers = chat(&world, &ann);
    hers.enter(&line_of("ann", 0));
    hers.wait_to_show("ann 0 ✓", SOON);
    server.kill();
    for number in 1..5 {
        hers.enter(&line_of("ann", number));
    }
    hers.wait_to_show("ann 4 … queued", SOON);
    let process = hers.process();
    hers.signal("KILL");
    wait_until("it is gone", SOON, || (!Path::new(&format!("/proc/{process}")).exists()).then_some(()));
    drop(hers);
    ann.send_lines(&lines_of("ann", 5, 500), &["--queue"]).expect_code(0);

    // Started again with all of that in its outbox, and no server yet.
    let hers = chat(&world, &ann);
    hers.wait_to_show("ann 504 … queued", SOON);
    hers.wait_to_show("504 queued", SOON);
    hers.enter(&line_of("ann", 505));
    hers.wait_to_show("ann 505 … queued", SOON);
    server.restart();
    hers.wait_to_show("ann 505 ✓", SOON);
    hers.wait_to_hide("queued", SOON);
    hers.press(&["C-q"]);
    hers.wait_to_end(0, SOON);
    assert_stored(&world.member("witness", &server), &[ann], &[("ann", lines_of("ann", 0, 506))]);
}

#[test]
fn a_line_is_stopped_resumed_and_tried_at_once_by_key() {
    let world = World::new();
    let mut server = world.serve();
    let patient = &["--reconnect-schedule", "post2012", "--reconnect-pause", "300s"];
    let (ann, bob) = (world.member("ann", &server).trying(patient), world.member("bob", &server));
    let (hers, his) = (chat(&world, &ann), chat(&world, &bob));
    hers.wait_to_show("online", SOON);
    his.wait_to_show("online", SOON);
    hers.press(&["C-x"]);
    hers.wait_to_show("stopped by you", SOON);
    hers.enter("written while stopped");
    hers.wait_to_show("written while stopped … queued", SOON);
    his.enter("are you there?");
    his.wait_to_show("are you there? ✓", SOON);
    assert!(hers.lines().iter().all(|line| !line.contains("are you there?")), "no line, no message");
    assert!(his.lines().iter().all(|line| !line.contains("written while stopped")), "neither way");
    hers.press(&["C-o"]);
    his.wait_to_show("written while stopped", SOON);
    hers.wait_to_show("are you there?", SOON);
    hers.wait_to_show("written while stopped ✓", SOON);
    hers.wait_to_show("online", SOON);

    server.kill();
    // The first try comes at once, then a pause of minutes begins, which the status counts down.
    hers.wait_until_screen("a long pause has begun", SOON, |lines| {
        let seconds =
            lines.iter().find_map(|line| line.split_once("next in ")?.1.split(' ').next()?.parse::<u64>().ok());
        seconds.is_some_and(|seconds| seconds > 60)
    });
    server.restart();
    hers.press(&["C-r"]);
    hers.wait_to_show("online", SOON);
    let sent = [("ann", texts(&["written while stopped"])), ("bob", texts(&["are you there?"]))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn a_window_takes_any_size_and_shows_the_same_again_when_it_is_large_enough() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    ann.send_lines(&lines_of("ann", 0, 200), &[]).expect_code(0);
    let hers = chat(&world, &ann);
    hers.wait_to_show("ann 199 ✓", SOON);
    hers.type_text("half a thought");
    let before = hers.wait_to_show("half a thought", SOON);
    for (columns, rows) in [(200, 50), (40, 12), (1, 1), (132, 10), (20, 60)] {
        hers.resize(columns, rows);
        // Whatever fits: the newest message is in sight where there is room, or it says that there is none.
        hers.wait_until_screen(&format!("{columns}×{rows} is filled"), SOON, |lines| {
            let shown = lines.join("\n");
            lines.len() == usize::from(rows)
                && (shown.contains("ann 199") || shown.contains("too small") || columns < 10)
                && lines.iter().all(|line| line.chars().count() <= usize::from(columns))
        });
    }
    hers.resize(80, 24);
    let messages = |lines: &[String]| {
        let message = |line: &String| line.split_once('│').map(|(_, message)| message.to_owned());
        lines.iter().filter_map(message).collect::<Vec<_>>()
    };
    let after = hers.wait_to_show("half a thought", SOON);
    assert_eq!(messages(&after), messages(&before));
    assert_eq!(messages(&after).len(), 21);
    assert!(after[0].contains("#lobby") && after[22].contains("online"), "{after:#?}");
    hers.press(&["Enter"]);
    hers.wait_to_show("half a thought ✓", SOON);
}

#[test]
fn escape_sequences_in_a_message_change_nothing_of_the_terminal() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let hers = chat(&world, &ann);
    hers.wait_to_show("online", SOON);
    hers.enter("before");
    let before = hers.wait_to_show("before ✓", SOON);
    let title = hers.terminal().title;
    let hostile = [
        "\u{1b}]0;taken over\u{7}title",
        "\u{1b}[31;42mcolours\u{1b}[2J\u{1b}[H",
        "\u{1b}[?1049l\u{1b}[?25l\u{1b}c screen",
        "\u{9b}2J\u{90}q\u{9c} eight bits",
        "\u{202e}backwards\u{202c} \u{200b}\u{feff}nothing",
        "\u{1b}[999;999H\u{1b}[5n\u{1b}[6n answers",
        "\r\u{8}\u{8}\u{8}back \u{c}\u{b}\u{e}shifts",
    ];
    bob.send_lines(&hostile.map(str::to_owned), &[]).expect_code(0);
    bob.start_send(&["that was all"]).wait(SOON).expect_code(0);
    let shown = hers.wait_to_show("that was all", SOON);
    for word in ["title", "colours", "screen", "eight bits", "answers", "shifts"] {
        let row = rows_with(&shown, word);
        assert!(row.len() == 1 && row[0].contains("bob"), "{word} stands in its own row, as his: {shown:#?}");
    }
    assert_eq!(shown[0], before[0], "the first row is as it was");
    let terminal = hers.terminal();
    assert!(terminal.alternate, "the chat's screen is still there");
    assert_eq!(terminal.title, title);
    let styled = hers.styled();
    let row = styled.lines().find(|line| line.contains("colours")).expect("it is shown");
    let (_, row) = row.split_once("bob").expect("it is his");
    assert!(!row.contains("\u{1b}[31") && !row.contains("\u{1b}[42"), "{row:?}");
    // What was typed is not mixed with an answer that the terminal was asked for.
    hers.enter("after");
    hers.wait_to_show("after ✓", SOON);
    assert_eq!(bob.history().texts_of("ann"), ["before", "after"]);
}

#[test]
fn without_colour_nothing_is_coloured_and_everything_is_said_all_the_same() {
    let world = World::new();
    let mut server = world.serve();
    let plain = vec![("NO_COLOR".to_owned(), "1".to_owned())];
    let ann = world.member("ann", &server).with_environment(plain);
    world.member("bob", &server).start_send(&["hello ann"]).wait(SOON).expect_code(0);
    let hers = chat(&world, &ann);
    hers.wait_to_show("hello ann", SOON);
    hers.enter("hello");
    hers.wait_to_show("hello ✓", SOON);
    let online = hers.styled();
    server.kill();
    hers.enter("waits");
    hers.wait_to_show("waits … queued", SOON);
    hers.wait_to_show("offline: ", SOON);
    for styled in [online, hers.styled()] {
        let sequences = styled.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m'));
        let coloured = sequences.flat_map(|(numbers, _)| numbers.split(';')).find(|number| {
            // ECMA-48: 30 to 49 and 90 to 107 are colours, but for 39 and 49, which take them away.
            matches!(number.parse::<u32>(), Ok(30..=38 | 40..=48 | 90..=107))
        });
        assert_eq!(coloured, None, "{styled}");
    }
}

#[test]
fn however_a_chat_ends_the_terminal_is_left_as_it_was() {
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    for (end, code) in [("C-q", 0), ("C-c", 130), ("TERM", 0), ("HUP", 0)] {
        let hers = chat(&world, &ann);
        hers.wait_to_show("online", SOON);
        assert!(hers.terminal().alternate, "it has a screen of its own");
        // It ends in the middle of painting.
        let mut bob = world.member("bob", &server).start_send(&["--queue"]);
        bob.input().write_all(lines_of("bob", 0, 100).join("\n").as_bytes()).expect("it reads");
        match end {
            "C-q" => hers.press(&["C-q"]),
            "C-c" => hers.press(&["C-c", "C-c"]),
            signal => hers.signal(signal),
        }
        let shown = hers.wait_to_end(code, SOON);
        assert!(!shown.iter().any(|line| line.contains("online")), "nothing of it is left: {shown:#?}");
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_there() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let server = world.serve();
    let ann = world.member("ann", &server);
    let hers = chat(&world, &ann);
    hers.wait_to_show("online", SOON);
    let _fault = Injection::fail_polls(hers.process());
    // The library that polls gives up the whole process: SIGABRT, as a shell tells it.
    let shown = hers.wait_to_end(134, SOON);
    assert!(shown.iter().any(|line| line.contains("panicked at")), "{shown:#?}");
}

#[test]
fn a_chat_beside_a_tail_that_holds_the_line_works_and_takes_over_when_that_is_killed() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let tail = ann.start_tail(&["--follow"]);
    ann.wait_until_online(SOON);
    let hers = chat(&world, &ann);
    hers.wait_to_show("online", SOON);
    hers.enter("beside a tail");
    hers.wait_to_show("beside a tail ✓", SOON);
    bob.start_send(&["heard"]).wait(SOON).expect_code(0);
    hers.wait_to_show("heard", SOON);
    assert_eq!(ann.status().number("process"), Some(u64::from(tail.id())), "the tail drives");
    tail.wait_to_print(2, SOON);
    tail.kill();
    hers.enter("on its own");
    hers.wait_to_show("on its own ✓", SOON);
    bob.start_send(&["heard again"]).wait(SOON).expect_code(0);
    hers.wait_to_show("heard again", SOON);
    assert_eq!(ann.status().number("process"), Some(u64::from(hers.process())), "the chat drives");
    let sent = [("ann", texts(&["beside a tail", "on its own"])), ("bob", texts(&["heard", "heard again"]))];
    assert_stored(&world.member("witness", &server), &[ann, bob], &sent);
}

#[test]
fn what_is_unread_in_other_rooms_is_counted_and_outlives_a_restart() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    let hers = chat(&world, &ann);
    hers.wait_to_show("online", SOON);
    hers.enter("/join hall");
    // At once: it is meant for the room that she asked for.
    hers.enter("first in the hall");
    wait_for_room(&hers, "hall");
    hers.wait_to_show("first in the hall ✓", SOON);
    hers.enter(&format!("/join {ROOM}"));
    wait_for_room(&hers, ROOM);
    let say = |text: &str| bob.start("send", &["--room", "hall", text]).wait(SOON).expect_code(0);
    for text in ["one", "two", "three, ann"] {
        say(text);
    }
    let counted = |lines: &[String]| lines.iter().any(|line| line.contains("hall") && line.contains('3'));
    hers.wait_until_screen("three are unread in the hall", SOON, counted);
    hers.press(&["C-q"]);
    hers.wait_to_end(0, SOON);
    drop(hers);
    let hers = chat(&world, &ann);
    hers.wait_until_screen("they are still unread", SOON, counted);
    hers.enter("/join hall");
    let shown = hers.wait_to_show("three, ann", SOON);
    assert!(shown.iter().any(|line| line.contains("new")), "where the unread begins is shown: {shown:#?}");
    hers.enter(&format!("/join {ROOM}"));
    hers.wait_until_screen("nothing is unread", SOON, |lines| {
        !lines.iter().any(|line| line.contains("three, ann")) && !counted(lines)
    });
}

#[test]
fn a_person_who_scrolls_up_is_shown_all_that_was_said_before_she_came_and_can_search_it() {
    let world = World::new();
    let server = world.serve();
    let (ann, bob) = (world.member("ann", &server), world.member("bob", &server));
    bob.send_lines(&lines_of("bob", 1, 600), &[]).expect_code(0);
    let hers = chat(&world, &ann);
    hers.wait_to_show("bob 600", SOON);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let shown = hers.lines();
        seen.extend(shown.iter().filter_map(|line| line.rsplit_once("bob ")?.1.trim().parse::<usize>().ok()));
        if shown.iter().any(|line| line.contains("the beginning of the room")) {
            break;
        }
        hers.press(&["PageUp"]);
        // Either something else stands there now, or it is being fetched.
        hers.wait_until_screen("it scrolls", SOON, |lines| lines[1..22] != shown[1..22]);
        hers.wait_to_hide("fetching older messages", SOON);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (1..=600).collect::<Vec<_>>());
    hers.press(&["End"]);
    hers.wait_to_show("bob 600", SOON);
    // All of it is on this device now, to be searched in any case and order of words.
    hers.enter("/search 577 BOB");
    let shown = hers.wait_to_show("one message has", SOON);
    assert_eq!(rows_with(&shown, "bob: bob 577").len(), 1, "{shown:#?}");
}

/// What is promised of a release build on a free machine; any other build may take three times as long.
const QUICK: Duration = Duration::from_millis(if cfg!(debug_assertions) { 90 } else { 30 });

#[test]
fn a_room_of_100_000_messages_answers_a_key_at_once() {
    const MESSAGES: usize = 100_000;
    let world = World::in_memory();
    let server = Server::start(world.program().behind_others(), &world.path("server"), "127.0.0.1:0", &[]);
    let ann = world.member("ann", &server);
    let sending = Stopwatch::start();
    let mut send = ann.clone().behind_others().start_send(&[]);
    let lines: String = lines_of("ann", 1, MESSAGES).iter().map(|line| format!("{line}\n")).collect();
    send.input().write_all(lines.as_bytes()).expect("it reads");
    send.wait(6 * SOON).expect_code(0);
    eprintln!("{MESSAGES} messages were sent in {:?}", sending.elapsed());

    let mut pty = Pty::start(&world.path("chat.sh"), &ann.command("chat", &[ROOM]), (120, 40));
    pty.wait_to_paint(&format!("{MESSAGES}"), SOON);
    pty.wait_until_quiet(SOON);
    let mut typed: Vec<Duration> = "a quick brown fox jumps".chars().map(|c| pty.press(&c.to_string(), SOON)).collect();
    // Back to an empty line, whose keys scroll.
    pty.press("\u{15}", SOON);
    let mut paged: Vec<Duration> = (0..20).map(|_| pty.press("\u{1b}[5~", SOON)).collect();
    paged.extend((0..20).map(|_| pty.press("\u{1b}[6~", SOON)));
    for (what, times) in [("a letter", &mut typed), ("a page", &mut paged)] {
        times.sort_unstable();
        let [median, most, worst] =
            [50, 90, 100].map(|percent| times[(times.len() * percent / 100).min(times.len() - 1)]);
        let count = times.len();
        eprintln!(
            "from a key press to its paint, {what}: median {median:?}, 90 % {most:?}, worst {worst:?} of {count}"
        );
        assert!(most < QUICK, "{what} took {most:?}");
    }
    let home = pty.press("\u{1b}[H", SOON);
    pty.wait_until_quiet(SOON);
    // Drawn again, all of it, which a terminal that answers no questions does not delay.
    let again = pty.press("\u{c}", SOON);
    eprintln!("from a key press to its paint, to the top: {home:?}; all drawn again: {again:?}");
    assert!(again < QUICK, "drawing all again took {again:?}");
    let process = u32::try_from(ann.status().number("process").expect("a process drives")).expect("a process");
    let memory = anonymous_bytes(process);
    eprintln!("memory of the chat after all of that: {} MiB", memory / 1_024 / 1_024);
    assert!(memory < 16 * 1_024 * 1_024, "of a room of {MESSAGES} messages it holds a window");
}

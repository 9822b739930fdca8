//! What is wrong with a command line, a port or a directory is said in one line, with the exit code that scripts go by.

use crate::rig::{Process, ROOM, SOON, World};

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64() {
    let world = World::new();
    let lines: [&[&str]; 8] = [
        &[],
        &["shout"],
        &["send"],
        &["send", "--as", "ann", "--room", ROOM, "--nonsense"],
        &["send", "--as", "ann", "--room", ROOM, "--timeout", "soon", "text"],
        &["tail", "--as", "ann", "--room", ROOM, "--active-bound", "9s", "--idle-bound", "5s"],
        &["serve", "--listen", "nowhere"],
        &["--config", "not-there.toml", "serve"],
    ];
    for line in lines {
        let ended = Process::start(&mut world.program().command(line)).wait(SOON).expect_code(64);
        assert!(!ended.err.is_empty(), "{line:?} says what is wrong");
        assert!(ended.out.is_empty(), "{line:?} prints no result");
    }
}

#[test]
fn a_taken_port_and_a_data_directory_in_use_are_one_line_that_says_what_to_do() {
    let world = World::new();
    let server = world.serve();
    let serve = |listen: &str, data: &str| {
        let mut command = world.program().command(&["serve", "--listen", listen, "--data", data]);
        Process::start(&mut command).wait(SOON).expect_code(1)
    };
    let other = world.path("other").display().to_string();
    let taken = serve(server.address(), &other);
    let line = taken.only_error();
    assert!(line.contains(server.address()) && line.contains("choose another port with --listen"), "{line}");

    let in_use = serve("127.0.0.1:0", &server.data().display().to_string());
    let line = in_use.only_error();
    let process = format!("in use by process {}", server.process().id());
    assert!(line.contains(&process) && line.contains("name another directory"), "{line}");
    assert!(in_use.out.is_empty(), "it does not say that it listens: {:?}", in_use.out);
}

#[test]
fn a_profile_that_is_not_there_is_said_to_be_missing_and_is_not_made() {
    let world = World::new();
    let nobody = world.device("nobody", "nothing", "127.0.0.1:1");
    let asked: [(&str, &[&str]); 2] = [("status", &["--json"]), ("history", &["--room", ROOM])];
    for (subcommand, arguments) in asked {
        let ended = nobody.start(subcommand, arguments).wait(SOON).expect_code(1);
        assert!(ended.only_error().contains("there is no profile"), "{:?}", ended.err);
        assert!(!nobody.profile().exists(), "{subcommand} made a profile");
    }
}

#[test]
fn a_setting_comes_from_the_flag_the_environment_or_the_file_in_this_order() {
    let world = World::new();
    let mut server = world.serve();
    server.stop();
    let ann = world.member("ann", &server);
    ann.send_lines(&crate::rig::lines_of("ann", 0, 1), &["--queue"]).expect_code(0);
    let profile = ann.profile().display();
    let file = world.path("config.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("the file can be written");
    let status = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = world.program().command(&["status", "--config", "config.toml"]);
        command.args(arguments).envs(environment.iter().copied());
        let ended = Process::start(&mut command).wait(SOON).expect_code(0);
        ended.out.concat().starts_with('{')
    };
    // A required flag and a switch, by the names that they have on the command line.
    write(&format!("as = 'ann'\nprofile = '{profile}'\njson = true\n"));
    assert!(status(&[], &[]), "the file asks for JSON");
    assert!(!status(&[], &[("STEADFAST_JSON", "0")]), "the environment beats the file");
    write(&format!("as = 'ann'\nprofile = '{profile}'\njson = false\n"));
    assert!(!status(&[], &[]), "the file asks for words");
    for yes in ["1", "true"] {
        assert!(status(&[], &[("STEADFAST_JSON", yes)]), "STEADFAST_JSON={yes}");
    }
    assert!(status(&["--json"], &[("STEADFAST_JSON", "0")]), "the flag beats the environment");
}

#[test]
fn a_config_file_that_makes_no_sense_ends_with_64_and_says_why() {
    let world = World::new();
    let cases = [
        ("name = 'ann'", "\"name\" is no setting"),
        ("timeout = 'soon'", "invalid value 'soon' for '--timeout"),
        ("as = ['ann', 'bob']", "\"as\" takes one value"),
        ("as = ", "config.toml"),
    ];
    for (text, why) in cases {
        std::fs::write(world.path("config.toml"), text).expect("the file can be written");
        let mut command = world.program().command(&["send", "--config", "config.toml", "text"]);
        let ended = Process::start(&mut command).wait(SOON).expect_code(64);
        assert!(ended.only_error().contains(why), "{text}: {:?}", ended.err);
    }
}

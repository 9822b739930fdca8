//! The commands: what they are called, what they take, what they do.

/// What a line that begins with `/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Join(String),
    /// To one person; without a text the conversation is only opened.
    Message {
        name: String,
        text: String,
    },
    Private(String),
    Add(String),
    Remove(String),
    Leave,
    Rooms,
    Who,
    Search(String),
    Try,
    Stop,
    Resume,
    LogIn,
    Why,
    Status,
    Help,
    Quit,
}

/// How a command is written, and what for.
struct Usage {
    name: &'static str,
    takes: &'static str,
    does: &'static str,
    make: fn(&str) -> Option<Command>,
}

/// All of them, as the help shows them.
const USAGES: &[Usage] = &[
    Usage { name: "join", takes: "ROOM", does: "enter a room, or make it", make: |rest| one(rest).map(Command::Join) },
    Usage {
        name: "msg",
        takes: "NAME [TEXT]",
        does: "talk to one person",
        make: |rest| {
            let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            one(name).map(|name| Command::Message { name, text: text.trim().to_owned() })
        },
    },
    Usage { name: "private", takes: "ROOM", does: "make a private room", make: |rest| one(rest).map(Command::Private) },
    Usage {
        name: "add",
        takes: "NAME",
        does: "add a person to this private room",
        make: |rest| one(rest).map(Command::Add),
    },
    Usage {
        name: "remove",
        takes: "NAME",
        does: "remove a person from it",
        make: |rest| one(rest).map(Command::Remove),
    },
    Usage { name: "leave", takes: "", does: "leave this room", make: |rest| none(rest, Command::Leave) },
    Usage {
        name: "rooms",
        takes: "",
        does: "your rooms, and the public ones of the server",
        make: |rest| none(rest, Command::Rooms),
    },
    Usage { name: "who", takes: "", does: "who is in this room", make: |rest| none(rest, Command::Who) },
    Usage {
        name: "search",
        takes: "WORDS",
        does: "look for words in what this device holds",
        make: |rest| some(rest).map(Command::Search),
    },
    Usage { name: "try", takes: "", does: "connect now", make: |rest| none(rest, Command::Try) },
    Usage {
        name: "stop",
        takes: "",
        does: "end the line and do not reconnect",
        make: |rest| none(rest, Command::Stop),
    },
    Usage { name: "resume", takes: "", does: "reconnect", make: |rest| none(rest, Command::Resume) },
    Usage { name: "login", takes: "", does: "log in, where that is asked", make: |rest| none(rest, Command::LogIn) },
    Usage { name: "why", takes: "", does: "what happened to the last drops", make: |rest| none(rest, Command::Why) },
    Usage { name: "status", takes: "", does: "how the line is", make: |rest| none(rest, Command::Status) },
    Usage { name: "help", takes: "", does: "keys and commands", make: |rest| none(rest, Command::Help) },
    Usage { name: "quit", takes: "", does: "leave; what was sent is safe", make: |rest| none(rest, Command::Quit) },
];

/// Keys, as the help shows them.
const KEYS: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Alt-Enter, Ctrl-J", "a new line in the message"),
    ("Tab", "complete a name, a room or a command"),
    ("Up, Down", "what was sent before, at the edges of the input"),
    ("PageUp, PageDown", "scroll"),
    ("Home, End", "the oldest that is loaded, the newest (empty input)"),
    ("Ctrl-N, Ctrl-P", "the next room, the one before (also Alt-Down, Alt-Up)"),
    ("Alt-1 … Alt-9", "the room of that number"),
    ("Alt-A", "the next room with something unread"),
    ("Ctrl-R", "connect now"),
    ("Ctrl-X, Ctrl-O", "stop reconnecting, resume"),
    ("Ctrl-L", "draw everything again"),
    ("Ctrl-C", "empty the input; twice at an empty one: leave"),
    ("Ctrl-Z", "back to the shell for a while"),
    ("Ctrl-Q", "leave"),
    ("Esc, F1", "close this help"),
];

/// Signs that the messages carry, as the help shows them.
const SIGNS: &[(&str, &str)] = &[
    ("… queued", "on this machine's disk; it leaves with the next line"),
    ("✓", "on the server's disk"),
    ("✓ 1/3, ✓✓", "on a device of one of three others, of all others"),
    ("●, ○, …", "a person is online, is away, types"),
    ("»", "it names you"),
];

/// What was typed with a slash before it, or what is wrong with it.
pub(crate) fn parse(line: &str) -> Result<Command, String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let Some(usage) = USAGES.iter().find(|usage| usage.name.eq_ignore_ascii_case(name)) else {
        let all: Vec<String> = USAGES.iter().map(|usage| format!("/{}", usage.name)).collect();
        return Err(format!("there is no /{name}; there are {}, and //text sends a leading slash", all.join(" ")));
    };
    (usage.make)(rest.trim()).ok_or_else(|| format!("it is written {}", usage.written()))
}

/// The names of all commands that begin like this.
pub(crate) fn beginning_with(beginning: &str) -> Vec<String> {
    let names = USAGES.iter().map(|usage| usage.name);
    names.filter(|name| name.starts_with(&beginning.to_lowercase())).map(|name| format!("/{name}")).collect()
}

/// The help, line by line.
pub(crate) fn help_lines() -> Vec<String> {
    let mut lines = vec!["Keys".to_owned()];
    lines.extend(KEYS.iter().map(|(keys, what)| format!("  {keys:<18} {what}")));
    lines.push("Commands".to_owned());
    lines.extend(USAGES.iter().map(|usage| format!("  {:<18} {}", usage.written(), usage.does)));
    lines.push(format!("  {:<18} {}", "//text", "a message that begins with a slash"));
    lines.push("Signs".to_owned());
    lines.extend(SIGNS.iter().map(|(sign, what)| format!("  {sign:<18} {what}")));
    lines
}

impl Usage {
    fn written(&self) -> String {
        let gap = if self.takes.is_empty() { "" } else { " " };
        format!("/{}{gap}{}", self.name, self.takes)
    }
}

fn none(rest: &str, command: Command) -> Option<Command> {
    rest.is_empty().then_some(command)
}

fn some(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// One name, with or without the sign that it has on the screen.
fn one(rest: &str) -> Option<String> {
    let name = rest.trim_start_matches(['#', '@', '&']);
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_by_its_name_in_any_case() {
        assert_eq!(parse("join #lobby"), Ok(Command::Join("lobby".to_owned())));
        assert_eq!(parse("JOIN  lobby "), Ok(Command::Join("lobby".to_owned())));
        assert_eq!(parse("search two words"), Ok(Command::Search("two words".to_owned())));
        assert_eq!(parse("quit"), Ok(Command::Quit));
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        assert_eq!(parse("join"), Err("it is written /join ROOM".to_owned()));
        assert_eq!(parse("quit now"), Err("it is written /quit".to_owned()));
        let unknown = parse("jion lobby").expect_err("there is no such command");
        assert!(unknown.starts_with("there is no /jion; there are /join "), "{unknown}");
        assert!(unknown.ends_with("//text sends a leading slash"), "{unknown}");
    }

    #[test]
    fn the_help_names_every_command() {
        let help = help_lines().join("\n");
        assert!(USAGES.iter().all(|usage| help.contains(&usage.written())), "{help}");
        assert!(help_lines().iter().all(|line| line.chars().count() <= 80), "it fits 80 columns");
    }
}

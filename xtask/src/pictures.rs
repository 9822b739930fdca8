//! The pictures of the README: taken of real chats in tmux that talk over a real server, and drawn as SVG, for readers
//! on a dark page and on a light one.

mod styled;
mod svg;
mod terminal;

use std::path::{Path, PathBuf};

use crate::process::{Failure, Workspace};
use crate::served::Served;
use svg::{Picture, THEMES};
use terminal::Terminal;

/// Where they are kept.
const DIRECTORY: &str = "docs/pictures";
/// Columns and rows.
const SIZE: (usize, usize) = (96, 20);
const ROOM: &str = "harbour";
/// Long enough to see what is said of it.
const PAUSE: &str = "9s";

/// The task.
pub(crate) fn take(workspace: &Workspace, notes: &mut Vec<String>) -> Result<(), Failure> {
    let scratch = workspace.target_directory()?.join("pictures");
    let server = Served::start(workspace, &scratch)?;
    let terminal = Terminal::start(workspace, &scratch, SIZE)?;
    let program = workspace.target_directory()?.join("debug/steadfast");
    let mut stage = Stage { workspace, server, terminal, program, scratch, notes };
    stage.conversation()?;
    stage.away()?;
    stage.back()
}

struct Stage<'w> {
    workspace: &'w Workspace,
    server: Served,
    terminal: Terminal<'w>,
    program: PathBuf,
    scratch: PathBuf,
    notes: &'w mut Vec<String>,
}

impl Stage<'_> {
    /// Three people and two rooms.
    fn conversation(&mut self) -> Result<(), Failure> {
        self.open_chat("ann")?;
        self.open_chat("bob")?;
        self.say("bob", "morning! the ferry leaves at nine, second pier")?;
        self.say("ann", "who brings the charts?")?;
        self.send("cid", ROOM, "I have them. And coffee for three ☕")?;
        self.say("bob", "ann, will you steer on the way back?")?;
        self.say("ann", "gladly")?;
        self.terminal.enter("ann", "/join weather")?;
        self.say("ann", "how is the wind?")?;
        self.terminal.enter("ann", &format!("/join {ROOM}"))?;
        self.terminal.wait_to_show("ann", "gladly ✓")?;
        self.send("cid", "weather", "south-west, four, and dry until noon")?;
        self.send("cid", "weather", "ann: six in the evening")?;
        self.terminal.type_text("bob", "then we should")?;
        self.terminal.wait_to_show("ann", "»2")?;
        self.terminal.wait_to_show("ann", " ms")?;
        self.picture("conversation", "ann", "steadfast chat --as ann harbour")
    }

    /// The server is gone, and what is written waits.
    fn away(&mut self) -> Result<(), Failure> {
        self.server.kill();
        self.terminal.wait_to_show("ann", "offline: ")?;
        self.terminal.enter("ann", "we are at the pier already")?;
        self.terminal.enter("ann", "bob, is that your red jacket over there?")?;
        self.terminal.wait_to_show("ann", "2 queued")?;
        self.terminal.wait_to_show("ann", "next in 6")?;
        self.picture(
            "offline",
            "ann",
            "the server is gone: steadfast says why, and what was written waits on this disk",
        )
    }

    /// It is back, and tells what happened.
    fn back(&mut self) -> Result<(), Failure> {
        self.server.start_again()?;
        self.terminal.press("ann", "C-r")?;
        self.terminal.wait_to_show("ann", "over there? ✓")?;
        self.terminal.press("bob", "C-u")?;
        self.terminal.press("bob", "C-r")?;
        self.say("bob", "yes! I can see you")?;
        self.terminal.wait_to_show("ann", "I can see you")?;
        self.terminal.enter("ann", "/why")?;
        self.terminal.wait_to_show("ann", "back after")?;
        self.terminal.wait_to_show("ann", " ms")?;
        self.picture("back", "ann", "back: everything arrived once, and /why tells what happened")
    }

    fn open_chat(&self, name: &str) -> Result<(), Failure> {
        let profile = self.scratch.join(name).display().to_string();
        let settings = [
            ("STEADFAST_AS", name),
            ("STEADFAST_SERVER", &self.server.address),
            ("STEADFAST_PROFILE", &profile),
            ("STEADFAST_RECONNECT_SCHEDULE", "post2012"),
            ("STEADFAST_RECONNECT_PAUSE", PAUSE),
        ];
        self.terminal.open(name, &self.program, &settings, &["chat", ROOM])?;
        self.terminal.wait_to_show(name, "online")
    }

    /// Says something in the chat, and waits until the server has it.
    fn say(&self, name: &str, text: &str) -> Result<(), Failure> {
        self.terminal.enter(name, text)?;
        self.terminal.wait_to_show(name, &format!("{text} ✓"))
    }

    /// Says something by the command that scripts use.
    fn send(&self, name: &str, room: &str, text: &str) -> Result<(), Failure> {
        let mut send = self.workspace.command(&self.program);
        send.args(["send", "--as", name, "--server", &self.server.address, "--room", room, "--log", "warn"]);
        send.arg("--profile").arg(self.scratch.join(name)).arg(text);
        self.workspace.capture(&mut send).map(drop)
    }

    fn picture(&mut self, name: &str, window: &str, title: &str) -> Result<(), Failure> {
        let screen = self.terminal.styled(window)?;
        let cursor = self.terminal.cursor(window)?;
        let picture = Picture { title, screen: &screen, columns: SIZE.0, rows: SIZE.1, cursor };
        for theme in &THEMES {
            let file = Path::new(DIRECTORY).join(format!("{name}-{}.svg", theme.name));
            let path = self.workspace.root().join(&file);
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = written.and_then(|()| std::fs::write(&path, picture.draw(theme)));
            written.map_err(|error| Failure::Io { doing: format!("writing {}", file.display()), error })?;
            self.notes.push(file.display().to_string());
        }
        Ok(())
    }
}

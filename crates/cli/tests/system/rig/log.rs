//! The oracle: what is stored, against what was accepted.

use serde::Deserialize;

use super::member::Member;

/// A message as `tail` and `history` print it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    pub(crate) room_sequence: u64,
    pub(crate) from: String,
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) text: String,
}

/// What `send --json` prints of a message that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Printed {
    pub(crate) sequence: u64,
    pub(crate) position: u64,
}

impl Printed {
    pub(crate) fn of_lines(lines: &[String]) -> Vec<Self> {
        lines.iter().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }
}

/// Messages of a room in the order in which somebody printed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
}

impl Log {
    pub(crate) fn of_lines(lines: &[String]) -> Self {
        let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        Self { entries: lines.iter().map(read).collect() }
    }

    pub(crate) fn texts_of(&self, name: &str) -> Vec<&str> {
        self.of(name).map(|entry| entry.text.as_str()).collect()
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.text.as_str()).collect()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.from == name)
    }

    /// One order for all: positions and room sequences grow.
    #[track_caller]
    pub(crate) fn assert_ordered(&self) {
        for pair in self.entries.windows(2) {
            let grows = pair[0].position < pair[1].position && pair[0].room_sequence < pair[1].room_sequence;
            assert!(grows, "out of order or doubled: {pair:#?}");
        }
    }

    /// Exactly these lines of this sender, each once, in its order.
    #[track_caller]
    pub(crate) fn assert_has(&self, name: &str, lines: &[String]) {
        let texts = self.texts_of(name);
        let differs = texts.iter().zip(lines).position(|(text, line)| text != line);
        let at = differs.unwrap_or(texts.len().min(lines.len()));
        let around = |all: &[&str]| all.iter().skip(at.saturating_sub(2)).take(5).map(|&t| t.to_owned()).collect();
        let (stored, sent): (Vec<String>, Vec<String>) =
            (around(&texts), around(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
        let same = differs.is_none() && texts.len() == lines.len();
        assert!(
            same,
            "{name}: {} lines stored, {} sent; they part at {at}: stored {stored:?}, sent {sent:?}",
            texts.len(),
            lines.len()
        );
    }

    /// What is stored of this sender is a beginning of what it was given.
    #[track_caller]
    pub(crate) fn assert_is_prefix(&self, name: &str, lines: &[String]) {
        let stored = self.texts_of(name).len();
        assert!(stored <= lines.len(), "{name}: {stored} lines stored of {}", lines.len());
        self.assert_has(name, &lines[..stored]);
    }

    /// What was printed as stored stands where it was said to stand.
    #[track_caller]
    pub(crate) fn assert_printed(&self, name: &str, printed: &[Printed]) {
        let stored = self.of(name).map(|entry| Printed { sequence: entry.sequence, position: entry.position });
        let stored: Vec<Printed> = stored.take(printed.len()).collect();
        assert_eq!(stored, printed, "{name}: stored, and printed as stored");
    }
}

/// The final check: the log as a fresh profile reads it has exactly these lines of these senders, once and in their
/// order, and so has every member's own history. Gives the log.
#[track_caller]
pub(crate) fn assert_stored(witness: &Member, members: &[Member], sent: &[(&str, Vec<String>)]) -> Log {
    assert!(!witness.profile().exists(), "the witness has a fresh profile");
    let log = witness.read_from_start();
    log.assert_ordered();
    for (name, lines) in sent {
        log.assert_has(name, lines);
    }
    let all: usize = sent.iter().map(|(_, lines)| lines.len()).sum();
    assert_eq!(log.entries.len(), all, "messages of others stand in the log");
    for member in members {
        let history = member.history();
        history.assert_ordered();
        for (name, lines) in sent {
            history.assert_has(name, lines);
        }
        assert!(history == log, "the history of {} is not the log", member.name);
    }
    log
}

//! The rows that a block of the message area takes: what [`view`](super::view) draws and scrolling counts.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::blocks::Block;
use super::model::{Entry, Model, Note, NoteKind, Pending, PendingSaid, Person, Said, same_name};
use super::palette::Palette;
use super::text::{clipped, harmless, mentions, width, wrapped};
use super::time::Zone;
use super::window::Beyond;

/// Columns of `14:02 `.
const TIME: usize = 6;
/// Columns of the widest name that is not cut, and of the column on a narrow screen.
const NAME_MAX: usize = 16;
const NAME_MIN: usize = 8;

/// How the message area is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout<'m> {
    pub(crate) columns: usize,
    /// Columns for names, the same in every row so that texts stand beneath each other.
    pub(crate) name_columns: usize,
    pub(crate) me: &'m str,
    /// The members of the room, where they are known.
    pub(crate) people: &'m [Person],
    pub(crate) zone: &'m Zone,
    pub(crate) palette: Palette,
}

impl<'m> Layout<'m> {
    pub(crate) fn new(columns: u16, model: &'m Model, palette: Palette) -> Self {
        let columns = usize::from(columns);
        let name_columns = (columns / 5).clamp(NAME_MIN, NAME_MAX);
        let people = model.rooms.current().map_or(&[][..], |room| &room.people);
        Self { columns, name_columns, me: &model.me, people, zone: &model.zone, palette }
    }

    /// The rows of a block.
    pub(crate) fn rows(&self, block: &Block<'_>) -> Vec<Line<'static>> {
        match block {
            Block::Edge(beyond) => self.edge(beyond),
            Block::Gap(missing) => vec![self.ruled(&missing_words(*missing), self.palette.quiet())],
            Block::Day(at_ms) => vec![self.ruled(&self.zone.day_words(*at_ms), self.palette.quiet())],
            Block::New => vec![self.ruled("new", self.palette.new_line())],
            Block::Entry(entry) => self.entry(entry),
            Block::Moves(entries) => self.quiet_rows(&moves_words(entries)),
            Block::Note(note) => self.note(note),
            Block::Arriving(pending) => self.own(pending, self.stored()),
            Block::Pending(pending) => self.own(pending, Span::styled(" … queued", self.palette.waiting())),
            Block::PendingMore => self.quiet_rows("… and more before these, queued"),
        }
    }

    fn edge(&self, beyond: &Beyond) -> Vec<Line<'static>> {
        let words = match beyond {
            Beyond::Nothing => "the beginning of the room".to_owned(),
            Beyond::More => "older messages".to_owned(),
            Beyond::Fetching => "fetching older messages …".to_owned(),
            Beyond::Away(why) => format!("older messages are not here: {why}"),
        };
        vec![self.ruled(&words, self.palette.quiet())]
    }

    /// Words in the middle of a rule.
    fn ruled(&self, words: &str, style: Style) -> Line<'static> {
        let shown = clipped(words, self.columns.saturating_sub(4)).into_owned();
        let left = self.columns.saturating_sub(width(&shown) + 2);
        let before = left / 2;
        Line::styled(format!("{} {shown} {}", "─".repeat(before), "─".repeat(left - before)), style)
    }

    fn quiet_rows(&self, words: &str) -> Vec<Line<'static>> {
        self.hanging(String::new(), Span::raw(""), words, self.palette.quiet(), Vec::new())
    }

    fn entry(&self, entry: &Entry) -> Vec<Line<'static>> {
        let time = self.zone.time(entry.at_ms);
        let mentioned = !entry.own && entry.mentions_me();
        let name = self.name(&entry.author, entry.own, mentioned);
        let mark = if entry.own { vec![self.delivered(entry.position)] } else { Vec::new() };
        match &entry.said {
            Said::Text { text, .. } => self.hanging(time, name, text, Style::new(), mark),
            Said::Data { content_type, bytes } => {
                self.hanging(time, name, &data_words(content_type, *bytes), self.palette.answer(), mark)
            }
            Said::Joined(_) | Said::Left(_) | Said::Other => Vec::new(),
        }
    }

    /// On the server's disk, and to how many others it was delivered.
    fn delivered(&self, position: u64) -> Span<'static> {
        let others = || self.people.iter().filter(|person| !same_name(&person.name, self.me));
        let of = others().count();
        match others().filter(|person| person.delivered >= position).count() {
            0 => self.stored(),
            to if to == of => Span::styled(" ✓✓", self.palette.stored()),
            to => Span::styled(format!(" ✓ {to}/{of}"), self.palette.stored()),
        }
    }

    fn stored(&self) -> Span<'static> {
        Span::styled(" ✓", self.palette.stored())
    }

    /// What the person said and has not come back from the server.
    fn own(&self, pending: &Pending, mark: Span<'static>) -> Vec<Line<'static>> {
        let time = self.zone.time(pending.composed_at_ms);
        let name = self.name(self.me, true, false);
        let mark = vec![mark];
        match &pending.what {
            PendingSaid::Text(text) => self.hanging(time, name, text, Style::new(), mark),
            PendingSaid::Data { content_type, bytes } => {
                self.hanging(time, name, &data_words(content_type, *bytes), self.palette.answer(), mark)
            }
            PendingSaid::Doing(words) => self.hanging(time, Span::raw(""), words, self.palette.quiet(), mark),
        }
    }

    fn note(&self, note: &Note) -> Vec<Line<'static>> {
        let (sign, style) = match note.kind {
            NoteKind::Answer => ("·", self.palette.answer()),
            NoteKind::Error => ("!", self.palette.error()),
        };
        let sign = Span::styled(format!("{sign:>columns$}", columns = self.name_columns), style);
        self.hanging(self.zone.time(note.at_ms), sign, &note.text, style, Vec::new())
    }

    /// A name, to the right of its column. A message that names the person has a sign before it.
    fn name(&self, name: &str, own: bool, mentioned: bool) -> Span<'static> {
        let shown = harmless(name).replace('\n', " ");
        let sign = if mentioned { "»" } else { "" };
        let shown = format!("{sign}{}", clipped(&shown, self.name_columns - width(sign)));
        let gap = " ".repeat(self.name_columns.saturating_sub(width(&shown)));
        let style = if mentioned { self.palette.mention() } else { self.palette.name(name, own) };
        Span::styled(format!("{gap}{shown}"), style)
    }

    /// A text beside its time and name; what follows the first row stands beneath it. The mark comes last.
    fn hanging(
        &self,
        time: String,
        name: Span<'static>,
        text: &str,
        style: Style,
        mark: Vec<Span<'static>>,
    ) -> Vec<Line<'static>> {
        let indent = TIME + self.name_columns + 1;
        let columns = self.columns.saturating_sub(indent).max(2);
        let rows = wrapped(text, columns);
        let mark_columns: usize = mark.iter().map(|span| width(&span.content)).sum();
        let fits = rows.last().is_some_and(|row| width(row) + mark_columns <= columns);
        let mut lines: Vec<Line<'static>> = Vec::with_capacity(rows.len() + 1);
        let mut head = Some((time, name));
        for row in rows {
            let mut spans = match head.take() {
                Some((time, name)) => vec![
                    Span::styled(format!("{time:<TIME$}"), self.palette.quiet()),
                    named(name, self.name_columns),
                    Span::raw(" "),
                ],
                None => vec![Span::raw(" ".repeat(indent))],
            };
            spans.extend(self.highlighted(&row, style));
            lines.push(Line::from(spans));
        }
        if fits && let Some(last) = lines.last_mut() {
            last.spans.extend(mark);
        } else if mark_columns > 0 {
            let mut spans = vec![Span::raw(" ".repeat(indent - 1))];
            spans.extend(mark);
            lines.push(Line::from(spans));
        }
        lines
    }

    /// The person's own name stands out.
    fn highlighted(&self, row: &str, style: Style) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let mut done = 0;
        for found in mentions(row, self.me) {
            spans.push(Span::styled(row[done..found.start].to_owned(), style));
            spans.push(Span::styled(row[found.clone()].to_owned(), self.palette.mention()));
            done = found.end;
        }
        spans.push(Span::styled(row[done..].to_owned(), style));
        spans
    }
}

/// Fills the column where there is no name.
fn named(name: Span<'static>, columns: usize) -> Span<'static> {
    if name.content.is_empty() { Span::raw(" ".repeat(columns)) } else { name }
}

fn missing_words(missing: u64) -> String {
    match missing {
        1 => "one entry is not for this device".to_owned(),
        many => format!("{many} entries are not for this device"),
    }
}

/// As `[image/png, 12 kB]`.
fn data_words(content_type: &str, bytes: usize) -> String {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let size = match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    };
    format!("[{}, {size}]", if kind.is_empty() { "not text" } else { kind })
}

/// As `ann, bob joined · cid left`.
fn moves_words(entries: &[&Entry]) -> String {
    const NAMES_MAX: usize = 5;
    let mut parts: Vec<(bool, Vec<&str>)> = Vec::new();
    for entry in entries {
        let (joined, name) = match &entry.said {
            Said::Joined(name) => (true, name),
            Said::Left(name) => (false, name),
            Said::Text { .. } | Said::Data { .. } | Said::Other => continue,
        };
        match parts.last_mut() {
            Some((kind, names)) if *kind == joined => names.push(name),
            Some(_) | None => parts.push((joined, vec![name])),
        }
    }
    let words = |(joined, names): &(bool, Vec<&str>)| {
        let more = names.len().saturating_sub(NAMES_MAX);
        let shown = names[..names.len() - more].join(", ");
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{shown}{and_more} {}", if *joined { "joined" } else { "left" })
    };
    parts.iter().map(words).collect::<Vec<_>>().join(" · ")
}

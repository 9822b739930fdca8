//! The rows that a block of the message area takes: what [`view`](super::view) draws and scrolling counts.

use std::cell::Ref;
use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::blocks::Block;
use super::model::{Entry, Model, Note, NoteKind, Pending, PendingSaid, Person, Said};
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

    /// How many rows a block takes.
    pub(crate) fn height(&self, block: &Block<'_>) -> usize {
        match self.shape(block) {
            Shape::Nothing => 0,
            Shape::Rule(_) => 1,
            Shape::Hanging(hanging) => self.hanging_height(&hanging),
        }
    }

    /// Some of the rows of a block.
    pub(crate) fn rows(&self, block: &Block<'_>, which: Range<usize>) -> Vec<Line<'static>> {
        match self.shape(block) {
            Shape::Nothing => Vec::new(),
            Shape::Rule(line) => {
                if which.contains(&0) {
                    vec![line]
                } else {
                    Vec::new()
                }
            }
            Shape::Hanging(hanging) => self.hanging_rows(&hanging, which),
        }
    }

    fn shape<'b>(&self, block: &'b Block<'_>) -> Shape<'b> {
        let quiet = self.palette.quiet();
        match block {
            Block::Edge(beyond) => Shape::Rule(self.ruled(&edge_words(beyond), quiet)),
            Block::Gap(missing) => Shape::Rule(self.ruled(&missing_words(*missing), quiet)),
            Block::Day(at_ms) => Shape::Rule(self.ruled(&self.zone.day_words(*at_ms), quiet)),
            Block::New => Shape::Rule(self.ruled("new", self.palette.new_line())),
            Block::Entry(entry) => self.entry(entry),
            Block::Moves(entries) => self.quiet(&moves_words(entries)),
            Block::Note(note) => self.note(note),
            Block::Arriving(pending) => self.own(pending, self.stored()),
            Block::Pending(pending) => self.own(pending, Span::styled(" … queued", self.palette.waiting())),
            Block::PendingMore => self.quiet("… and more before these, queued"),
        }
    }

    /// Words in the middle of a rule.
    fn ruled(&self, words: &str, style: Style) -> Line<'static> {
        let shown = clipped(words, self.columns.saturating_sub(4)).into_owned();
        let left = self.columns.saturating_sub(width(&shown) + 2);
        let before = left / 2;
        Line::styled(format!("{} {shown} {}", "─".repeat(before), "─".repeat(left - before)), style)
    }

    fn quiet(&self, words: &str) -> Shape<'static> {
        let rows = Rows::Made(wrapped(words, self.text_columns()));
        Shape::Hanging(Hanging { time: String::new(), name: None, rows, style: self.palette.quiet(), mark: None })
    }

    fn entry<'b>(&self, entry: &'b Entry) -> Shape<'b> {
        let mentioned = !entry.own && entry.mentions_me();
        let (rows, style) = match &entry.said {
            Said::Text { body, .. } => (Rows::Kept(body.rows(self.text_columns())), Style::new()),
            Said::Data { content_type, bytes } => self.data(content_type, *bytes),
            Said::Joined(_) | Said::Left(_) | Said::Other => return Shape::Nothing,
        };
        Shape::Hanging(Hanging {
            time: self.zone.time(entry.at_ms),
            name: Some(self.name(&entry.author, entry.own, mentioned)),
            rows,
            style,
            mark: entry.own.then(|| self.delivered(entry.position)),
        })
    }

    fn data(&self, content_type: &str, bytes: usize) -> (Rows<'static>, Style) {
        let rows = wrapped(&data_words(content_type, bytes), self.text_columns());
        (Rows::Made(rows), self.palette.answer())
    }

    /// On the server's disk, and to how many others it was delivered.
    fn delivered(&self, position: u64) -> Span<'static> {
        let others = || self.people.iter().filter(|person| !person.own);
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
    fn own<'b>(&self, pending: &'b Pending, mark: Span<'static>) -> Shape<'b> {
        let (rows, style) = match &pending.what {
            PendingSaid::Text(body) => (Rows::Kept(body.rows(self.text_columns())), Style::new()),
            PendingSaid::Data { content_type, bytes } => self.data(content_type, *bytes),
            PendingSaid::Doing(words) => (Rows::Made(wrapped(words, self.text_columns())), self.palette.quiet()),
        };
        let time = self.zone.time(pending.composed_at_ms);
        let name = Some(self.name(self.me, true, false));
        Shape::Hanging(Hanging { time, name, rows, style, mark: Some(mark) })
    }

    fn note<'b>(&self, note: &'b Note) -> Shape<'b> {
        let (sign, style) = match note.kind {
            NoteKind::Answer => ("·", self.palette.answer()),
            NoteKind::Error => ("!", self.palette.error()),
        };
        let name = Some(Span::styled(sign, style));
        let rows = Rows::Kept(note.body.rows(self.text_columns()));
        Shape::Hanging(Hanging { time: self.zone.time(note.at_ms), name, rows, style, mark: None })
    }

    /// A name. A message that names the person has a sign before it.
    fn name(&self, name: &str, own: bool, mentioned: bool) -> Span<'static> {
        let shown = harmless(name).replace('\n', " ");
        let sign = if mentioned { "»" } else { "" };
        let shown = format!("{sign}{}", clipped(&shown, self.name_columns - width(sign)));
        let style = if mentioned { self.palette.mention() } else { self.palette.name(name, own) };
        Span::styled(shown, style)
    }

    /// Columns before the text.
    fn indent(&self) -> usize {
        TIME + self.name_columns + 1
    }

    fn text_columns(&self) -> usize {
        self.columns.saturating_sub(self.indent()).max(2)
    }

    /// Whether the mark stands behind the last row, or needs one of its own.
    fn mark_fits(&self, hanging: &Hanging<'_>) -> bool {
        let columns = hanging.mark.as_ref().map_or(0, |mark| width(&mark.content));
        hanging.rows.get().last().is_some_and(|row| width(row) + columns <= self.text_columns())
    }

    fn hanging_height(&self, hanging: &Hanging<'_>) -> usize {
        hanging.rows.get().len() + usize::from(!self.mark_fits(hanging))
    }

    /// A text beside its time and name; what follows the first row stands beneath it. The mark comes last.
    fn hanging_rows(&self, hanging: &Hanging<'_>, which: Range<usize>) -> Vec<Line<'static>> {
        let rows = hanging.rows.get();
        let last = rows.len() - 1;
        let fits = self.mark_fits(hanging);
        let line = |index: usize| {
            let Some(row) = rows.get(index) else {
                let mut spans = vec![Span::raw(" ".repeat(self.indent() - 1))];
                spans.extend(hanging.mark.clone());
                return Line::from(spans);
            };
            let mut spans = if index == 0 {
                let name = hanging.name.clone().unwrap_or_default();
                // To the right of its column.
                let gap = Span::raw(" ".repeat(self.name_columns.saturating_sub(width(&name.content))));
                let time = Span::styled(format!("{:<TIME$}", hanging.time), self.palette.quiet());
                vec![time, gap, name, Span::raw(" ")]
            } else {
                vec![Span::raw(" ".repeat(self.indent()))]
            };
            match hanging.name {
                Some(_) => spans.extend(self.highlighted(row, hanging.style)),
                // Who came and went speaks to nobody.
                None => spans.push(Span::styled(row.to_owned(), hanging.style)),
            }
            if index == last && fits {
                spans.extend(hanging.mark.clone());
            }
            Line::from(spans)
        };
        let end = which.end.min(self.hanging_height(hanging));
        (which.start..end).map(line).collect()
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

/// How a block is drawn.
enum Shape<'b> {
    Nothing,
    /// One row over the whole width.
    Rule(Line<'static>),
    Hanging(Hanging<'b>),
}

/// A text beside its time and name.
struct Hanging<'b> {
    time: String,
    name: Option<Span<'static>>,
    rows: Rows<'b>,
    style: Style,
    mark: Option<Span<'static>>,
}

enum Rows<'b> {
    Kept(Ref<'b, [String]>),
    Made(Vec<String>),
}

impl Rows<'_> {
    /// One at least.
    fn get(&self) -> &[String] {
        match self {
            Rows::Kept(rows) => rows,
            Rows::Made(rows) => rows,
        }
    }
}

fn edge_words(beyond: &Beyond) -> String {
    match beyond {
        Beyond::Nothing => "the beginning of the room".to_owned(),
        Beyond::More => "older messages".to_owned(),
        Beyond::Fetching => "fetching older messages …".to_owned(),
        Beyond::Away(why) => format!("older messages are not here: {why}"),
    }
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

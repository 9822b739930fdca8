//! Draws the model, and nothing else: the same model makes the same frame.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::layout::Layout;
use super::model::{Model, Overlay, Person};
use super::palette::Palette;
use super::room::Room;
use super::screen::Screen;
use super::status::{self, Mood};
use super::text::{clipped, harmless, width};
use super::{blocks, commands, scroll};

pub(crate) fn view(model: &Model, frame: &mut Frame<'_>) {
    let view = View { model, palette: Palette::new(model.settings.colour) };
    let area = frame.area();
    match Screen::of((area.width, area.height), model.input.rows(Screen::input_columns(area.width))) {
        None => view.too_small(frame),
        Some(screen) => {
            view.title(frame, screen.title);
            match (model.overlay, screen.side) {
                (Some(Overlay::Help { scrolled }), _) => view.help(frame, screen.middle(), scrolled),
                (None, side) => {
                    if let Some(side) = side {
                        view.side(frame, side);
                    }
                    view.messages(frame, screen.messages);
                }
            }
            view.status(frame, screen.status);
            view.input(frame, screen.input);
        }
    }
}

struct View<'m> {
    model: &'m Model,
    palette: Palette,
}

impl View<'_> {
    fn too_small(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let words = format!("too small: {}×{} at least", Screen::COLUMNS_MIN, Screen::ROWS_MIN);
        let line = Line::raw(clipped(&words, area.width.into()).into_owned());
        frame.render_widget(line, Rect { height: area.height.min(1), ..area });
    }

    fn title(&self, frame: &mut Frame<'_>, area: Rect) {
        let rooms = &self.model.rooms;
        let title = match rooms.current() {
            Some(room) => harmless(&room.title()).into_owned(),
            None => "steadfast".to_owned(),
        };
        let right = self.title_right();
        let left = format!(" {title}{}", self.typing());
        let room = usize::from(area.width).saturating_sub(width(&right) + 1);
        let left = clipped(&left, room).into_owned();
        bar(frame, area, &left, &right, self.palette.bar());
    }

    /// Who writes something just now.
    fn typing(&self) -> String {
        let Some(room) = self.model.rooms.current() else { return String::new() };
        let others = room.people.iter().filter(|person| person.typing && !person.own);
        let names: Vec<String> = others.map(|person| harmless(&person.name).into_owned()).collect();
        match names.len() {
            0 => String::new(),
            1 => format!(" · {} types …", names[0]),
            2 | 3 => format!(" · {} type …", names.join(", ")),
            many => format!(" · {many} people type …"),
        }
    }

    /// What is new out of sight: below the edge, and in other rooms.
    fn title_right(&self) -> String {
        let rooms = &self.model.rooms;
        let mut parts = Vec::new();
        if let Some(room) = rooms.current() {
            match room.window.unseen(room.newest) {
                0 if room.window.follows() => {}
                0 => parts.push("End: newest".to_owned()),
                many => parts.push(format!("{many} new below")),
            }
        }
        let others = rooms.list().iter().enumerate().filter(|(index, _)| Some(*index) != rooms.current_index());
        let unread = others.filter(|(_, room)| room.unread.messages > 0);
        let (mut many, mut mentioned) = (0, false);
        for (_, room) in unread {
            many += 1;
            mentioned |= room.unread.mentioned;
        }
        if many > 0 {
            let rooms = if many == 1 { "1 room".to_owned() } else { format!("{many} rooms") };
            parts.push(format!("unread in {rooms}{}", if mentioned { " (you)" } else { "" }));
        }
        if parts.is_empty() { "F1 help ".to_owned() } else { format!("{} ", parts.join(" · ")) }
    }

    /// Rooms, and beneath them the people of the one that is shown.
    fn side(&self, frame: &mut Frame<'_>, area: Rect) {
        for y in area.y..area.bottom() {
            let rule = Line::styled("│", self.palette.quiet());
            frame.render_widget(rule, Rect { x: area.right() - 1, y, width: 1, height: 1 });
        }
        let area = Rect { width: area.width - 1, ..area };
        let people = self.model.rooms.current().map_or(&[][..], |room| &room.people);
        let rows = usize::from(area.height);
        // Rooms that are there come first; people have half of the side in any case.
        let for_people = if people.is_empty() { 0 } else { people.len() + 1 };
        let for_rooms = self.model.rooms.list().len().min(rows - for_people.min(rows / 2));
        let height = u16::try_from(for_rooms).unwrap_or(area.height);
        self.side_rooms(frame, Rect { height, ..area });
        if for_people > 0 && height + 2 < area.height {
            let top = area.y + height;
            self.side_people(frame, people, Rect { y: top, height: area.bottom() - top, ..area });
        }
    }

    fn side_rooms(&self, frame: &mut Frame<'_>, area: Rect) {
        let rooms = &self.model.rooms;
        // The one that is shown is always in sight.
        let skipped = rooms.current_index().map_or(0, |index| index + 1).saturating_sub(area.height.into());
        for (y, (index, room)) in (area.y..area.bottom()).zip(rooms.list().iter().enumerate().skip(skipped)) {
            let line = self.side_line(index, room, area.width.into());
            frame.render_widget(line, Rect { y, height: 1, ..area });
        }
    }

    fn side_people(&self, frame: &mut Frame<'_>, people: &[Person], area: Rect) {
        let columns = usize::from(area.width);
        let mut sorted: Vec<&Person> = people.iter().collect();
        sorted.sort_by_key(|person| (!person.online, person.name.to_lowercase()));
        let shown = usize::from(area.height) - 1;
        let head = Line::styled(format!("{:─<columns$}", ""), self.palette.quiet());
        frame.render_widget(head, Rect { height: 1, ..area });
        // Where not all fit the last row says how many are left out.
        let fits = if sorted.len() > shown { shown - 1 } else { shown };
        let mut lines: Vec<Line<'static>> =
            sorted.iter().take(fits).map(|person| self.person_line(person, columns)).collect();
        if sorted.len() > fits {
            lines.push(Line::styled(format!("  and {} more", sorted.len() - fits), self.palette.quiet()));
        }
        for (y, line) in (area.y + 1..area.bottom()).zip(lines) {
            frame.render_widget(line, Rect { y, height: 1, ..area });
        }
    }

    fn person_line(&self, person: &Person, columns: usize) -> Line<'static> {
        let sign = if person.online { "●" } else { "○" };
        let doing = if person.typing { " …" } else { "" };
        let name = clipped(&harmless(&person.name), columns.saturating_sub(5)).into_owned();
        let style = if person.online { self.palette.name(&person.name, person.own) } else { self.palette.quiet() };
        Line::from(vec![
            Span::styled(format!("{sign} "), self.palette.quiet()),
            Span::styled(name, style),
            Span::styled(doing, self.palette.waiting()),
        ])
    }

    fn side_line(&self, index: usize, room: &Room, columns: usize) -> Line<'static> {
        let is_current = Some(index) == self.model.rooms.current_index();
        let count = match (room.unread.messages, room.unread.more) {
            (0, _) => String::new(),
            (many, false) => many.to_string(),
            (many, true) => format!("{many}+"),
        };
        let count = if room.unread.mentioned { format!("»{count}") } else { count };
        let number = if index < 9 { format!("{}", index + 1) } else { " ".to_owned() };
        let left = columns.saturating_sub(width(&count) + 3);
        let title = clipped(&harmless(&room.title()), left).into_owned();
        let gap = " ".repeat(left.saturating_sub(width(&title)));
        let style = match (is_current, room.unread.messages > 0) {
            (true, _) => self.palette.selected(),
            (false, true) => self.palette.unread(),
            (false, false) if !room.member => self.palette.quiet(),
            (false, false) => Style::new(),
        };
        let count_style = if room.unread.mentioned { self.palette.mention() } else { style };
        Line::from(vec![
            Span::styled(number, self.palette.quiet()),
            Span::styled(format!(" {title}{gap}"), style),
            Span::styled(format!("{count} "), count_style),
        ])
    }

    fn messages(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(room) = self.model.rooms.current() else {
            self.welcome(frame, area);
            return;
        };
        let layout = Layout::new(area.width, self.model, self.palette);
        let blocks = blocks::blocks(room, &self.model.zone);
        let Some(lowest) = scroll::lowest(room, &blocks) else {
            let words = if room.window.known { "nothing was said here yet" } else { "reading …" };
            frame.render_widget(Line::styled(words, self.palette.quiet()), Rect { height: 1, ..area });
            return;
        };
        // From the lower edge up, and no further than the screen reaches.
        let height = usize::from(area.height);
        let mut rows = Vec::new();
        let mut hidden = lowest.below;
        for (_, block) in blocks[..=lowest.index].iter().rev() {
            let seen = layout.height(block).saturating_sub(hidden);
            hidden = 0;
            let first = seen.saturating_sub(height - rows.len());
            rows.extend(layout.rows(block, first..seen).into_iter().rev());
            if rows.len() >= height {
                break;
            }
        }
        // Few messages stand at the lower edge, near where one writes.
        let first = area.bottom().saturating_sub(u16::try_from(rows.len()).unwrap_or(area.height));
        for (y, line) in (first..area.bottom()).zip(rows.into_iter().rev()) {
            frame.render_widget(line, Rect { y, height: 1, ..area });
        }
    }

    fn welcome(&self, frame: &mut Frame<'_>, area: Rect) {
        let words = if self.model.rooms.known {
            [
                "You are in no room yet.",
                "",
                "/join ROOM   enters a room, or makes it",
                "F1           tells the rest",
                "",
            ]
        } else {
            ["reading …", "", "", "", ""]
        };
        let words = words.into_iter().chain(self.model.homeless.iter().rev().map(String::as_str));
        for (y, words) in (area.y..area.bottom()).zip(words) {
            let shown = clipped(&harmless(words), area.width.into()).into_owned();
            frame.render_widget(Line::raw(shown), Rect { y, height: 1, ..area });
        }
    }

    fn help(&self, frame: &mut Frame<'_>, area: Rect, scrolled: u16) {
        let lines = commands::help_lines();
        let last = lines.len().saturating_sub(area.height.into());
        let lines = lines.into_iter().skip(usize::from(scrolled).min(last));
        for (y, words) in (area.y..area.bottom()).zip(lines) {
            let style = if words.starts_with(' ') { Style::new() } else { self.palette.unread() };
            let shown = clipped(&words, area.width.into()).into_owned();
            frame.render_widget(Line::styled(shown, style), Rect { y, height: 1, ..area });
        }
    }

    fn status(&self, frame: &mut Frame<'_>, area: Rect) {
        let words = status::words(&self.model.status, self.model.now_ms);
        let sign = match words.mood {
            Mood::Well => "●",
            Mood::Waiting => "◐",
            Mood::Down => "○",
        };
        let queued = match self.model.outbox {
            0 => String::new(),
            many => format!(" · {many} queued"),
        };
        let left = format!(" {sign} {}", words.within(usize::from(area.width).saturating_sub(3), &queued));
        let left = clipped(&left, area.width.into()).into_owned();
        let right = format!("{} ", words.keys);
        bar(frame, area, &left, &right, self.palette.bar());
    }

    fn input(&self, frame: &mut Frame<'_>, area: Rect) {
        let prompt = if self.model.leaving { "? " } else { "> " };
        frame.render_widget(Line::styled(prompt, self.palette.unread()), Rect { width: 2, height: 1, ..area });
        let area = Rect { x: area.x + 2, width: area.width - 2, ..area };
        if self.model.leaving {
            let words = "Ctrl-C once more leaves; what was sent is safe";
            let shown = clipped(words, area.width.into()).into_owned();
            frame.render_widget(Line::styled(shown, self.palette.quiet()), area);
            return;
        }
        frame.render_widget(self.model.input.area(), area);
    }
}

/// A bar with words at both ends; the right ones only where they fit.
fn bar(frame: &mut Frame<'_>, area: Rect, left: &str, right: &str, style: Style) {
    let columns = usize::from(area.width);
    let gap = columns.saturating_sub(width(left));
    let right = if width(right) < gap { right } else { "" };
    let words = format!("{left}{}{right}", " ".repeat(gap - width(right)));
    frame.render_widget(Line::styled(words, style), area);
}
